// What goes on in the background: the rest of the dead letters, and move tasks.

#include <algorithm>
#include <utility>

#include "reference_model.h"

namespace ferry::simulation {
namespace {

constexpr std::size_t kTasksKept = 10;
constexpr int kMovedTogether = 100;

}  // namespace

std::size_t ReferenceModel::settle(std::int64_t now, std::int64_t wall) {
  std::size_t steps = 0;
  for (const std::string& name : names()) {
    if (!find(name)->dead_letters_left.empty()) steps += sweep_dead_letters(name, now, wall);
    for (std::size_t i = 0; i < find(name)->tasks.size(); ++i) steps += run_task(name, i, now, wall);
  }
  return steps;
}

// A receive could not move all that it met: the rest goes without waiting for another receive.
std::size_t ReferenceModel::sweep_dead_letters(const std::string& name, std::int64_t now, std::int64_t wall) {
  ModelQueue& queue = edit(name, now);
  std::vector<std::uint64_t> dead;
  for (const std::uint64_t sequence : std::exchange(queue.dead_letters_left, {})) {
    const ModelMessage* const message = queue.find(sequence);
    if (message != nullptr && queue.ready(*message, now) && is_exhausted(queue, *message)) dead.push_back(sequence);
  }
  move_dead_letters(name, dead, now, wall);
  const std::size_t moved = dead.size();
  count("dead letters moved in the background", static_cast<int>(moved));
  return moved;
}

// ---- move tasks

std::vector<Failure> ReferenceModel::task_failures(const StartTask& task) const {
  std::vector<Failure> failures;
  const auto refuse = [&](const std::string& code, const std::string& text) { failures.push_back({code, text}); };
  const std::string not_there = "The resource that you specified for the ";
  const ModelQueue* const source = find(task.source);
  if (source == nullptr) refuse("ResourceNotFound", not_there + "SourceArn parameter doesn't exist.");
  if (source != nullptr && dead_letter_sources(task.source).empty())
    refuse("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.");
  if (source != nullptr &&
      std::any_of(source->tasks.begin(), source->tasks.end(), [](const ModelTask& other) { return other.status == "RUNNING"; })) {
    refuse("InvalidParameterValue",
           "There is already a task running. Only one active task is allowed for a source queue arn at a given time.");
  }
  if (!task.destination) return failures;
  const ModelQueue* const destination = find(*task.destination);
  if (destination == nullptr) refuse("ResourceNotFound", not_there + "DestinationArn parameter doesn't exist.");
  if (task.source.ends_with(".fifo") != task.destination->ends_with(".fifo"))
    refuse("InvalidParameterValue", "The source queue and destination queue must be of the same queue type.");
  return failures;
}

void ReferenceModel::start_task(const StartTask& start, std::int64_t now, std::int64_t wall) {
  ModelQueue& source = edit(start.source, now);
  ModelTask& task = source.tasks.emplace_back();
  task.id = start.id;
  task.status = "RUNNING";
  task.destination = start.destination;
  task.rate = start.rate;
  task.to_move = source.counts(now).visible;
  task.started = now;
  task.started_wall = wall;
  task.through = source.last_sequence;
  if (source.tasks.size() > kTasksKept) source.tasks.erase(source.tasks.begin());
  count("task started");
}

std::uint64_t ReferenceModel::cancel_task(const std::string& source, const Uuid& id) {
  for (ModelTask& task : edit(source).tasks) {
    if (task.id != id) continue;
    task.status = "CANCELLED";
    count("task cancelled");
    return task.moved;
  }
  return 0;
}

bool ReferenceModel::task_runs(bool fifo) const {
  for (const auto& queue : queues_) {
    for (const ModelTask& task : queue->tasks) {
      if (queue->fifo == fifo && task.status == "RUNNING") return true;
    }
  }
  return false;
}

// Goes by the messages in the order of their numbers, once. Up to a hundred for one destination, but not more than may move in
// a second, leave together, and arrive together.
std::size_t ReferenceModel::run_task(const std::string& source, std::size_t index, std::int64_t now, std::int64_t wall) {
  if (find(source)->tasks[index].status != "RUNNING") return 0;
  std::size_t steps = 0;
  for (;;) {
    ModelQueue& from = edit(source, now);
    ModelTask& task = from.tasks[index];
    const std::int64_t allowed = task.rate ? std::max<std::int64_t>(1, *task.rate * (now - task.started) / 1'000) : INT64_MAX;
    if (task.waits && static_cast<std::int64_t>(task.moved) >= allowed) return steps;
    std::vector<ModelMessage> leaving;
    std::optional<std::string> destination;
    std::string ended;
    std::string reason;
    const std::size_t together = static_cast<std::size_t>(std::min(kMovedTogether, task.rate.value_or(kMovedTogether)));
    while (leaving.size() < together) {
      const auto next = std::find_if(from.messages.begin(), from.messages.end(), [&](const ModelMessage& message) {
        const bool is_free = !from.fifo || &message == from.head(*message.group);
        return message.sequence > task.passed && message.sequence <= task.through && from.ready(message, now) && is_free;
      });
      if (next == from.messages.end()) {
        if (leaving.empty()) ended = "COMPLETED";
        break;
      }
      task.passed = next->sequence - 1;
      task.waits = static_cast<std::int64_t>(task.moved) >= allowed;
      if (task.waits) break;
      const auto wanted = task.destination ? task.destination : next->dead_letter_source;
      if (!leaving.empty() && wanted != destination) break;
      if (!wanted || find(*wanted) == nullptr) {
        ended = "FAILED";
        reason = wanted ? "AWS.SimpleQueueService.NonExistentQueue" : "CouldNotDetermineMessageSource";
        break;
      }
      destination = wanted;
      task.passed = next->sequence;
      ++task.moved;
      leaving.push_back(*next);
      from.erase(next->sequence);
    }
    steps += leaving.size();
    if (!ended.empty()) {
      task.status = ended;
      task.failure_reason = reason;
      count("task " + ended + (reason.empty() ? "" : " " + reason));
      return steps + 1;
    }
    if (leaving.empty()) {
      count("task held back by its rate");
      return steps;
    }
    redrive(leaving, *destination, now, wall);
  }
}

void ReferenceModel::redrive(const std::vector<ModelMessage>& messages, const std::string& destination, std::int64_t now,
                             std::int64_t wall) {
  ModelQueue& to = edit(destination, now);
  for (ModelMessage message : messages) {
    message.id.reset();
    message.enqueued = now;
    message.sent_wall = wall;
    message.visible_from = now + 1'000 * to.attributes.delay;
    message.first_received_wall = 0;
    message.receive_count = message.arrived_with = 0;
    message.dead_letter_source.reset();
    message.was_moved = true;
    to.append(message);
    count(to.fifo ? "task moved a message, FIFO" : "task moved a message, standard");
  }
}

}  // namespace ferry::simulation
