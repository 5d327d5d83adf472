#include "sqs/message_attributes.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <unordered_set>

#include "base/encoding.h"
#include "sqs/limits.h"

namespace ferry::sqs {
namespace {

using Attribute = MessageAttributes::value_type;

constexpr std::string_view kBinary = "Binary";
constexpr std::string_view kNumber = "Number";
constexpr std::string_view kString = "String";
constexpr std::size_t kNumberDigitsMax = 38;
constexpr std::int64_t kNumberExponentMin = -128;
constexpr std::int64_t kNumberExponentMax = 126;

std::string join(std::initializer_list<std::string_view> pieces) {
  std::string text;
  for (const std::string_view piece : pieces) text += piece;
  return text;
}

Unexpected<ApiError> invalid(std::initializer_list<std::string_view> pieces) {
  return api_fail(ErrorCode::InvalidParameterValue, join(pieces));
}

// "Number" of "Number.int"; empty when the type is none of the three.
std::string_view base_type(std::string_view data_type) {
  const std::string_view base = data_type.substr(0, data_type.find('.'));
  return base == kString || base == kNumber || base == kBinary ? base : std::string_view();
}

bool is_binary(const MessageAttributeValue& value) {
  return std::string_view(value.data_type).starts_with(kBinary);
}

std::string_view value_bytes(const MessageAttributeValue& value) {
  const OptionalText& bytes = is_binary(value) ? value.binary_value : value.string_value;
  return bytes ? std::string_view(*bytes) : std::string_view();
}

void append_counted(std::string& out, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  const char prefix[] = {static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                         static_cast<char>(size)};
  out.append(prefix, sizeof prefix).append(bytes);
}

void append_digest_input(std::string& out, const Attribute& attribute) {
  const auto& [name, value] = attribute;
  append_counted(out, name);
  append_counted(out, value.data_type);
  out.push_back(is_binary(value) ? '\x02' : '\x01');
  append_counted(out, value_bytes(value));
}

// A–Z a–z 0–9 _ - . and, as Amazon was seen to accept, U+00C0 to U+017F.
bool has_only_name_characters(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    const bool plain =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    if (plain) continue;
    if ((c != 0xC3 && c != 0xC4 && c != 0xC5) || i + 1 >= name.size()) return false;
    const auto next = static_cast<unsigned char>(name[++i]);
    if (next < 0x80 || next > 0xBF) return false;
  }
  return true;
}

ApiResult<void> validate_name(std::string_view name) {
  if (name.empty()) return invalid({"The request must contain non-empty message (user) attribute names."});
  if (name.size() > kAttributeNameBytesMax) return invalid({"Message (user) attribute name must be shorter than 256 bytes."});
  const std::string lower = to_lower(name);
  if (lower.starts_with("aws.") || lower.starts_with("amazon.")) {
    return invalid(
        {"You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal "
         "use."});
  }
  if (!has_only_name_characters(name)) {
    return invalid(
        {"The message attribute name '", name,
         "' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters."});
  }
  if (name.front() == '.' || name.back() == '.' || name.find("..") != std::string_view::npos) {
    return invalid({"The message attribute name '", name,
                    "' is invalid. Attribute name can't start or end with a period, or have periods in succession."});
  }
  return {};
}

ApiResult<void> validate_value(std::string_view name, const MessageAttributeValue& value) {
  if (value.has_list_values) {
    return api_fail(ErrorCode::UnsupportedOperation, "Message attribute list values in SendMessage operation are not supported.");
  }
  if (value.data_type.size() > kAttributeTypeBytesMax)
    return invalid({"Message (user) attribute type must be shorter than 256 bytes."});
  const std::string_view type = base_type(value.data_type);
  if (type.empty() || !is_sqs_text(value.data_type)) {
    return invalid({"The type of message (user) attribute '", name,
                    "' is invalid. You must use only the following supported type prefixes: Binary, Number, String."});
  }
  const OptionalText& own = type == kBinary ? value.binary_value : value.string_value;
  const OptionalText& other = type == kBinary ? value.string_value : value.binary_value;
  if (!own) return invalid({"The message (user) attribute '", name, "' must contain a non-empty message attribute value."});
  if (own->empty())
    return invalid({"Message (user) attribute '", name, "' must contain a non-empty value of type '", type, "'."});
  if (other && !other->empty()) {
    return invalid({"Message (user) attribute '", name, "' must contain only a value of its type '", type, "'."});
  }
  if (type == kNumber && !is_attribute_number(*own)) {
    return invalid({"Can't cast the value of message (user) attribute '", name, "' to a number."});
  }
  if (type == kString && !is_sqs_text(*own)) {
    return invalid({"Message (user) attribute '", name, "' has a value with invalid characters. ", kAllowedCharacters});
  }
  return {};
}

}  // namespace

std::string attributes_digest_input(const MessageAttributes& attributes) {
  std::string input;
  input.reserve(attributes_bytes(attributes) + 13 * attributes.size());
  if (attributes.size() == 1) {
    append_digest_input(input, attributes.front());
    return input;
  }
  std::vector<const Attribute*> sorted;
  sorted.reserve(attributes.size());
  for (const Attribute& attribute : attributes) sorted.push_back(&attribute);
  std::sort(sorted.begin(), sorted.end(), [](const Attribute* a, const Attribute* b) { return a->first < b->first; });
  for (const Attribute* attribute : sorted) append_digest_input(input, *attribute);
  return input;
}

