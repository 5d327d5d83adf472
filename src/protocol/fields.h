#pragma once
// What each struct consists of on the wire, said once for all four directions. fields(visitor, value) calls, for each member,
//   visitor.text(name, std::string or OptionalText)     visitor.integer(name, OptionalInteger)    visitor.boolean(name, bool)
//   visitor.texts(List, vector<string>)                 visitor.map(Map, TextMap)                 visitor.attributes(Map, …)
//   visitor.structures(List, vector or optional vector of structs)
//   visitor.ids(List, vector<string>)                   a list of structs that have nothing but an Id
// A visitor reads or writes JSON, Query parameters or XML. The order is that of Amazon's XML answers.

#include <type_traits>

#include "protocol/wire_names.h"
#include "sqs/api.h"

namespace ferry::protocol {

/// S is T or const T: reading and writing share one description.
template <class S, class T>
concept Like = std::is_same_v<std::remove_const_t<S>, T>;

template <class V, Like<sqs::CreateQueueRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueName, s.queue_name);
  v.map(names::kAttributes, s.attributes);
  v.map(names::kTagsOfNewQueue, s.tags);
}

template <class V, Like<sqs::CreateQueueResponse> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
}

template <class V, Like<sqs::GetQueueUrlRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueName, s.queue_name);
  v.text(names::kQueueOwnerAwsAccountId, s.queue_owner_aws_account_id);
}

template <class V, Like<sqs::GetQueueUrlResponse> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
}

template <class V, Like<sqs::ListQueuesRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueNamePrefix, s.queue_name_prefix);
  v.integer(names::kMaxResults, s.max_results);
  v.text(names::kNextToken, s.next_token);
}

template <class V, Like<sqs::ListQueuesResponse> S>
void fields(V& v, S& s) {
  v.texts(names::kQueueUrls, s.queue_urls);
  v.text(names::kNextToken, s.next_token);
}

template <class V, Like<sqs::DeleteQueueRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
}

template <class V, Like<sqs::GetQueueAttributesRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.texts(names::kAttributeNames, s.attribute_names);
}

template <class V, Like<sqs::GetQueueAttributesResponse> S>
void fields(V& v, S& s) {
  v.map(names::kAttributes, s.attributes);
}

template <class V, Like<sqs::SetQueueAttributesRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.map(names::kAttributes, s.attributes);
}

template <class V, Like<sqs::PurgeQueueRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
}

// What SendMessage and an entry of SendMessageBatch have in common; the Id is the entry's alone.
template <class V, Like<sqs::SendMessageEntry> S>
void message_fields(V& v, S& s) {
  v.text(names::kMessageBody, s.message_body);
  v.integer(names::kDelaySeconds, s.delay_seconds);
  v.attributes(names::kMessageAttributes, s.message_attributes);
  v.attributes(names::kMessageSystemAttributes, s.message_system_attributes);
  v.text(names::kMessageDeduplicationId, s.message_deduplication_id);
  v.text(names::kMessageGroupId, s.message_group_id);
}

template <class V, Like<sqs::SendMessageEntry> S>
void fields(V& v, S& s) {
  v.text(names::kId, s.id);
  message_fields(v, s);
}

template <class V, Like<sqs::SendMessageRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  message_fields(v, s.entry);
}

template <class V, Like<sqs::SendMessageResponse> S>
void fields(V& v, S& s) {
  v.text(names::kMessageId, s.message_id);
  v.text(names::kMd5OfMessageBody, s.md5_of_message_body);
  v.text(names::kMd5OfMessageAttributes, s.md5_of_message_attributes);
  v.text(names::kMd5OfMessageSystemAttributes, s.md5_of_message_system_attributes);
  v.text(names::kSequenceNumber, s.sequence_number);
}

template <class V, Like<sqs::SendMessageBatchRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.structures(names::kSendEntries, s.entries);
}

template <class V, Like<sqs::BatchResultErrorEntry> S>
void fields(V& v, S& s) {
  v.text(names::kId, s.id);
  v.boolean(names::kSenderFault, s.sender_fault);
  v.text(names::kCode, s.code);
  v.text(names::kMessage, s.message);
}

template <class V, Like<sqs::SendMessageBatchResultEntry> S>
void fields(V& v, S& s) {
  v.text(names::kId, s.id);
  fields(v, s.sent);
}

template <class V, Like<sqs::SendMessageBatchResponse> S>
void fields(V& v, S& s) {
  v.structures(names::kSendSuccessful, s.successful);
  v.structures(names::kFailed, s.failed);
}

template <class V, Like<sqs::ReceiveMessageRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.texts(names::kAttributeNames, s.attribute_names);
  v.texts(names::kMessageSystemAttributeNames, s.message_system_attribute_names);
  v.texts(names::kMessageAttributeNames, s.message_attribute_names);
  v.integer(names::kMaxNumberOfMessages, s.max_number_of_messages);
  v.integer(names::kVisibilityTimeout, s.visibility_timeout);
  v.integer(names::kWaitTimeSeconds, s.wait_time_seconds);
  v.text(names::kReceiveRequestAttemptId, s.receive_request_attempt_id);
}

template <class V, Like<sqs::Message> S>
void fields(V& v, S& s) {
  v.text(names::kMessageId, s.message_id);
  v.text(names::kReceiptHandle, s.receipt_handle);
  v.text(names::kMd5OfBody, s.md5_of_body);
  v.text(names::kBody, s.body);
  v.map(names::kAttributes, s.attributes);
  v.text(names::kMd5OfMessageAttributes, s.md5_of_message_attributes);
  v.attributes(names::kMessageAttributes, s.message_attributes);
}

