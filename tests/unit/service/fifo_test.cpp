// What FIFO queues, groups and dead letters add to sends and receives.

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "service_fixture.h"

namespace ferry::service {
namespace {

class FifoTest : public ServiceTest {
 protected:
  FifoTest() { create_queue_with("q.fifo", R"({"FifoQueue":"true","ContentBasedDeduplication":"true"})"); }
  std::string send(const std::string& body, const std::string& more = "") {
    return call("SendMessage", R"({"QueueUrl":"q.fifo","MessageGroupId":"g","MessageBody":")" + body + "\"" + more + "}");
  }
  std::string receive(const std::string& more = "") {
    return call("ReceiveMessage", R"({"QueueUrl":"q.fifo","AttributeNames":["All"],"MaxNumberOfMessages":10)" + more + "}");
  }
};

TEST_F(FifoTest, SystemAttributesOfItsMessages) {
  const std::string sent = send("same");
  const std::string number = field(sent, "SequenceNumber");
  EXPECT_TRUE(std::regex_match(number, std::regex("[1-9][0-9]{19}"))) << sent;
  EXPECT_LT(number, field(send("explicit", R"(,"MessageDeduplicationId":"mine")"), "SequenceNumber"));
  const std::string received = receive();
  EXPECT_EQ(fields(received, "Body"), "same explicit");
  EXPECT_EQ(field(received, "SequenceNumber"), number);
  EXPECT_EQ(fields(received, "MessageGroupId"), "g g");
  EXPECT_EQ(fields(received, "MessageDeduplicationId"), "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5 mine");
  EXPECT_EQ(received.find("DeadLetterQueueSourceArn"), std::string::npos);
}

TEST_F(FifoTest, SystemAttributesOnlyWhenAskedFor) {
  send("x");
  const std::string received = call("ReceiveMessage", R"({"QueueUrl":"q.fifo","AttributeNames":["MessageGroupId"]})");
  EXPECT_NE(received.find(R"("Attributes":{"MessageGroupId":"g"})"), std::string::npos) << received;
}

TEST_F(FifoTest, ADuplicateIsAnsweredWithTheOriginalAndTheDigestsOfTheRequest) {
  const std::string first = send("one", R"(,"MessageDeduplicationId":"d")");
  const std::string second = send("message", R"(,"MessageDeduplicationId":"d")");
  EXPECT_EQ(field(second, "MessageId"), field(first, "MessageId"));
  EXPECT_EQ(field(second, "SequenceNumber"), field(first, "SequenceNumber"));
  EXPECT_EQ(field(second, "MD5OfMessageBody"), "78e731027d8fd50ed642340b7c9a63b3");
  EXPECT_EQ(fields(receive(), "Body"), "one");
}

TEST_F(FifoTest, WhatASendMustHave) {
  refused("SendMessage", R"({"QueueUrl":"q.fifo","MessageBody":"x"})", "MissingParameter",
          "The request must contain the parameter MessageGroupId.");
  refused("SendMessage", R"({"QueueUrl":"q.fifo","MessageGroupId":"g","MessageBody":"x","DelaySeconds":1})",
          "InvalidParameterValue",
          "Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue "
          "type.");
  EXPECT_NE(send("x", R"(,"DelaySeconds":0)").find("SequenceNumber"), std::string::npos);
  create_queue_with("ids.fifo", R"({"FifoQueue":"true"})");
  refused("SendMessage", R"({"QueueUrl":"ids.fifo","MessageGroupId":"g","MessageBody":"x"})", "InvalidParameterValue",
          "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly");
}

TEST_F(FifoTest, ADelayOfZeroDoesNotOverrideTheQueues) {
  call("SetQueueAttributes", R"({"QueueUrl":"q.fifo","Attributes":{"DelaySeconds":"5"}})");
  clock.advance(Seconds(1));
  send("later", R"(,"DelaySeconds":0)");
  EXPECT_EQ(receive(), "{}");
  clock.advance(Seconds(5));
  engine.tick();
  EXPECT_EQ(fields(receive(), "Body"), "later");
}

TEST_F(FifoTest, OneBadEntryFailsTheWholeBatch) {
  const std::string good = R"({"Id":"good","MessageBody":"good","MessageGroupId":"g"})";
  struct Case {
    std::string entry;
    std::string code;
    std::string message;
  };
  const Case cases[] = {
      {R"({"Id":"b","MessageBody":"b"})", "InvalidParameterValue", "The request must contain the parameter MessageGroupId."},
      {R"({"Id":"b","MessageGroupId":"g"})", "MissingParameter",
       "The request must contain the parameter SendMessageBatchRequestEntry.2.MessageBody."},
      {R"({"Id":"b","MessageBody":"b","MessageGroupId":"g","DelaySeconds":1})", "InvalidParameterValue",
       "Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue "
       "type."},
      {R"({"Id":"b","MessageBody":"b","MessageGroupId":"a b"})", "InvalidParameterValue",
       "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation "
       "characters. 1 to 128 in length."},
  };
  for (const Case& c : cases) {
    refused("SendMessageBatch", R"({"QueueUrl":"q.fifo","Entries":[)" + good + "," + c.entry + "]}", c.code, c.message);
  }
  EXPECT_EQ(receive(), "{}");
  EXPECT_EQ(service.counters().messages_sent.value(), 0U);
  const std::string sent = call("SendMessageBatch", R"({"QueueUrl":"q.fifo","Entries":[)" + good +
                                                        R"(,{"Id":"2","MessageBody":"2","MessageGroupId":"g"}]})");
  EXPECT_EQ(fields(sent, "Id"), "good 2");
  EXPECT_LT(fields(sent, "SequenceNumber").substr(0, 20), fields(sent, "SequenceNumber").substr(21));
}

TEST_F(FifoTest, TheSameAttemptBringsTheSameMessages) {
  send("one");
  const std::string attempt = R"(,"ReceiveRequestAttemptId":"try","VisibilityTimeout":10)";
  const std::string first = receive(attempt);
  EXPECT_EQ(fields(first, "Body"), "one");
  clock.advance(Seconds(5));
  const std::string again = receive(attempt);
  EXPECT_EQ(field(again, "ReceiptHandle"), field(first, "ReceiptHandle"));
  EXPECT_EQ(field(again, "ApproximateReceiveCount"), "1");
  EXPECT_EQ(receive(R"(,"ReceiveRequestAttemptId":"another")"), "{}");
  create_queue();
  refused("ReceiveMessage", R"({"QueueUrl":"q","ReceiveRequestAttemptId":"try"})", "InvalidParameterValue",
          "Value try for parameter ReceiveRequestAttemptId is invalid. The request include parameter that is not valid for this "
          "queue type");
}

TEST_F(FifoTest, AWaitingPollKeepsItsAttempt) {
  const std::string body =
      R"({"QueueUrl":"q.fifo","WaitTimeSeconds":20,"ReceiveRequestAttemptId":"a-long-attempt-id-of-some-poll"})";
  const auto poll = start("ReceiveMessage", body);
  settle();
  EXPECT_FALSE(poll->answered());
  send("one");
  settle();
  ASSERT_TRUE(poll->answered());
  EXPECT_EQ(field(call("ReceiveMessage", body), "ReceiptHandle"), field(poll->response().body, "ReceiptHandle"));
}

TEST_F(ServiceTest, GroupsOfStandardQueuesAreTold) {
  create_queue();
  const std::string sent = call("SendMessage", R"({"QueueUrl":"q","MessageBody":"x","MessageGroupId":"tenant"})");
  EXPECT_EQ(sent.find("SequenceNumber"), std::string::npos) << sent;
  const std::string received = call("ReceiveMessage", R"({"QueueUrl":"q","AttributeNames":["All"]})");
  EXPECT_EQ(field(received, "MessageGroupId"), "tenant");
  EXPECT_EQ(received.find("SequenceNumber"), std::string::npos);
  EXPECT_EQ(received.find("MessageDeduplicationId"), std::string::npos);
  const std::string batch = call(
      "SendMessageBatch",
      R"({"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"1","MessageGroupId":"t"},{"Id":"b","MessageBody":"2","MessageDeduplicationId":"d"}]})");
  EXPECT_NE(batch.find(R"("Successful":[{"Id":"a")"), std::string::npos) << batch;
  EXPECT_NE(
      batch.find(
          R"("Failed":[{"Id":"b","SenderFault":true,"Code":"InvalidParameterValue","Message":"The request include parameter that is not valid for this queue type"}])"),
      std::string::npos)
      << batch;
}

