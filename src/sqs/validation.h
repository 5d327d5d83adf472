#pragma once
// The checks of each action that need no queue's state, with the texts and in the order of Amazon SQS. Pure functions.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "sqs/api.h"
#include "sqs/error.h"
#include "sqs/names.h"
#include "sqs/policy.h"

namespace ferry::sqs {

/// Where a message, handle or timeout stands in a batch, counted from 1; nothing for the actions on a single one.
/// Some texts and error codes differ between the two.
using BatchIndex = std::optional<std::size_t>;

// Queues.
/// The name of the queue to create. Whether the attribute FifoQueue fits it is queue_attributes.h's, tags are tags.h's.
ApiResult<std::string> validate_create_queue(const CreateQueueRequest& request);

struct ListParameters {
  std::string prefix;
  std::string after;         ///< list names greater than this
  int max = 0;               ///< 1 to 1000
  bool gives_token = false;  ///< whether a NextToken is answered when more remain: only when MaxResults was sent
};
ApiResult<ListParameters> validate_list_queues(const ListQueuesRequest& request);
ApiResult<ListParameters> validate_list_sources(const ListDeadLetterSourceQueuesRequest& request);

/// Attributes are queue_attributes.h's.
ApiResult<void> validate_set_attributes(const SetQueueAttributesRequest& request);

/// Keys, values and their number are with_tags()'s.
ApiResult<void> validate_tag_queue(const TagQueueRequest& request);
ApiResult<void> validate_untag_queue(const UntagQueueRequest& request);

/// Whether the label is taken already is add_permission()'s.
ApiResult<Permission> validate_add_permission(const AddPermissionRequest& request);
/// The label.
ApiResult<std::string> validate_remove_permission(const RemovePermissionRequest& request);

// Move tasks. InvalidParameterValue; ResourceNotFound for ARNs that are well-formed but no queue can have.
struct MoveTaskParameters {
  QueueArn source;
  std::optional<QueueArn> destination;
  std::optional<int> messages_per_second;
};
ApiResult<MoveTaskParameters> validate_start_move_task(const StartMessageMoveTaskRequest& request);
struct MoveTaskListParameters {
  QueueArn source;
  int max = 1;
};
ApiResult<MoveTaskListParameters> validate_list_move_tasks(const ListMessageMoveTasksRequest& request);
/// Whose task the handle names; it may not exist.
struct MoveTaskReference {
  QueueArn source;
  std::optional<Uuid> task;  ///< nothing: no task can be called so
};
ApiResult<MoveTaskReference> validate_cancel_move_task(const CancelMessageMoveTaskRequest& request);

// Sending.
/// Everything about one message but its size, which the queue's MaximumMessageSize decides (message_too_long), and whether a
/// FIFO queue can do without a deduplication id. On a FIFO queue one bad entry fails its whole batch.
ApiResult<void> validate_send(const SendMessageEntry& entry, QueueKind kind, BatchIndex index = std::nullopt);
/// The same for a sender that does not know the kind of the queue: what no queue takes.
ApiResult<void> validate_message(const SendMessageEntry& entry);
/// Body and attributes exceed `bytes_max` of the queue. Exactly `bytes_max` is allowed.
ApiError message_too_long(std::size_t bytes_max, BatchIndex index = std::nullopt);

// What fails a batch as a whole: no entries, too many, ids missing, ill-formed or repeated, too many bytes; in this order.
ApiResult<void> validate_batch(const SendMessageBatchRequest& request);
ApiResult<void> validate_batch(const DeleteMessageBatchRequest& request);
ApiResult<void> validate_batch(const ChangeMessageVisibilityBatchRequest& request);

/// How `error` is told for one entry of a batch: the Query code without its prefix "AWS.SimpleQueueService.".
BatchResultErrorEntry batch_error(std::string id, ApiError error);

// Receiving.
struct ReceiveParameters {
  int max_messages = 1;
  std::optional<Seconds> visibility_timeout;  ///< absent: the queue's
  std::optional<Seconds> wait_time;           ///< absent: the queue's
};
/// Attribute names are requested_system_attributes()'s.
ApiResult<ReceiveParameters> validate_receive(const ReceiveMessageRequest& request, QueueKind kind);

// Deleting, and changing the visibility timeout. Whether a handle is genuine is receipt_handle.h's.
ApiResult<void> validate_delete(const DeleteMessageRequest& request);
ApiResult<void> validate_delete(const DeleteMessageBatchRequestEntry& entry, std::size_t index);
/// The new timeout.
ApiResult<Seconds> validate_visibility_change(const ChangeMessageVisibilityRequest& request);
ApiResult<Seconds> validate_visibility_change(const ChangeMessageVisibilityBatchRequestEntry& entry, std::size_t index);

}  // namespace ferry::sqs
