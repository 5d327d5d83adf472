#include "worker/router.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/suggest.h"
#include "worker/body_values.h"
#include "worker/handler_input.h"
#include "worker/transcript.h"

namespace ferry::worker {
namespace {

constexpr std::size_t kShownBytesMax = 100;
constexpr std::size_t kTrialsToldMax = 5;

bool is_text(const sqs::MessageAttributeValue& value) {
  const std::string_view type = value.data_type;
  return value.string_value.has_value() &&
         (type == "String" || type.starts_with("String.") || type == "Number" || type.starts_with("Number."));
}

const sqs::MessageAttributeValue* attribute_of(const sqs::Message& message, std::string_view name) {
  const auto& attributes = message.message_attributes;
  const auto found = std::find_if(attributes.begin(), attributes.end(), [&](const auto& one) { return one.first == name; });
  return found == attributes.end() ? nullptr : &found->second;
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

std::optional<Refusal> check_parameter(const config::ArgumentValues& values, Route& route) {
  const auto parameter = values.attributes.find(route.request->name);
  if (parameter == values.attributes.end())
    return Refusal{fmt::format("{}: its parameter is Binary, not text", route.request->name)};
  route.parameter = parameter->second;
  if (const auto refused = route.request->parameter.refusal(route.parameter)) {
    return Refusal{fmt::format("{}: its parameter \"{}\" is refused: {}", route.request->name,
                               clip(route.parameter, kShownBytesMax), *refused)};
  }
  return std::nullopt;
}

Refusal several(const std::vector<const config::RequestType*>& matching) {
  std::vector<std::string> names;
  names.reserve(matching.size());
  for (const config::RequestType* request : matching) names.push_back(request->name);
  return {fmt::format("{} requests in one message: {}", names.size(), join_names(names)), RefusalKind::Several};
}
}  // namespace

// One message against requests that have rules. Looks into the body when a rule asks for that first, and once.
class Router::Look {
 public:
  Look(const Router& router, const sqs::Message& message) : router_(router), message_(message) {}

  Trial try_one(const Ruled& ruled) {
    const config::Match& match = ruled.request->match;
    Trial trial{ruled.request, false, {}};
    if (match.looks_at_attribute()) {
      const sqs::MessageAttributeValue* found = attribute_of(message_, match.attribute);
      if (found != nullptr) {
        if (is_text(*found))
          return compare(trial, {config::MatchValue::Kind::String, *found->string_value},
                         fmt::format("its attribute {}", match.attribute));
        trial.why = fmt::format("its attribute {} is Binary, not text", match.attribute);
        return trial;
      }
      trial.why = fmt::format("it has no attribute {}", match.attribute);
      if (!match.looks_at_body()) return trial;
    }
    if (body_.empty()) body_ = look_into(message_.body, router_.pointers_);
    const BodyValue& there = body_[*ruled.pointer];
    if (there.value) return compare(trial, *there.value, place_of(match));
    trial.why += (trial.why.empty() ? "" : ", and ") + there.why_not;
    return trial;
  }

 private:
  static std::string place_of(const config::Match& match) {
    return match.pointer.empty() ? std::string("its body")
                                 : fmt::format("{} of its body", escape_control(config::format_json_pointer(match.pointer)));
  }
  static Trial compare(Trial trial, const config::MatchValue& found, const std::string& place) {
    trial.matches = trial.request->match.accepts(found);
    trial.why = fmt::format("{} is {}", place, found.shown());
    return trial;
  }

  const Router& router_;
  const sqs::Message& message_;
  std::vector<BodyValue> body_;  // of pointers_; empty until it is asked for
};

Router::Router(const config::Handoff& handoff) : handoff_(&handoff) {
  for (const config::RequestType& request : handoff.requests) {
    if (request.match.kind == config::MatchKind::Name) {
      by_name_.emplace(request.name, &request);
      continue;
    }
    Ruled ruled{&request, std::nullopt};
    if (request.match.looks_at_body()) {
      const auto known = std::find(pointers_.begin(), pointers_.end(), request.match.pointer);
      ruled.pointer = static_cast<std::size_t>(known - pointers_.begin());
      if (known == pointers_.end()) pointers_.push_back(request.match.pointer);
    }
    ruled_.push_back(ruled);
  }
}

std::vector<const config::RequestType*> Router::matching(const sqs::Message& message) const {
  std::vector<const config::RequestType*> matching;
  for (const auto& [name, value] : message.message_attributes) {
    if (const auto found = by_name_.find(name); found != by_name_.end()) matching.push_back(found->second);
  }
  if (ruled_.empty()) return matching;
  Look look(*this, message);
  for (const Ruled& ruled : ruled_) {
    if (look.try_one(ruled).matches) matching.push_back(ruled.request);
  }
  return matching;
}

std::vector<Trial> Router::try_all(const sqs::Message& message) const {
  std::vector<Trial> trials;
  if (handoff_ == nullptr) return trials;
  Look look(*this, message);
  auto next = ruled_.begin();
  for (const config::RequestType& request : handoff_->requests) {
    if (request.match.kind != config::MatchKind::Name) {
      trials.push_back(look.try_one(*next++));
      continue;
    }
    const bool there = attribute_of(message, request.name) != nullptr;
    trials.push_back({&request, there, fmt::format("it has {} attribute {}", there ? "the" : "no", request.name)});
  }
  return trials;
}

Refusal Router::unmatched(const sqs::Message& message) const {
  std::vector<std::string> names;
  for (const config::RequestType& request : handoff_->requests) {
    if (request.match.kind == config::MatchKind::Name) names.push_back(request.name);
  }
  std::vector<std::string> present;
  std::string suggestion;
  for (const auto& [name, value] : message.message_attributes) {
    present.push_back(escape_control(name));
    if (suggestion.empty()) suggestion = did_you_mean(name, names);
  }
  std::vector<std::string> reasons;
  if (present.empty()) {
    reasons.emplace_back("it has no attributes");
  } else if (!names.empty()) {
    reasons.push_back(
        fmt::format("none of its attributes ({}) is one of {}{}", join_names(present), join_names(names), suggestion));
  }
  Look look(*this, message);
  for (std::size_t i = 0; i < std::min(ruled_.size(), kTrialsToldMax); ++i) {
    const config::RequestType& request = *ruled_[i].request;
    reasons.push_back(fmt::format("not {} ({}): {}", request.name, request.match.describe(), look.try_one(ruled_[i]).why));
  }
  if (ruled_.size() > kTrialsToldMax)
    reasons.push_back(fmt::format("nor any of {} more (--dry-run tells why)", ruled_.size() - kTrialsToldMax));
  return {fmt::format("unknown request: {}", fmt::join(reasons, "; ")), RefusalKind::Unmatched};
}

std::variant<Route, Refusal> Router::route(const sqs::Message& message) const {
  config::ArgumentValues values;
  values.body = message.body;
  values.message_id = message.message_id;
  for (const auto& [name, value] : message.message_attributes) {
    if (is_text(value)) values.attributes.emplace(name, *value.string_value);
  }
  Route route;
  route.request = every_message_;
  if (every_message_ == nullptr) {
    const std::vector<const config::RequestType*> found = matching(message);
    if (found.empty()) return unmatched(message);
    if (found.size() > 1) return several(found);
    route.request = found.front();
    if (route.request->match.kind == config::MatchKind::Name) {
      if (auto refused = check_parameter(values, route)) return *refused;
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
