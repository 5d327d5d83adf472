#include "config/match.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/log.h"

namespace ferry::config {
namespace {

constexpr std::size_t kShownBytesMax = 60;

bool share_a_place(const Match& a, const Match& b) {
  if (a.looks_at_attribute() && b.looks_at_attribute() && a.attribute == b.attribute) return true;
  return a.looks_at_body() && b.looks_at_body() && a.pointer == b.pointer;
}
}  // namespace

Result<JsonPointer> parse_json_pointer(std::string_view text) {
  if (text.size() > kPointerBytesMax) {
    return fail(ErrorKind::InvalidArgument, fmt::format("has {} bytes; at most {} are allowed", text.size(), kPointerBytesMax));
  }
  JsonPointer pointer;
  if (text.empty()) return pointer;
  if (text.front() != '/') {
    return fail(ErrorKind::InvalidArgument, "must be empty, for the whole body, or begin with '/': \"/detail/state\" (RFC 6901)");
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '/') {
      pointer.emplace_back();
    } else if (text[i] != '~') {
      pointer.back() += text[i];
    } else if (i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1')) {
      pointer.back() += text[++i] == '0' ? '~' : '/';
    } else {
      return fail(ErrorKind::InvalidArgument, "has a '~' that is neither ~0, which stands for '~', nor ~1, for '/'");
    }
  }
  if (pointer.size() > kBodyDepthMax) {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("is {} levels deep; bodies are looked at to a depth of {}", pointer.size(), kBodyDepthMax));
  }
  return pointer;
}

std::string format_json_pointer(const JsonPointer& pointer) {
  std::string text;
  for (const std::string& token : pointer) {
    text += '/';
    for (const char c : token) {
      if (c == '~') {
        text += "~0";
      } else if (c == '/') {
        text += "~1";
      } else {
        text += c;
      }
    }
  }
  return text;
}

std::string MatchValue::shown() const {
  if (kind != Kind::String) return text;
  std::string part = text.substr(0, kShownBytesMax);
  while (!part.empty() && part.size() < text.size() && !is_utf8(part)) part.pop_back();
  return fmt::format("\"{}{}\"", escape_control(part), part.size() < text.size() ? "…" : "");
}

bool Match::accepts(const MatchValue& found) const {
  if (kind == MatchKind::Name) return true;
  if (value) return *value == found;
  return found.kind == MatchValue::Kind::String && !pattern_type.refusal(found.text);
}

std::string Match::describe() const {
  std::string place;
  switch (kind) {
    case MatchKind::Name:
      return fmt::format("attribute {}", attribute);
    case MatchKind::Attribute:
      place = fmt::format("attribute {}", attribute);
      break;
    case MatchKind::Type:
      place = "type";
      break;
    case MatchKind::Pointer:
      place = pointer.empty() ? std::string("body") : format_json_pointer(pointer);
      break;
  }
  return value ? fmt::format("{} = {}", place, value->shown()) : fmt::format("{} matching {}", place, pattern);
}

bool surely_overlap(const Match& a, const Match& b) {
  if (!share_a_place(a, b)) return false;
  if (a.kind == MatchKind::Name || b.kind == MatchKind::Name) return true;
  if (a.value) return b.accepts(*a.value);
  if (b.value) return a.accepts(*b.value);
  return a.pattern == b.pattern;
}

}  // namespace ferry::config
