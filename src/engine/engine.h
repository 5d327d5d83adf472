#pragma once
// The queues: every rule of SQS that needs a queue's state, decided here and nowhere else. No I/O of its own, no threads:
// it decides under a queue's lock, applies to memory, takes log positions from the store, and the caller lets no reply out
// before the store is durable up to Answer::seen.
//
// All functions are thread-safe and none waits for the disk.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/uuid.h"
#include "engine/queue_key.h"
#include "sqs/api.h"
#include "sqs/move_task.h"
#include "sqs/names.h"
#include "sqs/policy.h"
#include "sqs/queue_attributes.h"
#include "store/store.h"

namespace ferry::engine {

/// Who asks; written into the records of sends and receives (audit, "who holds it").
struct Caller {
  std::string principal;       ///< access key id, or "anonymous"
  std::string source_address;  ///< of the peer, without the port
};

/// A result, and the log position up to which the store must be durable before anything of it may be told.
template <class T>
struct Answer {
  sqs::ApiResult<T> result;
  store::Position seen;
};

/// One message to send; validated already by sqs/validation.h for everything that needs no queue.
struct SendCommand {
  std::string_view body;
  const sqs::MessageAttributes* message_attributes = nullptr;         ///< never null
  const sqs::MessageAttributes* message_system_attributes = nullptr;  ///< never null
  std::optional<Seconds> delay;                              ///< absent: the queue's DelaySeconds; FIFO queues know that one only
  std::optional<std::string_view> message_group_id;          ///< always on FIFO queues; a tenant on standard ones
  std::optional<std::string_view> message_deduplication_id;  ///< never on standard queues
  std::string_view md5_of_body;                              ///< 16 raw bytes, hashed by the caller outside every lock
  std::string_view md5_of_message_attributes;                ///< 16 raw bytes, or empty without attributes
};
/// Amazon SQS words some refusals differently for SendMessage and for the entries of SendMessageBatch.
enum class SendForm { Single, BatchEntries };
/// A duplicate on a FIFO queue is answered with the id and number of the message that came first.
struct Sent {
  Uuid message_id;
  std::optional<std::uint64_t> sequence_number;  ///< FIFO queues only
};

struct ReceiveCommand {
  int max_messages = 1;
  std::optional<Seconds> visibility_timeout = std::nullopt;  ///< absent: the queue's
  /// FIFO queues only. Within five minutes the same id brings the same messages and handles again, hidden anew, unless one of
  /// them was deleted or had its visibility changed: then nothing.
  std::optional<std::string_view> receive_request_attempt_id = std::nullopt;
};
/// What the payload of a message calls itself: the queue it was written for, and its number there. A message that was moved to
/// another queue keeps its payload.
struct WrittenAs {
  std::uint64_t queue_id = 0;
  std::uint64_t sequence = 0;
  bool operator==(const WrittenAs&) const = default;
};
/// Where the payload of a message is now, and what it calls itself there.
struct Place {
  store::Location location;
  WrittenAs written_as;
};
/// A message that was given to a consumer. Its body is read from the store at `location` (decode_message in engine/records.h).
struct Delivery {
  std::uint64_t sequence = 0;
  store::Location location;
  WrittenAs written_as;  ///< what must stand in the payload
  std::string receipt_handle;
  std::uint32_t receive_count = 0;  ///< this receive included; goes on when a message becomes a dead letter
  Timestamp first_received;
  std::optional<std::uint64_t> sequence_number;   ///< FIFO queues only
  std::optional<std::string> dead_letter_source;  ///< ARN of the queue that it was moved from for too many receives
  std::optional<Uuid> message_id;                 ///< instead of the payload's, for redriven messages
  std::optional<Timestamp> sent;                  ///< instead of the payload's, for messages whose enqueue time is new
  bool deduplication_id_is_message_id = false;    ///< FIFO queues: for messages that were moved there
};

/// A long poll. wake() is called from any thread, under the queue's lock: it must only post to its own thread, never call back.
/// A waiter that was woken is registered no longer; it receives again, or says abandon().
class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual void wake() = 0;
};

struct EngineOptions {
  bool enforce_deletion_wait = true;  ///< QueueDeletedRecently for 60 s
  bool enforce_purge_wait = true;     ///< PurgeQueueInProgress for 60 s
  std::size_t in_flight_max = 120'000;
  std::uint64_t index_bytes_max = 0;  ///< sends are throttled beyond (give or take 3 KB a queue); 0: no bound
};

