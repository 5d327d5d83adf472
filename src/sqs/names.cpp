#include "sqs/names.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "sqs/limits.h"

namespace ferry::sqs {
namespace {

constexpr std::string_view kFifoSuffix = ".fifo";

bool is_name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool all_name_characters(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_name_character);
}

}  // namespace

QueueKind kind_of(std::string_view queue_name) {
  return queue_name.ends_with(kFifoSuffix) ? QueueKind::Fifo : QueueKind::Standard;
}

bool is_queue_name(std::string_view text) {
  if (text.size() > kQueueNameCharsMax) return false;
  if (kind_of(text) == QueueKind::Fifo) text.remove_suffix(kFifoSuffix.size());
  return !text.empty() && all_name_characters(text);
}

bool is_plain_word(std::string_view text, std::size_t chars_max) {
  return !text.empty() && text.size() <= chars_max && all_name_characters(text);
}

ApiResult<std::string> validate_new_queue_name(const OptionalText& name) {
  if (!name) {
    return api_fail(ErrorCode::InvalidParameterValue,
                    "Value for parameter QueueName is invalid. Reason: Must specify a queue name.");
  }
  if (name->empty()) return api_fail(ErrorCode::InvalidParameterValue, "Queue name cannot be empty");
  if (!is_queue_name(*name)) {
    return api_fail(ErrorCode::InvalidParameterValue,
                    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
  }
  return *name;
}

ApiResult<std::string> validate_queue_name(const OptionalText& name) {
  if (!name || name->empty()) {
    return api_fail(ErrorCode::InvalidParameterValue,
                    "Value for parameter QueueName is invalid. Reason: Must specify a queue name.");
  }
  if (!is_queue_name(*name)) return Unexpected(queue_does_not_exist());
  return *name;
}

std::optional<QueueAddress> parse_queue_url(std::string_view text) {
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    text.remove_prefix(scheme + 3);
    const std::size_t path = text.find('/');
    if (path == std::string_view::npos) return std::nullopt;
    text.remove_prefix(path);
  } else if (text.find('/') == std::string_view::npos) {
    if (!is_queue_name(text)) return std::nullopt;
    return QueueAddress{{}, std::string(text)};
  }
  const std::size_t before_name = text.rfind('/');
  const std::string_view name = text.substr(before_name + 1);
  const std::string_view rest = text.substr(0, before_name);
  const std::size_t before_account = rest.rfind('/');
  const std::string_view account = before_account == std::string_view::npos ? rest : rest.substr(before_account + 1);
  if (!is_queue_name(name) || account.empty() || !all_name_characters(account)) return std::nullopt;
  if (account == "queue") return QueueAddress{{}, std::string(name)};
  return QueueAddress{std::string(account), std::string(name)};
}

ApiResult<QueueAddress> validate_queue_url(const OptionalText& queue_url) {
  if (!queue_url) return Unexpected(queue_does_not_exist());
  std::optional<QueueAddress> address = parse_queue_url(*queue_url);
  if (!address) return Unexpected(queue_does_not_exist());
  return std::move(*address);
}

std::string format_queue_url(std::string_view origin, const QueueAddress& address) {
  FERRY_DCHECK(!address.account.empty());
  std::string url;
  url.reserve(origin.size() + address.account.size() + address.name.size() + 2);
  url.append(origin).append("/").append(address.account).append("/").append(address.name);
  return url;
}

std::optional<std::string_view> arn_service(std::string_view text) {
  if (!text.starts_with("arn:")) return std::nullopt;
  std::string_view service;
  for (int i = 0; i < 5; ++i) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    if (i == 2) service = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (text.empty()) return std::nullopt;
  return service;
}

std::optional<QueueArn> parse_queue_arn(std::string_view text) {
  std::array<std::string_view, 6> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t colon = text.find(':');
    if ((colon == std::string_view::npos) != (i + 1 == parts.size())) return std::nullopt;
    parts[i] = text.substr(0, colon);
    if (colon != std::string_view::npos) text.remove_prefix(colon + 1);
  }
  const auto [arn, partition, service, region, account, name] = parts;
  const bool is_queue = arn == "arn" && service == "sqs" && is_queue_name(name);
  const auto is_word = [](std::string_view word) { return !word.empty() && all_name_characters(word); };
  if (!is_queue || !is_word(partition) || !is_word(region) || !is_word(account)) return std::nullopt;
  return QueueArn{std::string(partition), std::string(region), std::string(account), std::string(name)};
}

std::string format_queue_arn(const QueueArn& arn) {
  std::string text = "arn:";
  text.append(arn.partition).append(":sqs:").append(arn.region).append(":").append(arn.account).append(":").append(arn.name);
  return text;
}

}  // namespace ferry::sqs
