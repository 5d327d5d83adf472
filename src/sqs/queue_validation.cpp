// The checks of the actions on queues; those of the actions on messages are in validation.cpp.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "sqs/limits.h"
#include "sqs/move_task.h"
#include "sqs/next_token.h"
#include "sqs/tags.h"
#include "sqs/validation.h"

namespace ferry::sqs {
namespace {

ApiResult<int> validate_max_results(std::int64_t max_results, int low, int high) {
  if (max_results >= low && max_results <= high) return static_cast<int>(max_results);
  return api_fail(
      ErrorCode::InvalidParameterValue,
      fmt::format("Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and {}.", high));
}

// MaxResults of 0 is taken as none.
ApiResult<ListParameters> validate_page(const OptionalInteger& max_results, const OptionalText& next_token) {
  ListParameters parameters;
  FERRY_TRY(const int max, validate_max_results(max_results.value_or(0), 0, kListResultsMax));
  parameters.max = max > 0 ? max : kListResultsMax;
  parameters.gives_token = max > 0;
  if (next_token && !next_token->empty()) {
    FERRY_TRY(parameters.after, decode_next_token(*next_token));
  }
  return parameters;
}

// What AddPermission can grant, and what stays with the owner.
constexpr std::array<std::string_view, 9> kShareableActions = {
    "*",          "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues",
    "PurgeQueue", "ReceiveMessage",          "SendMessage"};
constexpr std::array<std::string_view, 12> kOwnerActions = {
    "AddPermission",        "CancelMessageMoveTask", "CreateQueue", "DeleteQueue",
    "ListMessageMoveTasks", "ListQueueTags",         "ListQueues",  "RemovePermission",
    "SetQueueAttributes",   "StartMessageMoveTask",  "TagQueue",    "UntagQueue"};

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

ApiResult<void> validate_shared_action(const std::string& action) {
  if (is_one_of(action, kShareableActions)) return {};
  return Unexpected(invalid_parameter("SQS:" + action, "ActionName",
                                      is_one_of(action, kOwnerActions)
                                          ? "Only the queue owner is allowed to invoke this action."
                                          : "Please refer to the appropriate WSDL for a list of valid actions. "));
}

bool is_account(std::string_view text) {
  return text.size() == 12 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

ApiResult<QueueArn> validate_task_arn(const std::string& text, std::string_view parameter) {
  if (auto arn = parse_queue_arn(text)) return std::move(*arn);
  if (arn_service(text)) return Unexpected(resource_not_found(parameter));
  return api_fail(
      ErrorCode::InvalidParameterValue,
      fmt::format("You must use this format to specify the {}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>",
                  parameter));
}

ApiResult<QueueArn> validate_source_arn(const OptionalText& arn) {
  if (!arn) return Unexpected(missing_parameter("SourceArn"));
  return validate_task_arn(*arn, "SourceArn");
}

}  // namespace

ApiResult<std::string> validate_create_queue(const CreateQueueRequest& request) {
  return validate_new_queue_name(request.queue_name);
}

ApiResult<ListParameters> validate_list_queues(const ListQueuesRequest& request) {
  FERRY_TRY(ListParameters parameters, validate_page(request.max_results, request.next_token));
  parameters.prefix = request.queue_name_prefix.value_or("");
  return parameters;
}

ApiResult<ListParameters> validate_list_sources(const ListDeadLetterSourceQueuesRequest& request) {
  return validate_page(request.max_results, request.next_token);
}

ApiResult<void> validate_set_attributes(const SetQueueAttributesRequest& request) {
  if (request.attributes.empty()) return Unexpected(missing_parameter("Attribute.Name"));
  return {};
}

ApiResult<void> validate_tag_queue(const TagQueueRequest& request) {
  if (request.tags.empty()) return Unexpected(missing_parameter("Tags"));
  return {};
}

ApiResult<void> validate_untag_queue(const UntagQueueRequest& request) {
  if (request.tag_keys.empty()) return validate_tag_key("");
  for (const std::string& key : request.tag_keys) FERRY_TRY_VOID(validate_tag_key(key));
  return {};
}

ApiResult<Permission> validate_add_permission(const AddPermissionRequest& request) {
  if (!request.label || request.label->empty()) return Unexpected(missing_parameter("Label"));
  if (!is_plain_word(*request.label, kPermissionLabelCharsMax)) {
    return Unexpected(
        invalid_parameter(*request.label, "Label",
                          fmt::format("Can only include alphanumeric characters, hyphens, or underscores. 1 to {} in length.",
                                      kPermissionLabelCharsMax)));
  }
  const std::vector<std::string>& accounts = request.aws_account_ids;
  if (accounts.size() > kPolicyPrincipalsMax) {
    return api_fail(ErrorCode::OverLimit,
                    fmt::format("{} Principals were found, maximum allowed is {}.", accounts.size(), kPolicyPrincipalsMax));
  }
  if (accounts.empty() || !std::all_of(accounts.begin(), accounts.end(), is_account)) {
    return Unexpected(invalid_parameter(fmt::format("[{}]", fmt::join(accounts, ", ")), "PrincipalId", "Unable to verify."));
  }
  if (request.actions.empty()) return Unexpected(missing_parameter("ActionName"));
  if (request.actions.size() > kPolicyActionsMax) {
    return api_fail(ErrorCode::OverLimit,
                    fmt::format("{} Actions were found, maximum allowed is {}.", request.actions.size(), kPolicyActionsMax));
  }
  for (const std::string& action : request.actions) FERRY_TRY_VOID(validate_shared_action(action));
  return Permission{*request.label, accounts, request.actions};
}

ApiResult<std::string> validate_remove_permission(const RemovePermissionRequest& request) {
  if (!request.label || request.label->empty()) return Unexpected(missing_parameter("Label"));
  return *request.label;
}

ApiResult<MoveTaskParameters> validate_start_move_task(const StartMessageMoveTaskRequest& request) {
  MoveTaskParameters parameters;
  FERRY_TRY(parameters.source, validate_source_arn(request.source_arn));
  if (request.destination_arn) {
    FERRY_TRY(parameters.destination, validate_task_arn(*request.destination_arn, "DestinationArn"));
  }
  if (request.max_number_of_messages_per_second) {
    const std::int64_t rate = *request.max_number_of_messages_per_second;
    if (rate < 1 || rate > kMoveTaskRateMax) {
      return api_fail(ErrorCode::InvalidParameterValue,
                      fmt::format("Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number "
                                  "that's between 1 and {}.",
                                  kMoveTaskRateMax));
    }
    parameters.messages_per_second = static_cast<int>(rate);
  }
  const auto same_queue = [](const QueueArn& a, const QueueArn& b) {
    return a.account == b.account && a.region == b.region && a.name == b.name;
  };
  if (parameters.destination && same_queue(*parameters.destination, parameters.source)) {
    return api_fail(ErrorCode::InvalidParameterValue, "Source queue arn and destination queue arn cannot be the same.");
  }
  if (parameters.destination && kind_of(parameters.destination->name) != kind_of(parameters.source.name)) {
    return api_fail(ErrorCode::InvalidParameterValue, "The source queue and destination queue must be of the same queue type.");
  }
  return parameters;
}

ApiResult<MoveTaskListParameters> validate_list_move_tasks(const ListMessageMoveTasksRequest& request) {
  MoveTaskListParameters parameters;
  FERRY_TRY(parameters.source, validate_source_arn(request.source_arn));
  FERRY_TRY(parameters.max, validate_max_results(request.max_results.value_or(1), 1, kMoveTaskListMax));
  return parameters;
}

ApiResult<MoveTaskReference> validate_cancel_move_task(const CancelMessageMoveTaskRequest& request) {
  if (!request.task_handle) return Unexpected(missing_parameter("TaskHandle"));
  auto handle = decode_move_task_handle(*request.task_handle);
  if (!handle) return api_fail(ErrorCode::InvalidParameterValue, "Value for parameter TaskHandle is invalid.");
  return MoveTaskReference{std::move(handle->source), parse_uuid(handle->task_id)};
}

}  // namespace ferry::sqs
