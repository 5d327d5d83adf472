#include "sqs/names.h"

#include <gtest/gtest.h>

#include "sqs/next_token.h"

namespace ferry::sqs {
namespace {

TEST(QueueName, syntax) {
  EXPECT_TRUE(is_queue_name("a"));
  EXPECT_TRUE(is_queue_name("ExampleBlogPostQueue_-09"));
  EXPECT_TRUE(is_queue_name(std::string(80, 'q')));
  EXPECT_FALSE(is_queue_name(std::string(81, 'q')));
  EXPECT_TRUE(is_queue_name(std::string(75, 'q') + ".fifo"));
  EXPECT_FALSE(is_queue_name(std::string(76, 'q') + ".fifo"));
  for (const std::string_view bad : {"", ".fifo", "a.b", "a.fif", "a.fifo.fifo", "a b", "a/b", "\xC3\xA9", "a\n"}) {
    EXPECT_FALSE(is_queue_name(bad)) << bad;
  }
  EXPECT_FALSE(is_queue_name(std::string_view("a\0b", 3)));
}

TEST(PlainWord, syntax) {
  EXPECT_TRUE(is_plain_word("azAZ09_-", 80));
  EXPECT_TRUE(is_plain_word(std::string(80, 'a'), 80));
  EXPECT_FALSE(is_plain_word(std::string(81, 'a'), 80));
  for (const std::string_view bad : {"", "a b", "a.b", "\xC3\xA9"}) EXPECT_FALSE(is_plain_word(bad, 80)) << bad;
}

TEST(Arn, service) {
  EXPECT_EQ(arn_service("arn:aws:sqs:us-east-1:000000000000:q"), "sqs");
  EXPECT_EQ(arn_service("arn:aws:sns:us-east-1:000000000000:a:b"), "sns");
  for (const std::string_view bad :
       {"", "arn", "arn:", "arn:::::", "arn:aws:sqs:us-east-1:000000000000",
        "arn:aws:sqs:us-east-1:000000000000:", "arn:aws::us-east-1:000000000000:q", "urn:aws:sqs:us-east-1:000000000000:q"}) {
    EXPECT_FALSE(arn_service(bad)) << bad;
  }
}

TEST(QueueName, new_names) {
  EXPECT_EQ(*validate_new_queue_name("jobs"), "jobs");
  EXPECT_EQ(validate_new_queue_name(std::nullopt).error().message,
            "Value for parameter QueueName is invalid. Reason: Must specify a queue name.");
  EXPECT_EQ(validate_new_queue_name("").error().message, "Queue name cannot be empty");
  const auto bad = validate_new_queue_name("no spaces");
  EXPECT_EQ(bad.error().code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(bad.error().message, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
}

TEST(QueueName, names_that_are_looked_up) {
  EXPECT_EQ(*validate_queue_name("jobs"), "jobs");
  EXPECT_EQ(validate_queue_name(std::nullopt).error().code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(validate_queue_name("").error().message,
            "Value for parameter QueueName is invalid. Reason: Must specify a queue name.");
  EXPECT_EQ(validate_queue_name("no spaces").error().code, ErrorCode::QueueDoesNotExist);
}

TEST(QueueUrl, is_read_from_any_host_and_form) {
  const QueueAddress full{"000000000000", "jobs"};
  EXPECT_EQ(parse_queue_url("http://127.0.0.1:9324/000000000000/jobs"), full);
  EXPECT_EQ(parse_queue_url("https://sqs.eu-west-1.amazonaws.com/000000000000/jobs"), full);
  EXPECT_EQ(parse_queue_url("http://host/some/prefix/000000000000/jobs"), full);
  EXPECT_EQ(parse_queue_url("/000000000000/jobs"), full);
  EXPECT_EQ(parse_queue_url("000000000000/jobs"), full);
  EXPECT_EQ(parse_queue_url("http://host/000000000000/jobs.fifo"), (QueueAddress{"000000000000", "jobs.fifo"}));
  const QueueAddress bare{"", "jobs"};
  EXPECT_EQ(parse_queue_url("jobs"), bare);
  EXPECT_EQ(parse_queue_url("/queue/jobs"), bare);
  EXPECT_EQ(parse_queue_url("http://localhost:9324/queue/jobs"), bare);
}

TEST(QueueUrl, anything_else_names_no_queue) {
  for (const std::string_view bad :
       {"", "/", "//", "http://", "http://host", "http://host/", "http://host/jobs", "/jobs", "//jobs",
        "http://host/000000000000/", "http://host/000000000000/a b", "http://host/a.b/jobs", "http://host/000000000000/jobs?x=1",
        "http://host/000000000000/jobs/", "a b"}) {
    EXPECT_FALSE(parse_queue_url(bad)) << bad;
    EXPECT_EQ(validate_queue_url(std::string(bad)).error().code, ErrorCode::QueueDoesNotExist) << bad;
  }
  EXPECT_EQ(validate_queue_url(std::nullopt).error().message, "The specified queue does not exist.");
}

TEST(QueueUrl, what_is_formatted_is_read_back) {
  const QueueAddress address{"123456789012", "jobs"};
  EXPECT_EQ(format_queue_url("http://h:1", address), "http://h:1/123456789012/jobs");
  EXPECT_EQ(*validate_queue_url(format_queue_url("http://h:1", address)), address);
}

TEST(QueueArn, round_trip_and_refusals) {
  const QueueArn arn{"aws", "us-east-1", "000000000000", "jobs"};
  EXPECT_EQ(format_queue_arn(arn), "arn:aws:sqs:us-east-1:000000000000:jobs");
  EXPECT_EQ(parse_queue_arn(format_queue_arn(arn)), arn);
  EXPECT_EQ(parse_queue_arn("arn:aws-cn:sqs:cn-north-1:1:a.fifo")->partition, "aws-cn");
  for (const std::string_view bad : {"", "jobs", "arn:aws:sns:us-east-1:000000000000:jobs", "arn:aws:sqs:us-east-1:000000000000",
                                     "arn:aws:sqs:us-east-1:000000000000:jobs:more", "arn:aws:sqs::000000000000:jobs",
                                     "arn:aws:sqs:us-east-1::jobs", "arn:aws:sqs:us-east-1:000000000000:a b",
                                     "arn::sqs:us-east-1:000000000000:jobs", "urn:aws:sqs:us-east-1:000000000000:jobs"}) {
    EXPECT_FALSE(parse_queue_arn(bad)) << bad;
  }
}

TEST(NextToken, carries_the_last_name) {
  EXPECT_EQ(*decode_next_token(encode_next_token("jobs")), "jobs");
  EXPECT_EQ(*decode_next_token(encode_next_token(std::string(80, 'z'))), std::string(80, 'z'));
}

TEST(NextToken, refuses_what_it_did_not_make) {
  // "garbage", "list-queues:1:", "list-queues:1:a b", "list-queues:9:jobs" in base64, and no base64 at all.
  for (const std::string_view bad :
       {"", "jobs", "Z2FyYmFnZQ==", "bGlzdC1xdWV1ZXM6MTo=", "bGlzdC1xdWV1ZXM6MTphIGI=", "bGlzdC1xdWV1ZXM6OTpqb2Jz", "%%%"}) {
    const auto result = decode_next_token(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, ErrorCode::InvalidParameterValue);
    EXPECT_EQ(result.error().message, "Invalid or expired next token.");
  }
}

}  // namespace
}  // namespace ferry::sqs
