#pragma once
// Which trace `ferry send` sends along.

#include <optional>
#include <string>

#include "base/result.h"
#include "cli/client_options.h"
#include "cli/command.h"
#include "sender/trace.h"

namespace ferry::cli {

struct TraceFlags {
  std::string parent;  ///< --traceparent
  std::string state;   ///< --tracestate
};
void add_trace_options(CLI::App& app, TraceFlags& flags);

/// What the flags say; without --traceparent TRACEPARENT and TRACESTATE. Nothing when there is no trace. InvalidArgument: a flag
/// is none. A variable that is none is left out, which is said unless `quiet`: whoever set it did not mean us.
Result<std::optional<sender::Trace>> find_trace(const TraceFlags& flags, bool quiet, const CommandContext& context);

/// Says of how many messages the trace was left out.
void tell_left_out(std::size_t whole, std::size_t state, const CommandContext& context);

}  // namespace ferry::cli
