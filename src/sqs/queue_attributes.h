#pragma once
// The attributes of a queue: which there are, what values they take, what they are at first, and how they are told.
// Knows nothing of a queue's state: counts and times come in as QueueStatus. Whether a dead-letter target exists and allows its
// source is redrive.h's.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sqs/api.h"
#include "sqs/error.h"
#include "sqs/limits.h"
#include "sqs/names.h"
#include "sqs/redrive.h"

namespace ferry::sqs {

enum class DeduplicationScope : std::uint8_t { Queue, MessageGroup };
enum class FifoThroughputLimit : std::uint8_t { PerQueue, PerMessageGroupId };

/// What can be set, with the values of a new standard queue.
struct QueueAttributes {
  QueueKind kind = QueueKind::Standard;  ///< never changes
  Seconds delay{0};
  std::uint32_t message_bytes_max = kMessageBytesMax;
  Seconds retention = kRetentionDefault;
  Seconds receive_wait_time{0};
  Seconds visibility_timeout = kVisibilityTimeoutDefault;
  bool managed_sse = true;        ///< stored and told, without effect
  std::string kms_master_key_id;  ///< empty: none; stored and told, without effect
  Seconds kms_data_key_reuse = kKmsDataKeyReuseDefault;
  std::string policy;  ///< as it was set; empty: none
  std::optional<RedrivePolicy> redrive_policy;
  std::string redrive_allow_policy;  ///< as it was set; empty: none, which allows all
  // FIFO queues.
  bool content_based_deduplication = false;
  DeduplicationScope deduplication_scope = DeduplicationScope::Queue;           ///< as told
  DeduplicationScope deduplication_scope_in_force = DeduplicationScope::Queue;  ///< that of the creation
  FifoThroughputLimit fifo_throughput_limit = FifoThroughputLimit::PerQueue;    ///< stored and told, without effect
  bool operator==(const QueueAttributes&) const = default;
};

/// The attributes of a new queue called `name`. Errors as changed_attributes(), and those that come of name and FifoQueue not
/// going together (InvalidParameterValue).
ApiResult<QueueAttributes> new_attributes(std::string_view name, const TextMap& attributes);

/// `current` with `changes` made. InvalidAttributeName: no such attribute, or one that cannot be set on this kind of queue.
/// InvalidAttributeValue. InvalidParameterValue for policies. OverLimit: a policy of too many statements.
ApiResult<QueueAttributes> changed_attributes(const QueueAttributes& current, const TextMap& changes);

/// The first of `attributes` (valid ones: new_attributes() took them) that is not what `current` says already.
OptionalText first_difference(const QueueAttributes& current, const TextMap& attributes);

/// What GetQueueAttributes tells beside the attributes themselves.
struct QueueStatus {
  std::string arn;
  std::uint64_t visible = 0;
  std::uint64_t not_visible = 0;
  std::uint64_t delayed = 0;
  Timestamp created;
  Timestamp modified;
};

/// The attributes called `names` ("All": every one that is set), each once, in alphabetical order. Known attributes that are
/// not set are left out. InvalidAttributeName.
ApiResult<TextMap> describe_attributes(const QueueAttributes& attributes, const QueueStatus& status,
                                       const std::vector<std::string>& names);

}  // namespace ferry::sqs
