// Operations on queues: their attributes, tags, permissions, move tasks.

#include <algorithm>

#include "simulation.h"

namespace ferry::simulation {

// ---- what may be set

sqs::TextMap Simulation::some_attributes(const std::string& name) {
  sqs::TextMap attributes;
  const auto add = [&](const char* attribute, std::int64_t value) { attributes.emplace_back(attribute, std::to_string(value)); };
  if (chance(3)) add("DelaySeconds", one_of({0, 0, 4, 8, 60}));
  if (chance(3)) add("VisibilityTimeout", one_of({0, 10, 20, 30}));
  if (chance(3)) add("MessageRetentionPeriod", one_of({60, 180, 300, 900}));
  if (chance(8)) add("MaximumMessageSize", one_of({1'024, 2'000}));
  if (chance(8)) add("ReceiveMessageWaitTimeSeconds", one_of({0, 20}));
  if (chance(12)) attributes.emplace_back("SqsManagedSseEnabled", chance(2) ? "true" : "false");
  if (!is_fifo(name)) return attributes;
  if (chance(3)) attributes.emplace_back("ContentBasedDeduplication", chance(2) ? "true" : "false");
  if (chance(5)) {
    const std::int64_t form = one_of({0, 1, 2});
    attributes.emplace_back("DeduplicationScope", form == 0 ? "queue" : "messageGroup");
    attributes.emplace_back("FifoThroughputLimit", form == 2 ? "perMessageGroupId" : "perQueue");
  }
  return attributes;
}

std::string Simulation::some_redrive_policy(const std::string& name) {
  const std::uint64_t dice = below(20);
  if (dice < 2) return "";
  std::string arn = arn_of(some_name_like(name));
  if (dice == 2) arn = arn_of(is_fifo(name) ? "nowhere.fifo" : "nowhere");
  if (dice == 3 || dice == 6) arn = arn_of(is_fifo(name) ? "q0" : "f0.fifo");
  if (dice == 4) arn.replace(arn.find("000000000000"), 12, "111111111111");
  if (dice == 5) arn = arn_of(name);
  return R"({"deadLetterTargetArn":")" + arn + R"(","maxReceiveCount":)" + std::to_string(1 + below(3)) + "}";
}

std::string Simulation::some_allow_policy(const std::string& name) {
  switch (below(6)) {
    case 0:
      return R"({"redrivePermission":"denyAll"})";
    case 1:
      return R"({"redrivePermission":"allowAll"})";
    case 2:
      return R"({"redrivePermission":"byQueue","sourceQueueArns":[")" + arn_of(some_name_like(name)) + R"("]})";
    default:
      return "";
  }
}

// ---- queues

void Simulation::create() {
  create(some_name());
}

void Simulation::create(const std::string& name) {
  sqs::TextMap attributes;
  if (chance(2)) attributes = some_attributes(name);
  if (is_fifo(name)) attributes.emplace_back("FifoQueue", "true");
  if (chance(4) && model_.find(name) == nullptr && !name.starts_with("fair"))
    attributes.emplace_back("RedrivePolicy", some_redrive_policy(name));
  sqs::TextMap tags;
  if (chance(4)) tags.emplace_back("origin", "created at step " + std::to_string(step_));
  const Failure expected = model_.create(name, attributes, tags, now(), wall());
  const auto answer = engine_->create_queue(key(name), attributes, tags);
  trace("create " + name + " " + expected.code);
  agree(answer.result, expected, "create " + name);
  count("create", expected.code);
  remember();
}

void Simulation::remove() {
  std::string name = some_name();
  for (const std::string& source : model_.names()) {  // now and then where a task is moving to
    const auto& tasks = model_.find(source)->tasks;
    if (!tasks.empty() && tasks.back().status == "RUNNING" && tasks.back().destination && chance(2))
      name = *tasks.back().destination;
  }
  const auto queue = find(name);
  if (queue == nullptr) return;
  trace("delete queue " + name);
  agree(engine_->delete_queue(queue).result, model_.remove(name, now()), "delete " + name);
  remember();
  agree(engine_->receive(queue, caller_, {}, nullptr).result, {"QueueDoesNotExist", ""}, "receive of a deleted queue");
  agree(engine_->queue_tags(queue).result, {"QueueDoesNotExist", ""}, "tags of a deleted queue");
  agree(engine_->move_tasks(key(name), 1).result, {"ResourceNotFound", ""}, "tasks of a deleted queue");
  std::erase_if(polls_, [&](const Poll& poll) {
    if (poll.name != name) return false;
    EXPECT_TRUE(poll.waiter->woken);
    return true;
  });
  seen_.erase(name);
  count("delete queue");
}

void Simulation::purge() {
  const std::string name = some_name();
  const auto queue = find(name);
  if (queue == nullptr) return;
  const Failure expected = model_.purge(name, now());
  const auto answer = engine_->purge(queue);
  trace("purge " + name + " " + expected.code);
  agree(answer.result, expected, "purge " + name);
  saw(name, answer.seen);
  count("purge", expected.code);
}

void Simulation::set(const std::string& name, const sqs::TextMap& attributes) {
  const auto queue = find(name);
  if (queue == nullptr || attributes.empty()) return;
  (void)engine_->counts(queue);  // looks at the clock, as the model does
  const Failure expected = model_.set_attributes(name, attributes, now(), wall());
  const auto answer = engine_->set_attributes(queue, attributes);
  std::string traced = "set " + name;
  for (const auto& [attribute, value] : attributes) traced += " " + attribute + "=" + value;
  trace(traced + " " + expected.code);
  agree(answer.result, expected, "set attributes of " + name);
  saw(name, answer.seen);
  count("set attributes", expected.code);
  remember();
}

void Simulation::set_attributes() {
  const std::string name = some_name();
  set(name, some_attributes(name));
}

void Simulation::set_redrive() {
  const std::string name = some_name();
  if (chance(4)) return set(name, {{"RedriveAllowPolicy", some_allow_policy(name)}});
  if (!name.starts_with("fair")) set(name, {{"RedrivePolicy", some_redrive_policy(name)}});
}

void Simulation::tags() {
  const std::string name = some_name();
  const auto queue = find(name);
  if (queue == nullptr) return;
  if (chance(2)) {
    const sqs::TextMap tags = {{"k" + std::to_string(below(5)), "v" + std::to_string(step_)}, {"K", chance(2) ? "" : "x"}};
    model_.tag(name, tags);
    agree(engine_->tag_queue(queue, tags).result, {}, "tag " + name);
  } else {
    const std::vector<std::string> keys = {"k" + std::to_string(below(5)), "unknown"};
    model_.untag(name, keys);
    agree(engine_->untag_queue(queue, keys).result, {}, "untag " + name);
  }
  count("tags changed");
}

void Simulation::permissions() {
  const std::string name = some_name();
  const auto queue = find(name);
  if (queue == nullptr) return;
  (void)engine_->counts(queue);  // looks at the clock, as the model does afterwards
  const std::string label = "label-" + std::to_string(below(3));
  const std::uint64_t dice = below(8);
  if (dice == 0) return set(name, {{"Policy", ""}});
  if (dice < 4) {
    const Failure expected = model_.remove_permission(name, label, wall());
    agree(engine_->remove_permission(queue, label).result, expected, "remove permission of " + name);
    return count("remove permission", expected.code);
  }
  ModelPermission permission{label, {"111122223333"}, {"SendMessage"}};
  if (chance(2)) permission.accounts.emplace_back("444455556666");
  if (chance(2)) permission.actions.emplace_back("ReceiveMessage");
  const Failure expected = model_.add_permission(name, permission, wall());
  agree(engine_->add_permission(queue, {permission.label, permission.accounts, permission.actions}).result, expected,
        "add permission to " + name);
  count("add permission", expected.code);
}

// ---- move tasks

void Simulation::start_task() {
  ReferenceModel::StartTask task;
  task.source = some_name();
  for (int i = 0; i < 5 && (model_.find(task.source) == nullptr || model_.dead_letter_sources(task.source).empty()); ++i)
    task.source = some_name();
  if (chance(2)) task.destination = chance(4) ? some_name() : some_name_like(task.source);
  if (task.destination == task.source) task.destination.reset();  // refused before the engine is asked
  // Noisy tenants that are equally loud are served in any order: dead letters among them cannot be foretold.
  if (task.destination && task.source.starts_with("fair") && task.destination->starts_with("q")) task.destination.reset();
  if (!chance(3)) task.rate = static_cast<int>(one_of({1, 1, 2, 5}));
  // Two tasks at once may meet in one queue, and then nobody can say who comes first.
  if (model_.task_runs(is_fifo(task.source)) && model_.task_failures(task).empty()) return;
  const std::vector<Failure> failures = model_.task_failures(task);
  engine::Engine::MoveTaskCommand command;
  command.source = key(task.source);
  if (task.destination) command.destination = key(*task.destination);
  command.messages_per_second = task.rate;
  const auto answer = engine_->start_move_task(command);
  if (!failures.empty()) {
    ASSERT_FALSE(answer.result.has_value()) << "start of a task for " << task.source;
    const auto is_it = [&](const Failure& failure) {
      return failure.code == code_of(answer.result.error()) && failure.text == answer.result.error().message;
    };
    EXPECT_TRUE(std::any_of(failures.begin(), failures.end(), is_it)) << answer.result.error().message;
    return count("start task", failures.front().code);
  }
  trace("task from " + task.source + " to " + task.destination.value_or("-") + " rate " + std::to_string(task.rate.value_or(0)));
  agree(answer.result, {}, "start of a task for " + task.source);
  if (!answer.result) return;
  task.id = *answer.result;
  model_.start_task(task, now(), wall());
}

void Simulation::cancel_task() {
  std::string name = some_name();
  for (const std::string& source : model_.names()) {
    const auto& tasks = model_.find(source)->tasks;
    if (!tasks.empty() && tasks.back().status == "RUNNING" && chance(2)) name = source;
  }
  const ModelQueue* const queue = model_.find(name);
  if (queue == nullptr || queue->tasks.empty() || chance(6)) {
    count("cancel of no task");
    Failure expected{"ResourceNotFound", "Task does not exist."};
    if (queue == nullptr) expected.text = "The resource that you specified for the SourceArn parameter doesn't exist.";
    return agree(engine_->cancel_move_task(key(name), make_uuid(random_)).result, expected, "cancel of no task");
  }
  const ModelTask task = queue->tasks[chance(3) ? below(queue->tasks.size()) : queue->tasks.size() - 1];
  const auto answer = engine_->cancel_move_task(key(name), task.id);
  if (task.status != "RUNNING") {
    count("cancel of an ended task");
    return agree(answer.result, {"ResourceNotFound", ""}, "cancel of an ended task");
  }
  agree(answer.result, {}, "cancel");
  const std::uint64_t moved = model_.cancel_task(name, task.id);
  if (answer.result) {
    EXPECT_EQ(*answer.result, moved);
  }
}

}  // namespace ferry::simulation
