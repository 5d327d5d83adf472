#include "sqs/redrive.h"

#include <gtest/gtest.h>

#include "sqs/queue_attributes.h"

namespace ferry::sqs {
namespace {

constexpr std::string_view kArn = "arn:aws:sqs:us-east-1:000000000000:dlq";
const std::string kUnsupported =
    "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an "
    "unsupported format.";

std::string policy_of(const std::string& count, const std::string& arn = "\"" + std::string(kArn) + "\"") {
  return R"({"deadLetterTargetArn":)" + arn + R"(,"maxReceiveCount":)" + count + "}";
}
std::string told(const std::string& policy, const std::string& reason) {
  return "Value " + policy + " for parameter RedrivePolicy is invalid. Reason: " + reason;
}

TEST(RedrivePolicyText, IsToldCanonically) {
  const std::string canonical = policy_of("5");
  for (const std::string& text : {canonical, policy_of("\"5\""), policy_of("\"05\""),
                                  R"( { "maxReceiveCount" : 5 , "deadLetterTargetArn" : ")" + std::string(kArn) + "\" }"}) {
    const auto policy = parse_redrive_policy(text);
    ASSERT_TRUE(policy.has_value()) << text << policy.error().message;
    EXPECT_EQ(policy->max_receive_count, 5u);
    EXPECT_EQ(policy->dead_letter_target, (QueueArn{"aws", "us-east-1", "000000000000", "dlq"}));
    EXPECT_EQ(format_redrive_policy(*policy), canonical);
  }
}

TEST(RedrivePolicyText, TheCountAtItsLimits) {
  for (const char* good : {"1", "1000", "\"1\"", "\"1000\""})
    EXPECT_TRUE(parse_redrive_policy(policy_of(good)).has_value()) << good;
  const std::pair<const char*, const char*> bad[] = {{"0", "0"},
                                                     {"1001", "1001"},
                                                     {"-1", "-1"},
                                                     {"1.5", "1.5E0"},
                                                     {"\"0\"", "0"},
                                                     {"\"1001\"", "1001"},
                                                     {"\"\"", ""},
                                                     {"\"five\"", "five"},
                                                     {"\" 5\"", " 5"},
                                                     {"\"-1\"", "-1"},
                                                     {"null", "null"},
                                                     {"true", "true"},
                                                     {"[5]", "[5]"},
                                                     {"{}", "{}"},
                                                     {"99999999999999999999", "1E20"},
                                                     {"\"99999999999999999999\"", "99999999999999999999"}};
  for (const auto& [count, shown] : bad) {
    const auto policy = parse_redrive_policy(policy_of(count));
    ASSERT_FALSE(policy.has_value()) << count;
    EXPECT_EQ(policy.error().code, ErrorCode::InvalidParameterValue);
    EXPECT_EQ(policy.error().message, told(policy_of(count), "Invalid value for maxReceiveCount: " + std::string(shown) +
                                                                 ", valid values are from 1 to 1000 both inclusive."));
  }
}

TEST(RedrivePolicyText, WhatIsNoPolicy) {
  struct Case {
    std::string text;
    std::string message;
  };
  const std::string no_map = "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.";
  const std::string arn = std::string(kArn);
  const std::string only_count = R"({"maxReceiveCount":5})";
  const std::string only_arn = R"({"deadLetterTargetArn":")" + arn + "\"}";
  const std::string more = R"({"deadLetterTargetArn":")" + arn + R"(","maxReceiveCount":5,"x":1})";
  const auto with_arn = [](const std::string& text) { return policy_of("5", "\"" + text + "\""); };
  const std::string not_qualified = "Dead-letter target ARN should be fully qualified ARN.";
  const Case cases[] = {
      {"x", no_map},
      {"[]", no_map},
      {"\"text\"", no_map},
      {"5", no_map},
      {"null", no_map},
      {"{", no_map},
      {only_count + "x", no_map},
      {"{\"\xff\":1}", no_map},
      {std::string(100, '['), no_map},
      {"{}", told("{}", "Redrive policy does not contain mandatory attribute: maxReceiveCount.")},
      {only_arn, told(only_arn, "Redrive policy does not contain mandatory attribute: maxReceiveCount.")},
      {only_count, told(only_count, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")},
      {more, told(more, "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].")},
      {with_arn("dlq"), told(with_arn("dlq"), not_qualified)},
      {with_arn(""), told(with_arn(""), not_qualified)},
      {with_arn("arn:aws:sqs:us-east-1:000000000000"), told(with_arn("arn:aws:sqs:us-east-1:000000000000"), not_qualified)},
      {with_arn("arn:aws:sqs::000000000000:dlq"), told(with_arn("arn:aws:sqs::000000000000:dlq"), not_qualified)},
      {policy_of("5", "7"), told(policy_of("5", "7"), not_qualified)},
      {with_arn("arn:aws:sns:us-east-1:000000000000:topic"),
       told(with_arn("arn:aws:sns:us-east-1:000000000000:topic"),
            "Only SQS queues are valid resources for deadLetterTargetArn.")},
      {with_arn("arn:aws:sqs:us-east-1:000000000000:a b"),
       told(with_arn("arn:aws:sqs:us-east-1:000000000000:a b"), "Dead letter target does not exist.")},
  };
  for (const Case& c : cases) {
    const auto policy = parse_redrive_policy(c.text);
    ASSERT_FALSE(policy.has_value()) << c.text;
    EXPECT_EQ(policy.error().code, ErrorCode::InvalidParameterValue);
    EXPECT_EQ(policy.error().message, c.message);
  }
}

std::string by_queue(int sources) {
  std::string text = R"({"redrivePermission":"byQueue","sourceQueueArns":[)";
  for (int i = 0; i < sources; ++i) {
    text += (i == 0 ? "\"" : ",\"") + std::string("arn:aws:sqs:us-east-1:000000000000:s") + std::to_string(i) + "\"";
  }
  return text + "]}";
}

TEST(RedriveAllowPolicyText, Valid) {
  for (const std::string& text :
       {std::string(R"({"redrivePermission":"allowAll"})"), std::string(R"({"redrivePermission":"denyAll"})"),
        std::string(R"({"redrivePermission":"denyAll","sourceQueueArns":[]})"), by_queue(1), by_queue(10)}) {
    const auto valid = validate_redrive_allow_policy(text);
    EXPECT_TRUE(valid.has_value()) << text << valid.error().message;
  }
  const std::string longest = by_queue(1) + std::string(8'192 - by_queue(1).size(), ' ');
  EXPECT_TRUE(validate_redrive_allow_policy(longest).has_value());
  EXPECT_EQ(validate_redrive_allow_policy(longest + " ").error().message, kUnsupported);
}

TEST(RedriveAllowPolicyText, Refused) {
  const auto reasoned = [](const std::string& text, const std::string& reason) {
    return "Value " + text +
           " for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy. " + reason;
  };
  const std::string denied = R"({"redrivePermission":"denyAll","sourceQueueArns":["arn:aws:sqs:r:0:q"]})";
  const std::string nobody = R"({"redrivePermission":"byQueue"})";
  const std::pair<std::string, std::string> cases[] = {
      {"x", kUnsupported},
      {"{}", kUnsupported},
      {"[]", kUnsupported},
      {R"({"redrivePermission":"AllowAll"})", kUnsupported},
      {R"({"redrivePermission":1})", kUnsupported},
      {R"({"redrivePermission":"allowAll","x":1})", kUnsupported},
      {R"({"redrivePermission":"byQueue","sourceQueueArns":"arn:aws:sqs:r:0:q"})", kUnsupported},
      {R"({"redrivePermission":"byQueue","sourceQueueArns":["q"]})", kUnsupported},
      {R"({"redrivePermission":"byQueue","sourceQueueArns":[1]})", kUnsupported},
      {nobody,
       reasoned(nobody,
                "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.")},
      {by_queue(0),
       reasoned(by_queue(0),
                "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.")},
      {denied, reasoned(denied, "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.")},
      {by_queue(11), reasoned(by_queue(11), "The maximum number of source queue ARNs you can specify is 10.")},
  };
  for (const auto& [text, message] : cases) {
    const auto refused = validate_redrive_allow_policy(text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().code, ErrorCode::InvalidParameterValue);
    EXPECT_EQ(refused.error().message, message);
  }
}

TEST(RedriveAllowPolicyText, WhomItAllows) {
  const std::string s0 = "arn:aws:sqs:us-east-1:000000000000:s0";
  const std::string s1 = "arn:aws:sqs:us-east-1:000000000000:s1";
  EXPECT_TRUE(allows_source("", s0));
  EXPECT_TRUE(allows_source(R"({"redrivePermission":"allowAll"})", s0));
  EXPECT_FALSE(allows_source(R"({"redrivePermission":"denyAll"})", s0));
  EXPECT_TRUE(allows_source(by_queue(1), s0));
  EXPECT_FALSE(allows_source(by_queue(1), s1));
  EXPECT_TRUE(allows_source(by_queue(2), s1));
}

TEST(RedriveTarget, WhatMustHold) {
  const QueueArn source{"aws", "us-east-1", "000000000000", "s0"};
  const RedrivePolicy policy = *parse_redrive_policy(policy_of("5"));
  QueueAttributes target;
  EXPECT_TRUE(check_redrive_target(policy, source, QueueKind::Standard, &target).has_value());
  target.redrive_allow_policy = by_queue(1);
  EXPECT_TRUE(check_redrive_target(policy, source, QueueKind::Standard, &target).has_value());

  const auto refusal = [&](const RedrivePolicy& asked, QueueKind kind, const QueueAttributes* found) {
    const auto result = check_redrive_target(asked, source, kind, found);
    EXPECT_FALSE(result.has_value());
    if (result) return std::string();
    EXPECT_EQ(result.error().code, ErrorCode::InvalidParameterValue);
    return result.error().message;
  };
  EXPECT_EQ(refusal(policy, QueueKind::Standard, nullptr), told(policy_of("5"), "Dead letter target does not exist."));
  EXPECT_EQ(refusal(policy, QueueKind::Fifo, &target),
            told(policy_of("5"), "Dead-letter queue must be same type of queue as the source.."));
  RedrivePolicy foreign = policy;
  foreign.dead_letter_target.account = "111111111111";
  EXPECT_EQ(refusal(foreign, QueueKind::Standard, &target),
            told(format_redrive_policy(foreign), "Dead-letter target owner should be same as the source."));
  RedrivePolicy abroad = policy;
  abroad.dead_letter_target.region = "eu-west-1";
  EXPECT_EQ(refusal(abroad, QueueKind::Standard, &target),
            told(format_redrive_policy(abroad), "Dead letter target does not exist."));
  target.redrive_allow_policy = R"({"redrivePermission":"denyAll"})";
  EXPECT_EQ(refusal(policy, QueueKind::Standard, &target),
            told(policy_of("5"), "The redrive allow policy of the dead-letter queue does not allow this source queue."));
}

TEST(RedriveTarget, MayBeTheQueueItself) {
  const RedrivePolicy policy = *parse_redrive_policy(policy_of("5"));
  QueueAttributes self;
  self.redrive_policy = policy;
  EXPECT_TRUE(check_redrive_target(policy, policy.dead_letter_target, QueueKind::Standard, &self).has_value());
}

}  // namespace
}  // namespace ferry::sqs
