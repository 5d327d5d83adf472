// Client and queues over HTTP, against a server of the test.

#include <gtest/gtest.h>

#include <thread>

#include "../worker/fault_server.h"
#include "base/clock.h"
#include "ferry/client.h"

namespace ferry {
namespace {

using worker::testing_support::Faults;
using worker::testing_support::FaultServer;

class ClientTest : public testing::Test {
 protected:
  Connection connection() const {
    Connection made;
    made.endpoint_url = server_.url();
    made.credentials = Credentials{"AKIATEST", "secret"};
    made.attempts_max = 1;
    return made;
  }
  Client client() const { return Client::open(connection()).value(); }
  Queue queue() const { return client().queue("q").value(); }

  SystemClock clock_;
  FaultServer server_{clock_, Faults{}, 3};
};

TEST_F(ClientTest, FindsMakesAndListsQueues) {
  const Client client = this->client();
  EXPECT_EQ(client.endpoint_url(), server_.url());
  EXPECT_EQ(client.queue("q")->url(), server_.queue_url());
  EXPECT_EQ(client.queue("arn:aws:sqs:us-east-1:000000000000:q")->name(), "q");
  EXPECT_EQ(client.queue(server_.queue_url())->name(), "q");
  EXPECT_EQ(client.create_queue("q", {{"VisibilityTimeout", "60"}})->url(), server_.queue_url());
  EXPECT_EQ(client.list_queues()->size(), 2u) << "both pages";
  const auto none = client.queue("other");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, FailureKind::NotFound);
  EXPECT_NE(none.error().message.find("there is no queue other at " + server_.url()), std::string::npos) << none.error().message;
  EXPECT_EQ(client.queue("no name!").error().kind, FailureKind::InvalidArgument);
}

TEST_F(ClientTest, AMessageGoesThereAndBack) {
  const Queue queue = this->queue();
  const OutgoingMessage sent{
      "hello", {{"Color", "red"}, {"Count", AttributeValue::number(-5)}, {"Blob", AttributeValue::binary({"\0\1", 2})}}};
  const SentMessage answer = queue.send(sent).value();
  EXPECT_EQ(queue.counts()->visible, 1);
  const std::vector<Message> received =
      queue.receive({.messages_max = 10, .wait = Seconds(0), .visibility = Seconds(60)}).value();
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(received[0].id, answer.id);
  EXPECT_EQ(received[0].body, "hello");
  EXPECT_EQ(received[0].attributes, sent.attributes);
  EXPECT_EQ(received[0].receive_count(), 1);
  EXPECT_EQ(queue.counts()->in_flight, 1);
  EXPECT_TRUE(queue.change_visibility(received[0], Seconds(0)));
  EXPECT_EQ(queue.counts()->visible, 1);
  EXPECT_EQ(queue.change_visibility(received[0], Seconds(5)).error().kind, FailureKind::ReceiptLost);
  const Message again = queue.receive({.wait = Seconds(0), .visibility = Seconds(60)}).value().at(0);
  EXPECT_EQ(again.receive_count(), 2);
  EXPECT_TRUE(queue.remove(again));
  EXPECT_EQ(server_.queue().removals().size(), 1u);
}

TEST_F(ClientTest, ManyGoInBatchesOfTen) {
  const Queue queue = this->queue();
  for (const std::size_t many : {10u, 11u}) {
    const int before = server_.requests();
    const auto sent = queue.send_all(std::vector<OutgoingMessage>(many, {"body"}));
    ASSERT_EQ(sent.size(), many);
    for (const auto& one : sent) EXPECT_TRUE(one);
    EXPECT_EQ(server_.requests() - before, many == 10 ? 1 : 2);
  }
  std::vector<Message> received;
  while (received.size() < 21) {
    for (Message& message : queue.receive({.wait = Seconds(0), .visibility = Seconds(60)}).value())
      received.push_back(std::move(message));
  }
  int before = server_.requests();
  for (const auto& one : queue.change_visibility_all(received, Seconds(90))) EXPECT_TRUE(one);
  EXPECT_EQ(server_.requests() - before, 3);
  before = server_.requests();
  for (const auto& one : queue.remove_all(received)) EXPECT_TRUE(one);
  EXPECT_EQ(server_.requests() - before, 3);
  EXPECT_TRUE(server_.queue().stored().empty());
}

TEST_F(ClientTest, WhatIsNoMessageIsNotSentNorAreTheOthers) {
  const Queue queue = this->queue();
  const int before = server_.requests();
  const auto results = queue.send_all(std::vector<OutgoingMessage>{{"good"}, {""}, {"also good"}});
  ASSERT_EQ(results.size(), 3u);
  for (const auto& result : results) EXPECT_EQ(result.error().kind, FailureKind::InvalidArgument);
  EXPECT_EQ(server_.requests(), before);
}

TEST_F(ClientTest, AFullMessageIsSentAndOneByteMoreIsNot) {
  const Queue queue = this->queue();
  constexpr std::size_t kBytes = 1'048'576;
  EXPECT_TRUE(queue.send({std::string(kBytes, 'x')}));
  EXPECT_EQ(queue.send({std::string(kBytes + 1, 'x')}).error().kind, FailureKind::InvalidArgument);
}

TEST_F(ClientTest, AnEntryThatTheServiceRefusesLeavesTheOthers) {
  server_.refuse_body("bad");
  const auto results = queue().send_all(std::vector<OutgoingMessage>{{"good"}, {"bad"}, {"also good"}});
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(results[1].error().kind, FailureKind::Refused);
  EXPECT_EQ(results[1].error().code, "InvalidMessageContents");
  EXPECT_TRUE(results[2]);
}

TEST_F(ClientTest, AWaitEndsWhenItIsStopped) {
  const Queue queue = this->queue();
  std::stop_source stop;
  std::jthread stopper([&stop] {
    sleep_for(Millis(50));
    stop.request_stop();
  });
  const SteadyTime began = clock_.steady();
  const auto received = queue.receive({.wait = Seconds(2)}, stop.get_token());
  EXPECT_EQ(received.error().kind, FailureKind::Cancelled);
  EXPECT_LT(clock_.steady() - began, Millis(1'500));
}

TEST_F(ClientTest, FailuresSayWhatCanBeDone) {
  server_.refuse_with({sqs::ErrorCode::AccessDenied, "not you"});
  EXPECT_EQ(client().queue("q").error().kind, FailureKind::NotAuthorised);
  server_.refuse_with({sqs::ErrorCode::ServiceUnavailable, "later"});
  EXPECT_EQ(client().list_queues().error().kind, FailureKind::Unavailable);
  Connection nowhere = connection();
  nowhere.endpoint_url = "http://127.0.0.1:1";
  EXPECT_EQ(Client::open(nowhere)->queue("q").error().kind, FailureKind::NotReachable);
  nowhere.endpoint_url = "ftp://127.0.0.1";
  EXPECT_EQ(Client::open(nowhere).error().kind, FailureKind::InvalidArgument);
}

TEST_F(ClientTest, BoundsOfAConnection) {
  const auto opens = [](const Connection& connection) { return Client::open(connection).has_value(); };
  Connection made = connection();
  for (const int attempts : {1, 100}) EXPECT_TRUE((made.attempts_max = attempts, opens(made))) << attempts;
  for (const int attempts : {0, 101}) EXPECT_FALSE((made.attempts_max = attempts, opens(made))) << attempts;
  made = connection();
  for (const Millis time : {Millis(1), Millis(600'000)}) EXPECT_TRUE((made.connect_timeout = time, opens(made)));
  for (const Millis time : {Millis(0), Millis(600'001)}) EXPECT_FALSE((made.connect_timeout = time, opens(made)));
  made = connection();
  for (const Millis time : {Millis(1), Millis(600'000)}) EXPECT_TRUE((made.read_timeout = time, opens(made)));
  for (const Millis time : {Millis(0), Millis(600'001)}) EXPECT_FALSE((made.read_timeout = time, opens(made)));
  made = connection();
  made.credentials = Credentials{"AKIATEST", ""};
  EXPECT_FALSE(opens(made));
}

}  // namespace
}  // namespace ferry
