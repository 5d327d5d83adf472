#pragma once
// Where one attempt at a message stands in its sender's trace.

#include <string>

#include "base/trace_context.h"

namespace ferry::worker {

struct AttemptTrace {
  SpanContext span;            ///< of the attempt; what its handler does is below it
  std::string parent_span_id;  ///< the sender's
  std::string state{};         ///< tracestate as it came; may be empty
};

}  // namespace ferry::worker
