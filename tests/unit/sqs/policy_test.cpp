#include "sqs/policy.h"

#include <gtest/gtest.h>

namespace ferry::sqs {
namespace {

constexpr std::string_view kArn = "arn:aws:sqs:us-east-1:000000000000:q";
const std::string kStatement = R"({"Effect":"Allow","Action":"SQS:SendMessage","Resource":"*"})";

std::string policy_with(const std::string& statements, const std::string& version = "2012-10-17") {
  return R"({"Version":")" + version + R"(","Statement":)" + statements + "}";
}
std::string statements(int count) {
  std::string text = "[";
  for (int i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + kStatement;
  return text + "]";
}
std::string must(const ApiResult<std::string>& result) {
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result.value_or("");
}

TEST(Policy, ValidOnes) {
  const std::string valid[] = {
      policy_with(statements(1)),
      policy_with(statements(1), "2008-10-17"),
      policy_with(statements(20)),
      policy_with(kStatement),  // one alone need not be a list
      R"({"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"s","Effect":"Deny","Principal":{"AWS":["1","2"]},"Action":["a","b"],)"
      R"("Resource":"'$sqs_queue_arn'","Condition":{"ArnEquals":{"aws:SourceArn":["x"]}}}]})",
      policy_with(R"([{"Effect":"Allow","NotPrincipal":"*","NotAction":["a"],"NotResource":["b"]}])"),
  };
  for (const std::string& text : valid) {
    const auto result = validate_policy(text);
    EXPECT_TRUE(result.has_value()) << text << result.error().message;
  }
}

TEST(Policy, InvalidOnes) {
  const std::string invalid[] = {
      " ",
      "x",
      "[]",
      "\"a\"",
      "{}",
      policy_with(statements(1)) + "x",
      R"({"Statement":)" + statements(1) + "}",
      policy_with(statements(1), "2020-01-01"),
      R"({"Version":20121017,"Statement":)" + statements(1) + "}",
      R"({"Version":"2012-10-17"})",
      policy_with("[]"),
      policy_with("\"Allow\""),
      policy_with("[1]"),
      policy_with("[[]]"),
      R"({"Version":"2012-10-17","Owner":"x","Statement":)" + statements(1) + "}",
      R"({"Version":"2012-10-17","Id":1,"Statement":)" + statements(1) + "}",
      policy_with(R"([{"Action":"a","Resource":"*"}])"),
      policy_with(R"([{"Effect":"allow","Action":"a","Resource":"*"}])"),
      policy_with(R"([{"Effect":"Allow","Resource":"*"}])"),
      policy_with(R"([{"Effect":"Allow","Action":"a"}])"),
      policy_with(R"([{"Effect":"Allow","Action":[],"Resource":"*"}])"),
      policy_with(R"([{"Effect":"Allow","Action":[1],"Resource":"*"}])"),
      policy_with(R"([{"Effect":"Allow","Action":{},"Resource":"*"}])"),
      policy_with(R"([{"Effect":"Allow","Action":"a","NotAction":"b","Resource":"*"}])"),
      policy_with(R"([{"Sid":1,"Effect":"Allow","Action":"a","Resource":"*"}])"),
      policy_with(R"([{"Effect":"Allow","Action":"a","Resource":"*","Extra":1}])"),
      policy_with(R"([{"Effect":"Allow","Action":"\uFFFE","Resource":"*"}])"),
      policy_with(R"([{"Effect":"Allow","Action":"a","Resource":")"
                  "\xff"
                  R"("}])"),
      policy_with(R"([{"Effect":"Allow","Action":"a","Resource":"*","Condition":)" + std::string(40, '[') + std::string(40, ']') +
                  "}]"),
  };
  for (const std::string& text : invalid) {
    const auto result = validate_policy(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code, ErrorCode::InvalidAttributeValue);
    EXPECT_EQ(result.error().message, "Invalid value for the parameter Policy.");
  }
}

