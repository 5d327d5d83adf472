#include "base/trace_context.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"

namespace ferry {
namespace {

constexpr std::size_t kTraceIdChars = 32;
constexpr std::size_t kSpanIdChars = 16;
constexpr std::size_t kTraceparentChars = 55;  // 00-32 digits-16 digits-2 digits
constexpr std::uint8_t kKnownFlags = 3;        // a child sets no flag that it does not know

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_lower_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}
}  // namespace

std::string SpanContext::traceparent() const {
  return fmt::format("00-{}-{}-{:02x}", trace_id, span_id, flags);
}

std::optional<SpanContext> parse_traceparent(std::string_view text) {
  constexpr std::size_t kSpanAt = 3 + kTraceIdChars + 1;
  constexpr std::size_t kFlagsAt = kSpanAt + kSpanIdChars + 1;
  if (text.size() != kTraceparentChars || !text.starts_with("00-") || text[kSpanAt - 1] != '-' || text[kFlagsAt - 1] != '-')
    return std::nullopt;
  const std::string_view trace = text.substr(3, kTraceIdChars);
  const std::string_view span = text.substr(kSpanAt, kSpanIdChars);
  const std::string_view flags = text.substr(kFlagsAt);
  if (!is_id(trace) || !is_id(span) || !is_lower_hex(flags)) return std::nullopt;
  const std::optional<std::string> bits = hex_decode(flags);
  return SpanContext{std::string(trace), std::string(span), static_cast<std::uint8_t>(bits->front())};
}

bool is_tracestate(std::string_view text) {
  return !text.empty() && text.size() <= kTracestateBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

SpanContext child_of(const SpanContext& parent, Random& random) {
  std::uint64_t id = 0;
  while (id == 0) id = random.next();
  return {parent.trace_id, fmt::format("{:016x}", id), static_cast<std::uint8_t>(parent.flags & kKnownFlags)};
}

}  // namespace ferry
