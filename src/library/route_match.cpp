#include "library/route_match.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "sqs/message_attributes.h"

namespace ferry::library {
namespace {

using config::MatchKind;
using config::MatchValue;
using config::ParameterType;

struct Compared {
  MatchValue operator()(const std::string& text) const { return {MatchValue::Kind::String, text}; }
  MatchValue operator()(std::int64_t number) const { return {MatchValue::Kind::Number, std::to_string(number)}; }
  MatchValue operator()(bool truth) const { return {MatchValue::Kind::Boolean, truth ? "true" : "false"}; }
};

Result<void> take_comparison(const Match& match, config::Match& made) {
  if (match.expression()) {
    auto type = ParameterType::pattern(*match.expression(), {1, config::kMatchCharsMax});
    if (!type) return fail(ErrorKind::InvalidArgument, fmt::format("its expression is wrong: {}", type.error().message));
    made.pattern = *match.expression();
    made.pattern_type = std::move(*type);
    return {};
  }
  made.value = std::visit(Compared(), match.value());
  if (made.value->kind != MatchValue::Kind::String) return {};
  const auto refused = ParameterType::text({1, config::kMatchCharsMax}).refusal(made.value->text);
  if (refused) return fail(ErrorKind::InvalidArgument, fmt::format("its value can never be matched: {}", *refused));
  return {};
}
}  // namespace

Result<config::Match> to_config(const Match& match) {
  config::Match made;
  switch (match.kind()) {
    case Match::Place::Attribute:
      made.kind = MatchKind::Attribute;
      made.attribute = match.place();
      if (!sqs::validate_message_attributes({{match.place(), {"String", "x", std::nullopt, false}}})) {
        return fail(ErrorKind::InvalidArgument,
                    fmt::format("\"{}\" is no name of a message attribute", escape_control(match.place())));
      }
      break;
    case Match::Place::Type:
      made.kind = MatchKind::Type;
      made.attribute = match.place();
      made.pointer = {match.place()};
      break;
    case Match::Place::Body: {
      made.kind = MatchKind::Pointer;
      auto pointer = config::parse_json_pointer(match.place());
      if (!pointer) return fail(ErrorKind::InvalidArgument, fmt::format("its pointer {}", pointer.error().message));
      made.pointer = std::move(*pointer);
      break;
    }
  }
  FERRY_TRY_VOID(take_comparison(match, made));
  return made;
}

}  // namespace ferry::library

namespace ferry {

Match Match::attribute(std::string name, std::string value) {
  return {Place::Attribute, std::move(name), std::move(value)};
}
Match Match::attribute_like(std::string name, std::string expression) {
  Match match(Place::Attribute, std::move(name), std::string());
  match.expression_ = std::move(expression);
  return match;
}
Match Match::type(std::string value) {
  return {Place::Type, "type", std::move(value)};
}
Match Match::body(std::string pointer, Value value) {
  return {Place::Body, std::move(pointer), std::move(value)};
}
Match Match::body_like(std::string pointer, std::string expression) {
  Match match(Place::Body, std::move(pointer), std::string());
  match.expression_ = std::move(expression);
  return match;
}

}  // namespace ferry
