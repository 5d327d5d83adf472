#include "sqs/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/encoding.h"
#include "sqs/limits.h"
#include "sqs/message_attributes.h"

namespace ferry::sqs {
namespace {

constexpr std::string_view kSendEntry = "SendMessageBatchRequestEntry";
constexpr std::string_view kDeleteEntry = "DeleteMessageBatchRequestEntry";
constexpr std::string_view kVisibilityEntry = "ChangeMessageVisibilityBatchRequestEntry";

ApiError missing_in_entry(std::string_view entry, std::size_t index, std::string_view parameter) {
  return missing_parameter(fmt::format("{}.{}.{}", entry, index, parameter));
}

bool is_within(std::int64_t value, Seconds max) {
  return value >= 0 && value <= max.count();
}

// Message group, deduplication and receive attempt ids: 1 to 128 printable ASCII characters without the space.
ApiResult<void> validate_id_parameter(const OptionalText& id, std::string_view parameter) {
  if (!id) return {};
  const bool printable = std::all_of(id->begin(), id->end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!id->empty() && id->size() <= kGroupIdCharsMax && printable) return {};
  return Unexpected(invalid_parameter(
      *id, parameter,
      fmt::format("{} can only include alphanumeric and punctuation characters. 1 to 128 in length.", parameter)));
}

// What a standard queue does not take.
ApiResult<void> check_standard(const SendMessageEntry& entry, BatchIndex index) {
  if (!entry.message_deduplication_id) return {};
  if (index) {
    return api_fail(ErrorCode::InvalidParameterValue, "The request include parameter that is not valid for this queue type");
  }
  return Unexpected(invalid_parameter(*entry.message_deduplication_id, "MessageDeduplicationId",
                                      "The request includes a parameter that is not valid for this queue type."));
}

// What a FIFO queue does not take, and what it must have.
ApiResult<void> check_fifo(const SendMessageEntry& entry, BatchIndex index) {
  if (entry.delay_seconds.value_or(0) > 0) {
    return Unexpected(invalid_parameter(std::to_string(*entry.delay_seconds), "DelaySeconds",
                                        "The request include parameter that is not valid for this queue type."));
  }
  if (entry.message_group_id) return {};
  ApiError missing = missing_parameter("MessageGroupId");
  if (index) missing.code = ErrorCode::InvalidParameterValue;
  return Unexpected(std::move(missing));
}

template <class Entry>
ApiResult<void> validate_batch_shape(const std::optional<std::vector<Entry>>& entries, std::string_view entry_name) {
  if (!entries) return Unexpected(missing_parameter("Entries"));
  if (entries->empty()) {
    return api_fail(ErrorCode::EmptyBatchRequest, fmt::format("There should be at least one {} in the request.", entry_name));
  }
  if (entries->size() > kBatchEntriesMax) {
    return api_fail(
        ErrorCode::TooManyEntriesInBatchRequest,
        fmt::format("Maximum number of entries per request are {}. You have sent {}.", kBatchEntriesMax, entries->size()));
  }
  for (std::size_t i = 0; i < entries->size(); ++i) {
    const OptionalText& id = (*entries)[i].id;
    if (!id) return Unexpected(missing_in_entry(entry_name, i + 1, "Id"));
    if (!is_plain_word(*id, kBatchIdCharsMax)) {
      return api_fail(ErrorCode::InvalidBatchEntryId,
                      "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 "
                      "letters long.");
    }
  }
  std::unordered_set<std::string_view> seen;
  for (const Entry& entry : *entries) {
    if (!seen.insert(*entry.id).second) {
      return api_fail(ErrorCode::BatchEntryIdsNotDistinct, fmt::format("Id {} repeated.", *entry.id));
    }
  }
  return {};
}

ApiResult<void> check_message(const SendMessageEntry& entry, std::optional<QueueKind> kind, BatchIndex index) {
  if (!entry.message_body || entry.message_body->empty()) {
    return Unexpected(index ? missing_in_entry(kSendEntry, *index, "MessageBody") : missing_parameter("MessageBody"));
  }
  if (entry.delay_seconds && !is_within(*entry.delay_seconds, kDelayMax)) {
    return Unexpected(invalid_parameter(std::to_string(*entry.delay_seconds), "DelaySeconds",
                                        fmt::format("DelaySeconds must be >= 0 and <= {}.", kDelayMax.count())));
  }
  FERRY_TRY_VOID(validate_id_parameter(entry.message_group_id, "MessageGroupId"));
  FERRY_TRY_VOID(validate_id_parameter(entry.message_deduplication_id, "MessageDeduplicationId"));
  if (kind == QueueKind::Fifo) FERRY_TRY_VOID(check_fifo(entry, index));
  if (kind == QueueKind::Standard) FERRY_TRY_VOID(check_standard(entry, index));
  FERRY_TRY_VOID(validate_message_attributes(entry.message_attributes));
  FERRY_TRY_VOID(validate_message_system_attributes(entry.message_system_attributes));
  if (!is_sqs_text(*entry.message_body)) {
    return api_fail(ErrorCode::InvalidMessageContents, fmt::format("Invalid characters found. {}", kAllowedCharacters));
  }
  return {};
}

}  // namespace

ApiResult<void> validate_send(const SendMessageEntry& entry, QueueKind kind, BatchIndex index) {
  return check_message(entry, kind, index);
}

ApiResult<void> validate_message(const SendMessageEntry& entry) {
  return check_message(entry, std::nullopt, std::nullopt);
}

ApiError message_too_long(std::size_t bytes_max, BatchIndex index) {
  return {ErrorCode::InvalidParameterValue,
          fmt::format("One or more parameters {}. Reason: Message must be shorter than {} bytes.",
                      index ? "cannot be validated" : "are invalid", bytes_max)};
}

ApiResult<void> validate_batch(const SendMessageBatchRequest& request) {
  FERRY_TRY_VOID(validate_batch_shape(request.entries, kSendEntry));
  std::size_t bytes = 0;
  for (const SendMessageEntry& entry : *request.entries) bytes += message_bytes(entry);
  if (bytes > kBatchBytesMax) {
    return api_fail(ErrorCode::BatchRequestTooLong,
                    fmt::format("Batch requests cannot be longer than {} bytes. You have sent {} bytes.", kBatchBytesMax, bytes));
  }
  return {};
}

ApiResult<void> validate_batch(const DeleteMessageBatchRequest& request) {
  return validate_batch_shape(request.entries, kDeleteEntry);
}

ApiResult<void> validate_batch(const ChangeMessageVisibilityBatchRequest& request) {
  return validate_batch_shape(request.entries, kVisibilityEntry);
}

BatchResultErrorEntry batch_error(std::string id, ApiError error) {
  constexpr std::string_view kPrefix = "AWS.SimpleQueueService.";
  const ErrorCatalogueRow& row = catalogue_row(error.code);
  std::string_view code = row.query_code;
  if (code.starts_with(kPrefix)) code.remove_prefix(kPrefix.size());
  BatchResultErrorEntry entry{std::move(id), row.fault == Fault::Sender, std::string(code), std::nullopt};
  if (!error.message.empty()) entry.message = std::move(error.message);
  return entry;
}

ApiResult<ReceiveParameters> validate_receive(const ReceiveMessageRequest& request, QueueKind kind) {
  ReceiveParameters parameters;
  if (const OptionalInteger& max = request.max_number_of_messages) {
    if (*max < 1 || *max > kReceiveMessagesMax) {
      return Unexpected(invalid_parameter(std::to_string(*max), "MaxNumberOfMessages",
                                          fmt::format("Must be between 1 and {}, if provided.", kReceiveMessagesMax)));
    }
    parameters.max_messages = static_cast<int>(*max);
  }
  if (const OptionalInteger& wait = request.wait_time_seconds) {
    if (!is_within(*wait, kWaitTimeMax)) {
      return Unexpected(invalid_parameter(std::to_string(*wait), "WaitTimeSeconds",
                                          fmt::format("Must be >= 0 and <= {}, if provided.", kWaitTimeMax.count())));
    }
    parameters.wait_time = Seconds(*wait);
  }
  if (const OptionalInteger& timeout = request.visibility_timeout) {
    if (!is_within(*timeout, kVisibilityTimeoutMax)) {
      return Unexpected(invalid_parameter(std::to_string(*timeout), "VisibilityTimeout",
                                          fmt::format("Must be >= 0 and <= {}, if provided.", kVisibilityTimeoutMax.count())));
    }
    parameters.visibility_timeout = Seconds(*timeout);
  }
  FERRY_TRY_VOID(validate_id_parameter(request.receive_request_attempt_id, "ReceiveRequestAttemptId"));
  if (request.receive_request_attempt_id && kind == QueueKind::Standard) {
    return api_fail(
        ErrorCode::InvalidParameterValue,
        fmt::format("Value {} for parameter ReceiveRequestAttemptId is invalid. The request include parameter that is "
                    "not valid for this queue type",
                    *request.receive_request_attempt_id));
  }
  return parameters;
}

ApiResult<void> validate_delete(const DeleteMessageRequest& request) {
  if (!request.receipt_handle || request.receipt_handle->empty()) return Unexpected(missing_parameter("ReceiptHandle"));
  return {};
}

ApiResult<void> validate_delete(const DeleteMessageBatchRequestEntry& entry, std::size_t index) {
  if (!entry.receipt_handle || entry.receipt_handle->empty()) {
    return Unexpected(missing_in_entry(kDeleteEntry, index, "ReceiptHandle"));
  }
  return {};
}

ApiResult<Seconds> validate_visibility_change(const ChangeMessageVisibilityRequest& request) {
  if (!request.receipt_handle || request.receipt_handle->empty()) return Unexpected(missing_parameter("ReceiptHandle"));
  if (!request.visibility_timeout) return Unexpected(missing_parameter("VisibilityTimeout"));
  if (!is_within(*request.visibility_timeout, kVisibilityTimeoutMax)) {
    return Unexpected(invalid_parameter(std::to_string(*request.visibility_timeout), "VisibilityTimeout",
                                        fmt::format("Must be between 0 and {}.", kVisibilityTimeoutMax.count())));
  }
  return Seconds(*request.visibility_timeout);
}

ApiResult<Seconds> validate_visibility_change(const ChangeMessageVisibilityBatchRequestEntry& entry, std::size_t index) {
  if (!entry.receipt_handle || entry.receipt_handle->empty()) {
    return Unexpected(missing_in_entry(kVisibilityEntry, index, "ReceiptHandle"));
  }
  if (!entry.visibility_timeout) return Unexpected(missing_in_entry(kVisibilityEntry, index, "VisibilityTimeout"));
  if (!is_within(*entry.visibility_timeout, kVisibilityTimeoutMax)) {
    return Unexpected(
        invalid_parameter(std::to_string(*entry.visibility_timeout), "VisibilityTimeout",
                          fmt::format("VisibilityTimeout must be an integer between 0 and {}.", kVisibilityTimeoutMax.count())));
  }
  return Seconds(*entry.visibility_timeout);
}

}  // namespace ferry::sqs