Md5Digest md5_of_attributes(const MessageAttributes& attributes) {
  return md5(attributes_digest_input(attributes));
}

std::size_t attributes_bytes(const MessageAttributes& attributes) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : attributes) bytes += name.size() + value.data_type.size() + value_bytes(value).size();
  return bytes;
}

std::size_t message_bytes(const SendMessageEntry& entry) {
  return (entry.message_body ? entry.message_body->size() : 0) + attributes_bytes(entry.message_attributes);
}

ApiResult<void> validate_message_attributes(const MessageAttributes& attributes) {
  if (attributes.size() > kMessageAttributesMax) {
    return invalid({"Number of message attributes [", std::to_string(attributes.size()), "] exceeds the allowed maximum [",
                    std::to_string(kMessageAttributesMax), "]."});
  }
  std::unordered_set<std::string_view> names;
  for (const auto& [name, value] : attributes) {
    FERRY_TRY_VOID(validate_name(name));
    if (!names.insert(name).second) return invalid({"Message (user) attribute name '", name, "' is repeated."});
    FERRY_TRY_VOID(validate_value(name, value));
  }
  return {};
}

ApiResult<void> validate_message_system_attributes(const MessageAttributes& attributes) {
  constexpr std::string_view kTraceHeader = "AWSTraceHeader";
  for (const auto& [name, value] : attributes) {
    if (name != kTraceHeader) return invalid({"Message system attribute name '", name, "' is invalid."});
    if (value.has_list_values) {
      return api_fail(ErrorCode::UnsupportedOperation,
                      "Message attribute list values in SendMessage operation are not supported.");
    }
    if (value.data_type != kString) {
      return invalid({"The type of message system attribute '", name, "' is invalid. It must be String."});
    }
    if (!value.string_value || value.string_value->empty()) {
      return invalid({"The message system attribute '", name, "' must contain a non-empty value of type 'String'."});
    }
    if (!is_sqs_text(*value.string_value)) {
      return invalid({"Message system attribute '", name, "' has a value with invalid characters. ", kAllowedCharacters});
    }
  }
  if (attributes.size() > 1) return invalid({"Message system attribute name '", kTraceHeader, "' is repeated."});
  return {};
}

bool is_attribute_number(std::string_view text) {
  std::size_t at = 0;
  const auto is_digit = [&] { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;

  // The exponent is that of the first significant digit: 0.05 is 5e-2. Trailing zeros carry no precision.
  bool any_digit = false;
  bool significant = false;
  bool fraction = false;
  std::size_t digits = 0;
  std::size_t digits_to_last_nonzero = 0;
  std::int64_t exponent = -1;
  char first_digit = '0';
  for (; at < text.size(); ++at) {
    if (text[at] == '.' && !fraction) {
      fraction = true;
      continue;
    }
    if (!is_digit()) break;
    any_digit = true;
    if (!significant && text[at] != '0') significant = true, first_digit = text[at];
    if (significant && text[at] != '0') digits_to_last_nonzero = digits + 1;
    if (significant) ++digits;
    if (significant && !fraction) ++exponent;
    if (!significant && fraction) --exponent;
  }
  if (!any_digit) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    const bool negative = at < text.size() && text[at] == '-';
    if (negative || (at < text.size() && text[at] == '+')) ++at;
    if (!is_digit()) return false;
    constexpr std::int64_t kEnough = 10'000'000;  // beyond what a value of 1 MiB can balance with zeros
    std::int64_t power = 0;
    for (; is_digit(); ++at) power = std::min(power * 10 + (text[at] - '0'), kEnough);
    exponent += negative ? -power : power;
  }
  if (at != text.size()) return false;
  if (!significant) return true;
  const bool at_upper_end = exponent == kNumberExponentMax && first_digit == '1' && digits_to_last_nonzero == 1;
  return digits_to_last_nonzero <= kNumberDigitsMax && exponent >= kNumberExponentMin &&
         (exponent < kNumberExponentMax || at_upper_end);
}

AttributeFilter::AttributeFilter(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name == "All" || name == "*" || name == ".*") {
      all_ = true;
    } else if (name.ends_with(".*")) {
      prefixes_.push_back(name.substr(0, name.size() - 2));
    } else {
      exact_.push_back(name);
    }
  }
}

bool AttributeFilter::matches(std::string_view name) const {
  if (all_) return true;
  if (std::find(exact_.begin(), exact_.end(), name) != exact_.end()) return true;
  return std::any_of(prefixes_.begin(), prefixes_.end(), [&](const std::string& prefix) { return name.starts_with(prefix); });
}

MessageAttributes AttributeFilter::select(const MessageAttributes& attributes) const {
  MessageAttributes selected;
  for (const Attribute& attribute : attributes) {
    if (matches(attribute.first)) selected.push_back(attribute);
  }
  return selected;
}

}  // namespace ferry::sqs