TEST(Policy, LengthAtItsLimit) {
  const std::string text = policy_with(statements(1));
  EXPECT_TRUE(validate_policy(text + std::string(8'192 - text.size(), ' ')).has_value());
  EXPECT_EQ(validate_policy(text + std::string(8'193 - text.size(), ' ')).error().code, ErrorCode::InvalidAttributeValue);
}

TEST(Policy, StatementsAtTheirLimit) {
  EXPECT_TRUE(validate_policy(policy_with(statements(20))).has_value());
  const auto over = validate_policy(policy_with(statements(21)));
  EXPECT_EQ(over.error().code, ErrorCode::OverLimit);
  EXPECT_EQ(over.error().message, "21 statements were found in the submitted policy, max allowed is 20");
}

TEST(AddPermission, MakesAPolicy) {
  EXPECT_EQ(must(add_permission("", kArn, {"one", {"111111111111"}, {"SendMessage"}})),
            R"({"Version":"2008-10-17","Id":"arn:aws:sqs:us-east-1:000000000000:q/SQSDefaultPolicy","Statement":[{"Sid":"one",)"
            R"("Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"SQS:SendMessage",)"
            R"("Resource":"arn:aws:sqs:us-east-1:000000000000:q"}]})");
  EXPECT_EQ(must(add_permission("", kArn, {"many", {"111111111111", "222222222222"}, {"SendMessage", "*"}})),
            R"({"Version":"2008-10-17","Id":"arn:aws:sqs:us-east-1:000000000000:q/SQSDefaultPolicy","Statement":[{"Sid":"many",)"
            R"("Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::222222222222:root"]},)"
            R"("Action":["SQS:SendMessage","SQS:*"],"Resource":"arn:aws:sqs:us-east-1:000000000000:q"}]})");
}

TEST(AddPermission, AppendsToAUsersPolicy) {
  const std::string added = R"({"Sid":"l","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},)"
                            R"("Action":"SQS:SendMessage","Resource":"arn:aws:sqs:us-east-1:000000000000:q"})";
  const Permission permission{"l", {"111111111111"}, {"SendMessage"}};
  for (const std::string& before : {statements(1), kStatement}) {
    EXPECT_EQ(must(add_permission(policy_with(before), kArn, permission)), policy_with("[" + kStatement + "," + added + "]"));
  }
}

TEST(AddPermission, LabelsAreTakenOnce) {
  const Permission permission{"l", {"111111111111"}, {"SendMessage"}};
  const auto again = add_permission(must(add_permission("", kArn, permission)), kArn, permission);
  EXPECT_EQ(again.error().code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(again.error().message, "Value l for parameter Label is invalid. Reason: Already exists.");
}

TEST(AddPermission, StatementsAtTheirLimit) {
  std::string policy;
  for (int i = 0; i < 20; ++i) policy = must(add_permission(policy, kArn, {"l" + std::to_string(i), {"111111111111"}, {"*"}}));
  EXPECT_TRUE(validate_policy(policy).has_value());
  const auto over = add_permission(policy, kArn, {"more", {"111111111111"}, {"*"}});
  EXPECT_EQ(over.error().code, ErrorCode::OverLimit);
  EXPECT_EQ(over.error().message, "21 Statements were found, maximum allowed is 20.");
}

TEST(AddPermission, BytesAtTheirLimit) {
  const Permission permission{"l", {"111111111111"}, {"*"}};
  const auto policy_of = [](std::size_t id_chars) {
    return R"({"Version":"2012-10-17","Id":")" + std::string(id_chars, 'i') + R"(","Statement":)" + statements(1) + "}";
  };
  const std::size_t room = 8'192 - must(add_permission(policy_of(0), kArn, permission)).size();
  EXPECT_EQ(must(add_permission(policy_of(room), kArn, permission)).size(), 8'192u);
  EXPECT_EQ(add_permission(policy_of(room + 1), kArn, permission).error().code, ErrorCode::OverLimit);
}

TEST(RemovePermission, TakesTheStatementAndThenThePolicy) {
  const std::string one = must(add_permission("", kArn, {"one", {"111111111111"}, {"*"}}));
  const std::string two = must(add_permission(one, kArn, {"two", {"111111111111"}, {"*"}}));
  EXPECT_EQ(must(remove_permission(two, "two")), one);
  EXPECT_EQ(must(remove_permission(one, "one")), "");
  const auto none = remove_permission("", "x");
  EXPECT_EQ(none.error().code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(none.error().message, "Value x for parameter Label is invalid. Reason: can't find label.");
  const auto unknown = remove_permission(one, "x");
  EXPECT_EQ(unknown.error().code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(unknown.error().message, "Value x for parameter Label is invalid. Reason: can't find label on existing policy.");
  EXPECT_EQ(remove_permission(policy_with(kStatement), "x").error().message, unknown.error().message)
      << "statements without a label";
}

}  // namespace
}  // namespace ferry::sqs
