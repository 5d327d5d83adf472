#include "sqs/queue_attributes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ferry::sqs {
namespace {

constexpr std::string_view kSseText =
    "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.";
constexpr std::string_view kDlq = R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":5})";
constexpr std::string_view kPolicy =
    R"({ "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "$sqs_queue_arn"}] })";

QueueAttributes standard(const TextMap& attributes = {}) {
  auto result = new_attributes("q", attributes);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result ? *result : QueueAttributes();
}
QueueAttributes fifo(TextMap attributes = {}) {
  attributes.emplace_back("FifoQueue", "true");
  auto result = new_attributes("q.fifo", attributes);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result ? *result : QueueAttributes();
}
QueueAttributes changed(const QueueAttributes& current, const TextMap& changes) {
  auto result = changed_attributes(current, changes);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result ? *result : current;
}
ApiError refusal(const QueueAttributes& current, const TextMap& changes) {
  const auto result = changed_attributes(current, changes);
  EXPECT_FALSE(result.has_value()) << changes.front().first << "=" << changes.front().second;
  return result ? ApiError{ErrorCode::InternalFailure, ""} : result.error();
}
ErrorCode refusal(const std::string& name, const std::string& value) {
  return refusal(QueueAttributes(), {{name, value}}).code;
}
ApiError new_refusal(std::string_view name, const TextMap& attributes) {
  const auto result = new_attributes(name, attributes);
  EXPECT_FALSE(result.has_value()) << name;
  return result ? ApiError{ErrorCode::InternalFailure, ""} : result.error();
}
// What is told of one attribute; "absent" when it is not told.
std::string told(const QueueAttributes& attributes, const std::string& name) {
  const auto text = describe_attributes(attributes, QueueStatus(), {name});
  return text.has_value() && !text->empty() ? text->front().second : "absent";
}

TEST(QueueAttributes, ANewQueueHasTheDocumentedDefaults) {
  const TextMap expected = {
      {"ApproximateNumberOfMessages", "0"},
      {"ApproximateNumberOfMessagesDelayed", "0"},
      {"ApproximateNumberOfMessagesNotVisible", "0"},
      {"CreatedTimestamp", "0"},
      {"DelaySeconds", "0"},
      {"LastModifiedTimestamp", "0"},
      {"MaximumMessageSize", "1048576"},
      {"MessageRetentionPeriod", "345600"},
      {"QueueArn", ""},
      {"ReceiveMessageWaitTimeSeconds", "0"},
      {"SqsManagedSseEnabled", "true"},
      {"VisibilityTimeout", "30"},
  };
  EXPECT_EQ(*describe_attributes(standard(), QueueStatus(), {"All"}), expected);
  TextMap of_fifo = expected;
  of_fifo.insert(of_fifo.begin() + 3, {"ContentBasedDeduplication", "false"});
  of_fifo.insert(of_fifo.begin() + 5, {"DeduplicationScope", "queue"});
  of_fifo.insert(of_fifo.begin() + 7, {"FifoQueue", "true"});
  of_fifo.insert(of_fifo.begin() + 8, {"FifoThroughputLimit", "perQueue"});
  EXPECT_EQ(*describe_attributes(fifo(), QueueStatus(), {"All"}), of_fifo);
}

TEST(QueueAttributes, RangesAreExact) {
  struct Case {
    const char* name;
    std::int64_t low;
    std::int64_t high;
  };
  for (const Case& c : {Case{"DelaySeconds", 0, 900}, Case{"MaximumMessageSize", 1024, 1'048'576},
                        Case{"MessageRetentionPeriod", 60, 1'209'600}, Case{"ReceiveMessageWaitTimeSeconds", 0, 20},
                        Case{"VisibilityTimeout", 0, 43'200}, Case{"KmsDataKeyReusePeriodSeconds", 60, 86'400}}) {
    for (const std::int64_t good : {c.low, c.high}) {
      const QueueAttributes set = standard({{"KmsMasterKeyId", "k"}, {c.name, std::to_string(good)}});
      EXPECT_EQ(told(set, c.name), std::to_string(good));
    }
    EXPECT_EQ(refusal(c.name, std::to_string(c.low - 1)), ErrorCode::InvalidAttributeValue);
    EXPECT_EQ(refusal(c.name, std::to_string(c.high + 1)), ErrorCode::InvalidAttributeValue);
  }
}

