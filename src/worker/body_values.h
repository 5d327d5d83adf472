#pragma once
// Looks into JSON bodies for the values by which messages are routed. Pure; in one pass, with memory that does not grow with the
// body.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/match.h"

namespace ferry::worker {

/// A longer body is not looked into: no server that keeps to the limit of SQS delivers one.
inline constexpr std::size_t kRoutedBodyBytesMax = 1024 * 1024;

/// What a body holds at one place.
struct BodyValue {
  std::optional<config::MatchValue> value;
  std::string why_not;  ///< a sentence part when there is no value: "its body is no JSON", "its body has nothing at /a"
};

/// For each pointer what the body holds there. Nothing at all is found in a body that is no whole JSON text (RFC 8259, UTF-8),
/// is nested deeper than config::kBodyDepthMax, or has more than kRoutedBodyBytesMax. A place is not found either when the body
/// names it, or what it lies in, twice: readers disagree about which one counts. Objects and arrays are values of the kind Other,
/// like texts of more than config::kMatchCharsMax characters.
std::vector<BodyValue> look_into(std::string_view body, const std::vector<config::JsonPointer>& pointers);

}  // namespace ferry::worker
