#pragma once
// How a request is recognised in a message: by an attribute of its name, by the value of an attribute, by its type, or by a
// value in a JSON body.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/parameter.h"

namespace ferry::config {

inline constexpr std::size_t kPointerBytesMax = 1'024;
/// Of a pointer, and of the bodies that are looked into: what is deeper is not looked at.
inline constexpr std::size_t kBodyDepthMax = 32;
/// Of a value that a route compares: a longer one matches nothing.
inline constexpr std::size_t kMatchCharsMax = 1'024;

/// RFC 6901, taken apart: "/a~1b/0" is {"a/b", "0"}; "" is {}, the whole body.
using JsonPointer = std::vector<std::string>;
/// InvalidArgument, a sentence part: it does not begin with '/', has a '~' that is neither ~0 nor ~1, or is over a limit.
Result<JsonPointer> parse_json_pointer(std::string_view text);
/// The inverse.
std::string format_json_pointer(const JsonPointer& pointer);

/// A value that can be compared: an attribute's text, or what a body holds at one place.
struct MatchValue {
  enum class Kind { String, Number, Boolean, Other };
  Kind kind = Kind::String;
  std::string text;  ///< Number: in its shortest form, 1.0 is "1"; Boolean: "true", "false"; Other: what it is, for people

  /// "text" in quotes, a number or a boolean as it is; clipped, control characters escaped.
  std::string shown() const;
  bool operator==(const MatchValue&) const = default;
};

enum class MatchKind {
  Name,       ///< an attribute has the request's name
  Attribute,  ///< an attribute has a certain value
  Type,       ///< the attribute "type"; without one the member "type" of a JSON body
  Pointer,    ///< the value at a place of a JSON body
};

struct Match {
  MatchKind kind = MatchKind::Name;
  std::string attribute{};            ///< Name, Attribute, Type: of which attribute
  JsonPointer pointer{};              ///< Type, Pointer: where in the body
  std::optional<MatchValue> value{};  ///< it has to be this,
  std::string pattern{};              ///< or match this, a regular expression, as a whole
  ParameterType pattern_type{};       ///< the pattern, compiled

  bool looks_at_attribute() const { return kind != MatchKind::Pointer; }
  bool looks_at_body() const { return kind == MatchKind::Type || kind == MatchKind::Pointer; }
  /// By value or pattern; by Name every value.
  bool accepts(const MatchValue& found) const;
  /// "attribute Enable", "attribute kind = \"a\"", "type matching a.*", "/detail/state = \"stopped\"".
  std::string describe() const;
};

/// Whether there surely is a value that makes one message match both: they look at the same place and accept the same value
/// there. Patterns are compared as texts. Two that look at different places can meet in one message, too; such a one is refused
/// when it comes.
bool surely_overlap(const Match& a, const Match& b);

}  // namespace ferry::config
