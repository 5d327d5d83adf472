#include "cli/dlq_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/encoding.h"
#include "base/suggest.h"
#include "cli/queue_scan.h"
#include "config/handoff.h"

namespace ferry::cli {
namespace {
namespace json = boost::json;
using Field = Condition::Field;
using Operator = Condition::Operator;

struct Symbol {
  std::string_view text;
  Operator op;
};
// Longer ones first: the first that fits is it.
constexpr std::array<Symbol, 7> kSymbols = {{{"!=", Operator::NotEqual},
                                             {"<=", Operator::AtMost},
                                             {">=", Operator::AtLeast},
                                             {"=", Operator::Equal},
                                             {"~", Operator::Contains},
                                             {"<", Operator::Less},
                                             {">", Operator::Greater}}};

struct FieldRule {
  std::string_view word;
  Field field;
  std::string_view operators;  ///< for messages
  bool may_be_bare;            ///< stands alone: is there
};
constexpr std::string_view kTextOperators = "=, != and ~";
constexpr std::array<FieldRule, 8> kFields = {{{"attr:", Field::Attribute, kTextOperators, true},
                                               {"body:", Field::BodyPointer, kTextOperators, true},
                                               {"body", Field::Body, kTextOperators, false},
                                               {"age", Field::Age, "< and >", false},
                                               {"receives", Field::Receives, "=, !=, <, <=, > and >=", false},
                                               {"id", Field::Id, kTextOperators, false},
                                               {"group", Field::Group, kTextOperators, true},
                                               {"from", Field::From, kTextOperators, true}}};

bool takes(Field field, Operator op) {
  if (op == Operator::Equal || op == Operator::NotEqual) return field != Field::Age;
  if (op == Operator::Contains) return field != Field::Age && field != Field::Receives;
  if (op == Operator::Less || op == Operator::Greater) return field == Field::Age || field == Field::Receives;
  return field == Field::Receives;
}

// Where the operator begins. In a pointer "~0" and "~1" are characters of its own.
std::size_t find_operator(std::string_view text, const FieldRule& rule) {
  for (std::size_t i = rule.word.size(); i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (rule.field == Field::BodyPointer && c == '~' && (next == '0' || next == '1')) continue;
    if (c == '=' || c == '~' || c == '<' || c == '>' || (c == '!' && next == '=')) return i;
  }
  return text.size();
}

const FieldRule* find_field(std::string_view text) {
  const auto ends_word = [&](std::size_t at) {
    return at == text.size() || std::string_view("=!~<>").find(text[at]) != std::string_view::npos;
  };
  for (const FieldRule& rule : kFields) {
    if (!text.starts_with(rule.word)) continue;
    if (rule.word.ends_with(':') || ends_word(rule.word.size())) return &rule;
  }
  return nullptr;
}

Unexpected<Error> wrong(std::string_view text, std::string_view why) {
  return fail(ErrorKind::InvalidArgument, fmt::format("--where \"{}\": {}", escape_control(text), why));
}

Unexpected<Error> unknown_field(std::string_view text, std::string_view rest) {
  const std::string word(rest.substr(0, rest.find_first_of("=!~<>:")));
  std::vector<std::string> known = {"attr", "body", "age", "receives", "id", "group", "from"};
  return wrong(text,
               fmt::format("there is no field \"{}\"{}; fields are attr:NAME, body, body:/POINTER, age, receives, id, group "
                           "and from",
                           escape_control(word), did_you_mean(word, known)));
}

std::optional<std::string> fault_of_name(const Condition& condition) {
  if (condition.field == Field::Attribute && condition.name.empty()) return "attr: needs the name of an attribute";
  if (condition.field != Field::BodyPointer) return std::nullopt;
  if (!condition.name.empty() && !condition.name.starts_with('/')) return "a JSON pointer is empty or starts with '/'";
  for (std::size_t at = condition.name.find('~'); at != std::string::npos; at = condition.name.find('~', at + 1)) {
    const char next = at + 1 < condition.name.size() ? condition.name[at + 1] : '\0';
    if (next != '0' && next != '1') return "in a JSON pointer '~' stands only in ~0 (for ~) and ~1 (for /)";
  }
  return std::nullopt;
}

std::optional<json::value> parse_json(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return std::nullopt;
  return value;
}

bool same(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number() && (a.is_double() || b.is_double())) return a.to_number<double>() == b.to_number<double>();
  return a == b;
}

bool compare_text(const Condition& condition, const std::optional<std::string>& text) {
  switch (condition.op) {
    case Operator::Present:
      return text.has_value();
    case Operator::Contains:
      return text && text->find(condition.value) != std::string::npos;
    default:
      return (text && *text == condition.value) == (condition.op == Operator::Equal);
  }
}

bool compare_json(const Condition& condition, const std::string& body) {
  const std::optional<json::value> document = parse_json(body);
  json::error_code error;
  const json::value* place = document ? document->find_pointer(condition.name, error) : nullptr;
  if (place == nullptr) return compare_text(condition, std::nullopt);
  if (const json::string* text = place->if_string()) return compare_text(condition, std::string(text->data(), text->size()));
  if (condition.op == Operator::Present) return true;
  if (condition.op == Operator::Contains) return compare_text(condition, json::serialize(*place));
  const std::optional<json::value> wanted = parse_json(condition.value);
  return (wanted && same(*place, *wanted)) == (condition.op == Operator::Equal);
}

bool compare_number(const Condition& condition, std::int64_t number) {
  switch (condition.op) {
    case Operator::Less:
      return number < condition.number;
    case Operator::AtMost:
      return number <= condition.number;
    case Operator::Greater:
      return number > condition.number;
    case Operator::AtLeast:
      return number >= condition.number;
    case Operator::NotEqual:
      return number != condition.number;
    default:
      return number == condition.number;
  }
}

bool compare_age(const Condition& condition, const sqs::Message& message, Timestamp now) {
  const std::optional<Timestamp> sent = sent_at(message);
  if (!sent) return false;
  const Millis age = now - *sent;
  return condition.op == Operator::Less ? age < condition.age : age > condition.age;
}

std::optional<std::string> attribute_text(const sqs::Message& message, std::string_view name) {
  for (const auto& [key, value] : message.message_attributes) {
    if (key == name) return value.binary_value ? *value.binary_value : value.string_value.value_or("");
  }
  return std::nullopt;
}

// The queue's name unless the condition is written with an ARN.
std::optional<std::string> origin_text(const sqs::Message& message, std::string_view value) {
  std::optional<std::string> arn = system_value(message, "DeadLetterQueueSourceArn");
  if (arn && !value.starts_with("arn:")) arn->erase(0, arn->rfind(':') + 1);
  return arn;
}

bool holds(const Condition& condition, const sqs::Message& message, Timestamp now) {
  switch (condition.field) {
    case Field::Attribute:
      return compare_text(condition, attribute_text(message, condition.name));
    case Field::Body:
      return compare_text(condition, message.body);
    case Field::BodyPointer:
      return compare_json(condition, message.body);
    case Field::Age:
      return compare_age(condition, message, now);
    case Field::Receives:
      return compare_number(condition, receives_of(message));
    case Field::Id:
      return compare_text(condition, message.message_id);
    case Field::Group:
      return compare_text(condition, system_value(message, "MessageGroupId"));
    case Field::From:
      return compare_text(condition, origin_text(message, condition.value));
  }
  return false;
}
}  // namespace

