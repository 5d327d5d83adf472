#pragma once
// The operations whose sequences are crashed, on a machine whose client remembers what it was told.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "simulation/machine/journal_machine.h"

namespace ferry::test {

enum class Operation {
  Send,
  SendBatch,
  Receive,
  Delete,
  ChangeVisibility,
  Purge,
  CreateQueue,
  DeleteQueue,
  SegmentChange,
  Checkpoint,
  Compaction,
  MoveTask,
  DeadLetter,
  FifoSend,
  FifoReceive,
  FifoDelete,
  SetAttributes,
  TagQueue,
  Expiry,
  CleanStop,
};
inline constexpr std::size_t kOperations = 20;

std::string_view name_of(Operation operation);
/// Names with commas between them. Nothing: one of them is unknown.
std::optional<std::vector<Operation>> parse_operations(const std::string& text);
std::string text_of(const std::vector<Operation>& operations);

/// Small segments, which are all used again.
inline store::JournalOptions crashing_journal() {
  store::JournalOptions options = small_journal();
  options.spare_segments_max = 12;
  return options;
}

/// What a client knows.
struct Client {
  struct Handle {
    std::uint64_t sequence;
    std::uint32_t receive_count;
    std::string text;
    std::uint64_t seen;  ///< must be durable for the client to have it
  };
  struct First {
    Uuid message_id;
    std::int64_t sent_ms;
  };
  std::map<Uuid, std::string> bodies;                  ///< of all messages that were ever sent
  std::map<std::string, std::vector<Handle>> handles;  ///< by queue, of all receives
  std::map<std::string, First> firsts;                 ///< by deduplication id, of orders.fifo
  std::set<std::string> doubtful;                      ///< of these, those of which a crash may have changed what is first
  int sent = 0;
};

/// A running machine and its client. After each call all that was answered is durable.
class Session {
 public:
  Session(JournalMachine& machine, Client knowledge) : machine_(machine), client(std::move(knowledge)) {}

  /// The common beginning, on an empty machine: queues of every kind, messages waiting and in flight, dead letters and tasks, and
  /// segments that are used for the second time and are sparse enough to be compacted.
  void prepare();
  void run(Operation operation);

 private:
  void send(const std::string& queue, const std::vector<std::size_t>& body_bytes);
  void send_fifo(const std::string& group, const std::string& deduplication_id);
  void receive(const std::string& queue, std::size_t max, Seconds timeout);
  /// The oldest one that was not used yet.
  std::optional<Client::Handle> take_handle(const std::string& queue);
  void make_room();
  void recycle_segments();
  void checkpoint();
  void compact();
  void change_segment();
  void run_move_task();
  std::string some_body(std::size_t bytes);
  /// An answer whose reply leaves when it is durable.
  template <class T>
  const engine::Answer<T>& told(const engine::Answer<T>& answer) {
    machine_.settle(answer.seen);
    return answer;
  }

  JournalMachine& machine_;

 public:
  Client client;
};

}  // namespace ferry::test
