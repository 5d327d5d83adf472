#include "sqs/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "sqs/json_object.h"
#include "sqs/limits.h"

namespace ferry::sqs {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 3> kPolicyKeys = {"Version", "Id", "Statement"};
constexpr std::array<std::string_view, 9> kStatementKeys = {"Sid",       "Effect",   "Principal",   "NotPrincipal", "Action",
                                                            "NotAction", "Resource", "NotResource", "Condition"};

template <std::size_t N>
bool only_keys(const json::object& object, const std::array<std::string_view, N>& known) {
  return std::all_of(object.begin(), object.end(), [&](const json::key_value_pair& pair) {
    const std::string_view key(pair.key().data(), pair.key().size());
    return std::find(known.begin(), known.end(), key) != known.end();
  });
}

bool is_text(const json::value* value, std::initializer_list<std::string_view> any_of) {
  if (value == nullptr || !value->is_string()) return false;
  return std::find(any_of.begin(), any_of.end(), text_of(value->get_string())) != any_of.end();
}

// A text, or a list of at least one text.
bool is_text_or_texts(const json::value* value) {
  if (value == nullptr) return false;
  if (const json::array* list = value->if_array()) {
    return !list->empty() && std::all_of(list->begin(), list->end(), [](const json::value& one) { return one.is_string(); });
  }
  return value->is_string();
}

bool is_statement(const json::value& value) {
  const json::object* statement = value.if_object();
  if (statement == nullptr || !only_keys(*statement, kStatementKeys)) return false;
  const auto get = [&](std::string_view key) { return statement->if_contains({key.data(), key.size()}); };
  const auto one_of_two = [&](std::string_view key, std::string_view inverse) {
    return (get(key) == nullptr) != (get(inverse) == nullptr) && is_text_or_texts(get(key) != nullptr ? get(key) : get(inverse));
  };
  const json::value* sid = get("Sid");
  return (sid == nullptr || sid->is_string()) && is_text(get("Effect"), {"Allow", "Deny"}) && one_of_two("Action", "NotAction") &&
         one_of_two("Resource", "NotResource");
}

// The statements of a policy, of which one alone need not stand in a list. Null when there are none.
json::array* statements_of(json::object& policy) {
  json::value* value = policy.if_contains("Statement");
  if (value == nullptr) return nullptr;
  if (value->is_object()) {
    json::value alone = std::move(*value);
    json::array list(value->storage());
    list.push_back(std::move(alone));
    *value = std::move(list);
  }
  return value->if_array();
}

bool is_called(const json::value& statement, std::string_view label) {
  const json::object* object = statement.if_object();
  return object != nullptr && is_text(object->if_contains("Sid"), {label});
}

json::value one_or_list(const std::vector<std::string>& texts) {
  if (texts.size() == 1) return json::value(json::string(texts.front()));
  json::array list;
  for (const std::string& text : texts) list.emplace_back(json::string(text));
  return list;
}

json::object statement_of(const Permission& permission, std::string_view queue_arn) {
  std::vector<std::string> principals;
  for (const std::string& account : permission.accounts) principals.push_back(fmt::format("arn:aws:iam::{}:root", account));
  std::vector<std::string> actions;
  for (const std::string& action : permission.actions) actions.push_back(fmt::format("SQS:{}", action));
  json::object principal;
  principal["AWS"] = one_or_list(principals);
  json::object statement;
  statement["Sid"] = permission.label;
  statement["Effect"] = "Allow";
  statement["Principal"] = std::move(principal);
  statement["Action"] = one_or_list(actions);
  statement["Resource"] = json::string(queue_arn.data(), queue_arn.size());
  return statement;
}

json::object new_policy(std::string_view queue_arn) {
  json::object policy;
  policy["Version"] = "2008-10-17";
  policy["Id"] = fmt::format("{}/SQSDefaultPolicy", queue_arn);
  policy["Statement"] = json::array();
  return policy;
}

}  // namespace

ApiResult<void> validate_policy(std::string_view text) {
  const auto refused = [] { return Unexpected(invalid_attribute_value("Policy")); };
  if (text.size() > kPolicyBytesMax || !is_sqs_text(text)) return refused();
  auto policy = parse_json_object(text);
  if (!policy || !only_keys(*policy, kPolicyKeys)) return refused();
  // AddPermission writes the policy anew, and then nothing is escaped that need not be.
  if (!is_sqs_text(json::serialize(*policy))) return refused();
  if (!is_text(policy->if_contains("Version"), {"2008-10-17", "2012-10-17"})) return refused();
  if (const json::value* id = policy->if_contains("Id"); id != nullptr && !id->is_string()) return refused();
  const json::array* statements = statements_of(*policy);
  if (statements == nullptr || statements->empty()) return refused();
  if (!std::all_of(statements->begin(), statements->end(), is_statement)) return refused();
  if (statements->size() > kPolicyStatementsMax) {
    return api_fail(ErrorCode::OverLimit, fmt::format("{} statements were found in the submitted policy, max allowed is {}",
                                                      statements->size(), kPolicyStatementsMax));
  }
  return {};
}

ApiResult<std::string> add_permission(std::string_view policy, std::string_view queue_arn, const Permission& permission) {
  auto object = policy.empty() ? new_policy(queue_arn) : parse_json_object(policy);
  json::array* statements = object ? statements_of(*object) : nullptr;
  if (statements == nullptr) return Unexpected(invalid_attribute_value("Policy"));
  const auto called = [&](const json::value& statement) { return is_called(statement, permission.label); };
  if (std::any_of(statements->begin(), statements->end(), called)) {
    return Unexpected(invalid_parameter(permission.label, "Label", "Already exists."));
  }
  statements->push_back(statement_of(permission, queue_arn));
  if (statements->size() > kPolicyStatementsMax) {
    return api_fail(ErrorCode::OverLimit,
                    fmt::format("{} Statements were found, maximum allowed is {}.", statements->size(), kPolicyStatementsMax));
  }
  std::string text = json::serialize(*object);
  if (text.size() > kPolicyBytesMax) {
    return api_fail(ErrorCode::OverLimit,
                    fmt::format("The policy would have {} bytes, maximum allowed is {}.", text.size(), kPolicyBytesMax));
  }
  return text;
}

ApiResult<std::string> remove_permission(std::string_view policy, std::string_view label) {
  if (policy.empty()) return Unexpected(invalid_parameter(label, "Label", "can't find label."));
  auto object = parse_json_object(policy);
  json::array* statements = object ? statements_of(*object) : nullptr;
  if (statements == nullptr) return Unexpected(invalid_attribute_value("Policy"));
  const std::size_t before = statements->size();
  for (auto it = statements->begin(); it != statements->end();) it = is_called(*it, label) ? statements->erase(it) : it + 1;
  if (statements->size() == before) return Unexpected(invalid_parameter(label, "Label", "can't find label on existing policy."));
  if (statements->empty()) return std::string();
  return json::serialize(*object);
}

}  // namespace ferry::sqs