/// A queue as found by name. Holding one keeps the object alive, not the queue: it may be deleted meanwhile (QueueDoesNotExist).
class Queue;
using QueueRef = std::shared_ptr<Queue>;

struct QueueCounts {
  std::uint64_t visible = 0;
  std::uint64_t not_visible = 0;
  std::uint64_t delayed = 0;
};

/// A queue for who watches it.
struct QueueOverview {
  QueueKey key;
  QueueCounts counts;
  std::optional<Timestamp> oldest{};  ///< enqueue time, on engine time, of the oldest message; nothing: there is none
  std::uint64_t arrivals = 0;         ///< messages sent or moved here since the start of the engine
  std::uint64_t departures = 0;       ///< messages deleted, moved away, expired or purged since then
};

class EngineRepair;

class Engine final : public store::Owner {
 public:
  /// `store`, `clock`, `random` and `log` outlive the engine. Call store.recover(engine) before anything else.
  Engine(store::Store& store, const Clock& clock, Random& random, const Logger& log, EngineOptions options);
  ~Engine() override;

  // Directory. Names and attribute sets are validated here through sqs/queue_attributes.h and sqs/redrive.h.
  /// An existing queue whose attributes do not differ from those named is answered as if created; tags are not compared.
  Answer<QueueKey> create_queue(const QueueKey& key, const sqs::TextMap& attributes, const sqs::TextMap& tags = {});
  /// The queue of that name. QueueDoesNotExist.
  Answer<QueueRef> find(const QueueKey& key);
  struct Listing {
    std::vector<std::string> names;  ///< ascending
    bool more = false;
  };
  /// Names with `prefix`, greater than `after`, at most `max`.
  Answer<Listing> list(std::string_view account, std::string_view region, std::string_view prefix, std::string_view after,
                       int max);
  Answer<sqs::EmptyResponse> delete_queue(const QueueRef& queue);
  Answer<sqs::EmptyResponse> purge(const QueueRef& queue);
  Answer<sqs::TextMap> get_attributes(const QueueRef& queue, const std::vector<std::string>& names);
  Answer<sqs::EmptyResponse> set_attributes(const QueueRef& queue, const sqs::TextMap& attributes);
  static sqs::QueueKind kind(const QueueRef& queue);
  Answer<sqs::EmptyResponse> tag_queue(const QueueRef& queue, const sqs::TextMap& tags);
  Answer<sqs::EmptyResponse> untag_queue(const QueueRef& queue, const std::vector<std::string>& keys);
  Answer<sqs::TextMap> queue_tags(const QueueRef& queue);
  Answer<sqs::EmptyResponse> add_permission(const QueueRef& queue, const sqs::Permission& permission);
  Answer<sqs::EmptyResponse> remove_permission(const QueueRef& queue, const std::string& label);
  /// Names of the queues whose RedrivePolicy names `queue`, greater than `after`, at most `max`.
  Answer<Listing> dead_letter_sources(const QueueRef& queue, std::string_view after, int max);

  // Move tasks: they take what is visible in a dead-letter queue when they start back to where it came from, or to one queue.
  struct MoveTaskCommand {
    QueueKey source;
    std::optional<QueueKey> destination;     ///< absent: for each message the queue that it came from
    std::optional<int> messages_per_second;  ///< absent: as fast as it goes
  };
  /// The task's id. ResourceNotFound; InvalidParameterValue: the source is no dead-letter queue, or has a task already.
  Answer<Uuid> start_move_task(const MoveTaskCommand& command);
  struct MoveTask {
    Uuid id;
    sqs::MoveTaskStatus status{};
    QueueKey source;
    std::optional<QueueKey> destination;
    std::optional<int> messages_per_second;
    std::uint64_t messages_moved = 0;
    std::uint64_t messages_to_move = 0;  ///< visible when it started
    Timestamp started;                   ///< wall clock
    std::string failure_reason;          ///< of a failed one
  };
  /// The latest `max` tasks of that source, newest first; ten are kept. ResourceNotFound: no such queue.
  Answer<std::vector<MoveTask>> move_tasks(const QueueKey& source, int max);
  /// How many messages it had moved. ResourceNotFound: no such queue, no such task, or it does not run.
  Answer<std::uint64_t> cancel_move_task(const QueueKey& source, const Uuid& task);

