#pragma once
// The type of a request's parameter: what may be sent, and what may reach a handler. Both ends check with these functions.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ferry::config {

inline constexpr std::size_t kParameterCharsDefault = 1'024;  // max_length where none is given
inline constexpr std::size_t kParameterCharsMax = 32'768;     // an argument of a process ends at 128 KiB on Linux
inline constexpr std::size_t kPatternCharsMax = 4'096;        // max_length with a pattern: matching costs length × pattern

enum class ParameterKind { Text, Enum, Pattern, Integer };

class ParameterType {
 public:
  /// Any text of 1 to kParameterCharsDefault characters.
  ParameterType() = default;

  struct Lengths {
    std::size_t min = 1;
    std::size_t max = kParameterCharsDefault;
  };
  static ParameterType text(Lengths lengths);
  static ParameterType one_of(std::vector<std::string> values);
  /// InvalidArgument when the pattern is none. It has to match the whole value (ECMAScript syntax, matched byte by byte in
  /// time that grows with the value's length and never exponentially; back references are not available).
  static Result<ParameterType> pattern(const std::string& pattern, Lengths lengths);
  struct Range {
    std::int64_t min = std::numeric_limits<std::int64_t>::min();
    std::int64_t max = std::numeric_limits<std::int64_t>::max();
  };
  static ParameterType integer(Range range);

  ParameterKind kind() const { return kind_; }
  const std::vector<std::string>& values() const { return values_; }

  /// Why `value` is not allowed, as a sentence about it; nothing when it is. Always refused: an empty value, text that is
  /// not UTF-8, control characters (NUL, CR, LF, TAB among them). Lengths count code points.
  std::optional<std::string> refusal(std::string_view value) const;
  /// What is allowed: "one of A and B", "text of 1 to 200 characters matching …".
  std::string describe() const;

 private:
  ParameterKind kind_ = ParameterKind::Text;
  std::vector<std::string> values_;
  std::string pattern_;
  std::shared_ptr<const std::regex> compiled_;  // shared by the copies of this value; never changes
  Lengths lengths_;
  Range range_;
};

/// Why no parameter of any type may have this value; nothing when it may.
std::optional<std::string> general_refusal(std::string_view value);

}  // namespace ferry::config
