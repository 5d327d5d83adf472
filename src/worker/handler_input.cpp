#include "worker/handler_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <limits>
#include <map>

#include "base/encoding.h"
#include "base/log.h"
#include "signing/envelope.h"
#include "signing/trust.h"

namespace ferry::worker {
namespace {

namespace json = boost::json;

json::object attribute_of(const sqs::MessageAttributeValue& value) {
  json::object attribute;
  attribute["type"] = value.data_type;
  if (value.string_value) attribute["value"] = *value.string_value;
  if (value.binary_value) attribute["base64"] = base64_encode(*value.binary_value);
  return attribute;
}
}  // namespace

std::optional<std::string> system_attribute(const sqs::Message& message, std::string_view name) {
  for (const auto& [key, value] : message.attributes) {
    if (key == name) return value;
  }
  return std::nullopt;
}

int receive_count(const sqs::Message& message) {
  const auto count = parse_integer(system_attribute(message, "ApproximateReceiveCount").value_or("1"));
  return static_cast<int>(std::clamp<std::int64_t>(count.value_or(1), 1, std::numeric_limits<int>::max()));
}

std::optional<std::string> text_attribute(const sqs::Message& message, std::string_view name) {
  for (const auto& [key, value] : message.message_attributes) {
    const bool text = value.data_type == "String" || value.data_type.starts_with("String.");
    if (key == name && text) return value.string_value;
  }
  return std::nullopt;
}

std::string system_time(const sqs::Message& message, std::string_view name) {
  const auto millis = parse_integer(system_attribute(message, name).value_or(""));
  return millis ? format_utc(from_epoch_millis(*millis)) : std::string();
}

std::optional<std::string> given_key(const sqs::Message& message) {
  if (auto stamped = signing::request_id_of(message)) return stamped;
  if (auto key = text_attribute(message, "idempotency-key"); key && !key->empty()) return key;
  const auto group = system_attribute(message, "MessageGroupId");
  const auto deduplication = system_attribute(message, "MessageDeduplicationId");
  if (group && deduplication) return fmt::format("{}:{}", *group, *deduplication);
  return std::nullopt;
}

std::string idempotency_key(const sqs::Message& message) {
  return given_key(message).value_or(message.message_id);
}

std::optional<TraceContext> trace_context(const sqs::Message& message) {
  auto parent = text_attribute(message, kTraceparentName);
  if (!parent) {
    const auto envelope = signing::find_envelope(message.message_attributes);
    if (envelope && *envelope) parent = (*envelope)->traceparent;
  }
  if (!parent || !parse_traceparent(*parent)) return std::nullopt;
  TraceContext trace{std::move(*parent)};
  if (auto state = text_attribute(message, kTracestateName); state && is_tracestate(*state)) trace.state = std::move(*state);
  return trace;
}

std::optional<AttemptTrace> attempt_trace(const sqs::Message& message, Random& random) {
  auto sent = trace_context(message);
  if (!sent) return std::nullopt;
  SpanContext parent = *parse_traceparent(sent->parent);
  SpanContext span = child_of(parent, random);
  return AttemptTrace{std::move(span), std::move(parent.span_id), std::move(sent->state)};
}

std::string shown_trace(const std::optional<AttemptTrace>& trace) {
  if (!trace) return {};
  return fmt::format(" [trace_id={} span_id={} parent_span_id={}]", trace->span.trace_id, trace->span.span_id,
                     trace->parent_span_id);
}

std::string build_envelope(const HandlerCall& call) {
  const sqs::Message& message = *call.message;
  json::object attributes;
  for (const auto& [name, value] : message.message_attributes) attributes[name] = attribute_of(value);
  json::object system;
  for (const auto& [name, value] : message.attributes) system[name] = value;
  json::object envelope;
  envelope["protocol"] = 1;
  envelope["message_id"] = message.message_id;
  envelope["queue"] = call.queue;
  envelope["request"] = call.request;
  envelope["parameter"] = call.parameter;
  envelope["idempotency_key"] = call.idempotency_key;
  if (!call.signed_by.empty()) envelope["signed_by"] = call.signed_by;
  envelope["receive_count"] = receive_count(message);
  if (call.fence > 0) {
    envelope["fence"] = call.fence;
    envelope["attempt"] = call.attempt;
  }
  envelope["deadline"] = format_utc(call.deadline);
  envelope["body"] = message.body;
  envelope["attributes"] = std::move(attributes);
  envelope["system_attributes"] = std::move(system);
  return json::serialize(envelope);
}

std::vector<std::string> build_environment(const HandlerCall& call, const EnvironmentInput& input) {
  std::map<std::string, std::string> environment;
  environment["PATH"] = input.settings->path;
  environment["LANG"] = input.settings->lang;
  const std::string home = input.settings->home.empty() ? input.own("HOME").value_or("/") : input.settings->home;
  environment["HOME"] = home;
  for (const auto& [name, value] : call.spec->environment) environment[name] = value;
  for (const std::string& name : call.spec->pass_environment) {
    if (const auto value = input.own(name)) environment[name] = *value;
  }
  const sqs::Message& message = *call.message;
  environment["FERRY_PROTOCOL"] = "1";
  environment["FERRY_CONTROL_FD"] = "3";
  environment["FERRY_HANDLER"] = call.request;
  environment["FERRY_QUEUE"] = call.queue;
  environment["FERRY_MESSAGE_ID"] = message.message_id;
  environment["FERRY_RECEIVE_COUNT"] = std::to_string(receive_count(message));
  environment["FERRY_DEADLINE"] = format_utc(call.deadline);
  const auto add = [&](const char* name, std::optional<std::string> value) {
    if (value && !value->empty() && value->find('\0') == std::string::npos) environment[name] = *value;
  };
  add("FERRY_IDEMPOTENCY_KEY", call.idempotency_key);
  if (call.fence > 0) {
    environment["FERRY_FENCE"] = std::to_string(call.fence);
    environment["FERRY_ATTEMPT"] = std::to_string(call.attempt);
  }
  add("FERRY_SENT_AT", system_time(message, "SentTimestamp"));
  add("FERRY_FIRST_RECEIVED_AT", system_time(message, "ApproximateFirstReceiveTimestamp"));
  add("FERRY_GROUP_ID", system_attribute(message, "MessageGroupId"));
  add("FERRY_SENDER", system_attribute(message, "SenderId"));
  add("FERRY_SIGNED_BY", call.signed_by);
  if (call.trace) {
    add("TRACEPARENT", call.trace->parent);
    add("TRACESTATE", call.trace->state);
  }
  std::vector<std::string> lines;
  lines.reserve(environment.size());
  for (const auto& [name, value] : environment) lines.push_back(fmt::format("{}={}", name, value));
  return lines;
}

}  // namespace ferry::worker
