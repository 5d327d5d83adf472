#include "config/parameter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/suggest.h"

namespace ferry::config {
namespace {

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// The default engine of libstdc++ recurses once a character and can take exponential time; the other one does neither.
constexpr std::regex::flag_type pattern_flags() {
  auto flags = std::regex::ECMAScript;
#ifdef __GLIBCXX__
  flags |= std::regex_constants::__polynomial;
#endif
  return flags;
}

std::string describe_lengths(ParameterType::Lengths lengths) {
  return fmt::format("text of {} to {} characters", lengths.min, lengths.max);
}
}  // namespace

ParameterType ParameterType::text(Lengths lengths) {
  ParameterType type;
  type.lengths_ = lengths;
  return type;
}

ParameterType ParameterType::one_of(std::vector<std::string> values) {
  ParameterType type;
  type.kind_ = ParameterKind::Enum;
  type.values_ = std::move(values);
  type.lengths_ = {1, kParameterCharsMax};
  return type;
}

Result<ParameterType> ParameterType::pattern(const std::string& pattern, Lengths lengths) {
  ParameterType type;
  type.kind_ = ParameterKind::Pattern;
  type.pattern_ = pattern;
  type.lengths_ = lengths;
  try {
    type.compiled_ = std::make_shared<const std::regex>(pattern, pattern_flags());
  } catch (const std::regex_error&) {
    return fail(
        ErrorKind::InvalidArgument,
        fmt::format("\"{}\" is no regular expression (ECMAScript syntax without back references)", escape_control(pattern)));
  }
  return type;
}

ParameterType ParameterType::integer(Range range) {
  ParameterType type;
  type.kind_ = ParameterKind::Integer;
  type.range_ = range;
  return type;
}

std::optional<std::string> general_refusal(std::string_view value) {
  if (value.empty()) return "it is empty";
  if (!is_utf8(value)) return "it is not UTF-8";
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto byte = static_cast<unsigned char>(value[i]);
    const bool c1 = byte == 0xC2 && i + 1 < value.size() && static_cast<unsigned char>(value[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F || c1) return "it holds control characters";
  }
  return std::nullopt;
}

std::optional<std::string> ParameterType::refusal(std::string_view value) const {
  if (auto refused = general_refusal(value)) return refused;
  const std::size_t length = code_points(value);
  switch (kind_) {
    case ParameterKind::Enum:
      if (std::find(values_.begin(), values_.end(), value) != values_.end()) return std::nullopt;
      return fmt::format("it is not {}{}", describe(), did_you_mean(value, values_));
    case ParameterKind::Integer: {
      const std::optional<std::int64_t> number = parse_integer(value);
      if (number && *number >= range_.min && *number <= range_.max) return std::nullopt;
      return fmt::format("it is not {}", describe());
    }
    case ParameterKind::Text:
    case ParameterKind::Pattern:
      break;
  }
  if (length < lengths_.min || length > lengths_.max) {
    return fmt::format("it has {} characters where {} to {} are allowed", length, lengths_.min, lengths_.max);
  }
  if (compiled_ && !std::regex_match(value.begin(), value.end(), *compiled_)) {
    return fmt::format("it does not match {}", pattern_);
  }
  return std::nullopt;
}

std::string ParameterType::describe() const {
  switch (kind_) {
    case ParameterKind::Enum:
      return values_.size() == 1 ? values_[0] : fmt::format("one of {}", join_names(values_));
    case ParameterKind::Integer:
      if (range_.min == Range{}.min && range_.max == Range{}.max) return "an integer";
      if (range_.min == Range{}.min) return fmt::format("an integer up to {}", range_.max);
      if (range_.max == Range{}.max) return fmt::format("an integer from {}", range_.min);
      return fmt::format("an integer from {} to {}", range_.min, range_.max);
    case ParameterKind::Pattern:
      return fmt::format("{} matching {}", describe_lengths(lengths_), pattern_);
    case ParameterKind::Text:
      break;
  }
  return describe_lengths(lengths_);
}

}  // namespace ferry::config