template <class V, Like<sqs::ReceiveMessageResponse> S>
void fields(V& v, S& s) {
  v.structures(names::kMessages, s.messages);
}

template <class V, Like<sqs::DeleteMessageRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.text(names::kReceiptHandle, s.receipt_handle);
}

template <class V, Like<sqs::DeleteMessageBatchRequestEntry> S>
void fields(V& v, S& s) {
  v.text(names::kId, s.id);
  v.text(names::kReceiptHandle, s.receipt_handle);
}

template <class V, Like<sqs::DeleteMessageBatchRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.structures(names::kDeleteEntries, s.entries);
}

template <class V, Like<sqs::DeleteMessageBatchResponse> S>
void fields(V& v, S& s) {
  v.ids(names::kDeleteSuccessful, s.successful);
  v.structures(names::kFailed, s.failed);
}

template <class V, Like<sqs::ChangeMessageVisibilityRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.text(names::kReceiptHandle, s.receipt_handle);
  v.integer(names::kVisibilityTimeout, s.visibility_timeout);
}

template <class V, Like<sqs::ChangeMessageVisibilityBatchRequestEntry> S>
void fields(V& v, S& s) {
  v.text(names::kId, s.id);
  v.text(names::kReceiptHandle, s.receipt_handle);
  v.integer(names::kVisibilityTimeout, s.visibility_timeout);
}

template <class V, Like<sqs::ChangeMessageVisibilityBatchRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.structures(names::kVisibilityEntries, s.entries);
}

template <class V, Like<sqs::ChangeMessageVisibilityBatchResponse> S>
void fields(V& v, S& s) {
  v.ids(names::kVisibilitySuccessful, s.successful);
  v.structures(names::kFailed, s.failed);
}

template <class V, Like<sqs::TagQueueRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.map(names::kTags, s.tags);
}

template <class V, Like<sqs::UntagQueueRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.texts(names::kTagKeys, s.tag_keys);
}

template <class V, Like<sqs::ListQueueTagsRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
}

template <class V, Like<sqs::ListQueueTagsResponse> S>
void fields(V& v, S& s) {
  v.map(names::kTags, s.tags);
}

template <class V, Like<sqs::AddPermissionRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.text(names::kLabel, s.label);
  v.texts(names::kAwsAccountIds, s.aws_account_ids);
  v.texts(names::kActions, s.actions);
}

template <class V, Like<sqs::RemovePermissionRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.text(names::kLabel, s.label);
}

template <class V, Like<sqs::ListDeadLetterSourceQueuesRequest> S>
void fields(V& v, S& s) {
  v.text(names::kQueueUrl, s.queue_url);
  v.integer(names::kMaxResults, s.max_results);
  v.text(names::kNextToken, s.next_token);
}

template <class V, Like<sqs::ListDeadLetterSourceQueuesResponse> S>
void fields(V& v, S& s) {
  v.texts(names::kSourceQueueUrls, s.queue_urls);
  v.text(names::kNextToken, s.next_token);
}

template <class V, Like<sqs::StartMessageMoveTaskRequest> S>
void fields(V& v, S& s) {
  v.text(names::kSourceArn, s.source_arn);
  v.text(names::kDestinationArn, s.destination_arn);
  v.integer(names::kMaxNumberOfMessagesPerSecond, s.max_number_of_messages_per_second);
}

template <class V, Like<sqs::StartMessageMoveTaskResponse> S>
void fields(V& v, S& s) {
  v.text(names::kTaskHandle, s.task_handle);
}

template <class V, Like<sqs::ListMessageMoveTasksRequest> S>
void fields(V& v, S& s) {
  v.text(names::kSourceArn, s.source_arn);
  v.integer(names::kMaxResults, s.max_results);
}

template <class V, Like<sqs::ListMessageMoveTasksResultEntry> S>
void fields(V& v, S& s) {
  v.text(names::kTaskHandle, s.task_handle);
  v.text(names::kStatus, s.status);
  v.text(names::kSourceArn, s.source_arn);
  v.text(names::kDestinationArn, s.destination_arn);
  v.integer(names::kMaxNumberOfMessagesPerSecond, s.max_number_of_messages_per_second);
  v.integer(names::kApproximateNumberOfMessagesMoved, s.approximate_number_of_messages_moved);
  v.integer(names::kApproximateNumberOfMessagesToMove, s.approximate_number_of_messages_to_move);
  v.text(names::kFailureReason, s.failure_reason);
  v.integer(names::kStartedTimestamp, s.started_timestamp);
}

template <class V, Like<sqs::ListMessageMoveTasksResponse> S>
void fields(V& v, S& s) {
  v.structures(names::kMoveTasks, s.results);
}

template <class V, Like<sqs::CancelMessageMoveTaskRequest> S>
void fields(V& v, S& s) {
  v.text(names::kTaskHandle, s.task_handle);
}

template <class V, Like<sqs::CancelMessageMoveTaskResponse> S>
void fields(V& v, S& s) {
  v.integer(names::kApproximateNumberOfMessagesMoved, s.approximate_number_of_messages_moved);
}

template <class V, Like<sqs::EmptyResponse> S>
void fields(V&, S&) {}

template <class V, Like<sqs::MessageAttributeValue> S>
void fields(V& v, S& s) {
  v.text(names::kStringValue, s.string_value);
  v.binary(names::kBinaryValue, s.binary_value);
  v.text(names::kDataType, s.data_type);
  v.list_values(s.has_list_values);
}

}  // namespace ferry::protocol
