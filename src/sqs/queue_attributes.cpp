#include "sqs/queue_attributes.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "base/encoding.h"

namespace ferry::sqs {
namespace {

// Attributes of Amazon SQS that come with FIFO queues, dead letters, policies and KMS.
constexpr std::array<std::string_view, 9> kNotYet = {"ContentBasedDeduplication",
                                                     "DeduplicationScope",
                                                     "FifoQueue",
                                                     "FifoThroughputLimit",
                                                     "KmsDataKeyReusePeriodSeconds",
                                                     "KmsMasterKeyId",
                                                     "Policy",
                                                     "RedrivePolicy",
                                                     "RedriveAllowPolicy"};

bool is_not_yet(std::string_view name) {
  return std::find(kNotYet.begin(), kNotYet.end(), name) != kNotYet.end();
}

struct Range {
  std::int64_t low;
  std::int64_t high;
};

// Digits only: no sign, no blanks, no fraction.
std::optional<std::int64_t> parse_in(std::string_view text, Range range) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  const auto value = parse_integer(text);
  if (!value || *value < range.low || *value > range.high) return std::nullopt;
  return value;
}

Result<void, ApiError> set_one(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  const auto integer = [&](Range range, auto&& assign) -> Result<void, ApiError> {
    const auto value = parse_in(text, range);
    if (!value) return Unexpected(invalid_attribute_value(name));
    assign(*value);
    return {};
  };
  const auto seconds = [&](Seconds& target, Seconds low, Seconds high) {
    return integer({low.count(), high.count()}, [&](std::int64_t value) { target = Seconds(value); });
  };
  if (name == "DelaySeconds") return seconds(attributes.delay, Seconds(0), kDelayMax);
  if (name == "MessageRetentionPeriod") return seconds(attributes.retention, kRetentionMin, kRetentionMax);
  if (name == "ReceiveMessageWaitTimeSeconds") return seconds(attributes.receive_wait_time, Seconds(0), kWaitTimeMax);
  if (name == "VisibilityTimeout") return seconds(attributes.visibility_timeout, Seconds(0), kVisibilityTimeoutMax);
  if (name == "MaximumMessageSize") {
    return integer({kMessageBytesMaxFloor, kMessageBytesMax},
                   [&](std::int64_t value) { attributes.message_bytes_max = static_cast<std::uint32_t>(value); });
  }
  if (name == "SqsManagedSseEnabled") {
    if (!equals_ignore_case(text, "true") && !equals_ignore_case(text, "false")) return Unexpected(invalid_attribute_value(name));
    attributes.managed_sse = equals_ignore_case(text, "true");
    return {};
  }
  if (is_not_yet(name)) return Unexpected(unsupported("The queue attribute " + std::string(name)));
  return Unexpected(unknown_attribute(name));
}

std::string epoch_seconds(Timestamp time) {
  return std::to_string(std::chrono::floor<Seconds>(time).time_since_epoch().count());
}

}  // namespace

ApiResult<QueueAttributes> with_attributes(const QueueAttributes& current, const TextMap& changes) {
  QueueAttributes changed = current;
  for (const auto& [name, value] : changes) FERRY_TRY_VOID(set_one(changed, name, value));
  return changed;
}

OptionalText first_difference(const QueueAttributes& current, const TextMap& attributes) {
  for (const auto& [name, value] : attributes) {
    QueueAttributes changed = current;
    if (!set_one(changed, name, value).has_value() || changed != current) return name;
  }
  return std::nullopt;
}

ApiResult<TextMap> describe_attributes(const QueueAttributes& attributes, const QueueStatus& status,
                                       const std::vector<std::string>& names) {
  TextMap all = {
      {"ApproximateNumberOfMessages", std::to_string(status.visible)},
      {"ApproximateNumberOfMessagesDelayed", std::to_string(status.delayed)},
      {"ApproximateNumberOfMessagesNotVisible", std::to_string(status.not_visible)},
      {"CreatedTimestamp", epoch_seconds(status.created)},
      {"DelaySeconds", std::to_string(attributes.delay.count())},
      {"LastModifiedTimestamp", epoch_seconds(status.modified)},
      {"MaximumMessageSize", std::to_string(attributes.message_bytes_max)},
      {"MessageRetentionPeriod", std::to_string(attributes.retention.count())},
      {"QueueArn", status.arn},
      {"ReceiveMessageWaitTimeSeconds", std::to_string(attributes.receive_wait_time.count())},
      {"SqsManagedSseEnabled", attributes.managed_sse ? "true" : "false"},
      {"VisibilityTimeout", std::to_string(attributes.visibility_timeout.count())},
  };
  const auto known = [&](std::string_view name) {
    return is_not_yet(name) || std::any_of(all.begin(), all.end(), [&](const auto& entry) { return entry.first == name; });
  };
  bool everything = false;
  for (const std::string& name : names) {
    if (name == "All")
      everything = true;
    else if (!known(name))
      return Unexpected(unknown_attribute(name));
  }
  if (!everything) {
    std::erase_if(all, [&](const auto& entry) { return std::find(names.begin(), names.end(), entry.first) == names.end(); });
  }
  return all;
}

}  // namespace ferry::sqs
