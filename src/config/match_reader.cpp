#include "config/match_reader.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"

namespace ferry::config {
namespace {

constexpr std::string_view kTypeName = "type";

std::optional<MatchValue> read_value(TableReader& reader) {
  const toml::node* node = reader.node("value");
  if (node == nullptr) return std::nullopt;
  if (const auto* text = node->as_string()) return MatchValue{MatchValue::Kind::String, text->get()};
  if (const auto* number = node->as_integer()) return MatchValue{MatchValue::Kind::Number, std::to_string(number->get())};
  if (const auto* truth = node->as_boolean()) return MatchValue{MatchValue::Kind::Boolean, truth->get() ? "true" : "false"};
  reader.problem("value", "must be a string, an integer, true or false");
  return std::nullopt;
}

void read_pattern(TableReader& reader, Match& match) {
  const auto pattern = reader.text("pattern");
  if (!pattern) return;
  if (match.value) return reader.problem("pattern", "and value are two ways to compare; give one");
  auto type = ParameterType::pattern(*pattern, {1, kMatchCharsMax});
  if (!type) return reader.problem("pattern", fmt::format("is wrong: {}", type.error().message));
  match.pattern = *pattern;
  match.pattern_type = std::move(*type);
}

// What is compared with it: {value = …} or {pattern = …}. Of attributes only texts.
void read_comparison(TableReader& reader, Match& match) {
  const bool given = reader.has("value") || reader.has("pattern");
  match.value = read_value(reader);
  read_pattern(reader, match);
  if (!given) reader.problem("value", "is missing; give the value that it has to have, or a pattern for it");
  if (!match.value) return;
  if (match.looks_at_attribute() && match.value->kind != MatchValue::Kind::String) {
    return reader.problem("value", "must be a string: attributes are texts");
  }
  const bool text = match.value->kind == MatchValue::Kind::String;
  const auto refused = text ? ParameterType::text({1, kMatchCharsMax}).refusal(match.value->text) : std::nullopt;
  if (refused) reader.problem("value", fmt::format("can never be matched: {}", *refused));
}

void read_selector(TableReader& reader, std::string_view selector, Match& match) {
  const std::string text = reader.text(selector).value_or("");
  if (selector == "attribute") {
    match.kind = MatchKind::Attribute;
    match.attribute = text;
    if (!is_attribute_name(text)) reader.problem(selector, "is no name of a message attribute");
  } else if (selector == kTypeName) {
    match.kind = MatchKind::Type;
    match.attribute = kTypeName;
    match.pointer = {std::string(kTypeName)};
    match.value = MatchValue{MatchValue::Kind::String, text};
    if (const auto refused = ParameterType::text({1, kMatchCharsMax}).refusal(text))
      reader.problem(selector, fmt::format("can never be matched: {}", *refused));
    return;
  } else {
    match.kind = MatchKind::Pointer;
    auto pointer = parse_json_pointer(text);
    if (pointer) {
      match.pointer = std::move(*pointer);
    } else {
      reader.problem(selector, pointer.error().message);
    }
  }
  read_comparison(reader, match);
}

void check_names(const RequestType& a, const RequestType& b, Problems& problems) {
  if (equals_ignore_case(a.name, b.name)) {
    problems.add(a.line,
                 fmt::format("request.{} overlaps request.{} of line {}: names that differ only in case are one request to some "
                             "senders and two to others",
                             a.name, b.name, b.line));
  } else if (surely_overlap(a.match, b.match)) {
    problems.add(
        a.line, fmt::format("request.{} ({}) overlaps request.{} of line {} ({}): a message can match both, and would be refused",
                            a.name, a.match.describe(), b.name, b.line, b.match.describe()));
  }
}

// An attribute that `a` uses makes its messages match `b` as well.
void check_attributes(const RequestType& a, const RequestType& b, Problems& problems) {
  if (!b.match.looks_at_attribute()) return;
  const auto used = a.attributes.find(b.match.attribute);
  if (used == a.attributes.end()) return;
  if (b.match.kind == MatchKind::Name) {
    problems.add(
        a.line, fmt::format("request.{} overlaps request.{}: it uses the attribute {}, so that its messages would match both and "
                            "be refused",
                            a.name, b.name, b.name));
  } else if (a.match.kind == MatchKind::Name && b.match.value && !used->second.refusal(b.match.value->text)) {
    problems.add(a.line, fmt::format("request.{} overlaps request.{} of line {} ({}): it allows that value of its attribute {}, "
                                     "so that such messages would match both and be refused",
                                     a.name, b.name, b.line, b.match.describe(), b.match.attribute));
  }
}
}  // namespace

bool is_attribute_name(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
  return plain && !name.empty() && name.size() <= 256 && name.front() != '.' && name.back() != '.' &&
         name.find("..") == std::string_view::npos && !to_lower(name).starts_with("aws.") &&
         !to_lower(name).starts_with("amazon.");
}

Match read_match(TableReader& request, const std::string& name, Problems& problems) {
  Match match;
  match.attribute = name;
  const toml::table* table = request.table("match");
  if (table == nullptr) return match;
  if (request.has("parameter")) {
    request.problem("parameter",
                    "has no use with match: what is recognised by its attribute's name has a parameter, the attribute's value; "
                    "others have attributes and a body");
  }
  TableReader reader(*table, request.path("match"), problems);
  constexpr std::array<std::string_view, 3> kSelectors = {"attribute", "type", "pointer"};
  std::vector<std::string_view> given;
  for (const std::string_view selector : kSelectors) {
    if (reader.has(selector)) given.push_back(selector);
  }
  if (given.size() != 1) {
    problems.add(line_of(*table), fmt::format("{} must have one of attribute, type and pointer; it has {}", request.path("match"),
                                              given.empty() ? "none" : "several"));
    return match;
  }
  read_selector(reader, given.front(), match);
  reader.refuse_unknown_keys();
  return match;
}

void check_overlaps(const std::vector<RequestType>& requests, Problems& problems) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    for (std::size_t j = 0; j < requests.size(); ++j) {
      if (j < i) check_names(requests[i], requests[j], problems);
      if (j != i) check_attributes(requests[i], requests[j], problems);
    }
  }
}

}  // namespace ferry::config