  // Messages. The vector results have one element for each element of the command, in order.
  /// ServiceUnavailable for all when the store takes no more, RequestThrottled for all when the index is at its bound.
  Answer<std::vector<sqs::ApiResult<Sent>>> send(const QueueRef& queue, const Caller& caller,
                                                 const std::vector<SendCommand>& messages, SendForm form = SendForm::Single);
  /// The queue's own values, for requests that leave them out.
  Seconds default_wait_time(const QueueRef& queue);
  /// With `waiter` and nothing to give, the waiter is registered under the same lock: no arrival can fall between.
  /// OverLimit: too many messages are in flight.
  Answer<std::vector<Delivery>> receive(const QueueRef& queue, const Caller& caller, const ReceiveCommand& command,
                                        const std::shared_ptr<Waiter>& waiter);
  /// The waiter is gone (timeout, closed connection). If it was woken already, another one is woken in its place.
  void abandon(const QueueRef& queue, const std::shared_ptr<Waiter>& waiter);
  Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> delete_messages(const QueueRef& queue,
                                                                          const std::vector<std::string>& receipt_handles);
  struct VisibilityChange {
    std::string receipt_handle;
    Seconds visibility_timeout;
  };
  Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> change_visibility(const QueueRef& queue,
                                                                            const std::vector<VisibilityChange>& changes);
  /// The body of this message was found damaged at `location`: it is reported, never served again, and goes only with a purge
  /// or its queue. If compaction has moved the message meanwhile nothing happens, and its present place is returned: read there.
  std::optional<Place> quarantine(const QueueRef& queue, std::uint64_t sequence, const store::Location& location);

  /// A message as it is now, without receiving it.
  struct Glimpse {
    enum class State { Visible, InFlight, Delayed };
    Delivery message;  ///< without a receipt handle
    State state{};
  };
  /// Messages with numbers greater than `after_sequence`, ascending, at most `max` (1 to 1,000).
  Answer<std::vector<Glimpse>> peek(const QueueRef& queue, std::uint64_t after_sequence, std::size_t max);

  // Time.
  /// Makes visible what is due, wakes waiters, expires and frees in slices of at most 1,000 messages per lock hold.
  /// Returns when it wants to be called again at the latest (engine time; now or earlier: at once, there is more to do);
  /// nothing: only when `ring` says so. One thread at a time.
  std::optional<Timestamp> tick();
  /// `ring` is called, from any thread and under locks, when tick() must run earlier than it asked for. Set once, before use.
  void set_tick_bell(std::function<void()> ring);
  /// Engine time: never goes back, not even over a restart.
  Timestamp now();

  struct Totals {
    std::uint64_t queues = 0;
    std::uint64_t messages = 0;  ///< quarantined ones not included
    std::uint64_t quarantined = 0;
    std::uint64_t index_bytes = 0;
  };
  Totals totals();
  QueueCounts counts(const QueueRef& queue);
  /// Of at most `max` queues: account by account, region by region, names ascending. Each at a moment of its own.
  std::vector<QueueOverview> overviews(std::size_t max);

  /// Called for every on_durable()/on_failed() of the store, on its thread. Set once, before use.
  void set_commit_listener(std::function<void(store::Position)> durable, std::function<void(const Error&)> failed);

  // store::Owner
  Result<void> restore_piece(std::span<const std::byte> piece) override;
  Result<void> replay(store::Position position, const store::Location& location, std::span<const std::byte> payload) override;
  Result<void> recovered() override;
  void on_durable(store::Position position) override;
  void on_failed(const Error& error) override;
  Result<store::Position> write_checkpoint(store::CheckpointSink& sink) override;
  void relocate(const store::Location& from, std::span<const std::byte> payload) override;

 private:
  friend class EngineRepair;  // recovery that goes on where something is missing
  struct State;
  enum class RedriveCheck { None, Target };
  Answer<sqs::EmptyResponse> change_attributes(
      const QueueRef& queue, RedriveCheck check,
      const std::function<sqs::ApiResult<sqs::QueueAttributes>(const sqs::QueueAttributes& current)>& change);
  Answer<sqs::EmptyResponse> change_policy(const QueueRef& queue,
                                           const std::function<sqs::ApiResult<std::string>(const std::string& policy)>& change);
  Answer<sqs::EmptyResponse> check_redrive(const QueueKey& source, const sqs::QueueAttributes& attributes);
  QueueRef dead_letter_queue(const QueueRef& queue);
  QueueRef queue_at(const QueueKey& key);
  void go_on_moving(const QueueRef& queue);

  std::unique_ptr<State> state_;
};

}  // namespace ferry::engine
