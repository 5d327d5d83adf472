#include "worker/router.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/suggest.h"
#include "worker/handler_input.h"
#include "worker/transcript.h"

namespace ferry::worker {
namespace {

constexpr std::size_t kShownBytesMax = 100;

bool is_text(const sqs::MessageAttributeValue& value) {
  const std::string_view type = value.data_type;
  return value.string_value.has_value() &&
         (type == "String" || type.starts_with("String.") || type == "Number" || type.starts_with("Number."));
}

Refusal unknown_request(const sqs::Message& message, const config::Handoff& handoff) {
  const std::vector<std::string> names = handoff.request_names();
  if (message.message_attributes.empty()) return {"unknown request: it has no attributes"};
  std::vector<std::string> present;
  std::string suggestion;
  for (const auto& [name, value] : message.message_attributes) {
    present.push_back(escape_control(name));
    if (suggestion.empty()) suggestion = did_you_mean(name, names);
  }
  return {fmt::format("unknown request: none of its attributes ({}) is one of {}{}", join_names(present), join_names(names),
                      suggestion)};
}

std::optional<Refusal> check_attributes(const config::RequestType& request, const config::ArgumentValues& values) {
  for (const auto& [name, type] : request.attributes) {
    const auto found = values.attributes.find(name);
    if (found == values.attributes.end()) continue;  // one that a placeholder needs is missed when argv is filled in
    if (const auto refused = type.refusal(found->second)) {
      return Refusal{fmt::format("{}: its attribute {}, \"{}\", is refused: {}", request.name, name,
                                 clip(found->second, kShownBytesMax), *refused)};
    }
  }
  return std::nullopt;
}
}  // namespace

std::variant<Route, Refusal> Router::route(const sqs::Message& message) const {
  config::ArgumentValues values;
  values.body = message.body;
  values.message_id = message.message_id;
  for (const auto& [name, value] : message.message_attributes) {
    if (is_text(value)) values.attributes.emplace(name, *value.string_value);
  }
  Route route;
  if (every_message_ != nullptr) {
    route.request = every_message_;
  } else {
    std::vector<std::string> matching;
    for (const auto& [name, value] : message.message_attributes) {
      const config::RequestType* request = handoff_->find(name);
      if (request == nullptr) continue;
      matching.push_back(name);
      route.request = request;
    }
    if (matching.empty()) return unknown_request(message, *handoff_);
    if (matching.size() > 1) return Refusal{fmt::format("{} requests in one message: {}", matching.size(), join_names(matching))};
    const auto parameter = values.attributes.find(route.request->name);
    if (parameter == values.attributes.end())
      return Refusal{fmt::format("{}: its parameter is Binary, not text", route.request->name)};
    route.parameter = parameter->second;
    if (const auto refused = route.request->parameter.refusal(route.parameter)) {
      return Refusal{fmt::format("{}: its parameter \"{}\" is refused: {}", route.request->name,
                                 clip(route.parameter, kShownBytesMax), *refused)};
    }
    if (auto refused = check_attributes(*route.request, values)) return *refused;
  }
  if (route.request->ledger.require_key && !given_key(message)) {
    return Refusal{
        fmt::format("{}: it has no key of its sender's (ferry send stamps one, others set the attribute idempotency-key), "
                    "and require_key asks for one",
                    route.request->name)};
  }
  auto argv = config::expand(route.request->handler->argv, values);
  if (!argv) return Refusal{fmt::format("{}: {}", route.request->name, argv.error().message)};
  route.argv = std::move(*argv);
  return route;
}

}  // namespace ferry::worker
