// What concerns two queues: dead letters at receive time, and move tasks. Queues are locked in the order of their ids.

#include <algorithm>

#include "engine/engine_state.h"
#include "engine/queue.h"
#include "sqs/limits.h"

namespace ferry::engine {
namespace {

// Lock holds that one queue's moves get in one tick.
constexpr int kMovesPerTick = 10;

// Runs `move(hold of from, Queue::Destination)` with both queues locked; returns the last position of `from`.
template <class Move>
store::Position with_both(Queue& from, Queue& to, Move&& move) {
  if (&from == &to) {
    Queue::Hold hold(from);
    move(hold, Queue::Destination{to, nullptr});
    return hold.position();
  }
  Queue::Hold lower(from.id() < to.id() ? from : to);
  Queue::Hold higher(from.id() < to.id() ? to : from);
  Queue::Hold& from_hold = from.id() < to.id() ? lower : higher;
  Queue::Hold& to_hold = from.id() < to.id() ? higher : lower;
  move(from_hold, Queue::Destination{to, &to_hold});
  return from_hold.position();
}

}  // namespace

// ---- dead letters

// The queue that dead letters go to: there, and of the same kind.
QueueRef Engine::dead_letter_queue(const QueueRef& queue) {
  const auto target = queue->dead_letter_target();
  if (!target) return nullptr;
  const QueueRef found = queue_at(*target);
  return found != nullptr && found->is_fifo() == queue->is_fifo() ? found : nullptr;
}

QueueRef Engine::queue_at(const QueueKey& key) {
  const std::shared_lock lock(state_->mutex);
  const auto found = state_->queues.find(key);
  return found == state_->queues.end() ? nullptr : found->second;
}

Answer<std::vector<Delivery>> Engine::receive(const QueueRef& queue, const Caller& caller, const ReceiveCommand& command,
                                              const std::shared_ptr<Waiter>& waiter) {
  const QueueRef target = dead_letter_queue(queue);
  Queue::DeadLetters dead_letters;
  if (target != nullptr) dead_letters.target = target->key();
  auto answer = queue->receive(caller, command, waiter, dead_letters);
  if (dead_letters.exhausted.empty()) return answer;

  const store::Position moved = with_both(*queue, *target, [&](Queue::Hold& hold, Queue::Destination to) {
    queue->move_dead_letters(hold, to, std::move(dead_letters.exhausted));
  });
  if (answer.result && answer.result->empty()) {
    dead_letters.may_wait = true;
    answer = queue->receive(caller, command, waiter, dead_letters);
  }
  answer.seen = std::max(answer.seen, moved);
  return answer;
}

// ---- move tasks

Answer<Uuid> Engine::start_move_task(const MoveTaskCommand& command) {
  State& state = *state_;
  const auto missing = [&](std::string_view parameter) -> Answer<Uuid> {
    return {Unexpected(sqs::resource_not_found(parameter)), state.last};
  };
  const std::unique_lock lock(state.mutex);
  const auto source = state.queues.find(command.source);
  if (source == state.queues.end()) return missing("SourceArn");
  if (command.destination) {
    const auto destination = state.queues.find(*command.destination);
    if (destination == state.queues.end()) return missing("DestinationArn");
    if (destination->second->is_fifo() != source->second->is_fifo()) {
      return {sqs::api_fail(sqs::ErrorCode::InvalidParameterValue,
                            "The source queue and destination queue must be of the same queue type."),
              state.last};
    }
  }
  if (!state.sources.contains(command.source)) {
    return {sqs::api_fail(sqs::ErrorCode::InvalidParameterValue, "Source queue must be configured as a Dead Letter Queue."),
            state.last};
  }
  const auto of_account = std::count_if(state.moving.begin(), state.moving.end(),
                                        [&](const QueueKey& key) { return key.account == command.source.account; });
  if (static_cast<std::size_t>(of_account) >= sqs::kMoveTasksPerAccountMax && !state.moving.contains(command.source)) {
    return {sqs::api_fail(sqs::ErrorCode::OverLimit, "There are too many active message move tasks in this account."),
            state.last};
  }
  Queue::Hold hold(*source->second);
  auto started = source->second->start_move_task(hold, command);
  const store::Position seen = std::max(state.last, hold.position());
  if (started) state.moving.insert(command.source);
  return {std::move(started), seen};
}

Answer<std::vector<Engine::MoveTask>> Engine::move_tasks(const QueueKey& source, int max) {
  const auto found = find(source);
  if (!found.result) return {Unexpected(sqs::resource_not_found("SourceArn")), found.seen};
  return (*found.result)->move_tasks(static_cast<std::size_t>(max));
}

Answer<std::uint64_t> Engine::cancel_move_task(const QueueKey& source, const Uuid& task) {
  const auto found = find(source);
  if (!found.result) return {Unexpected(sqs::resource_not_found("SourceArn")), found.seen};
  auto answer = (*found.result)->cancel_move_task(task);
  if (answer.result) {
    const std::unique_lock lock(state_->mutex);
    state_->moving.erase(source);
  }
  return answer;
}

// After a queue's tick: what its receives have left, and its move task.
void Engine::go_on_moving(const QueueRef& queue) {
  for (int i = 0; i < kMovesPerTick; ++i) {
    std::vector<std::uint64_t> sequences = queue->take_pending_dead_letters();
    const QueueRef target = sequences.empty() ? nullptr : dead_letter_queue(queue);
    if (target == nullptr) break;
    with_both(*queue, *target,
              [&](Queue::Hold& hold, Queue::Destination to) { queue->move_dead_letters(hold, to, std::move(sequences)); });
  }
  if (!queue->has_running_task()) return;
  for (int i = 0; i < kMovesPerTick; ++i) {
    const auto destination = queue->plan_move();
    if (!destination) break;
    const QueueRef to = queue_at(*destination);
    if (to == nullptr || to->is_fifo() != queue->is_fifo()) {
      queue->fail_move_task("AWS.SimpleQueueService.NonExistentQueue");
      break;
    }
    with_both(*queue, *to, [&](Queue::Hold& hold, Queue::Destination place) { queue->move_for_task(hold, place); });
  }
  if (queue->has_running_task()) return;
  const std::unique_lock lock(state_->mutex);
  if (!queue->has_running_task()) state_->moving.erase(queue->key());
}

}  // namespace ferry::engine
