#pragma once
// One queue: its messages and every rule that concerns them, under one mutex.
//
// An operation encodes and hashes before it locks; under the lock (a Hold) it looks at the clock, brings the queue up to now,
// decides, takes places in the log and applies; when the Hold ends, waiters are woken, the queue's next turn is scheduled, and
// only then, without the lock, bytes are copied, records published and bodies released.
//
// A waiting message is ready (visible), delayed (a timer, never received) or in flight (a timer, received). Timers that are
// due are looked at by the next operation that cares, or by tick() when there are waiters.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <atomic>
#include <compare>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/engine_clock.h"
#include "engine/message_index.h"
#include "engine/records.h"
#include "engine/schedule.h"
#include "engine/waiters.h"

namespace ferry::engine {

/// Messages touched per lock hold at most.
inline constexpr std::size_t kSliceMessages = 1'000;

/// What the queues of one engine share. Totals are sums over the queues.
struct Shared {
  Shared(store::Store& the_store, const Clock& a_clock, Random& chance, const Logger& logger, EngineOptions engine_options)
      : store(the_store), clock(a_clock), random(chance), log(logger), options(engine_options) {}

  store::Store& store;
  EngineClock clock;
  Random& random;
  const Logger& log;
  const EngineOptions options;
  Schedule schedule;
  std::atomic<std::uint64_t> messages{0};
  std::atomic<std::uint64_t> quarantined{0};
  std::atomic<std::uint64_t> index_bytes{0};
};

/// The answer while the store takes no more records.
sqs::ApiError no_room(const Error& error);

class Queue : public std::enable_shared_from_this<Queue> {
 public:
  class Hold;
  struct Birth {
    std::uint64_t id = 0;
    QueueKey key;
    sqs::ReceiptSecret secret{};
    sqs::QueueAttributes attributes;
    std::int64_t created_ms = 0;  // wall clock
    store::Position position;
  };
  Queue(Shared& shared, Birth birth);

  std::uint64_t id() const { return id_; }
  const QueueKey& key() const { return key_; }

  // What Engine's functions of the same names promise.
  Answer<std::vector<sqs::ApiResult<Sent>>> send(const Caller& caller, const std::vector<SendCommand>& messages, SendForm form);
  Answer<std::vector<Delivery>> receive(const Caller& caller, const ReceiveCommand& command,
                                        const std::shared_ptr<Waiter>& waiter);
  void abandon(const std::shared_ptr<Waiter>& waiter);
  Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> delete_messages(const std::vector<std::string>& receipt_handles);
  Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> change_visibility(const std::vector<Engine::VisibilityChange>& changes);
  std::optional<store::Location> quarantine(std::uint64_t sequence, const store::Location& location);
  Answer<sqs::EmptyResponse> purge();
  Answer<sqs::TextMap> get_attributes(const std::vector<std::string>& names);
  Answer<sqs::EmptyResponse> set_attributes(const sqs::TextMap& changes);
  Seconds default_wait_time();
  QueueCounts counts();

  /// One slice of whatever is due.
  void tick();
  /// Under `hold`, which belongs to this queue. False: it was deleted already.
  sqs::ApiResult<bool> remove(Hold& hold);
  /// The first of `attributes` that the queue has another value for, and the position that this knowledge has.
  Answer<sqs::OptionalText> difference(const sqs::TextMap& attributes);

  // Checkpoint and compaction.
  /// Adds nothing when the queue was deleted.
  Result<void> write_checkpoint(store::CheckpointSink& sink);
  void relocate(const store::Location& from, std::uint64_t sequence, std::span<const std::byte> payload);

  // Recovery; before anything else is called, on one thread.
  void restore(const QueuePiece& piece);
  void restore(const MessagesPiece& piece);
  Result<void> replay(const RecordHeader& header, const store::Location& location, std::span<const std::byte> payload);
  /// Tells the store which bodies are needed and takes up service at `now`.
  void finish_recovery(Timestamp now);

 private:
  struct Timer {
    std::int64_t due_ms;
    std::uint64_t sequence;
    auto operator<=>(const Timer&) const = default;
  };
  using Timers = absl::btree_set<Timer>;
  // What a purge leaves to be freed in slices.
  struct Grave {
    MessageIndex index;
    Timers timers;
  };
  struct Totals {
    std::uint64_t messages = 0;
    std::uint64_t quarantined = 0;
    std::uint64_t index_bytes = 0;
  };