TEST_F(ServiceTest, ADeadLetterIsWhatItWas) {
  create_queue("dlq");
  create_source("q", "dlq");
  const std::string sent = call(
      "SendMessage",
      R"({"QueueUrl":"q","MessageBody":"x","MessageGroupId":"t","MessageAttributes":{"k":{"DataType":"String","StringValue":"x"}}})");
  clock.advance(Seconds(1));
  const std::string all = R"(,"AttributeNames":["All"],"MessageAttributeNames":["All"],"VisibilityTimeout":0})";
  const std::string first = call("ReceiveMessage", R"({"QueueUrl":"q")" + all);
  clock.advance(Seconds(1));
  EXPECT_EQ(call("ReceiveMessage", R"({"QueueUrl":"q")" + all), "{}");
  const std::string dead = call("ReceiveMessage", R"({"QueueUrl":"dlq")" + all);
  EXPECT_EQ(field(dead, "MessageId"), field(sent, "MessageId"));
  EXPECT_EQ(field(dead, "DeadLetterQueueSourceArn"), arn("q"));
  EXPECT_EQ(field(dead, "ApproximateReceiveCount"), "2");
  EXPECT_EQ(field(first, "DeadLetterQueueSourceArn"), "");
  for (const char* same : {"SentTimestamp", "ApproximateFirstReceiveTimestamp", "SenderId", "MessageGroupId", "Body",
                           "MD5OfMessageAttributes", "StringValue"}) {
    EXPECT_EQ(field(dead, same), field(first, same)) << same;
  }
  EXPECT_EQ(field(dead, "MD5OfMessageAttributes"), "a45daa70926828a2f0a1db3418e6feb4");
}

