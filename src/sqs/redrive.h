#pragma once
// RedrivePolicy and RedriveAllowPolicy: their texts, and what must hold between a source and its dead-letter queue.

#include <cstdint>
#include <string>
#include <string_view>

#include "sqs/error.h"
#include "sqs/names.h"

namespace ferry::sqs {

struct QueueAttributes;

struct RedrivePolicy {
  QueueArn dead_letter_target;
  std::uint32_t max_receive_count = 0;  ///< 1 to 1,000
  bool operator==(const RedrivePolicy&) const = default;
};

/// The value of the attribute RedrivePolicy, not empty. InvalidParameterValue.
ApiResult<RedrivePolicy> parse_redrive_policy(std::string_view text);
/// As it is told: {"deadLetterTargetArn":"…","maxReceiveCount":N}.
std::string format_redrive_policy(const RedrivePolicy& policy);

/// The value of the attribute RedriveAllowPolicy, not empty. InvalidParameterValue.
ApiResult<void> validate_redrive_allow_policy(std::string_view text);
/// Whether a queue with that RedriveAllowPolicy (valid, or empty) may be the dead-letter queue of `source`.
bool allows_source(std::string_view redrive_allow_policy, std::string_view source_arn);

/// What a RedrivePolicy needs of its target; `target` is null when no such queue exists. InvalidParameterValue: other account,
/// no such queue, another kind of queue, denied by its RedriveAllowPolicy.
ApiResult<void> check_redrive_target(const RedrivePolicy& policy, const QueueArn& source, QueueKind source_kind,
                                     const QueueAttributes* target);

}  // namespace ferry::sqs