  // All of these need the mutex.
  std::optional<sqs::ApiError> refusal(const SendCommand& command, SendForm form) const;
  std::optional<sqs::ApiError> apply_change(const Engine::VisibilityChange& change,
                                            const std::optional<sqs::ReceiptHandle>& handle, Moment now,
                                            std::vector<VisibilityChangedRecord::Entry>& entries);
  std::vector<std::uint64_t> choose(std::size_t max);
  void add(std::uint64_t sequence, const store::Location& location, std::int64_t visible_from_ms, Moment now);
  /// What is due becomes ready, what is too old goes; one slice of each. True: there is more to do.
  bool catch_up(Hold& hold, Moment now);
  bool advance_timers(std::int64_t now_ms);
  bool expire(Hold& hold, std::int64_t now_ms);
  bool is_expired(std::uint64_t sequence, const MessageEntry& entry) const;
  void make_ready(std::uint64_t sequence, MessageEntry& entry);
  void hide(std::uint64_t sequence, MessageEntry& entry, std::int64_t until_ms);
  /// Takes the message out; its body is released when the Hold ends.
  void discard(std::uint64_t sequence, const MessageEntry& entry);
  void leave_state(std::uint64_t sequence, const MessageEntry& entry);
  void bury_everything();
  void free_slice();
  QueueCounts present_counts() const;
  std::int64_t next_due_ms();
  void report_totals();
  void replay_sent(const RecordHeader& header, const SentHead& head, const store::Location& location);
  void replay_purged(std::uint64_t through_sequence);
  void replay_expired(const ExpiredRecord& record);
  std::optional<sqs::ReceiptHandle> parse(std::string_view handle) const;

  Shared& shared_;
  const std::uint64_t id_;
  const QueueKey key_;
  sqs::ReceiptSecret secret_;  // constant once the queue is in use

  std::mutex mutex_;  // guards everything below
  bool deleted_ = false;
  store::Position last_;  // of this queue's records
  sqs::QueueAttributes attributes_;
  std::int64_t created_ms_;
  std::int64_t modified_ms_;
  std::optional<std::int64_t> purged_ms_;  // engine time
  std::int64_t latest_ms_ = 0;             // engine time of the last operation: enqueue times never fall
  std::uint64_t next_sequence_ = 1;
  MessageIndex index_;
  Timers timers_;
  std::uint64_t delayed_ = 0;
  std::uint64_t in_flight_ = 0;
  absl::btree_map<std::uint64_t, MessageEntry> quarantined_;
  ExpiredRecord expired_;                  // messages that it covers and that are still in the index are gone already
  bool sweeping_ = false;                  // there may be such
  std::int64_t expiry_not_before_ms_ = 0;  // after the store had no room for an Expired record
  std::deque<Grave> graves_;
  Waiters waiters_;
  std::uint64_t became_ready_ = 0;         // during this Hold
  std::vector<store::Location> released_;  // during this Hold
  Totals reported_;
  ScheduleEntry schedule_entry_;
};

/// The lock of a queue, and what has to happen when it ends.
class Queue::Hold {
 public:
  explicit Hold(Queue& queue) : queue_(queue), lock_(queue.mutex_) {}
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() { release(); }

  Moment now();
  /// Of the queue's last record.
  store::Position position() const { return queue_.last_; }
  /// Takes places in the log. The caller fills them after release() and publishes.
  Result<store::Reservation> reserve(std::span<const store::RecordShape> shapes, store::Purpose purpose);
  /// For small records: encoded at once, published by release().
  template <class Record>
  Result<void> log(RecordType type, Moment at, const Record& record) {
    const store::RecordShape shape{record_bytes(record), false};
    FERRY_TRY(store::Reservation reservation, reserve({&shape, 1}, store::Purpose::Upkeep));
    encode_record(RecordHeader{type, queue_.id_, at}, record, reservation.slots.front().bytes);
    pending_.push_back(std::move(reservation));
    return {};
  }
  /// Wakes, schedules, unlocks; then publishes what log() wrote and releases bodies. Once; later calls do nothing.
  void release();

 private:
  Queue& queue_;
  std::unique_lock<std::mutex> lock_;
  std::vector<store::Reservation> pending_;
};

}  // namespace ferry::engine
