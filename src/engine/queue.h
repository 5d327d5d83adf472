#pragma once
// One queue: its messages and every rule that concerns them, under one mutex.
//
// An operation encodes and hashes before it locks; under the lock (a Hold) it looks at the clock, brings the queue up to now,
// decides, takes places in the log and applies; when the Hold ends, waiters are woken, the queue's next turn is scheduled, and
// only then, without the lock, bytes are copied, records published and bodies released.
//
// A waiting message is ready (visible), delayed (never received) or in flight (received). Ready ones stand in the queue's Line.
// Timers that are due are looked at by the next operation that cares, or by tick(). The delay of a FIFO queue is no timer but
// a place in the order of numbers: everything enqueued up to a moment is delayed no longer.

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

#include "engine/arrivals.h"
#include "engine/deduplication.h"
#include "engine/engine.h"
#include "engine/engine_clock.h"
#include "engine/line.h"
#include "engine/message_index.h"
#include "engine/pieces.h"
#include "engine/receive_attempts.h"
#include "engine/records.h"
#include "engine/schedule.h"
#include "engine/waiters.h"
#include "sqs/queue_attributes.h"

namespace ferry::engine {

/// Messages touched per lock hold at most.
inline constexpr std::size_t kSliceMessages = 1'000;
/// Moved to another queue per lock hold at most.
inline constexpr std::size_t kMovedMessages = 100;

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
  MovedPayloads moved;
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
    sqs::TextMap tags;
    std::int64_t created_ms = 0;  // wall clock
    store::Position position;
  };
  Queue(Shared& shared, Birth birth);

  std::uint64_t id() const { return id_; }
  const QueueKey& key() const { return key_; }
  bool is_fifo() const { return is_fifo_; }

  // What Engine's functions of the same names promise.
  Answer<std::vector<sqs::ApiResult<Sent>>> send(const Caller& caller, const std::vector<SendCommand>& messages, SendForm form);
  /// How a receive deals with messages that were received too often.
  struct DeadLetters {
    std::optional<QueueKey> target;        ///< where they go; nothing: there is no such queue, and they are given out
    std::vector<std::uint64_t> exhausted;  ///< out: those that were met and not given out
    bool may_wait = false;                 ///< the waiter is registered even when some were met
  };
  Answer<std::vector<Delivery>> receive(const Caller& caller, const ReceiveCommand& command,
                                        const std::shared_ptr<Waiter>& waiter, DeadLetters& dead_letters);
  void abandon(const std::shared_ptr<Waiter>& waiter);
  Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> delete_messages(const std::vector<std::string>& receipt_handles);
  Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> change_visibility(const std::vector<Engine::VisibilityChange>& changes);
  std::optional<Place> quarantine(std::uint64_t sequence, const store::Location& location);
  Answer<std::vector<Engine::Glimpse>> peek(std::uint64_t after_sequence, std::size_t max);
  Answer<sqs::EmptyResponse> purge();
  Answer<sqs::TextMap> get_attributes(const std::vector<std::string>& names);
  Answer<sqs::TextMap> tags();
  Answer<sqs::EmptyResponse> set_tags(const std::function<sqs::ApiResult<sqs::TextMap>(const sqs::TextMap& current)>& change);
  Seconds default_wait_time();
  QueueCounts counts();
  QueueOverview overview();

  // Attributes change under the directory's lock alone: what was read and checked under it still holds when it is set.
  Answer<sqs::QueueAttributes> attributes();
  Answer<sqs::EmptyResponse> set_attributes(const sqs::QueueAttributes& changed);
  std::optional<QueueKey> dead_letter_target();

  /// One slice of whatever is due.
  void tick();
  /// Under `hold`, which belongs to this queue. False: it was deleted already.
  sqs::ApiResult<bool> remove(Hold& hold);

  // Moves to another queue, or to this one's end; see queue_moves.cpp. Both are held: `hold` this queue, `to_hold` the other;
  // null when they are the same.
  struct Destination {
    Queue& queue;
    Hold* hold;
  };
  /// Moves those that are still dead letters for `to`, at most kMovedMessages; tick() is left the rest.
  void move_dead_letters(Hold& hold, Destination to, std::vector<std::uint64_t> sequences);
  /// What was left, at most kMovedMessages.
  std::vector<std::uint64_t> take_pending_dead_letters();
  sqs::ApiResult<Uuid> start_move_task(Hold& hold, const Engine::MoveTaskCommand& command);
  Answer<std::vector<Engine::MoveTask>> move_tasks(std::size_t max);
  Answer<std::uint64_t> cancel_move_task(const Uuid& task);
  bool has_running_task();
  /// Where the next message of the running task goes. Nothing: it waits, or has just ended, or there is none.
  std::optional<QueueKey> plan_move();
  void move_for_task(Hold& hold, Destination to);
  void fail_move_task(const std::string& reason);

  // Checkpoint and compaction.
  /// Adds nothing when the queue was deleted.
  Result<void> write_checkpoint(store::CheckpointSink& sink);
  void relocate(const store::Location& from, const WrittenAs& written_as, std::uint64_t sequence,
                std::span<const std::byte> payload);

  // Recovery; before anything else is called, on one thread.
  void restore(const QueuePiece& piece);
  void restore(const MessagesPiece& piece);
  void restore(const DeduplicationPiece& piece);
  Result<void> replay(const RecordHeader& header, const store::Location& location, std::span<const std::byte> payload);
  void replay_leaving(const MovedRecord& record);
  void replay_arriving(const MovedRecord& record);
  // Repair, before finish_recovery().
  /// Quarantined ones included.
  bool has(std::uint64_t sequence);
  std::uint64_t next_sequence() const { return next_sequence_; }
  struct Kept {
    std::uint64_t sequence = 0;
    store::Location location;
    std::optional<WrittenAs> name;   ///< what must stand in the payload; nothing: it is quarantined, and nobody knows
    std::optional<Uuid> message_id;  ///< if it is known without the payload
  };
  /// Everything whose body is needed, what has expired left out.
  std::vector<Kept> kept();
  void drop(std::uint64_t sequence);
  /// A message of which a later copy is all that is there: `head` and `location` are of its Relocated record.
  void adopt(const RecordHeader& header, const SentHead& head, const store::Location& location);
  /// Dead letters of queues whose names are lost are taken for redriven ones.
  void forget_unknown_sources();
  /// These numbers may have been given out: they are not used.
  void skip_numbers(std::uint64_t count) { next_sequence_ += count; }

  /// Tells the store which bodies are needed and takes up service at `now`.
  /// Corrupt.
  Result<void> finish_recovery(Timestamp now);

 private:
  struct Timer {
    std::int64_t due_ms;
    std::uint64_t sequence;
    auto operator<=>(const Timer&) const = default;
  };
  using Timers = absl::btree_set<Timer>;
  using Arrivals = absl::btree_map<std::uint64_t, Arrival>;
  // What a purge leaves to be freed in slices.
  struct Grave {
    MessageIndex index;
    std::unique_ptr<Line> line;
    Timers timers;
    Timers elders;
    Arrivals arrivals;
    DeduplicationWindow window;
    bool free_slice(std::vector<store::Location>& released, MovedPayloads& moved);
    std::uint64_t bytes() const;
  };
  // A message between two queues.
  struct Lifted {
    std::uint64_t sequence = 0;
    MessageEntry entry;
    std::optional<IdentityHash> group;
    Arrival arrival;  // written_as always, the rest when it had one
  };
  struct Identities;  // the hashes of a send, made before the lock
  struct Totals {
    std::uint64_t messages = 0;
    std::uint64_t quarantined = 0;
    std::uint64_t index_bytes = 0;
  };

  // All of these need the mutex.
  std::optional<sqs::ApiError> refusal(const SendCommand& command, SendForm form) const;
  std::optional<sqs::ApiError> change_refusal(const Engine::VisibilityChange& change,
                                              const std::optional<sqs::ReceiptHandle>& handle, Moment now);
  bool is_current(const sqs::ReceiptHandle& handle, const MessageEntry& entry) const;
  std::vector<std::uint64_t> take(std::size_t max, Moment now, DeadLetters& dead_letters);
  void give_back(std::span<const std::uint64_t> sequences, Line::Place place, Moment now);
  Answer<std::vector<Delivery>> repeat(Hold& hold, ReceiveAttempt& attempt, Seconds visibility_timeout, Moment now);
  Delivery delivery_of(std::uint64_t sequence, const MessageEntry& entry) const;  // without its receipt handle
  /// Makes the receipt handles. Needs no lock.
  void seal(std::vector<Delivery>& deliveries, std::int64_t received_ms) const;
  bool is_exhausted(std::uint64_t sequence, const MessageEntry& entry, const DeadLetters& dead_letters) const;

  void add(std::uint64_t sequence, const store::Location& location, GroupId group, std::int64_t visible_from_ms, Moment now);
  /// What is due becomes ready, what is too old goes; one slice of each. True: there is more to do.
  bool catch_up(Hold& hold, Moment now);
  bool advance_timers(std::int64_t now_ms);
  bool advance_delays(std::int64_t now_ms);
  bool expire(Hold& hold, std::int64_t now_ms);
  bool is_expired(std::uint64_t sequence, const MessageEntry& entry) const;
  std::optional<MessageIndex::Item> oldest();
  bool is_delayed(std::uint64_t sequence, const MessageEntry& entry, std::int64_t now_ms) const;

  /// It is not in any state; becomes ready.
  void show(std::uint64_t sequence, const MessageEntry& entry);
  /// It is not in any state; goes into flight.
  void put_in_flight(std::uint64_t sequence, MessageEntry& entry, std::int64_t until_ms, std::int64_t at_ms);
  void leave_state(std::uint64_t sequence, const MessageEntry& entry, std::int64_t at_ms);
  void set_visibility(std::uint64_t sequence, MessageEntry& entry, std::int64_t visible_from_ms, Moment now);
  /// Takes the message out; its body is released when the Hold ends.
  void discard(std::uint64_t sequence);
  /// The same, but the body stays and everything about it is told.
  Lifted lift(std::uint64_t sequence);
  void put_back(const Lifted& lifted);
  MessageEntry entry_of(const MovedRecord::Entry& arriving);
  void land(const MovedRecord::Entry& arriving, const Arrival& arrival, std::int64_t now_ms);
  std::uint32_t source_number(const QueueKey& source);
  std::optional<std::size_t> move(Hold& hold, Destination to, MoveTaskState* task,
                                  const std::function<std::optional<std::uint64_t>()>& next);
  MoveTaskState* running_task();
  static std::uint64_t allowance(const MoveTaskState& task, std::int64_t now_ms);
  std::int64_t next_move_ms(const MoveTaskState& task) const;
  bool is_movable(const MessageIndex::Item& item) const;
  /// Without the task's own: the queue that the message is a dead letter of.
  std::optional<QueueKey> destination_of(const MoveTaskState& task, std::uint64_t sequence) const;
  void end_task(Hold& hold, MoveTaskState& task, sqs::MoveTaskStatus status, const std::string& reason);

  void bury_everything();
  void free_slice();
  QueueCounts present_counts() const;
  std::int64_t next_due_ms();
  std::uint64_t memory() const;
  void report_totals();
  void replay_sent(const RecordHeader& header, const SentHead& head, const store::Location& location);
  void replay_purged(std::uint64_t through_sequence);
  void replay_expired(const ExpiredRecord& record);
  void replay_move_task(const MoveTaskState& changed);
  void remember(std::uint64_t sequence, const MessageEntry& entry);
  void forget(std::uint64_t sequence);
  Result<void> write_window(store::CheckpointSink& sink);
  MessagesPiece::Entry piece_entry(std::uint64_t sequence, const MessageEntry& entry) const;
  std::optional<sqs::ReceiptHandle> parse(std::string_view handle) const;

  Shared& shared_;
  const std::uint64_t id_;
  const QueueKey key_;
  const bool is_fifo_;
  const sqs::DeduplicationScope scope_;
  sqs::ReceiptSecret secret_;                    // constant once the queue is in use
  std::atomic<bool> has_redrive_policy_{false};  // of attributes_, for those who want to know without the lock

  std::mutex mutex_;  // guards everything below
  bool deleted_ = false;
  store::Position last_;  // of this queue's records
  sqs::QueueAttributes attributes_;
  std::int64_t created_ms_;
  std::int64_t modified_ms_;
  std::optional<std::int64_t> purged_ms_;  // engine time
  std::int64_t latest_ms_ = 0;             // engine time of the last operation: enqueue times never fall
  std::uint64_t next_sequence_ = 1;
  std::uint64_t first_arrival_ = 1;     // what next_sequence_ was at the start
  std::uint64_t present_at_start_ = 0;  // messages
  MessageIndex index_;
  std::unique_ptr<Line> line_;
  Timers timers_;  // of messages in flight, and of delayed ones on standard queues
  std::uint64_t delayed_ = 0;
  std::uint64_t in_flight_ = 0;
  absl::btree_map<std::uint64_t, MessageEntry> quarantined_;
  ExpiredRecord expired_;                  // messages that it covers and that are still in the index are gone already
  bool sweeping_ = false;                  // there may be such
  std::int64_t expiry_not_before_ms_ = 0;  // after the store had no room for an Expired record
  Timers elders_;                          // messages that came with an old enqueue time, by it
  std::uint64_t natives_from_ = 0;         // no message that is not an elder has a smaller number
  std::uint64_t delays_from_ = 0;          // FIFO: no delayed message has a smaller number
  Matured matured_;                        // FIFO
  DeduplicationWindow window_;
  ReceiveAttempts attempts_;
  Arrivals arrivals_;
  std::vector<QueueKey> dead_letter_sources_;  // Arrival::source counts from 1
  std::deque<std::uint64_t> pending_dead_letters_;
  std::deque<MoveTaskState> move_tasks_;  // the newest last
  std::uint64_t task_from_ = 0;           // the running task has seen the numbers below
  std::int64_t task_not_before_ms_ = 0;   // after the store had no room for its record
  bool task_waits_ = true;                // until its rate lets it move again
  sqs::TextMap tags_;
  std::deque<Grave> graves_;
  Waiters waiters_;
  bool is_limited_ = false;                // the last receive was given less because of the limit of messages in flight
  std::uint64_t became_ready_ = 0;         // during this Hold
  std::vector<store::Location> released_;  // during this Hold
  Totals reported_;
  ScheduleEntry schedule_entry_;
};

/// The lock of a queue, and what has to happen when it ends.
class Queue::Hold {
 public:
  explicit Hold(Queue& queue) : queue_(queue), lock_(queue.mutex_) {}
  Queue& queue() { return queue_; }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() { release(); }

  Moment now();
  /// Of the queue's last record.
  store::Position position() const { return queue_.last_; }
  /// What this queue shows from now on waits for `position` too.
  void follow(store::Position position) { queue_.last_ = std::max(queue_.last_, position); }
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
