// The calls that looking after queues needs, and what an answer tells of the server's clock.

#include <gtest/gtest.h>

#include "base/log.h"
#include "client/http_date.h"
#include "fakes.h"

namespace ferry::client {
namespace {
using test::answer;

class NoCredentials final : public CredentialSource {
 public:
  Result<std::optional<access::Credentials>> get() override { return std::optional<access::Credentials>(); }
};

class CareCalls : public ::testing::Test {
 protected:
  ManualClock clock_{from_epoch_millis(784'111'777'000)};  // Sun, 06 Nov 1994 08:49:37 GMT
  test::FixedRandom random_{0};
  Logger log_{clock_, LogLevel::Off, LogFormat::Text, 2};
  test::FakeSleeper sleeper_;
  test::FakeTransport transport_;
  NoCredentials credentials_;
  Client client_{ClientOptions(), transport_, credentials_, clock_, random_, log_, sleeper_};
};

TEST_F(CareCalls, EachActionIsSentUnderItsNameAndAnswered) {
  transport_.then(answer(200, R"({"queueUrls":["http://h/1/a"],"NextToken":"n"})"));
  sqs::ListDeadLetterSourceQueuesRequest sources;
  sources.queue_url = "http://h/1/dead";
  const auto listed = client_.list_dead_letter_source_queues(sources);
  ASSERT_TRUE(listed) << listed.error().message;
  EXPECT_EQ(listed->queue_urls, std::vector<std::string>{"http://h/1/a"});
  EXPECT_EQ(listed->next_token, "n");
  EXPECT_EQ(transport_.header(0, "X-Amz-Target"), "AmazonSQS.ListDeadLetterSourceQueues");

  transport_.then(answer(200, R"({"TaskHandle":"t"})"));
  sqs::StartMessageMoveTaskRequest start;
  start.source_arn = "arn:aws:sqs:us-east-1:1:dead";
  start.max_number_of_messages_per_second = 7;
  const auto started = client_.start_message_move_task(start);
  ASSERT_TRUE(started);
  EXPECT_EQ(started->task_handle, "t");
  EXPECT_EQ(transport_.requests[1].body, R"({"SourceArn":"arn:aws:sqs:us-east-1:1:dead","MaxNumberOfMessagesPerSecond":7})");

  transport_.then(answer(200, R"({"Results":[{"Status":"RUNNING","TaskHandle":"t","ApproximateNumberOfMessagesMoved":3}]})"));
  const auto tasks = client_.list_message_move_tasks({});
  ASSERT_TRUE(tasks);
  EXPECT_EQ(tasks->results.at(0).approximate_number_of_messages_moved, 3);

  transport_.then(answer(200, R"({"ApproximateNumberOfMessagesMoved":4})"));
  const auto cancelled = client_.cancel_message_move_task({"t"});
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->approximate_number_of_messages_moved, 4);

  transport_.then(answer(200, R"({"Tags":{"team":"a"}})"));
  const auto tags = client_.list_queue_tags({"http://h/1/a"});
  ASSERT_TRUE(tags);
  EXPECT_EQ(tags->tags, (sqs::TextMap{{"team", "a"}}));
  transport_.then(answer(200, ""));
  EXPECT_TRUE(client_.tag_queue({"http://h/1/a", {{"team", "b"}}}));
  transport_.then(answer(200, "{}"));
  EXPECT_TRUE(client_.untag_queue({"http://h/1/a", {"team"}}));
  EXPECT_EQ(transport_.header(6, "X-Amz-Target"), "AmazonSQS.UntagQueue");
}

TEST_F(CareCalls, AnAnswerOfAnyKindTellsTheServersClock) {
  EXPECT_FALSE(client_.clock_lead());
  transport_.then(answer(200, "{}"));
  ASSERT_TRUE(client_.list_queues({}));
  EXPECT_FALSE(client_.clock_lead()) << "there was no Date";
  transport_.then(answer(400, R"({"__type":"x#InvalidAddress","message":"no"})", {{"date", "Sun, 06 Nov 1994 08:50:37 GMT"}}));
  ASSERT_FALSE(client_.list_queues({}));
  EXPECT_EQ(client_.clock_lead(), Millis(60'500)) << "the header tells whole seconds";
  transport_.then(answer(200, "{}", {{"date", "Sun, 06 Nov 1994 08:49:27 GMT"}}));
  ASSERT_TRUE(client_.list_queues({}));
  EXPECT_EQ(client_.clock_lead(), Millis(-9'500));
}

TEST(HttpDate, IsReadInOneFormOnly) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), from_epoch_millis(784'111'777'000));
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 23:59:59 GMT"), from_epoch_millis(1'709'251'199'000));
  for (const char* wrong : {"", "Sun, 06 Nov 1994 08:49:37", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                            "Sun, 06 Nop 1994 08:49:37 GMT", "Thu, 30 Feb 2024 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                            "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
                            "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, -6 Nov 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(wrong)) << wrong;
  }
}
}  // namespace
}  // namespace ferry::client
