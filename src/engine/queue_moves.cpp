// Messages that leave for another queue: dead letters, and those of move tasks. Both queues are held, one record tells of both
// sides, and it sets everything that it touches, so that either queue can be brought up to date by it alone.

#include <algorithm>

#include "base/check.h"
#include "engine/queue.h"
#include "sqs/limits.h"

namespace ferry::engine {
namespace {

constexpr std::int64_t kMoveTaskTimeMs = Millis(sqs::kMoveTaskTimeMax).count();
// How long a task leaves it alone when the store had no room for its record.
constexpr std::int64_t kMoveRetryMs = 1'000;
constexpr std::string_view kTooLong = "The task has run for 36 hours, which is the limit.";

}  // namespace

// ---- both kinds

// Takes out what `next` names, one by one, writes the record, and puts all into the other queue. Returns how many; nothing: the
// store has no room, and nothing changed.
std::optional<std::size_t> Queue::move(Hold& hold, Destination to, MoveTaskState* task,
                                       const std::function<std::optional<std::uint64_t>()>& next) {
  const Moment now = to.hold == nullptr ? hold.now() : to.hold->now();
  to.queue.catch_up(to.hold == nullptr ? hold : *to.hold, now);  // those that are due stand in line before those that arrive
  MovedRecord record;
  record.to_queue_id = to.queue.id_;
  std::vector<Lifted> lifted;
  while (lifted.size() < kMovedMessages) {
    const std::optional<std::uint64_t> sequence = next();
    if (!sequence) break;
    const Lifted& leaving = lifted.emplace_back(lift(*sequence));
    auto& entry = record.entries.emplace_back();
    entry.from_sequence = *sequence;
    entry.to_sequence = to.queue.next_sequence_ + record.entries.size() - 1;
    entry.location = leaving.entry.location;
    entry.group = leaving.group;
    entry.visible_from_ms = now.engine_ms;
    entry.arrival.written_as = leaving.arrival.written_as;
    if (task != nullptr) {
      entry.enqueued_ms = now.engine_ms;
      entry.arrival.message_id = make_uuid(shared_.random);
      entry.arrival.sent_ms = now.wall_ms;
      if (!to.queue.is_fifo_) entry.visible_from_ms += Millis(to.queue.attributes_.delay).count();
    } else {
      entry.receive_count = entry.arrival.receives_before = leaving.entry.receive_count;
      entry.first_received_ms = leaving.entry.first_received_ms();
      entry.arrival.message_id = leaving.arrival.message_id;
      entry.enqueued_ms = to.queue.is_fifo_ ? now.engine_ms : leaving.entry.enqueued_ms();
      entry.arrival.sent_ms = to.queue.is_fifo_ ? now.wall_ms : leaving.arrival.sent_ms;
      entry.is_elder = !to.queue.is_fifo_;
    }
  }
  if (lifted.empty()) return 0;
  if (task != nullptr) {
    record.task = task->id;
    record.task_moved = task->moved + lifted.size();
  } else {
    record.source = key_;
  }
  if (!hold.log(RecordType::Moved, now, record)) {
    for (const Lifted& leaving : lifted) put_back(leaving);
    return std::nullopt;
  }
  if (to.hold != nullptr) to.hold->follow(hold.position());
  if (task != nullptr) task->moved = record.task_moved;
  const std::uint32_t source = record.source ? to.queue.source_number(*record.source) : 0;
  for (const MovedRecord::Entry& entry : record.entries) {
    Arrival arrival = entry.arrival;
    arrival.source = source;
    to.queue.land(entry, arrival, now.engine_ms);
  }
  return lifted.size();
}

// On a FIFO queue its group goes to the end of the line.
void Queue::put_back(const Lifted& lifted) {
  MessageEntry& entry = index_.put(lifted.sequence, lifted.entry);
  if (lifted.group) entry.group = line_->group(*lifted.group);
  if (entry.has(MessageEntry::Arrived)) arrivals_.emplace(lifted.sequence, lifted.arrival);
  if (entry.has(MessageEntry::Elder)) elders_.insert({entry.enqueued_ms(), lifted.sequence});
  natives_from_ = std::min(natives_from_, lifted.sequence);
  line_->insert(lifted.sequence, entry.group, entry.enqueued_ms());
  show(lifted.sequence, entry);
}

// The group is told to the line of this queue.
MessageEntry Queue::entry_of(const MovedRecord::Entry& arriving) {
  MessageEntry entry;
  entry.location = arriving.location;
  entry.receive_count = arriving.receive_count;
  if (arriving.group) entry.group = line_->group(*arriving.group);
  entry.set_enqueued_ms(arriving.enqueued_ms);
  entry.set_first_received_ms(arriving.first_received_ms);
  entry.set_visible_from_ms(arriving.visible_from_ms);
  entry.mark(MessageEntry::Arrived);
  if (arriving.is_elder) entry.mark(MessageEntry::Elder);
  return entry;
}

void Queue::land(const MovedRecord::Entry& arriving, const Arrival& arrival, std::int64_t now_ms) {
  const std::uint64_t sequence = arriving.to_sequence;
  next_sequence_ = std::max(next_sequence_, sequence + 1);
  const MessageEntry entry = entry_of(arriving);
  if (arriving.is_elder) elders_.insert({arriving.enqueued_ms, sequence});
  arrivals_.emplace(sequence, arrival);
  shared_.moved.set(arrival.written_as, {id_, sequence});
  index_.put(sequence, entry);
  line_->insert(sequence, entry.group, entry.enqueued_ms());
  if (!is_delayed(sequence, entry, now_ms)) {
    show(sequence, entry);
    return;
  }
  ++delayed_;
  if (!is_fifo_) timers_.insert({arriving.visible_from_ms, sequence});
}

std::uint32_t Queue::source_number(const QueueKey& source) {
  auto found = std::find(dead_letter_sources_.begin(), dead_letter_sources_.end(), source);
  if (found == dead_letter_sources_.end()) found = dead_letter_sources_.insert(found, source);
  return static_cast<std::uint32_t>(found - dead_letter_sources_.begin()) + 1;
}

// ---- dead letters

void Queue::move_dead_letters(Hold& hold, Destination to, std::vector<std::uint64_t> sequences) {
  if (deleted_ || to.queue.deleted_) return;
  const std::optional<QueueKey> target(to.queue.key_);
  const DeadLetters dead_letters{target, {}, false};
  const bool is_target = attributes_.redrive_policy && QueueKey{attributes_.redrive_policy->dead_letter_target.account,
                                                                attributes_.redrive_policy->dead_letter_target.region,
                                                                attributes_.redrive_policy->dead_letter_target.name} == *target;
  if (!is_target) return;
  auto at = sequences.begin();
  (void)move(hold, to, nullptr, [&]() -> std::optional<std::uint64_t> {
    for (; at != sequences.end(); ++at) {
      // Others may have been at work since it was met.
      const MessageEntry* const entry = index_.find(*at);
      if (entry != nullptr && index_.is_ready(*at) && !is_expired(*at, *entry) && is_exhausted(*at, *entry, dead_letters))
        return *at++;
    }
    return std::nullopt;
  });
  pending_dead_letters_.insert(pending_dead_letters_.end(), at, sequences.end());
  became_ready_ = std::max<std::uint64_t>(became_ready_, 1);  // what stood behind them can be served
}

std::vector<std::uint64_t> Queue::take_pending_dead_letters() {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> sequences;
  while (!pending_dead_letters_.empty() && sequences.size() < kMovedMessages) {
    sequences.push_back(pending_dead_letters_.front());
    pending_dead_letters_.pop_front();
  }
  return sequences;
}

// ---- move tasks

MoveTaskState* Queue::running_task() {
  if (move_tasks_.empty() || move_tasks_.back().status != sqs::MoveTaskStatus::Running) return nullptr;
  return &move_tasks_.back();
}

bool Queue::has_running_task() {
  const std::lock_guard lock(mutex_);
  return running_task() != nullptr;
}

sqs::ApiResult<Uuid> Queue::start_move_task(Hold& hold, const Engine::MoveTaskCommand& command) {
  if (running_task() != nullptr) {
    return sqs::api_fail(
        sqs::ErrorCode::InvalidParameterValue,
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.");
  }
  MoveTaskState task;
  task.started = hold.now();
  catch_up(hold, task.started);
  task.id = make_uuid(shared_.random);
  task.status = sqs::MoveTaskStatus::Running;
  task.destination = command.destination;
  task.messages_per_second = static_cast<std::uint32_t>(command.messages_per_second.value_or(0));
  task.to_move = index_.ready();
  task.through_sequence = next_sequence_ - 1;
  if (const auto logged = hold.log(RecordType::MoveTaskSet, task.started, MoveTaskSetRecord{task}); !logged)
    return Unexpected(no_room(logged.error()));
  if (move_tasks_.size() == sqs::kMoveTaskListMax) move_tasks_.pop_front();
  move_tasks_.push_back(task);
  task_from_ = 0;
  task_not_before_ms_ = 0;
  task_waits_ = false;
  return task.id;
}

Answer<std::vector<Engine::MoveTask>> Queue::move_tasks(std::size_t max) {
  const std::lock_guard lock(mutex_);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  std::vector<Engine::MoveTask> tasks;
  for (auto at = move_tasks_.rbegin(); at != move_tasks_.rend() && tasks.size() < max; ++at) {
    Engine::MoveTask& task = tasks.emplace_back();
    task.id = at->id;
    task.status = at->status;
    task.source = key_;
    task.destination = at->destination;
    if (at->messages_per_second != 0) task.messages_per_second = static_cast<int>(at->messages_per_second);
    task.messages_moved = at->moved;
    task.messages_to_move = at->to_move;
    task.started = from_epoch_millis(at->started.wall_ms);
    task.failure_reason = at->failure_reason;
  }
  return {std::move(tasks), last_};
}

Answer<std::uint64_t> Queue::cancel_move_task(const Uuid& id) {
  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  MoveTaskState* const task = running_task();
  if (task == nullptr || task->id != id) return {Unexpected(sqs::move_task_not_found()), last_};
  const std::uint64_t moved = task->moved;
  MoveTaskState ended = *task;
  ended.status = sqs::MoveTaskStatus::Cancelled;
  if (const auto logged = hold.log(RecordType::MoveTaskSet, hold.now(), MoveTaskSetRecord{ended}); !logged)
    return {Unexpected(no_room(logged.error())), last_};
  *task = ended;
  return {moved, last_};
}

// Without room for the record it runs on, and tries again.
void Queue::end_task(Hold& hold, MoveTaskState& task, sqs::MoveTaskStatus status, const std::string& reason) {
  MoveTaskState ended = task;
  ended.status = status;
  ended.failure_reason = reason;
  const Moment now = hold.now();
  if (hold.log(RecordType::MoveTaskSet, now, MoveTaskSetRecord{ended}))
    task = ended;
  else
    task_not_before_ms_ = now.engine_ms + kMoveRetryMs;
}

void Queue::fail_move_task(const std::string& reason) {
  Hold hold(*this);
  MoveTaskState* const task = deleted_ ? nullptr : running_task();
  if (task != nullptr) end_task(hold, *task, sqs::MoveTaskStatus::Failed, reason);
}

// How many more may go now.
std::uint64_t Queue::allowance(const MoveTaskState& task, std::int64_t now_ms) {
  if (task.messages_per_second == 0) return kMovedMessages;
  const auto elapsed_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(now_ms - task.started.engine_ms, 0));
  const std::uint64_t allowed = std::max<std::uint64_t>(1, elapsed_ms * task.messages_per_second / 1'000);
  // After a stop it does not make up for the time at once.
  return std::min<std::uint64_t>({allowed - std::min(allowed, task.moved), task.messages_per_second, kMovedMessages});
}

std::int64_t Queue::next_move_ms(const MoveTaskState& task) const {
  if (task.messages_per_second == 0 || task.moved == 0) return std::max(latest_ms_, task_not_before_ms_);
  const std::uint64_t next_ms = ((task.moved + 1) * 1'000 + task.messages_per_second - 1) / task.messages_per_second;
  return std::max({latest_ms_, task_not_before_ms_, task.started.engine_ms + static_cast<std::int64_t>(next_ms)});
}

bool Queue::is_movable(const MessageIndex::Item& item) const {
  return index_.is_ready(item.sequence) && !is_expired(item.sequence, *item.entry) &&
         line_->is_free(item.sequence, item.entry->group);
}

std::optional<QueueKey> Queue::destination_of(const MoveTaskState& task, std::uint64_t sequence) const {
  if (task.destination) return task.destination;
  const auto arrival = arrivals_.find(sequence);
  if (arrival == arrivals_.end() || arrival->second.source == 0) return std::nullopt;
  return dead_letter_sources_[arrival->second.source - 1];
}

std::optional<QueueKey> Queue::plan_move() {
  Hold hold(*this);
  MoveTaskState* const task = deleted_ ? nullptr : running_task();
  if (task == nullptr) return std::nullopt;
  const Moment now = hold.now();
  catch_up(hold, now);
  if (now.engine_ms < task_not_before_ms_) return std::nullopt;
  if (now.engine_ms - task->started.engine_ms >= kMoveTaskTimeMs) {
    end_task(hold, *task, sqs::MoveTaskStatus::Failed, std::string(kTooLong));
    return std::nullopt;
  }
  // It looks ahead once after it has moved, to end with its last message; then not before it may move again.
  const bool may_move = allowance(*task, now.engine_ms) > 0;
  if (!may_move && task_waits_) return std::nullopt;
  for (std::size_t looks = 0; looks < kSliceMessages; ++looks) {
    const auto item = index_.next(task_from_);
    if (!item || item->sequence > task->through_sequence) {
      end_task(hold, *task, sqs::MoveTaskStatus::Completed, {});
      return std::nullopt;
    }
    if (is_movable(*item)) {
      task_waits_ = !may_move;
      if (!may_move) return std::nullopt;
      const auto destination = destination_of(*task, item->sequence);
      if (!destination) end_task(hold, *task, sqs::MoveTaskStatus::Failed, "CouldNotDetermineMessageSource");
      return destination;
    }
    task_from_ = item->sequence + 1;
  }
  return std::nullopt;
}

void Queue::move_for_task(Hold& hold, Destination to) {
  MoveTaskState* const task = deleted_ || to.queue.deleted_ ? nullptr : running_task();
  if (task == nullptr) return;
  const Moment now = hold.now();
  const std::uint64_t allowed = allowance(*task, now.engine_ms);
  const std::uint64_t began_at = task_from_;
  std::uint64_t count = 0;
  std::size_t looks = 0;
  const auto moved = move(hold, to, task, [&]() -> std::optional<std::uint64_t> {
    for (; count < allowed && looks < kSliceMessages; ++looks) {
      const auto item = index_.next(task_from_);
      if (!item || item->sequence > task->through_sequence) return std::nullopt;
      const bool goes = is_movable(*item);
      if (goes && destination_of(*task, item->sequence) != to.queue.key_) return std::nullopt;
      task_from_ = item->sequence + 1;
      if (!goes) continue;
      ++count;
      return item->sequence;
    }
    return std::nullopt;
  });
  if (moved) return;
  task_from_ = began_at;
  task_not_before_ms_ = now.engine_ms + kMoveRetryMs;
}

}  // namespace ferry::engine
