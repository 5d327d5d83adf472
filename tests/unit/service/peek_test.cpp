// Looking at a queue without receiving.

#include "service/peek.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "service_fixture.h"
#include "sqs/limits.h"

namespace ferry::service {
namespace {

class PeekTest : public ServiceTest {
 protected:
  using Headers = FakeExchange::Headers;
  ExchangeRef get(const std::string& target, Headers headers = {{"Host", "127.0.0.1:9324"}}) {
    auto exchange = start("GET", target, std::move(headers), "");
    for (int i = 0; i < 2; ++i) settle();
    EXPECT_TRUE(exchange->answered()) << target;
    return exchange;
  }
  std::string peek(const std::string& parameters = "", const std::string& queue = "q") {
    return get("/_aws/sqs/messages?QueueUrl=http://any/000000000000/" + queue + parameters)->response().body;
  }
  static std::string bodies(const std::string& xml) {
    std::string joined;
    const std::regex pattern("<Body>([^<]*)</Body>");
    for (std::sregex_iterator at(xml.begin(), xml.end(), pattern), end; at != end; ++at) {
      joined += (joined.empty() ? "" : " ") + (*at)[1].str();
    }
    return joined;
  }
  void send(const std::string& body, const std::string& more = "") {
    call("SendMessage", R"({"QueueUrl":"q","MessageBody":")" + body + "\"" + more + "}");
  }
};

TEST(PeekPath, Prefix) {
  for (const char* path : {"/_aws/sqs/messages", "/_aws/sqs/messages/", "/_aws/sqs/messages/us-east-1/000000000000/q"}) {
    EXPECT_TRUE(is_peek_path(path)) << path;
  }
  for (const char* path : {"/", "", "/_aws/sqs", "/_aws/sqs/messagesx", "/000000000000/q"})
    EXPECT_FALSE(is_peek_path(path)) << path;
}

TEST_F(PeekTest, ShowsEverythingAndChangesNothing) {
  create_queue();
  send("one", R"(,"MessageAttributes":{"k":{"DataType":"String","StringValue":"x"}})");
  send("two");
  for (int i = 0; i < 2; ++i) {
    const std::string xml = peek();
    EXPECT_EQ(bodies(xml), "one two");
    EXPECT_TRUE(xml.starts_with("<?xml version=\"1.0\"?><ReceiveMessageResponse xmlns=")) << xml;
    EXPECT_NE(xml.find("<Name>ApproximateReceiveCount</Name><Value>0</Value>"), std::string::npos);
    EXPECT_NE(xml.find("<Name>ApproximateFirstReceiveTimestamp</Name><Value>0</Value>"), std::string::npos);
    EXPECT_NE(xml.find("<MD5OfMessageAttributes>a45daa70926828a2f0a1db3418e6feb4</MD5OfMessageAttributes>"), std::string::npos);
    EXPECT_EQ(xml.find("IsVisible"), std::string::npos);
  }
  EXPECT_EQ(service.counters().messages_received.value(), 0U);
  const std::string received =
      call("ReceiveMessage", R"({"QueueUrl":"q","MaxNumberOfMessages":10,"AttributeNames":["ApproximateReceiveCount"]})");
  EXPECT_EQ(fields(received, "ApproximateReceiveCount"), "1 1");
}

TEST_F(PeekTest, EveryFormOfTheRequest) {
  create_queue();
  send("one");
  const Headers host = {{"Host", "127.0.0.1:9324"}};
  EXPECT_EQ(bodies(get("/_aws/sqs/messages/us-east-1/000000000000/q")->response().body), "one");
  EXPECT_EQ(bodies(get("/_aws/sqs/messages/?QueueUrl=q")->response().body), "one");
  EXPECT_EQ(bodies(get("/_aws/sqs/messages?Action=ReceiveMessage&QueueUrl=q&MaxNumberOfMessages=1")->response().body), "one");
  const auto post = start("POST", "/_aws/sqs/messages", host, "QueueUrl=q&Action=ReceiveMessage");
  settle();
  EXPECT_EQ(bodies(post->response().body), "one");
  const auto json =
      start("POST", "/_aws/sqs/messages", {{"Host", "127.0.0.1:9324"}, {"X-Amz-Target", "AmazonSQS.ReceiveMessage"}},
            R"({"QueueUrl":"q","MaxNumberOfMessages":1})");
  settle();
  EXPECT_EQ(fields(json->response().body, "Body"), "one");
  EXPECT_EQ(field(json->response().body, "ApproximateReceiveCount"), "0");
}

TEST_F(PeekTest, JsonSpellsOutTheXml) {
  create_queue();
  const Headers accept = {{"Host", "127.0.0.1:9324"}, {"Accept", "application/json"}};
  const std::string target = "/_aws/sqs/messages?QueueUrl=q";
  EXPECT_TRUE(get(target, accept)->response().body.starts_with(R"({"ReceiveMessageResponse":{"ReceiveMessageResult":null,)"));
  send("one");
  EXPECT_TRUE(get(target, accept)
                  ->response()
                  .body.starts_with(R"({"ReceiveMessageResponse":{"ReceiveMessageResult":{"Message":{"MessageId":")"))
      << "one alone is no list";
  send("two");
  const auto two = get(target, accept);
  EXPECT_EQ(two->response().content_type, "application/json");
  EXPECT_TRUE(two->response().body.starts_with(R"({"ReceiveMessageResponse":{"ReceiveMessageResult":{"Message":[{"MessageId":")"))
      << two->response().body;
  EXPECT_NE(two->response().body.find(R"("Attribute":[{"Name":"SenderId","Value":"anonymous"},)"), std::string::npos);
  const auto missing = get("/_aws/sqs/messages?QueueUrl=nothing", accept);
  EXPECT_EQ(missing->response().status, 400);
  EXPECT_TRUE(missing->response().body.starts_with(
      R"({"ErrorResponse":{"Error":{"Code":"AWS.SimpleQueueService.NonExistentQueue","Message":)"))
      << missing->response().body;
}

TEST_F(PeekTest, HiddenMessagesOnRequest) {
  create_queue();
  send("flying");
  call("ReceiveMessage", R"({"QueueUrl":"q"})");
  send("waiting", R"(,"DelaySeconds":900)");
  send("ready");
  EXPECT_EQ(bodies(peek()), "ready");
  EXPECT_EQ(bodies(peek("&ShowInvisible=False&ShowDelayed=no")), "ready");
  EXPECT_EQ(bodies(peek("&ShowInvisible=True")), "flying ready");
  EXPECT_EQ(bodies(peek("&ShowDelayed=true")), "waiting ready");
  const std::string all = peek("&ShowDelayed=true&ShowInvisible=true");
  EXPECT_EQ(bodies(all), "flying waiting ready");
  const auto flags = [&](const std::string& name) {
    std::string joined;
    const std::regex pattern("<Name>" + name + "</Name><Value>([a-z]*)</Value>");
    for (std::sregex_iterator at(all.begin(), all.end(), pattern), end; at != end; ++at) joined += (*at)[1].str() + " ";
    return joined;
  };
  EXPECT_EQ(flags("IsVisible"), "false true true ");
  EXPECT_EQ(flags("IsDelayed"), "false true false ");
  EXPECT_NE(all.find("<Name>ApproximateReceiveCount</Name><Value>1</Value>"), std::string::npos);
}

TEST_F(PeekTest, FifoQueuesInOrderOfTheirNumbers) {
  create_queue_with("q.fifo", R"({"FifoQueue":"true","ContentBasedDeduplication":"true"})");
  for (const char* body : {"a", "b", "c"}) {
    call("SendMessage", R"({"QueueUrl":"q.fifo","MessageGroupId":"g","MessageBody":")" + std::string(body) + "\"}");
  }
  const std::string xml = peek("", "q.fifo");
  EXPECT_EQ(bodies(xml), "a b c");
  EXPECT_NE(xml.find("<Name>MessageGroupId</Name><Value>g</Value>"), std::string::npos);
  EXPECT_NE(xml.find("<Name>SequenceNumber</Name>"), std::string::npos);
}

TEST_F(PeekTest, WhatIsNoQueueAndNoReceive) {
  create_queue();
  for (const char* target :
       {"/_aws/sqs/messages", "/_aws/sqs/messages?QueueUrl=nothing", "/_aws/sqs/messages/us-east-1/000000000000/nothing",
        "/_aws/sqs/messages/us-east-2/000000000000/q", "/_aws/sqs/messages/us-east-1/111111111111/q",
        "/_aws/sqs/messages/us-east-1", "/_aws/sqs/messages/%2", "/_aws/sqs/messages/us-east-1/000000000000/a%20b",
        "/_aws/sqs/messages?QueueUrl=http://h/111111111111/q"}) {
    const auto refused = get(target);
    EXPECT_EQ(refused->response().status, 400) << target;
    EXPECT_NE(refused->response().body.find("NonExistentQueue"), std::string::npos) << refused->response().body;
  }
  const auto send = start("POST", "/_aws/sqs/messages", {{"Host", "127.0.0.1:9324"}, {"X-Amz-Target", "AmazonSQS.SendMessage"}},
                          R"({"QueueUrl":"q","MessageBody":"x"})");
  settle();
  EXPECT_EQ(send->header("x-amzn-query-error"), "InvalidAction;Sender");
  const auto form = get("/_aws/sqs/messages?QueueUrl=q&Action=PurgeQueue");
  EXPECT_NE(form->response().body.find("The action PurgeQueue is not valid for this endpoint."), std::string::npos);
  EXPECT_EQ(get("/_aws/sqs/messages?QueueUrl=%2")->response().status, 400);
  EXPECT_EQ(bodies(peek()), "");
}

TEST_F(PeekTest, AnotherAccountsQueueOnAServerWithoutKeys) {
  const std::string tenant =
      "AWS4-HMAC-SHA256 Credential=123456789012/20261123/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0";
  start("CreateQueue", R"({"QueueName":"q"})", {{"Authorization", tenant}});
  start("SendMessage", R"({"QueueUrl":"q","MessageBody":"theirs"})", {{"Authorization", tenant}});
  settle();
  EXPECT_EQ(bodies(get("/_aws/sqs/messages/eu-west-1/123456789012/q")->response().body), "theirs");
}

TEST_F(PeekTest, CountAtItsLimit) {
  create_queue();
  for (std::size_t sent = 0; sent <= sqs::kPeekMessagesMax; sent += 10) {
    std::string entries;
    for (std::size_t i = 0; i < 10; ++i) {
      entries += (i == 0 ? "" : ",") + (R"({"Id":")" + std::to_string(i) + R"(","MessageBody":"m"})");
    }
    call("SendMessageBatch", R"({"QueueUrl":"q","Entries":[)" + entries + "]}");
  }
  const std::string xml = peek();
  EXPECT_EQ((bodies(xml).size() + 1) / 2, sqs::kPeekMessagesMax);
}

TEST_F(PeekTest, BytesAtTheirLimit) {
  create_queue();
  const std::string body(1'048'576, 'b');
  for (int i = 0; i < 9; ++i) send(body);
  const std::string xml = peek();
  EXPECT_GE(xml.size(), sqs::kPeekBytesMax);
  EXPECT_LT(xml.size(), sqs::kPeekBytesMax + 100'000) << "the ninth is left out";
}

TEST_F(PeekTest, DamagedAndMovedBodies) {
  create_queue();
  send("damaged");
  send("moved");
  const auto queue = engine.find({"000000000000", "us-east-1", "q"}).result.value();
  store.corrupt(engine.peek(queue, 0, 1).result->front().message.location);
  store.set_memory(store::SimulatedStore::Memory::OnDisk);
  EXPECT_EQ(bodies(peek()), "moved");
  EXPECT_EQ(engine.totals().quarantined, 1U);
  store.set_read_mode(store::SimulatedStore::ReadMode::Deferred);
  const auto late = start("GET", "/_aws/sqs/messages?QueueUrl=q", {{"Host", "127.0.0.1:9324"}}, "");
  loop.run();
  store.compact();
  settle();
  ASSERT_TRUE(store.checkpoint().has_value());
  for (int i = 0; i < 3; ++i) {
    store.run_reads();
    settle();
  }
  ASSERT_TRUE(late->answered());
  EXPECT_EQ(bodies(late->response().body), "moved");
}

TEST_F(PeekTest, WhatIsShownIsDurable) {
  create_queue();
  start("SendMessage", R"({"QueueUrl":"q","MessageBody":"new"})");
  loop.run();
  const auto early = start("GET", "/_aws/sqs/messages?QueueUrl=q", {{"Host", "127.0.0.1:9324"}}, "");
  loop.run();
  EXPECT_FALSE(early->answered());
  settle();
  ASSERT_TRUE(early->answered());
  EXPECT_EQ(bodies(early->response().body), "new");
}

TEST_F(KeyedServiceTest, PeekingNeedsASignatureAndTheGrantOfReceiving) {
  signed_call("ADMIN", "admin-secret", "CreateQueue", R"({"QueueName":"q"})");
  signed_call("ADMIN", "admin-secret", "SendMessage", R"({"QueueUrl":"q","MessageBody":"secret"})");
  EXPECT_EQ(start("GET", "/_aws/sqs/messages/us-east-1/000000000000/q", {{"Host", "127.0.0.1:9324"}}, "")->response().status,
            403);
  const auto peek = [&](const std::string& key, const std::string& secret) {
    const FakeExchange::Headers host = {{"Host", "127.0.0.1:9324"}};
    const std::string path = "/_aws/sqs/messages/us-east-1/000000000000/q";
    access::SignableRequest request{"GET", path, "", {}, ""};
    for (const auto& [name, value] : host) request.headers.push_back({name, value});
    FakeExchange::Headers headers = host;
    for (auto& header : access::sign(request, {key, secret, ""}, {"us-east-1"}, clock.wall()))
      headers.push_back(std::move(header));
    const auto exchange = start("GET", path, headers, "");
    for (int i = 0; i < 2; ++i) settle();
    return exchange;
  };
  EXPECT_NE(peek("ADMIN", "admin-secret")->response().body.find("<Body>secret</Body>"), std::string::npos);
  EXPECT_EQ(peek("SENDER", "sender-secret")->response().status, 403) << "it may send to this queue only";
  const auto other = peek("OTHER", "other-secret");
  EXPECT_NE(other->response().body.find("NonExistentQueue"), std::string::npos) << "an account of its own";
}

}  // namespace
}  // namespace ferry::service
