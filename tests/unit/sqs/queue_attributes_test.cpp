#include "sqs/queue_attributes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ferry::sqs {
namespace {

ErrorCode refusal(const std::string& name, const std::string& value) {
  const auto result = with_attributes(QueueAttributes(), {{name, value}});
  EXPECT_FALSE(result.has_value()) << name << "=" << value;
  return result ? ErrorCode::InternalFailure : result.error().code;
}

TEST(QueueAttributes, ANewQueueHasTheDocumentedDefaults) {
  const auto text = describe_attributes(QueueAttributes(), QueueStatus(), {"All"});
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
  EXPECT_EQ(*text, expected);
}

TEST(QueueAttributes, RangesAreExact) {
  struct Case {
    const char* name;
    std::int64_t low;
    std::int64_t high;
  };
  for (const Case& c :
       {Case{"DelaySeconds", 0, 900}, Case{"MaximumMessageSize", 1024, 1'048'576}, Case{"MessageRetentionPeriod", 60, 1'209'600},
        Case{"ReceiveMessageWaitTimeSeconds", 0, 20}, Case{"VisibilityTimeout", 0, 43'200}}) {
    for (const std::int64_t good : {c.low, c.high}) {
      const auto set = with_attributes(QueueAttributes(), {{c.name, std::to_string(good)}});
      ASSERT_TRUE(set.has_value()) << c.name << "=" << good;
      EXPECT_EQ(describe_attributes(*set, QueueStatus(), {c.name})->front().second, std::to_string(good));
    }
    EXPECT_EQ(refusal(c.name, std::to_string(c.low - 1)), ErrorCode::InvalidAttributeValue);
    EXPECT_EQ(refusal(c.name, std::to_string(c.high + 1)), ErrorCode::InvalidAttributeValue);
  }
}

TEST(QueueAttributes, OnlyPlainIntegersAreTaken) {
  for (const char* bad : {"", " ", "5 ", " 5", "+5", "-0", "5.0", "5e0", "0x5", "five", "99999999999999999999", "٥"}) {
    EXPECT_EQ(refusal("DelaySeconds", bad), ErrorCode::InvalidAttributeValue) << bad;
  }
  EXPECT_EQ(with_attributes(QueueAttributes(), {{"DelaySeconds", "901"}}).error().message,
            "Invalid value for the parameter DelaySeconds.");
}

TEST(QueueAttributes, ManagedEncryptionIsStoredAndTold) {
  const auto off = with_attributes(QueueAttributes(), {{"SqsManagedSseEnabled", "False"}});
  ASSERT_TRUE(off.has_value());
  EXPECT_EQ(describe_attributes(*off, QueueStatus(), {"SqsManagedSseEnabled"})->front().second, "false");
  EXPECT_TRUE(with_attributes(*off, {{"SqsManagedSseEnabled", "true"}})->managed_sse);
  EXPECT_EQ(refusal("SqsManagedSseEnabled", "yes"), ErrorCode::InvalidAttributeValue);
  EXPECT_EQ(refusal("SqsManagedSseEnabled", ""), ErrorCode::InvalidAttributeValue);
}

TEST(QueueAttributes, WhatComesLaterIsUnsupportedNotIgnored) {
  for (const char* name : {"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit", "RedrivePolicy",
                           "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "Policy"}) {
    EXPECT_EQ(refusal(name, "x"), ErrorCode::UnsupportedOperation) << name;
    EXPECT_EQ(refusal(name, ""), ErrorCode::UnsupportedOperation) << name;
    // Asking for them is no error: they are not set.
    EXPECT_EQ(describe_attributes(QueueAttributes(), QueueStatus(), {name})->size(), 0u) << name;
  }
}

TEST(QueueAttributes, ReadOnlyAndUnknownNamesCannotBeSet) {
  for (const char* name :
       {"QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages", "All", "", "delayseconds"}) {
    EXPECT_EQ(refusal(name, "1"), ErrorCode::InvalidAttributeName) << name;
  }
  EXPECT_EQ(with_attributes(QueueAttributes(), {{"Nope", "1"}}).error().message, "Unknown Attribute Nope.");
}

TEST(QueueAttributes, TheFirstDifferenceIsNamed) {
  const QueueAttributes current = *with_attributes(QueueAttributes(), {{"DelaySeconds", "5"}});
  EXPECT_EQ(first_difference(current, {}), std::nullopt);
  EXPECT_EQ(first_difference(current, {{"DelaySeconds", "05"}, {"VisibilityTimeout", "30"}}), std::nullopt);
  EXPECT_EQ(first_difference(current, {{"DelaySeconds", "5"}, {"VisibilityTimeout", "31"}, {"MaximumMessageSize", "1024"}}),
            OptionalText("VisibilityTimeout"));
}

TEST(QueueAttributes, TellsWhatWasAskedForOnce) {
  QueueStatus status;
  status.visible = 3;
  status.created = from_epoch_millis(1'999);
  const auto some =
      describe_attributes(QueueAttributes(), status, {"CreatedTimestamp", "ApproximateNumberOfMessages", "CreatedTimestamp"});
  EXPECT_EQ(*some, (TextMap{{"ApproximateNumberOfMessages", "3"}, {"CreatedTimestamp", "1"}}));
  EXPECT_TRUE(describe_attributes(QueueAttributes(), status, {})->empty());
  EXPECT_EQ(describe_attributes(QueueAttributes(), status, {"All", "DelaySeconds"})->size(), 12u);
  const auto unknown = describe_attributes(QueueAttributes(), status, {"All", "Nope"});
  EXPECT_EQ(unknown.error().code, ErrorCode::InvalidAttributeName);
  EXPECT_EQ(unknown.error().message, "Unknown Attribute Nope.");
}

}  // namespace
}  // namespace ferry::sqs
