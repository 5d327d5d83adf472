#pragma once
// What a handler is given of a message.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "config/handoff.h"
#include "sqs/api.h"
#include "worker/attempt_trace.h"
#include "worker/handler.h"

namespace ferry::worker {

struct EnvironmentInput {
  const config::WorkerSettings* settings = nullptr;
  std::function<std::optional<std::string>(const std::string&)> own;  ///< the worker's environment, for pass_environment and HOME
};
/// "NAME=VALUE" each, sorted: PATH, HOME, LANG, constants, passed names, and the FERRY_… names of docs/worker.md. Nothing else.
/// Of `call` everything but argv, environment and folder is filled in.
std::vector<std::string> build_environment(const HandlerCall& call, const EnvironmentInput& input);

/// The whole message and what the worker knows of it, as JSON in one line (docs/worker.md, "The envelope").
std::string build_envelope(const HandlerCall& call);

/// The key that the sender gave: the request id of a signed or stamped message, or the attribute idempotency-key, or the group
/// and deduplication ids of a FIFO queue; nothing when there is none of them.
std::optional<std::string> given_key(const sqs::Message& message);
/// given_key(), or else the message id.
std::string idempotency_key(const sqs::Message& message);
/// Whose work the message is a part of: the attributes traceparent and tracestate, without the first the traceparent of the
/// reserved attribute. Nothing when that has not the form that W3C Trace Context gives it.
std::optional<TraceContext> trace_context(const sqs::Message& message);
/// A span of one attempt, below that of the sender; nothing without a trace.
std::optional<AttemptTrace> attempt_trace(const sqs::Message& message, Random& random);
/// " [trace_id=… span_id=… parent_span_id=…]" for a line of the log; empty without a trace.
std::string shown_trace(const std::optional<AttemptTrace>& trace);

/// The value of a String attribute, or nothing.
std::optional<std::string> text_attribute(const sqs::Message& message, std::string_view name);
/// A system attribute, or nothing.
std::optional<std::string> system_attribute(const sqs::Message& message, std::string_view name);
/// A system attribute that counts milliseconds since 1970, like 2026-11-23T08:00:00.000Z; empty when it is not told.
std::string system_time(const sqs::Message& message, std::string_view name);
/// ApproximateReceiveCount; 1 when it is not told.
int receive_count(const sqs::Message& message);

}  // namespace ferry::worker
