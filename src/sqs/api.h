#pragma once
// One struct for the request and one for the response of every action, as plain data: what the codecs produce and consume,
// on both sides of the wire. Members have the names of the API in snake_case. std::optional: the member may be absent.
// A std::optional<std::int64_t> holds any integer that was sent; ranges are checked by validation.h, not by the codecs.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sqs/error.h"

namespace ferry::sqs {

using OptionalText = std::optional<std::string>;
using OptionalInteger = std::optional<std::int64_t>;
/// Names and values in the order in which they came; unique names are validation's business.
using TextMap = std::vector<std::pair<std::string, std::string>>;

struct MessageAttributeValue {
  std::string data_type;
  OptionalText string_value;
  OptionalText binary_value;     ///< the bytes, not their base64
  bool has_list_values = false;  ///< StringListValues or BinaryListValues were sent (never supported)
  bool operator==(const MessageAttributeValue&) const = default;
};
using MessageAttributes = std::vector<std::pair<std::string, MessageAttributeValue>>;

struct CreateQueueRequest {
  OptionalText queue_name;
  TextMap attributes;
  TextMap tags;
  bool operator==(const CreateQueueRequest&) const = default;
};
struct CreateQueueResponse {
  std::string queue_url;
  bool operator==(const CreateQueueResponse&) const = default;
};

struct GetQueueUrlRequest {
  OptionalText queue_name;
  OptionalText queue_owner_aws_account_id;
  bool operator==(const GetQueueUrlRequest&) const = default;
};
struct GetQueueUrlResponse {
  std::string queue_url;
  bool operator==(const GetQueueUrlResponse&) const = default;
};

struct ListQueuesRequest {
  OptionalText queue_name_prefix;
  OptionalInteger max_results;
  OptionalText next_token;
  bool operator==(const ListQueuesRequest&) const = default;
};
struct ListQueuesResponse {
  std::vector<std::string> queue_urls;
  OptionalText next_token;
  bool operator==(const ListQueuesResponse&) const = default;
};

struct DeleteQueueRequest {
  OptionalText queue_url;
  bool operator==(const DeleteQueueRequest&) const = default;
};

struct GetQueueAttributesRequest {
  OptionalText queue_url;
  std::vector<std::string> attribute_names;
  bool operator==(const GetQueueAttributesRequest&) const = default;
};
struct GetQueueAttributesResponse {
  TextMap attributes;
  bool operator==(const GetQueueAttributesResponse&) const = default;
};

struct SetQueueAttributesRequest {
  OptionalText queue_url;
  TextMap attributes;
  bool operator==(const SetQueueAttributesRequest&) const = default;
};

struct PurgeQueueRequest {
  OptionalText queue_url;
  bool operator==(const PurgeQueueRequest&) const = default;
};

/// SendMessage, and one entry of SendMessageBatch (which alone has an id).
struct SendMessageEntry {
  OptionalText id;
  OptionalText message_body;
  OptionalInteger delay_seconds;
  MessageAttributes message_attributes;
  MessageAttributes message_system_attributes;
  OptionalText message_deduplication_id;
  OptionalText message_group_id;
  bool operator==(const SendMessageEntry&) const = default;
};
struct SendMessageRequest {
  OptionalText queue_url;
  SendMessageEntry entry;
  bool operator==(const SendMessageRequest&) const = default;
};
struct SendMessageResponse {
  std::string message_id;
  std::string md5_of_message_body;
  OptionalText md5_of_message_attributes;
  OptionalText md5_of_message_system_attributes;
  OptionalText sequence_number;
  bool operator==(const SendMessageResponse&) const = default;
};

struct SendMessageBatchRequest {
  OptionalText queue_url;
  std::optional<std::vector<SendMessageEntry>> entries;
  bool operator==(const SendMessageBatchRequest&) const = default;
};
struct BatchResultErrorEntry {
  std::string id;
  bool sender_fault = true;
  std::string code;  ///< the Query code without the prefix "AWS.SimpleQueueService."
  OptionalText message;
  bool operator==(const BatchResultErrorEntry&) const = default;
};
struct SendMessageBatchResultEntry {
  std::string id;
  SendMessageResponse sent;
  bool operator==(const SendMessageBatchResultEntry&) const = default;
};
struct SendMessageBatchResponse {
  std::vector<SendMessageBatchResultEntry> successful;
  std::vector<BatchResultErrorEntry> failed;
  bool operator==(const SendMessageBatchResponse&) const = default;
};

struct ReceiveMessageRequest {
  OptionalText queue_url;
  std::vector<std::string> attribute_names;                 ///< the older name of the next
  std::vector<std::string> message_system_attribute_names;  ///< both are honoured as a union
  std::vector<std::string> message_attribute_names;
  OptionalInteger max_number_of_messages;
  OptionalInteger visibility_timeout;
  OptionalInteger wait_time_seconds;
  OptionalText receive_request_attempt_id;
  bool operator==(const ReceiveMessageRequest&) const = default;
};
struct Message {
  std::string message_id;
  std::string receipt_handle;
  std::string md5_of_body;
  std::string body;
  TextMap attributes;  ///< system attributes that were asked for
  MessageAttributes message_attributes;
  OptionalText md5_of_message_attributes;
  bool operator==(const Message&) const = default;
};
struct ReceiveMessageResponse {
  std::vector<Message> messages;
  bool operator==(const ReceiveMessageResponse&) const = default;
};

struct DeleteMessageRequest {
  OptionalText queue_url;
  OptionalText receipt_handle;
  bool operator==(const DeleteMessageRequest&) const = default;
};
struct DeleteMessageBatchRequestEntry {
  OptionalText id;
  OptionalText receipt_handle;
  bool operator==(const DeleteMessageBatchRequestEntry&) const = default;
};
struct DeleteMessageBatchRequest {
  OptionalText queue_url;
  std::optional<std::vector<DeleteMessageBatchRequestEntry>> entries;
  bool operator==(const DeleteMessageBatchRequest&) const = default;
};
struct DeleteMessageBatchResponse {
  std::vector<std::string> successful;  ///< ids
  std::vector<BatchResultErrorEntry> failed;
  bool operator==(const DeleteMessageBatchResponse&) const = default;
};

struct ChangeMessageVisibilityRequest {
  OptionalText queue_url;
  OptionalText receipt_handle;
  OptionalInteger visibility_timeout;
  bool operator==(const ChangeMessageVisibilityRequest&) const = default;
};
struct ChangeMessageVisibilityBatchRequestEntry {
  OptionalText id;
  OptionalText receipt_handle;
  OptionalInteger visibility_timeout;
  bool operator==(const ChangeMessageVisibilityBatchRequestEntry&) const = default;
};
struct ChangeMessageVisibilityBatchRequest {
  OptionalText queue_url;
  std::optional<std::vector<ChangeMessageVisibilityBatchRequestEntry>> entries;
  bool operator==(const ChangeMessageVisibilityBatchRequest&) const = default;
};
struct ChangeMessageVisibilityBatchResponse {
  std::vector<std::string> successful;  ///< ids
  std::vector<BatchResultErrorEntry> failed;
  bool operator==(const ChangeMessageVisibilityBatchResponse&) const = default;
};

struct TagQueueRequest {
  OptionalText queue_url;
  TextMap tags;
  bool operator==(const TagQueueRequest&) const = default;
};
struct UntagQueueRequest {
  OptionalText queue_url;
  std::vector<std::string> tag_keys;
  bool operator==(const UntagQueueRequest&) const = default;
};
struct ListQueueTagsRequest {
  OptionalText queue_url;
  bool operator==(const ListQueueTagsRequest&) const = default;
};
struct ListQueueTagsResponse {
  TextMap tags;
  bool operator==(const ListQueueTagsResponse&) const = default;
};

struct AddPermissionRequest {
  OptionalText queue_url;
  OptionalText label;
  std::vector<std::string> aws_account_ids;
  std::vector<std::string> actions;
  bool operator==(const AddPermissionRequest&) const = default;
};
struct RemovePermissionRequest {
  OptionalText queue_url;
  OptionalText label;
  bool operator==(const RemovePermissionRequest&) const = default;
};

struct ListDeadLetterSourceQueuesRequest {
  OptionalText queue_url;
  OptionalInteger max_results;
  OptionalText next_token;
  bool operator==(const ListDeadLetterSourceQueuesRequest&) const = default;
};
struct ListDeadLetterSourceQueuesResponse {
  std::vector<std::string> queue_urls;
  OptionalText next_token;
  bool operator==(const ListDeadLetterSourceQueuesResponse&) const = default;
};

struct StartMessageMoveTaskRequest {
  OptionalText source_arn;
  OptionalText destination_arn;
  OptionalInteger max_number_of_messages_per_second;
  bool operator==(const StartMessageMoveTaskRequest&) const = default;
};
struct StartMessageMoveTaskResponse {
  std::string task_handle;
  bool operator==(const StartMessageMoveTaskResponse&) const = default;
};

struct ListMessageMoveTasksRequest {
  OptionalText source_arn;
  OptionalInteger max_results;
  bool operator==(const ListMessageMoveTasksRequest&) const = default;
};
struct ListMessageMoveTasksResultEntry {
  OptionalText task_handle;  ///< of a running task
  OptionalText status;
  OptionalText source_arn;
  OptionalText destination_arn;                       ///< if the task was started with one
  OptionalInteger max_number_of_messages_per_second;  ///< if the task was started with one
  OptionalInteger approximate_number_of_messages_moved;
  OptionalInteger approximate_number_of_messages_to_move;
  OptionalText failure_reason;        ///< of a failed task
  OptionalInteger started_timestamp;  ///< milliseconds of Unix time
  bool operator==(const ListMessageMoveTasksResultEntry&) const = default;
};
struct ListMessageMoveTasksResponse {
  std::vector<ListMessageMoveTasksResultEntry> results;
  bool operator==(const ListMessageMoveTasksResponse&) const = default;
};

struct CancelMessageMoveTaskRequest {
  OptionalText task_handle;
  bool operator==(const CancelMessageMoveTaskRequest&) const = default;
};
struct CancelMessageMoveTaskResponse {
  OptionalInteger approximate_number_of_messages_moved;
  bool operator==(const CancelMessageMoveTaskResponse&) const = default;
};

/// The answer of an action that has no output.
struct EmptyResponse {
  bool operator==(const EmptyResponse&) const = default;
};

using Request =
    std::variant<CreateQueueRequest, GetQueueUrlRequest, ListQueuesRequest, DeleteQueueRequest, GetQueueAttributesRequest,
                 SetQueueAttributesRequest, PurgeQueueRequest, SendMessageRequest, SendMessageBatchRequest, ReceiveMessageRequest,
                 DeleteMessageRequest, DeleteMessageBatchRequest, ChangeMessageVisibilityRequest,
                 ChangeMessageVisibilityBatchRequest, TagQueueRequest, UntagQueueRequest, ListQueueTagsRequest,
                 AddPermissionRequest, RemovePermissionRequest, ListDeadLetterSourceQueuesRequest, StartMessageMoveTaskRequest,
                 ListMessageMoveTasksRequest, CancelMessageMoveTaskRequest>;

using Response =
    std::variant<EmptyResponse, CreateQueueResponse, GetQueueUrlResponse, ListQueuesResponse, GetQueueAttributesResponse,
                 SendMessageResponse, SendMessageBatchResponse, ReceiveMessageResponse, DeleteMessageBatchResponse,
                 ChangeMessageVisibilityBatchResponse, ListQueueTagsResponse, ListDeadLetterSourceQueuesResponse,
                 StartMessageMoveTaskResponse, ListMessageMoveTasksResponse, CancelMessageMoveTaskResponse>;

}  // namespace ferry::sqs
