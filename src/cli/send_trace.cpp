#include "cli/send_trace.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/trace_context.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kForm =
    "00-, 32 and 16 hexadecimal digits in lower case and 2 for the flags, as in "
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string not_a_parent(std::string_view name, std::string_view text) {
  return fmt::format("{} \"{}\" is no traceparent of W3C Trace Context ({})", name, escape_control(text.substr(0, 100)), kForm);
}

std::string not_a_state(std::string_view name) {
  return fmt::format("{} must have 1 to {} bytes of printable ASCII", name, kTracestateBytesMax);
}

std::optional<sender::Trace> from_environment(bool quiet, const CommandContext& context) {
  const std::string parent = context.environment("TRACEPARENT").value_or("");
  const auto leave_out = [&](const std::string& why) {
    if (!quiet) complain(context, "send", why + "; it is left out", 0);
  };
  if (parent.empty()) return std::nullopt;
  if (!parse_traceparent(parent)) {
    leave_out(not_a_parent("TRACEPARENT", parent));
    return std::nullopt;
  }
  sender::Trace trace{parent};
  const std::string state = context.environment("TRACESTATE").value_or("");
  if (is_tracestate(state)) {
    trace.state = state;
  } else if (!state.empty()) {
    leave_out(not_a_state("TRACESTATE"));
  }
  return trace;
}
}  // namespace

void add_trace_options(CLI::App& app, TraceFlags& flags) {
  app.add_option("--traceparent", flags.parent,
                 "W3C Trace Context of the work that this is a part of: an attribute of each message [TRACEPARENT]");
  app.add_option("--tracestate", flags.state, "with --traceparent: what goes with it [TRACESTATE]");
}

Result<std::optional<sender::Trace>> find_trace(const TraceFlags& flags, bool quiet, const CommandContext& context) {
  if (flags.parent.empty()) {
    if (!flags.state.empty()) return fail(ErrorKind::InvalidArgument, "--tracestate has no meaning without --traceparent");
    return from_environment(quiet, context);
  }
  if (!parse_traceparent(flags.parent)) return fail(ErrorKind::InvalidArgument, not_a_parent("--traceparent", flags.parent));
  if (!flags.state.empty() && !is_tracestate(flags.state)) return fail(ErrorKind::InvalidArgument, not_a_state("--tracestate"));
  return std::optional(sender::Trace{flags.parent, flags.state});
}

void tell_left_out(std::size_t whole, std::size_t state, const CommandContext& context) {
  constexpr std::string_view kWhy = "for they have ten attributes or 1 MiB without it";
  const auto messages = [](std::size_t count) { return fmt::format("{} message{}", count, count == 1 ? "" : "s"); };
  if (whole > 0)
    complain(context, "send", fmt::format("the attribute traceparent is left out of {}, {}", messages(whole), kWhy), 0);
  if (state > 0)
    complain(context, "send", fmt::format("the attribute tracestate is left out of {}, {}", messages(state), kWhy), 0);
}

}  // namespace ferry::cli