TEST_F(FifoTest, ADeadLetterHasItsMessageIdForDeduplication) {
  create_queue_with("dlq.fifo", R"({"FifoQueue":"true"})");
  create_source("s.fifo", "dlq.fifo", R"(,"FifoQueue":"true")");
  const std::string sent =
      call("SendMessage", R"({"QueueUrl":"s.fifo","MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"d"})");
  call("ReceiveMessage", R"({"QueueUrl":"s.fifo","VisibilityTimeout":0})");
  EXPECT_EQ(call("ReceiveMessage", R"({"QueueUrl":"s.fifo"})"), "{}");
  const std::string dead = call("ReceiveMessage", R"({"QueueUrl":"dlq.fifo","AttributeNames":["All"]})");
  EXPECT_EQ(field(dead, "MessageId"), field(sent, "MessageId"));
  EXPECT_EQ(field(dead, "MessageDeduplicationId"), field(sent, "MessageId"));
  EXPECT_EQ(field(dead, "MessageGroupId"), "g");
  EXPECT_EQ(field(dead, "DeadLetterQueueSourceArn"), arn("s.fifo"));
  EXPECT_TRUE(std::regex_match(field(dead, "SequenceNumber"), std::regex("[1-9][0-9]{19}")));
}

TEST_F(ServiceTest, ARedrivenMessageIsNew) {
  create_queue("dlq");
  create_source("q", "dlq");
  const std::string sent = call("SendMessage", R"({"QueueUrl":"q","MessageBody":"x"})");
  const std::string all = R"(,"AttributeNames":["All"],"VisibilityTimeout":0})";
  const std::string first = call("ReceiveMessage", R"({"QueueUrl":"q")" + all);
  call("ReceiveMessage", R"({"QueueUrl":"q")" + all);
  clock.advance(Seconds(10));
  call("StartMessageMoveTask", R"({"SourceArn":")" + arn("dlq") + "\"}");
  for (int i = 0; i < 10; ++i) {
    engine.tick();
    settle();
  }
  const std::string again = call("ReceiveMessage", R"({"QueueUrl":"q")" + all);
  EXPECT_EQ(field(again, "Body"), "x");
  EXPECT_NE(field(again, "MessageId"), field(sent, "MessageId"));
  EXPECT_EQ(field(again, "SentTimestamp"), std::to_string(to_epoch_millis(clock.wall())));
  EXPECT_NE(field(again, "SentTimestamp"), field(first, "SentTimestamp"));
  EXPECT_EQ(field(again, "ApproximateReceiveCount"), "1");
  EXPECT_EQ(again.find("DeadLetterQueueSourceArn"), std::string::npos);
}

TEST_F(FifoTest, OrderIsKeptWhenABodyIsMovedWhileItIsRead) {
  send("one");
  const auto second = start("SendMessage", R"({"QueueUrl":"q.fifo","MessageGroupId":"g","MessageBody":"two"})");
  loop.run();
  store.set_memory(store::SimulatedStore::Memory::OnDisk);
  store.set_read_mode(store::SimulatedStore::ReadMode::Deferred);
  const auto received = start("ReceiveMessage", R"({"QueueUrl":"q.fifo","MaxNumberOfMessages":10})");
  loop.run();
  store.compact();  // the first alone: the second is not durable yet
  settle();
  ASSERT_TRUE(second->answered());
  ASSERT_TRUE(store.checkpoint().has_value()) << "the first one's old place is given up";
  store.run_reads();  // finds the second
  settle();
  store.run_reads();  // finds the first at its new place
  settle();
  ASSERT_TRUE(received->answered());
  EXPECT_EQ(fields(received->response().body, "Body"), "one two");
  EXPECT_EQ(service.counters().damaged_bodies.value(), 0U);
}

}  // namespace
}  // namespace ferry::service
