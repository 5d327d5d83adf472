#include "sqs/queue_attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "base/encoding.h"
#include "sqs/policy.h"

namespace ferry::sqs {
namespace {

constexpr std::array<std::string_view, 6> kReadOnly = {"ApproximateNumberOfMessages",
                                                       "ApproximateNumberOfMessagesDelayed",
                                                       "ApproximateNumberOfMessagesNotVisible",
                                                       "CreatedTimestamp",
                                                       "LastModifiedTimestamp",
                                                       "QueueArn"};

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

ApiResult<void> set_seconds(Seconds& target, Seconds low, Seconds high, std::string_view name, std::string_view text) {
  const auto value = parse_in(text, {low.count(), high.count()});
  if (!value) return Unexpected(invalid_attribute_value(name));
  target = Seconds(*value);
  return {};
}

ApiResult<bool> parse_bool(std::string_view name, std::string_view text) {
  if (equals_ignore_case(text, "true")) return true;
  if (equals_ignore_case(text, "false")) return false;
  return Unexpected(invalid_attribute_value(name));
}

// One setter for each attribute: parses, checks and stores the value alone. What attributes mean for each other is couple()'s.
using Setter = ApiResult<void> (*)(QueueAttributes&, std::string_view name, std::string_view text);

ApiResult<void> set_delay(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  return set_seconds(attributes.delay, Seconds(0), kDelayMax, name, text);
}
ApiResult<void> set_retention(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  return set_seconds(attributes.retention, kRetentionMin, kRetentionMax, name, text);
}
ApiResult<void> set_wait_time(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  return set_seconds(attributes.receive_wait_time, Seconds(0), kWaitTimeMax, name, text);
}
ApiResult<void> set_visibility_timeout(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  return set_seconds(attributes.visibility_timeout, Seconds(0), kVisibilityTimeoutMax, name, text);
}
ApiResult<void> set_data_key_reuse(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  return set_seconds(attributes.kms_data_key_reuse, kKmsDataKeyReuseMin, kKmsDataKeyReuseMax, name, text);
}
ApiResult<void> set_message_size(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  const auto value = parse_in(text, {kMessageBytesMaxFloor, kMessageBytesMax});
  if (!value) return Unexpected(invalid_attribute_value(name));
  attributes.message_bytes_max = static_cast<std::uint32_t>(*value);
  return {};
}
ApiResult<void> set_managed_sse(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  FERRY_TRY(attributes.managed_sse, parse_bool(name, text));
  return {};
}
ApiResult<void> set_kms_key(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  if (text.size() > kKmsKeyIdBytesMax || !is_sqs_text(text)) return Unexpected(invalid_attribute_value(name));
  attributes.kms_master_key_id = text;
  return {};
}
ApiResult<void> set_policy(QueueAttributes& attributes, std::string_view, std::string_view text) {
  if (!text.empty()) FERRY_TRY_VOID(validate_policy(text));
  attributes.policy = text;
  return {};
}
ApiResult<void> set_redrive_policy(QueueAttributes& attributes, std::string_view, std::string_view text) {
  if (text.empty()) {
    attributes.redrive_policy.reset();
    return {};
  }
  FERRY_TRY(attributes.redrive_policy, parse_redrive_policy(text));
  return {};
}
ApiResult<void> set_redrive_allow_policy(QueueAttributes& attributes, std::string_view, std::string_view text) {
  if (!text.empty()) FERRY_TRY_VOID(validate_redrive_allow_policy(text));
  attributes.redrive_allow_policy = text;
  return {};
}
ApiResult<void> set_fifo_queue(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  if (attributes.kind == QueueKind::Standard) return Unexpected(unknown_attribute(name));
  FERRY_TRY(const bool fifo, parse_bool(name, text));
  if (fifo) return {};
  return api_fail(ErrorCode::InvalidAttributeValue,
                  "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.");
}
ApiResult<void> set_content_based_deduplication(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  if (attributes.kind == QueueKind::Standard) return Unexpected(unknown_attribute(name));
  FERRY_TRY(attributes.content_based_deduplication, parse_bool(name, text));
  return {};
}
ApiResult<void> require_fifo(const QueueAttributes& attributes, std::string_view name) {
  if (attributes.kind == QueueKind::Fifo) return {};
  return api_fail(ErrorCode::InvalidAttributeName,
                  fmt::format("You can specify the {} only when FifoQueue is set to true.", name));
}
ApiResult<void> set_deduplication_scope(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  FERRY_TRY_VOID(require_fifo(attributes, name));
  if (text != "queue" && text != "messageGroup") return Unexpected(invalid_attribute_value(name));
  attributes.deduplication_scope = text == "queue" ? DeduplicationScope::Queue : DeduplicationScope::MessageGroup;
  return {};
}
ApiResult<void> set_throughput_limit(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  FERRY_TRY_VOID(require_fifo(attributes, name));
  if (text != "perQueue" && text != "perMessageGroupId") return Unexpected(invalid_attribute_value(name));
  attributes.fifo_throughput_limit = text == "perQueue" ? FifoThroughputLimit::PerQueue : FifoThroughputLimit::PerMessageGroupId;
  return {};
}

struct Settable {
  std::string_view name;
  Setter set;
};
constexpr std::array kSettable = {
    Settable{"ContentBasedDeduplication", set_content_based_deduplication},
    Settable{"DeduplicationScope", set_deduplication_scope},
    Settable{"DelaySeconds", set_delay},
    Settable{"FifoQueue", set_fifo_queue},
    Settable{"FifoThroughputLimit", set_throughput_limit},
    Settable{"KmsDataKeyReusePeriodSeconds", set_data_key_reuse},
    Settable{"KmsMasterKeyId", set_kms_key},
    Settable{"MaximumMessageSize", set_message_size},
    Settable{"MessageRetentionPeriod", set_retention},
    Settable{"Policy", set_policy},
    Settable{"ReceiveMessageWaitTimeSeconds", set_wait_time},
    Settable{"RedriveAllowPolicy", set_redrive_allow_policy},
    Settable{"RedrivePolicy", set_redrive_policy},
    Settable{"SqsManagedSseEnabled", set_managed_sse},
    Settable{"VisibilityTimeout", set_visibility_timeout},
};

const Settable* find_settable(std::string_view name) {
  const auto* found =
      std::find_if(kSettable.begin(), kSettable.end(), [&](const Settable& settable) { return settable.name == name; });
  return found == kSettable.end() ? nullptr : found;
}

ApiResult<void> set_one(QueueAttributes& attributes, std::string_view name, std::string_view text) {
  const Settable* settable = find_settable(name);
  if (settable == nullptr) return Unexpected(unknown_attribute(name));
  return settable->set(attributes, name, text);
}

bool names(const TextMap& attributes, std::string_view name) {
  return std::any_of(attributes.begin(), attributes.end(), [&](const auto& attribute) { return attribute.first == name; });
}

// What the attributes in `changes`, already made, mean for each other.
ApiResult<void> couple(QueueAttributes& attributes, const TextMap& changes) {
  const bool sets_key = names(changes, "KmsMasterKeyId") && !attributes.kms_master_key_id.empty();
  const bool sets_managed = names(changes, "SqsManagedSseEnabled") && attributes.managed_sse;
  if (sets_key && sets_managed) {
    return api_fail(
        ErrorCode::InvalidAttributeName,
        "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.");
  }
  if (sets_key) attributes.managed_sse = false;
  if (sets_managed) {
    attributes.kms_master_key_id.clear();
    if (!names(changes, "KmsDataKeyReusePeriodSeconds")) attributes.kms_data_key_reuse = kKmsDataKeyReuseDefault;
  }
  if (attributes.fifo_throughput_limit == FifoThroughputLimit::PerMessageGroupId &&
      attributes.deduplication_scope != DeduplicationScope::MessageGroup) {
    return api_fail(ErrorCode::InvalidAttributeValue,
                    "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup");
  }
  return {};
}

// Whether name and the attribute FifoQueue of a new queue say the same.
ApiResult<QueueKind> kind_of_new(std::string_view name, const TextMap& attributes) {
  const QueueKind kind = kind_of(name);
  bool fifo = false;
  for (const auto& [attribute, value] : attributes) {
    if (attribute != "FifoQueue") continue;
    FERRY_TRY(fifo, parse_bool(attribute, value));
  }
  if (fifo && kind == QueueKind::Standard) {
    return api_fail(ErrorCode::InvalidParameterValue,
                    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with "
                    ".fifo suffix and be 1 to 80 in length");
  }
  if (!fifo && kind == QueueKind::Fifo) {
    return api_fail(ErrorCode::InvalidParameterValue,
                    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
  }
  return kind;
}

std::string epoch_seconds(Timestamp time) {
  return std::to_string(std::chrono::floor<Seconds>(time).time_since_epoch().count());
}

std::string text_of(bool value) {
  return value ? "true" : "false";
}

// What is told only when it is set.
TextMap describe_optional(const QueueAttributes& attributes) {
  TextMap told;
  if (attributes.kind == QueueKind::Fifo) {
    told.emplace_back("ContentBasedDeduplication", text_of(attributes.content_based_deduplication));
    told.emplace_back("DeduplicationScope",
                      attributes.deduplication_scope == DeduplicationScope::Queue ? "queue" : "messageGroup");
    told.emplace_back("FifoQueue", "true");
    told.emplace_back("FifoThroughputLimit",
                      attributes.fifo_throughput_limit == FifoThroughputLimit::PerQueue ? "perQueue" : "perMessageGroupId");
  }
  if (!attributes.kms_master_key_id.empty()) {
    told.emplace_back("KmsDataKeyReusePeriodSeconds", std::to_string(attributes.kms_data_key_reuse.count()));
    told.emplace_back("KmsMasterKeyId", attributes.kms_master_key_id);
  }
  if (!attributes.policy.empty()) told.emplace_back("Policy", attributes.policy);
  if (attributes.redrive_policy) told.emplace_back("RedrivePolicy", format_redrive_policy(*attributes.redrive_policy));
  if (!attributes.redrive_allow_policy.empty()) told.emplace_back("RedriveAllowPolicy", attributes.redrive_allow_policy);
  return told;
}

}  // namespace

ApiResult<QueueAttributes> new_attributes(std::string_view name, const TextMap& attributes) {
  QueueAttributes created;
  FERRY_TRY(created.kind, kind_of_new(name, attributes));
  FERRY_TRY(created, changed_attributes(created, attributes));
  created.deduplication_scope_in_force = created.deduplication_scope;
  return created;
}

ApiResult<QueueAttributes> changed_attributes(const QueueAttributes& current, const TextMap& changes) {
  QueueAttributes changed = current;
  for (const auto& [name, value] : changes) FERRY_TRY_VOID(set_one(changed, name, value));
  FERRY_TRY_VOID(couple(changed, changes));
  return changed;
}

OptionalText first_difference(const QueueAttributes& current, const TextMap& attributes) {
  for (auto attribute = attributes.begin(); attribute != attributes.end(); ++attribute) {
    const bool repeated =
        std::any_of(attribute + 1, attributes.end(), [&](const auto& later) { return later.first == attribute->first; });
    if (repeated) continue;  // the last one counts
    QueueAttributes changed = current;
    if (!set_one(changed, attribute->first, attribute->second).has_value() || changed != current) return attribute->first;
  }
  return std::nullopt;
}

ApiResult<TextMap> describe_attributes(const QueueAttributes& attributes, const QueueStatus& status,
                                       const std::vector<std::string>& names) {
  bool everything = false;
  for (const std::string& name : names) {
    const bool all_of_them = name == "All";
    everything |= all_of_them;
    const bool known =
        all_of_them || find_settable(name) != nullptr || std::find(kReadOnly.begin(), kReadOnly.end(), name) != kReadOnly.end();
    if (!known) return Unexpected(unknown_attribute(name));
  }
  TextMap all = describe_optional(attributes);
  all.insert(all.end(), {
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
                            {"SqsManagedSseEnabled", text_of(attributes.managed_sse)},
                            {"VisibilityTimeout", std::to_string(attributes.visibility_timeout.count())},
                        });
  if (!everything) {
    std::erase_if(all, [&](const auto& entry) { return std::find(names.begin(), names.end(), entry.first) == names.end(); });
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace ferry::sqs
