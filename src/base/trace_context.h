#pragma once
// W3C Trace Context, version 00: which trace a piece of work belongs to, and which span of it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace ferry {

/// Names of headers and, as OpenTelemetry's instrumentations of SQS have them, of message attributes.
inline constexpr std::string_view kTraceparentName = "traceparent";
inline constexpr std::string_view kTracestateName = "tracestate";
/// W3C Trace Context, 3.3.1.5: so many are to be passed on. Longer ones are not.
inline constexpr std::size_t kTracestateBytesMax = 512;

struct SpanContext {
  std::string trace_id;    ///< 32 hexadecimal digits in lower case, not all 0
  std::string span_id;     ///< 16 of them, not all 0; what the text calls parent-id
  std::uint8_t flags = 0;  ///< 1: the trace is sampled; 2: its id is random
  bool operator==(const SpanContext&) const = default;

  /// 00-TRACE-SPAN-FLAGS
  std::string traceparent() const;
};

/// Strict: exactly the form of version 00. Nothing for anything else, later versions among them.
std::optional<SpanContext> parse_traceparent(std::string_view text);
/// Whether it can be passed on: 1 to kTracestateBytesMax bytes of printable ASCII. Its members are not looked at.
bool is_tracestate(std::string_view text);

/// A span of the same trace, with an id of its own.
SpanContext child_of(const SpanContext& parent, Random& random);

}  // namespace ferry