TEST(QueueAttributes, OnlyPlainIntegersAreTaken) {
  for (const char* bad : {"", " ", "5 ", " 5", "+5", "-0", "5.0", "5e0", "0x5", "five", "99999999999999999999", "٥"}) {
    EXPECT_EQ(refusal("DelaySeconds", bad), ErrorCode::InvalidAttributeValue) << bad;
  }
  EXPECT_EQ(refusal(standard(), {{"DelaySeconds", "901"}}).message, "Invalid value for the parameter DelaySeconds.");
}

TEST(QueueAttributes, TruthIsTakenInAnyCaseAndToldInLowerCase) {
  for (const char* name : {"SqsManagedSseEnabled", "ContentBasedDeduplication"}) {
    for (const auto& [text, lower] : {std::pair{"True", "true"}, {"FALSE", "false"}, {"true", "true"}, {"false", "false"}}) {
      EXPECT_EQ(told(changed(fifo(), {{name, text}}), name), lower);
    }
    for (const char* bad : {"", "yes", "1", " true", "truee"}) {
      EXPECT_EQ(refusal(fifo(), {{name, bad}}).code, ErrorCode::InvalidAttributeValue) << name << "=" << bad;
    }
  }
}

TEST(QueueAttributes, ReadOnlyAndUnknownNamesCannotBeSet) {
  for (const char* name :
       {"QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible", "All", "", "delayseconds", "Nope"}) {
    for (const ApiError& error : {refusal(standard(), {{name, "1"}}), new_refusal("q", {{name, "1"}})}) {
      EXPECT_EQ(error.code, ErrorCode::InvalidAttributeName) << name;
      EXPECT_EQ(error.message, "Unknown Attribute " + std::string(name) + ".");
    }
  }
}