Result<Condition> parse_condition(std::string_view text) {
  Condition condition;
  std::string_view rest = text;
  if (rest.starts_with('!')) {
    condition.negated = true;
    rest.remove_prefix(1);
  }
  const FieldRule* rule = find_field(rest);
  if (rule == nullptr) return unknown_field(text, rest);
  condition.field = rule->field;
  const std::size_t at = find_operator(rest, *rule);
  condition.name = rest.substr(rule->word.size(), at - rule->word.size());
  if (const auto fault = fault_of_name(condition)) return wrong(text, *fault);
  rest.remove_prefix(at);
  if (rest.empty()) {
    if (rule->may_be_bare) return condition;
    return wrong(text, fmt::format("{} needs an operator and a value; operators are {}", rule->word, rule->operators));
  }
  const auto* symbol =
      std::find_if(kSymbols.begin(), kSymbols.end(), [&](const Symbol& one) { return rest.starts_with(one.text); });
  condition.op = symbol->op;
  condition.value = rest.substr(symbol->text.size());
  if (!takes(condition.field, condition.op)) {
    return wrong(text, fmt::format("{} does not take {}; operators are {}", rule->word, symbol->text, rule->operators));
  }
  if (condition.field == Field::Age) {
    const auto age = config::parse_duration(condition.value);
    if (!age) return wrong(text, fmt::format("\"{}\" is no duration (30s, 10m, 2h)", escape_control(condition.value)));
    condition.age = *age;
  }
  if (condition.field == Field::Receives) {
    const auto number = parse_integer(condition.value);
    if (!number || *number < 0) return wrong(text, fmt::format("\"{}\" is no count", escape_control(condition.value)));
    condition.number = *number;
  }
  return condition;
}

bool matches(const Condition& condition, const sqs::Message& message, Timestamp now) {
  return holds(condition, message, now) != condition.negated;
}

bool matches_all(const std::vector<Condition>& conditions, const sqs::Message& message, Timestamp now) {
  return std::all_of(conditions.begin(), conditions.end(),
                     [&](const Condition& condition) { return matches(condition, message, now); });
}

}  // namespace ferry::cli
