// The three actions on move tasks, which name their queues by ARN.

#include "service/service.h"
#include "sqs/move_task.h"

namespace ferry::service {
namespace {

Outcome refuse(sqs::ApiError error, store::Position seen = {}) {
  return {Unexpected(std::move(error)), seen};
}

std::string arn_of(const engine::QueueKey& key) {
  sqs::QueueArn arn;
  arn.account = key.account;
  arn.region = key.region;
  arn.name = key.name;
  return sqs::format_queue_arn(arn);
}

sqs::ListMessageMoveTasksResultEntry entry_of(const engine::Engine::MoveTask& task) {
  sqs::ListMessageMoveTasksResultEntry entry;
  const std::string source = arn_of(task.source);
  entry.status = sqs::name_of(task.status);
  entry.source_arn = source;
  if (task.destination) entry.destination_arn = arn_of(*task.destination);
  if (task.messages_per_second) entry.max_number_of_messages_per_second = *task.messages_per_second;
  entry.approximate_number_of_messages_moved = static_cast<std::int64_t>(task.messages_moved);
  entry.approximate_number_of_messages_to_move = static_cast<std::int64_t>(task.messages_to_move);
  entry.started_timestamp = to_epoch_millis(task.started);
  if (task.status == sqs::MoveTaskStatus::Failed) entry.failure_reason = task.failure_reason;
  if (task.status == sqs::MoveTaskStatus::Running) entry.task_handle = sqs::encode_move_task_handle(task.id, source);
  return entry;
}

}  // namespace

sqs::ApiResult<engine::QueueKey> Service::key_of(const ContextRef& context, const sqs::QueueArn& arn, std::string_view action,
                                                 std::string_view parameter) {
  FERRY_TRY_VOID(allow(context, action, arn.name));
  if (arn.account != context->identity.account || arn.region != context->identity.region) {
    return Unexpected(sqs::resource_not_found(parameter));
  }
  return engine::QueueKey{arn.account, arn.region, arn.name};
}

Outcome Service::run(const ContextRef& context, sqs::StartMessageMoveTaskRequest& request) {
  const auto parameters = sqs::validate_start_move_task(request);
  if (!parameters) return refuse(parameters.error());
  engine::Engine::MoveTaskCommand command;
  auto source = key_of(context, parameters->source, "StartMessageMoveTask", "SourceArn");
  if (!source) return refuse(std::move(source).error());
  command.source = std::move(*source);
  if (parameters->destination) {
    // What is moved there is as good as sent there.
    auto destination = key_of(context, *parameters->destination, "SendMessage", "DestinationArn");
    if (!destination) return refuse(std::move(destination).error());
    command.destination = std::move(*destination);
  }
  command.messages_per_second = parameters->messages_per_second;
  auto started = engine_.start_move_task(command);
  if (!started.result) return refuse(std::move(started.result).error(), started.seen);
  return {sqs::Response(sqs::StartMessageMoveTaskResponse{sqs::encode_move_task_handle(*started.result, arn_of(command.source))}),
          started.seen};
}

Outcome Service::run(const ContextRef& context, sqs::ListMessageMoveTasksRequest& request) {
  const auto parameters = sqs::validate_list_move_tasks(request);
  if (!parameters) return refuse(parameters.error());
  const auto source = key_of(context, parameters->source, "ListMessageMoveTasks", "SourceArn");
  if (!source) return refuse(source.error());
  auto tasks = engine_.move_tasks(*source, parameters->max);
  if (!tasks.result) return refuse(std::move(tasks.result).error(), tasks.seen);
  sqs::ListMessageMoveTasksResponse response;
  for (const engine::Engine::MoveTask& task : *tasks.result) response.results.push_back(entry_of(task));
  return {sqs::Response(std::move(response)), tasks.seen};
}

Outcome Service::run(const ContextRef& context, sqs::CancelMessageMoveTaskRequest& request) {
  const auto task = sqs::validate_cancel_move_task(request);
  if (!task) return refuse(task.error());
  const auto source = key_of(context, task->source, "CancelMessageMoveTask", "SourceArn");
  if (!source) return refuse(source.error());
  // A nil id is nobody's, so that a missing queue is told before a task that cannot be.
  auto moved = engine_.cancel_move_task(*source, task->task.value_or(Uuid{}));
  if (!moved.result) return refuse(std::move(moved.result).error(), moved.seen);
  return {sqs::Response(sqs::CancelMessageMoveTaskResponse{static_cast<std::int64_t>(*moved.result)}), moved.seen};
}

}  // namespace ferry::service