TEST(FifoAttributes, NameAndAttributeGoTogether) {
  EXPECT_EQ(new_attributes("q.fifo", {{"FifoQueue", "True"}})->kind, QueueKind::Fifo);
  EXPECT_EQ(new_attributes("q", {})->kind, QueueKind::Standard);
  for (const TextMap& without : {TextMap{}, TextMap{{"FifoQueue", "false"}}, TextMap{{"DelaySeconds", "1"}}}) {
    const ApiError error = new_refusal("q.fifo", without);
    EXPECT_EQ(error.code, ErrorCode::InvalidParameterValue);
    EXPECT_EQ(error.message, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
  }
  const ApiError error = new_refusal("q", {{"FifoQueue", "true"}});
  EXPECT_EQ(error.code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(error.message,
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo "
            "suffix and be 1 to 80 in length");
  for (const char* name : {"q", "q.fifo"}) {
    EXPECT_EQ(new_refusal(name, {{"FifoQueue", "maybe"}}).code, ErrorCode::InvalidAttributeValue);
  }
}

TEST(FifoAttributes, StandardQueuesHaveNone) {
  for (const char* value : {"true", "false", "rubbish"}) {
    for (const char* name : {"FifoQueue", "ContentBasedDeduplication"}) {
      const ApiError error = refusal(standard(), {{name, value}});
      EXPECT_EQ(error.code, ErrorCode::InvalidAttributeName);
      EXPECT_EQ(error.message, "Unknown Attribute " + std::string(name) + ".");
    }
  }
  EXPECT_EQ(new_refusal("q", {{"FifoQueue", "false"}}).message, "Unknown Attribute FifoQueue.");
  for (const auto& [name, value] : TextMap{{"DeduplicationScope", "queue"}, {"FifoThroughputLimit", "perQueue"}}) {
    for (const ApiError& error : {refusal(standard(), {{name, value}}), new_refusal("q", {{name, value}})}) {
      EXPECT_EQ(error.code, ErrorCode::InvalidAttributeName);
      EXPECT_EQ(error.message, "You can specify the " + name + " only when FifoQueue is set to true.");
    }
  }
  for (const char* name : {"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"}) {
    EXPECT_EQ(told(standard(), name), "absent");
  }
}

TEST(FifoAttributes, TheKindNeverChanges) {
  EXPECT_EQ(changed(fifo(), {{"FifoQueue", "true"}}), fifo());
  const ApiError error = refusal(fifo(), {{"FifoQueue", "false"}});
  EXPECT_EQ(error.code, ErrorCode::InvalidAttributeValue);
  EXPECT_EQ(error.message, "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.");
  EXPECT_EQ(refusal(fifo(), {{"FifoQueue", "x"}}).message, "Invalid value for the parameter FifoQueue.");
}

TEST(FifoAttributes, ThroughputByGroupNeedsThatScope) {
  const QueueAttributes high =
      fifo({{"FifoThroughputLimit", "perMessageGroupId"}, {"DeduplicationScope", "messageGroup"}});  // in any order
  EXPECT_EQ(told(high, "FifoThroughputLimit"), "perMessageGroupId");
  EXPECT_EQ(told(high, "DeduplicationScope"), "messageGroup");
  const ApiError alone = refusal(fifo(), {{"FifoThroughputLimit", "perMessageGroupId"}});
  EXPECT_EQ(alone.code, ErrorCode::InvalidAttributeValue);
  EXPECT_EQ(alone.message, "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup");
  EXPECT_EQ(refusal(high, {{"DeduplicationScope", "queue"}}).code, ErrorCode::InvalidAttributeValue);
  EXPECT_EQ(told(changed(high, {{"DeduplicationScope", "queue"}, {"FifoThroughputLimit", "perQueue"}}), "DeduplicationScope"),
            "queue");
  for (const auto& [name, value] : TextMap{{"DeduplicationScope", "group"},
                                           {"DeduplicationScope", ""},
                                           {"DeduplicationScope", "Queue"},
                                           {"FifoThroughputLimit", "perGroup"},
                                           {"FifoThroughputLimit", ""}}) {
    EXPECT_EQ(refusal(fifo(), {{name, value}}).code, ErrorCode::InvalidAttributeValue) << name << "=" << value;
  }
}

TEST(FifoAttributes, TheScopeInForceIsThatOfTheCreation) {
  const QueueAttributes by_group = fifo({{"DeduplicationScope", "messageGroup"}});
  EXPECT_EQ(by_group.deduplication_scope_in_force, DeduplicationScope::MessageGroup);
  const QueueAttributes later = changed(by_group, {{"DeduplicationScope", "queue"}});
  EXPECT_EQ(told(later, "DeduplicationScope"), "queue");
  EXPECT_EQ(later.deduplication_scope_in_force, DeduplicationScope::MessageGroup);
  EXPECT_EQ(changed(fifo(), {{"DeduplicationScope", "messageGroup"}}).deduplication_scope_in_force, DeduplicationScope::Queue);
}

TEST(EncryptionAttributes, AKeyTurnsManagedEncryptionOff) {
  const QueueAttributes with_key = changed(standard(), {{"KmsMasterKeyId", "alias/my-key"}});
  EXPECT_EQ(told(with_key, "KmsMasterKeyId"), "alias/my-key");
  EXPECT_EQ(told(with_key, "KmsDataKeyReusePeriodSeconds"), "300");
  EXPECT_EQ(told(with_key, "SqsManagedSseEnabled"), "false");
  // As recorded: both removed from the listing, and managed encryption stays off.
  const QueueAttributes without = changed(with_key, {{"KmsMasterKeyId", ""}, {"KmsDataKeyReusePeriodSeconds", "300"}});
  EXPECT_EQ(told(without, "KmsMasterKeyId"), "absent");
  EXPECT_EQ(told(without, "KmsDataKeyReusePeriodSeconds"), "absent");
  EXPECT_EQ(told(without, "SqsManagedSseEnabled"), "false");
  const QueueAttributes managed = changed(with_key, {{"SqsManagedSseEnabled", "true"}});
  EXPECT_EQ(told(managed, "KmsMasterKeyId"), "absent");
  EXPECT_EQ(told(managed, "SqsManagedSseEnabled"), "true");
  EXPECT_EQ(managed, standard());
}

TEST(EncryptionAttributes, BothKindsAtOnceAreRefused) {
  const TextMap both = {{"KmsMasterKeyId", "k"}, {"SqsManagedSseEnabled", "true"}};
  for (const ApiError& error : {new_refusal("q", both), refusal(standard(), both)}) {
    EXPECT_EQ(error.code, ErrorCode::InvalidAttributeName);
    EXPECT_EQ(error.message, kSseText);
  }
  EXPECT_EQ(told(standard({{"KmsMasterKeyId", "k"}, {"SqsManagedSseEnabled", "false"}}), "KmsMasterKeyId"), "k");
  EXPECT_EQ(told(standard({{"KmsMasterKeyId", ""}, {"SqsManagedSseEnabled", "true"}}), "SqsManagedSseEnabled"), "true");
}

TEST(EncryptionAttributes, TheReuseTimeIsToldOnlyWithAKey) {
  const QueueAttributes without = standard({{"KmsDataKeyReusePeriodSeconds", "60"}});
  EXPECT_EQ(told(without, "KmsDataKeyReusePeriodSeconds"), "absent");
  EXPECT_EQ(told(changed(without, {{"KmsMasterKeyId", "k"}}), "KmsDataKeyReusePeriodSeconds"), "60");
}

TEST(EncryptionAttributes, KeyIdsHaveALimit) {
  EXPECT_EQ(told(standard({{"KmsMasterKeyId", std::string(2'048, 'k')}}), "KmsMasterKeyId"), std::string(2'048, 'k'));
  EXPECT_EQ(refusal("KmsMasterKeyId", std::string(2'049, 'k')), ErrorCode::InvalidAttributeValue);
  EXPECT_EQ(refusal("KmsMasterKeyId", "a\x01"), ErrorCode::InvalidAttributeValue);
}

TEST(PolicyAttributes, AreToldWhenSetAndRemovedByTheEmptyText) {
  struct Case {
    const char* name;
    std::string value;
    std::string told;
  };
  const std::string allow = R"({ "redrivePermission" : "denyAll" })";
  for (const Case& c :
       {Case{"Policy", std::string(kPolicy), std::string(kPolicy)},
        Case{"RedrivePolicy", R"({"maxReceiveCount": "5", "deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq"})",
             std::string(kDlq)},
        Case{"RedriveAllowPolicy", allow, allow}}) {
    EXPECT_EQ(told(standard(), c.name), "absent");
    const QueueAttributes set = changed(standard(), {{c.name, c.value}});
    EXPECT_EQ(told(set, c.name), c.told);
    EXPECT_EQ(told(standard({{c.name, c.value}}), c.name), c.told) << "at creation as well";
    EXPECT_EQ(changed(set, {{c.name, ""}}), standard());
    EXPECT_EQ(changed(standard(), {{c.name, ""}}), standard()) << "nothing to remove";
  }
}

TEST(PolicyAttributes, BadOnesChangeNothing) {
  EXPECT_EQ(refusal("Policy", "{}"), ErrorCode::InvalidAttributeValue);
  EXPECT_EQ(refusal("RedrivePolicy", "{}"), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(refusal("RedriveAllowPolicy", "{}"), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(refusal(standard(), {{"DelaySeconds", "5"}, {"Policy", "x"}}).message, "Invalid value for the parameter Policy.");
}

TEST(QueueAttributes, TheFirstDifferenceIsNamed) {
  const QueueAttributes current = standard({{"DelaySeconds", "5"}});
  EXPECT_EQ(first_difference(current, {}), std::nullopt);
  EXPECT_EQ(first_difference(current, {{"DelaySeconds", "05"}, {"VisibilityTimeout", "30"}}), std::nullopt);
  EXPECT_EQ(first_difference(current, {{"DelaySeconds", "5"}, {"VisibilityTimeout", "31"}, {"MaximumMessageSize", "1024"}}),
            OptionalText("VisibilityTimeout"));
  EXPECT_EQ(first_difference(current, {{"DelaySeconds", "7"}, {"DelaySeconds", "5"}}), std::nullopt) << "the last one counts";
  EXPECT_EQ(first_difference(current, {{"DelaySeconds", "5"}, {"DelaySeconds", "7"}}), OptionalText("DelaySeconds"));
}

TEST(QueueAttributes, WhatMadeAQueueIsNoDifference) {
  const TextMap cases[] = {
      {{"KmsMasterKeyId", "k"}},
      {{"KmsMasterKeyId", "k"}, {"SqsManagedSseEnabled", "false"}},
      {{"KmsDataKeyReusePeriodSeconds", "400"}, {"SqsManagedSseEnabled", "true"}},
      {{"KmsMasterKeyId", ""}},
      {{"Policy", std::string(kPolicy)}, {"RedrivePolicy", std::string(kDlq)}},
      {{"RedrivePolicy", R"({"maxReceiveCount":"5","deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq"})"}},
      {{"RedriveAllowPolicy", R"({"redrivePermission":"denyAll"})"}},
  };
  for (const TextMap& attributes : cases) EXPECT_EQ(first_difference(standard(attributes), attributes), std::nullopt);
  const TextMap of_fifo = {{"FifoQueue", "true"},
                           {"ContentBasedDeduplication", "True"},
                           {"DeduplicationScope", "messageGroup"},
                           {"FifoThroughputLimit", "perMessageGroupId"}};
  EXPECT_EQ(first_difference(fifo(of_fifo), of_fifo), std::nullopt);
  EXPECT_EQ(first_difference(fifo(), of_fifo), OptionalText("ContentBasedDeduplication"));
  EXPECT_EQ(first_difference(standard(), {{"Policy", std::string(kPolicy)}}), OptionalText("Policy"));
  EXPECT_EQ(first_difference(standard({{"RedrivePolicy", std::string(kDlq)}}), {{"RedrivePolicy", ""}}),
            OptionalText("RedrivePolicy"));
}

TEST(QueueAttributes, TellsWhatWasAskedForOnce) {
  QueueStatus status;
  status.visible = 3;
  status.created = from_epoch_millis(1'999);
  const auto some =
      describe_attributes(standard(), status, {"CreatedTimestamp", "ApproximateNumberOfMessages", "CreatedTimestamp"});
  EXPECT_EQ(*some, (TextMap{{"ApproximateNumberOfMessages", "3"}, {"CreatedTimestamp", "1"}}));
  EXPECT_TRUE(describe_attributes(standard(), status, {})->empty());
  EXPECT_EQ(describe_attributes(standard(), status, {"All", "DelaySeconds"})->size(), 12u);
  for (const char* name : {"Nope", "", "all", "policy"}) {
    const auto unknown = describe_attributes(standard(), status, {"All", name});
    ASSERT_FALSE(unknown.has_value()) << name;
    EXPECT_EQ(unknown.error().code, ErrorCode::InvalidAttributeName);
    EXPECT_EQ(unknown.error().message, "Unknown Attribute " + std::string(name) + ".");
  }
}

TEST(QueueAttributes, EverythingThatIsSetIsToldInOrder) {
  const QueueAttributes full = fifo({{"KmsMasterKeyId", "k"},
                                     {"Policy", std::string(kPolicy)},
                                     {"RedrivePolicy", std::string(kDlq)},
                                     {"RedriveAllowPolicy", R"({"redrivePermission":"allowAll"})"}});
  const auto all = describe_attributes(full, QueueStatus(), {"All"});
  EXPECT_EQ(all->size(), 12u + 4u + 5u);
  EXPECT_TRUE(std::is_sorted(all->begin(), all->end()));
}

}  // namespace
}  // namespace ferry::sqs
