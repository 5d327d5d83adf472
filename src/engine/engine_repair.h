#pragma once
// The engine as the owner of a log that has lost something: what can be known comes back, what cannot is named.
//
// After a loss a record may speak of a queue or a message that is not known. Then:
//   - messages of a queue whose creation is lost come into a queue made for them, "recovered-queue-N", with new attributes;
//   - a copy made by compaction stands for the message when its send is lost, since only what is there is copied;
//   - a move to a queue whose creation is lost is not made: the messages stay where they were;
//   - everything else is left out, and counted.
// What a piece of the checkpoint contains is not undone by older records, also when the records between are lost.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engine/engine.h"
#include "engine/records.h"
#include "store/repair_owner.h"

namespace ferry::engine {

class EngineRepair final : public store::RepairOwner {
 public:
  /// All of them outlive it. `store` is the store that is repaired.
  EngineRepair(store::Store& store, const Clock& clock, Random& random, const Logger& log);
  ~EngineRepair() override;

  struct LostMessage {
    QueueKey queue;
    std::uint64_t sequence = 0;
    std::optional<Uuid> message_id;
    bool id_is_certain = false;  ///< else it was read from bytes that are damaged
    store::Location location;    ///< where its body was
  };
  struct QueueReport {
    QueueKey key;
    std::uint64_t messages = 0;    ///< that are kept, quarantined ones included
    std::uint64_t lost_sends = 0;  ///< numbers that were given out in records that are lost: so many messages at most
    bool is_new = false;           ///< made for messages whose queue's creation is lost
  };
  struct Report {
    std::vector<LostMessage> lost_messages;  ///< bodies that are damaged or not there, and sends in damaged groups
    std::vector<QueueReport> queues;         ///< ascending by key
    std::uint64_t lost_records = 0;
    std::uint64_t records_left_out = 0;    ///< readable ones that speak of what is lost
    std::uint64_t unreadable_records = 0;  ///< whole ones that make no sense
    bool lost_pieces = false;
  };
  /// Complete after recovered().
  const Report& report() const { return report_; }

  // store::RepairOwner
  Result<void> restore_piece_as_of(std::span<const std::byte> piece, store::Position as_of) override;
  void pieces_lost() override;
  void replay_everything() override;
  void records_lost(store::Position first, store::Position last) override;
  void damaged_record(const store::Location& location, std::span<const std::byte> payload) override;
  std::vector<store::Location> bodies() override;
  bool is_whole(std::size_t index, std::span<const std::byte> payload) override;
  void drop(std::size_t index, std::span<const std::byte> payload) override;

  // store::Owner
  Result<void> restore_piece(std::span<const std::byte> piece) override;
  Result<void> replay(store::Position position, const store::Location& location, std::span<const std::byte> payload) override;
  Result<void> recovered() override;
  void on_durable(store::Position) override {}
  void on_failed(const Error&) override {}
  Result<store::Position> write_checkpoint(store::CheckpointSink& sink) override;
  void relocate(const store::Location&, std::span<const std::byte>) override {}

 private:
  // What the pieces say of a queue.
  struct Known {
    std::uint64_t as_of = 0;                                     // records up to here are in them …
    std::vector<std::pair<std::uint64_t, std::uint64_t>> holes;  // … but for messages of these numbers (first, last)
    std::uint64_t last_listed = 0;                               // the last number of a messages piece so far
  };
  struct Body {
    std::uint64_t queue_id = 0;
    std::uint64_t sequence = 0;
    store::Location location;
    std::optional<WrittenAs> name;
    std::optional<Uuid> message_id;
  };

  QueueRef queue(std::uint64_t id);
  QueueRef queue_or_new(const RecordHeader& header, const sqs::QueueAttributes& attributes);
  QueueRef make_queue(std::uint64_t id, const sqs::QueueAttributes& attributes, std::int64_t created_ms);
  bool may_be_lost(std::uint64_t queue_id) const;
  bool applies(std::uint64_t queue_id, std::uint64_t sequence, store::Position position) const;
  void end_hole(std::optional<std::uint64_t> next_listed);
  Result<void> leave_out(std::span<const std::byte> payload, const Error& error);
  Result<void> replay_directory(const RecordHeader& header, store::Position position, const store::Location& location,
                                std::span<const std::byte> payload);
  Result<void> replay_moved(const RecordHeader& header, store::Position position, const MovedRecord& record);
  Result<void> replay_message(const RecordHeader& header, store::Position position, const store::Location& location,
                              std::span<const std::byte> payload);
  Result<void> replay_changes(const RecordHeader& header, store::Position position, const store::Location& location,
                              std::span<const std::byte> payload);
  template <class Record, class Sequence>
  Result<void> replay_part(const RecordHeader& header, store::Position position, const store::Location& location, Record record,
                           Sequence sequence);

  Random& random_;
  Engine engine_;
  Report report_;
  std::map<std::uint64_t, Known> known_;          // by queue
  std::optional<std::uint64_t> head_next_queue_;  // of the checkpoint's head
  std::optional<std::uint64_t> piece_queue_;      // of the last piece
  bool hole_open_ = false;
  bool queue_pieces_lost_ = false;
  bool damaged_ = false;  // something was missing so far
  std::set<std::uint64_t> deleted_;
  std::set<std::uint64_t> made_;
  std::map<std::uint64_t, std::uint64_t> lost_sends_;  // by queue
  std::vector<Body> bodies_;
};

}  // namespace ferry::engine
