#include "sqs/redrive.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/encoding.h"
#include "sqs/json_object.h"
#include "sqs/limits.h"
#include "sqs/queue_attributes.h"

namespace ferry::sqs {
namespace {

namespace json = boost::json;

Unexpected<ApiError> refuse_redrive(std::string_view policy, std::string_view reason) {
  return Unexpected(invalid_parameter(policy, "RedrivePolicy", reason));
}

bool is_only(const json::object& object, std::string_view one, std::string_view other) {
  return std::all_of(object.begin(), object.end(), [&](const json::key_value_pair& pair) {
    const std::string_view key(pair.key().data(), pair.key().size());
    return key == one || key == other;
  });
}

// A number, or its digits in a string.
std::optional<std::uint32_t> count_of(const json::value& value) {
  std::optional<std::int64_t> count;
  if (value.is_int64()) count = value.get_int64();
  if (value.is_string()) {
    const std::string_view text = text_of(value.get_string());
    const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (digits) count = parse_integer(text);
  }
  if (!count || *count < 1 || *count > kMaxReceiveCountMax) return std::nullopt;
  return static_cast<std::uint32_t>(*count);
}

// What a RedriveAllowPolicy says.
struct AllowPolicy {
  enum class Permission { AllowAll, DenyAll, ByQueue } permission = Permission::AllowAll;
  std::vector<std::string> sources;
};

// Nothing when the text is none. The number of sources is not checked.
std::optional<AllowPolicy> parse_allow_policy(std::string_view text) {
  const auto object = parse_json_object(text);
  if (!object || !is_only(*object, "redrivePermission", "sourceQueueArns")) return std::nullopt;
  AllowPolicy policy;
  const json::value* permission = object->if_contains("redrivePermission");
  if (permission == nullptr || !permission->is_string()) return std::nullopt;
  const std::string_view name = text_of(permission->get_string());
  if (name == "denyAll")
    policy.permission = AllowPolicy::Permission::DenyAll;
  else if (name == "byQueue")
    policy.permission = AllowPolicy::Permission::ByQueue;
  else if (name != "allowAll")
    return std::nullopt;
  if (const json::value* sources = object->if_contains("sourceQueueArns")) {
    if (!sources->is_array()) return std::nullopt;
    for (const json::value& source : sources->get_array()) {
      if (!source.is_string() || !parse_queue_arn(text_of(source.get_string()))) return std::nullopt;
      policy.sources.emplace_back(text_of(source.get_string()));
    }
  }
  return policy;
}

}  // namespace

ApiResult<RedrivePolicy> parse_redrive_policy(std::string_view text) {
  const auto object = is_sqs_text(text) ? parse_json_object(text) : std::nullopt;
  if (!object) {
    return api_fail(ErrorCode::InvalidParameterValue,
                    "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.");
  }
  const json::value* count = object->if_contains("maxReceiveCount");
  const json::value* target = object->if_contains("deadLetterTargetArn");
  if (count == nullptr) return refuse_redrive(text, "Redrive policy does not contain mandatory attribute: maxReceiveCount.");
  if (target == nullptr) return refuse_redrive(text, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.");
  if (!is_only(*object, "maxReceiveCount", "deadLetterTargetArn")) {
    return refuse_redrive(text, "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].");
  }
  const auto max_receive_count = count_of(*count);
  if (!max_receive_count) {
    const std::string told = count->is_string() ? std::string(text_of(count->get_string())) : json::serialize(*count);
    return refuse_redrive(
        text, fmt::format("Invalid value for maxReceiveCount: {}, valid values are from 1 to {} both inclusive.", told,
                          kMaxReceiveCountMax));
  }
  const std::string_view arn = target->is_string() ? text_of(target->get_string()) : std::string_view();
  const auto service = arn_service(arn);
  if (!service) return refuse_redrive(text, "Dead-letter target ARN should be fully qualified ARN.");
  if (*service != "sqs") return refuse_redrive(text, "Only SQS queues are valid resources for deadLetterTargetArn.");
  auto queue = parse_queue_arn(arn);
  if (!queue) return refuse_redrive(text, "Dead letter target does not exist.");
  return RedrivePolicy{std::move(*queue), *max_receive_count};
}

std::string format_redrive_policy(const RedrivePolicy& policy) {
  return fmt::format(R"({{"deadLetterTargetArn":"{}","maxReceiveCount":{}}})", format_queue_arn(policy.dead_letter_target),
                     policy.max_receive_count);
}

ApiResult<void> validate_redrive_allow_policy(std::string_view text) {
  const auto policy = text.size() <= kPolicyBytesMax && is_sqs_text(text) ? parse_allow_policy(text) : std::nullopt;
  if (!policy) {
    return api_fail(ErrorCode::InvalidParameterValue,
                    "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow "
                    "policy, as it’s in an unsupported format.");
  }
  const auto refused = [&](std::string_view reason) {
    return Unexpected(invalid_parameter(text, "RedriveAllowPolicy",
                                        fmt::format("Amazon SQS can't create the redrive allow policy. {}", reason)));
  };
  const bool by_queue = policy->permission == AllowPolicy::Permission::ByQueue;
  if (by_queue && policy->sources.empty()) {
    return refused("When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.");
  }
  if (!by_queue && !policy->sources.empty()) {
    return refused("To specify one or more source queue ARNs, you must set redrivePermission to byQueue.");
  }
  if (policy->sources.size() > kRedriveAllowSourcesMax) {
    return refused(fmt::format("The maximum number of source queue ARNs you can specify is {}.", kRedriveAllowSourcesMax));
  }
  return {};
}

bool allows_source(std::string_view redrive_allow_policy, std::string_view source_arn) {
  if (redrive_allow_policy.empty()) return true;
  const auto policy = parse_allow_policy(redrive_allow_policy);
  if (!policy) return false;
  if (policy->permission == AllowPolicy::Permission::AllowAll) return true;
  return std::find(policy->sources.begin(), policy->sources.end(), source_arn) != policy->sources.end();
}

ApiResult<void> check_redrive_target(const RedrivePolicy& policy, const QueueArn& source, QueueKind source_kind,
                                     const QueueAttributes* target) {
  const auto refused = [&](std::string_view reason) { return refuse_redrive(format_redrive_policy(policy), reason); };
  if (policy.dead_letter_target.account != source.account) {
    return refused("Dead-letter target owner should be same as the source.");
  }
  if (policy.dead_letter_target.region != source.region || target == nullptr)
    return refused("Dead letter target does not exist.");
  if (target->kind != source_kind) return refused("Dead-letter queue must be same type of queue as the source..");
  if (!allows_source(target->redrive_allow_policy, format_queue_arn(source))) {
    return refused("The redrive allow policy of the dead-letter queue does not allow this source queue.");
  }
  return {};
}

}  // namespace ferry::sqs
