#pragma once
// The attributes of a queue: which there are, what values they take, what they are at first, and how they are told.
// Knows nothing of a queue's state: counts and times come in as QueueStatus.

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "sqs/api.h"
#include "sqs/error.h"
#include "sqs/limits.h"

namespace ferry::sqs {

/// What can be set on a standard queue, with the values of a new one.
struct QueueAttributes {
  Seconds delay{0};
  std::uint32_t message_bytes_max = kMessageBytesMax;
  Seconds retention = kRetentionDefault;
  Seconds receive_wait_time{0};
  Seconds visibility_timeout = kVisibilityTimeoutDefault;
  bool managed_sse = true;  ///< stored and told, without effect
  bool operator==(const QueueAttributes&) const = default;
};

/// `current` with `changes` made. InvalidAttributeName: no such attribute, or one that cannot be set. InvalidAttributeValue.
/// UnsupportedOperation: an attribute that Amazon SQS has and this server does not have yet.
ApiResult<QueueAttributes> with_attributes(const QueueAttributes& current, const TextMap& changes);

/// The first of `attributes` (valid ones: with_attributes() took them) that is not what `current` says already.
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
