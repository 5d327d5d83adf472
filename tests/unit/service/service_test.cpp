// The service on a simulated store, an event loop that is stepped, and exchanges without sockets.

#include "service/service.h"

#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "base/digest.h"
#include "base/encoding.h"
#include "service_fixture.h"

namespace ferry::service {
namespace {

TEST_F(ServiceTest, NoReplyLeavesBeforeWhatItSawIsDurable) {
  const auto create = start("CreateQueue", R"({"QueueName":"q"})");
  loop.run();
  EXPECT_FALSE(create->answered());
  // Reads and errors that saw the undurable creation wait for it as well.
  const auto list = start("ListQueues", "{}");
  const auto missing = start("GetQueueUrl", R"({"QueueName":"other"})");
  const auto receive = start("ReceiveMessage", R"({"QueueUrl":"q"})");
  loop.run();
  EXPECT_FALSE(list->answered());
  EXPECT_FALSE(missing->answered());
  EXPECT_FALSE(receive->answered());
  settle();
  for (const auto& exchange : {create, list, missing, receive}) ASSERT_TRUE(exchange->answered());
  EXPECT_EQ(create->response().status, 200);
  EXPECT_EQ(missing->response().status, 400);
  EXPECT_EQ(receive->response().body, "{}");

  const auto send = start("SendMessage", R"({"QueueUrl":"q","MessageBody":"hello"})");
  loop.run();
  EXPECT_FALSE(send->answered());
  const auto early = start("ReceiveMessage", R"({"QueueUrl":"q"})");
  loop.run();
  EXPECT_FALSE(early->answered()) << "the message could be lost after it was shown";
  settle();
  EXPECT_TRUE(send->answered());
  EXPECT_EQ(field(early->response().body, "Body"), "hello");
  const auto idle = start("GetQueueUrl", R"({"QueueName":"q"})");
  EXPECT_TRUE(idle->answered()) << "everything it saw is durable: no need to wait";
}

TEST_F(ServiceTest, SendReceiveDelete) {
  create_queue();
  const std::string sent = call("SendMessage", R"({"QueueUrl":"http://any.host:1/000000000000/q","MessageBody":"message"})");
  EXPECT_EQ(field(sent, "MD5OfMessageBody"), "78e731027d8fd50ed642340b7c9a63b3");
  const std::string received = call("ReceiveMessage", R"({"QueueUrl":"q","AttributeNames":["All"]})");
  EXPECT_EQ(field(received, "MessageId"), field(sent, "MessageId"));
  EXPECT_EQ(field(received, "ApproximateReceiveCount"), "1");
  EXPECT_EQ(field(received, "SenderId"), "anonymous");
  EXPECT_EQ(call("DeleteMessage", R"({"QueueUrl":"q","ReceiptHandle":")" + field(received, "ReceiptHandle") + "\"}"), "");
  clock.advance(Seconds(31));
  EXPECT_EQ(call("ReceiveMessage", R"({"QueueUrl":"q"})"), "{}");
}

TEST_F(ServiceTest, SendsOfOneTurnKeepTheirOrderAndTheirDigests) {
  create_queue();
  std::vector<ExchangeRef> sends;
  for (int i = 0; i < 20; ++i)
    sends.push_back(start("SendMessage", R"({"QueueUrl":"q","MessageBody":"m)" + std::to_string(i) + "\"}"));
  sends.push_back(start("SendMessage", R"({"QueueUrl":"q","MessageBody":""})"));
  settle();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(sends[i]->answered());
    EXPECT_EQ(field(sends[i]->response().body, "MD5OfMessageBody"), hex_encode(md5("m" + std::to_string(i))));
  }
  EXPECT_EQ(sends.back()->header("x-amzn-query-error"), "MissingParameter;Sender");
  for (int i = 0; i < 20; ++i) {
    const std::string received = call("ReceiveMessage", R"({"QueueUrl":"q"})");
    EXPECT_EQ(field(received, "Body"), "m" + std::to_string(i));
    EXPECT_EQ(field(received, "MessageId"), field(sends[i]->response().body, "MessageId"));
  }
}

TEST_F(ServiceTest, LongPollIsAnsweredByASend) {
  create_queue();
  const auto poll = start("ReceiveMessage", R"({"QueueUrl":"q","WaitTimeSeconds":20})");
  settle();
  EXPECT_FALSE(poll->answered());
  EXPECT_EQ(loop.timers(), 1U);
  call("SendMessage", R"({"QueueUrl":"q","MessageBody":"wake up"})");
  settle();
  ASSERT_TRUE(poll->answered());
  EXPECT_EQ(field(poll->response().body, "Body"), "wake up");
  EXPECT_EQ(loop.timers(), 0U);
}

TEST_F(ServiceTest, LongPollEndsEmptyAfterItsTime) {
  create_queue();
  const auto poll = start("ReceiveMessage", R"({"QueueUrl":"q","WaitTimeSeconds":2})");
  settle();
  clock.advance(Millis(1'999));
  settle();
  EXPECT_FALSE(poll->answered());
  clock.advance(Millis(1));
  settle();
  ASSERT_TRUE(poll->answered());
  EXPECT_EQ(poll->response().status, 200);
  EXPECT_EQ(poll->response().body, "{}");
}

TEST_F(ServiceTest, LongPollSeesADelayedMessageBecomeVisible) {
  create_queue();
  call("SendMessage", R"({"QueueUrl":"q","MessageBody":"later","DelaySeconds":5})");
  const auto poll = start("ReceiveMessage", R"({"QueueUrl":"q","WaitTimeSeconds":20})");
  settle();
  clock.advance(Seconds(5));
  engine.tick();
  settle();
  ASSERT_TRUE(poll->answered());
  EXPECT_EQ(field(poll->response().body, "Body"), "later");
}

TEST_F(ServiceTest, AWaiterWhoseConnectionIsGoneTakesNoMessage) {
  create_queue();
  const auto gone = start("ReceiveMessage", R"({"QueueUrl":"q","WaitTimeSeconds":20})");
  const auto alive = start("ReceiveMessage", R"({"QueueUrl":"q","WaitTimeSeconds":20})");
  settle();
  gone->go_away();
  call("SendMessage", R"({"QueueUrl":"q","MessageBody":"one"})");
  settle();
  EXPECT_FALSE(gone->answered());
  ASSERT_TRUE(alive->answered());
  EXPECT_EQ(field(alive->response().body, "Body"), "one");
}

TEST_F(ServiceTest, AWakeThatMeetsAGoneConnectionIsPassedOn) {
  create_queue();
  const auto gone = start("ReceiveMessage", R"({"QueueUrl":"q","WaitTimeSeconds":20})");
  const auto alive = start("ReceiveMessage", R"({"QueueUrl":"q","WaitTimeSeconds":20})");
  settle();
  start("SendMessage", R"({"QueueUrl":"q","MessageBody":"one"})");  // wakes the first, whose turn has not come yet
  gone->go_away();
  settle();
  ASSERT_TRUE(alive->answered());
  EXPECT_EQ(field(alive->response().body, "Body"), "one");
}

TEST_F(ServiceTest, DrainAnswersWaitingPolls) {
  create_queue();
  const auto poll = start("ReceiveMessage", R"({"QueueUrl":"q","WaitTimeSeconds":20})");
  settle();
  service.drain();
  settle();
  ASSERT_TRUE(poll->answered());
  EXPECT_EQ(poll->response().body, "{}");
  const auto late = start("ReceiveMessage", R"({"QueueUrl":"q","WaitTimeSeconds":20})");
  settle();
  EXPECT_TRUE(late->answered());
  const auto ready = start("GET", "/health/ready", {{"Host", "x"}}, "");
  EXPECT_EQ(ready->response().status, 503);
  EXPECT_EQ(start("GET", "/health/live", {}, "")->response().status, 200);
}

TEST_F(ServiceTest, PollOfADeletedQueueIsToldSo) {
  create_queue();
  const auto poll = start("ReceiveMessage", R"({"QueueUrl":"q","WaitTimeSeconds":20})");
  settle();
  call("DeleteQueue", R"({"QueueUrl":"q"})");
  settle();
  ASSERT_TRUE(poll->answered());
  EXPECT_NE(poll->response().body.find("QueueDoesNotExist"), std::string::npos);
}

TEST_F(ServiceTest, BodiesOnDiskAreFetched) {
  create_queue();
  call("SendMessage", R"({"QueueUrl":"q","MessageBody":"cold"})");
  store.set_memory(store::SimulatedStore::Memory::OnDisk);
  store.set_read_mode(store::SimulatedStore::ReadMode::Deferred);
  const auto receive = start("ReceiveMessage", R"({"QueueUrl":"q"})");
  settle();
  EXPECT_FALSE(receive->answered());
  store.run_reads();
  settle();
  ASSERT_TRUE(receive->answered());
  EXPECT_EQ(field(receive->response().body, "Body"), "cold");
}

TEST_F(ServiceTest, ADamagedBodyIsReportedAndNeverServed) {
  create_queue();
  call("SendMessage", R"({"QueueUrl":"q","MessageBody":"first"})");
  call("SendMessage", R"({"QueueUrl":"q","MessageBody":"second"})");
  const auto queue = engine.find({"000000000000", "us-east-1", "q"}).result.value();
  const auto taken = engine.receive(queue, {"t", ""}, {1, Seconds(0), std::nullopt}, nullptr);
  store.corrupt(taken.result->front().location);
  store.set_memory(store::SimulatedStore::Memory::OnDisk);
  const std::string received = call("ReceiveMessage", R"({"QueueUrl":"q","MaxNumberOfMessages":10,"VisibilityTimeout":0})");
  EXPECT_EQ(received.find("first"), std::string::npos);
  EXPECT_EQ(field(received, "Body"), "second");
  EXPECT_EQ(engine.totals().quarantined, 1U);
  EXPECT_EQ(service.counters().damaged_bodies.value(), 1U);
  EXPECT_EQ(call("ReceiveMessage", R"({"QueueUrl":"q","MaxNumberOfMessages":10})").find("first"), std::string::npos);
  EXPECT_EQ(engine.totals().messages, 1U) << "the other one";
}

TEST_F(ServiceTest, AMessageThatIsDeletedWhileItsBodyIsReadIsNoDamage) {
  create_queue();
  call("SendMessage", R"({"QueueUrl":"q","MessageBody":"gone"})");
  const std::string handle = field(call("ReceiveMessage", R"({"QueueUrl":"q","VisibilityTimeout":0})"), "ReceiptHandle");
  store.set_memory(store::SimulatedStore::Memory::OnDisk);
  store.set_read_mode(store::SimulatedStore::ReadMode::Deferred);
  const auto receive = start("ReceiveMessage", R"({"QueueUrl":"q"})");
  settle();
  call("DeleteMessage", R"({"QueueUrl":"q","ReceiptHandle":")" + handle + "\"}");
  ASSERT_TRUE(store.checkpoint().has_value()) << "the body's place is given up";
  store.run_reads();
  settle();
  ASSERT_TRUE(receive->answered());
  EXPECT_EQ(receive->response().status, 200);
  EXPECT_EQ(receive->response().body, "{}");
  EXPECT_EQ(service.counters().damaged_bodies.value(), 0U);
  EXPECT_EQ(engine.totals().quarantined, 0U);
}

TEST_F(ServiceTest, TheTraceOfARequestBecomesThatOfItsMessage) {
  create_queue();
  const auto sent = start("SendMessage", R"({"QueueUrl":"q","MessageBody":"x"})", {{"X-Amzn-Trace-Id", "Root=1-2-3"}});
  settle();
  EXPECT_EQ(sent->response().body.find("MD5OfMessageSystemAttributes"), std::string::npos) << "the sender sent none";
  const auto receive = [&] {
    return call("ReceiveMessage", R"({"QueueUrl":"q","MessageSystemAttributeNames":["AWSTraceHeader"]})");
  };
  EXPECT_EQ(field(receive(), "AWSTraceHeader"), "Root=1-2-3");
  start(
      "SendMessage",
      R"({"QueueUrl":"q","MessageBody":"x","MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"own"}}})",
      {{"X-Amzn-Trace-Id", "Root=1-2-3"}});
  settle();
  EXPECT_EQ(field(receive(), "AWSTraceHeader"), "own");
  start("SendMessage", R"({"QueueUrl":"q","MessageBody":"x"})", {{"X-Amzn-Trace-Id", "\xff"}});
  settle();
  EXPECT_EQ(receive().find("AWSTraceHeader"), std::string::npos) << "not text";
}

TEST_F(ServiceTest, StoreWithoutSpaceAnswers503AndRecovers) {
  create_queue();
  store.set_reserve_error(store::Purpose::Growth, ErrorKind::NoSpace);
  const auto refused = start("SendMessage", R"({"QueueUrl":"q","MessageBody":"x"})");
  settle();
  EXPECT_EQ(refused->response().status, 503);
  EXPECT_EQ(refused->header("Retry-After"), "1");
  EXPECT_EQ(refused->header("x-amzn-query-error"), "ServiceUnavailable;Receiver");
  store.set_reserve_error(store::Purpose::Growth, std::nullopt);
  EXPECT_NE(call("SendMessage", R"({"QueueUrl":"q","MessageBody":"x"})").find("MessageId"), std::string::npos);
}

TEST_F(ServiceTest, BatchAnswersEachEntry) {
  create_queue();
  const std::string sent =
      call("SendMessageBatch", R"({"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"1"},{"Id":"b","MessageBody":""},)"
                               R"({"Id":"c","MessageBody":"3","DelaySeconds":901},{"Id":"d","MessageBody":"4"}]})");
  EXPECT_NE(sent.find(R"("Id":"a")"), std::string::npos);
  const std::regex failed("SenderFault");
  EXPECT_EQ(std::distance(std::sregex_iterator(sent.begin(), sent.end(), failed), std::sregex_iterator()), 2) << sent;
  EXPECT_EQ(service.counters().messages_sent.value(), 2U);
  const std::string received = call("ReceiveMessage", R"({"QueueUrl":"q","MaxNumberOfMessages":10})");
  const std::string handle = field(received, "ReceiptHandle");
  const std::string deleted = call("DeleteMessageBatch", R"({"QueueUrl":"q","Entries":[{"Id":"x","ReceiptHandle":"garbage"},)"
                                                         R"({"Id":"y","ReceiptHandle":")" +
                                                             handle + "\"}]}");
  EXPECT_NE(deleted.find(R"("Successful":[{"Id":"y"}])"), std::string::npos) << deleted;
  EXPECT_NE(deleted.find("ReceiptHandleIsInvalid"), std::string::npos);
}

TEST_F(ServiceTest, QueueUrlsFollowTheHostAndAnyHostIsTakenBack) {
  const auto create = start("CreateQueue", R"({"QueueName":"q"})", {});
  settle();
  EXPECT_EQ(field(create->response().body, "QueueUrl"), "http://127.0.0.1:9324/000000000000/q");
  const auto other = start("POST", "/", {{"Host", "sqs"}, {"X-Amz-Target", "AmazonSQS.GetQueueUrl"}}, R"({"QueueName":"q"})");
  settle();
  EXPECT_EQ(field(other->response().body, "QueueUrl"), "http://sqs/000000000000/q");
  EXPECT_NE(call("GetQueueAttributes", R"({"QueueUrl":"https://x.example/000000000000/q","AttributeNames":["QueueArn"]})")
                .find("arn:aws"),
            std::string::npos);
  EXPECT_NE(
      call("GetQueueAttributes", R"({"QueueUrl":"http://h/111111111111/q","AttributeNames":["All"]})").find("QueueDoesNotExist"),
      std::string::npos);
}

TEST_F(ServiceTest, ListQueuesPages) {
  for (const char* name : {"b", "a", "c", "other"}) create_queue(name);
  const std::string first = call("ListQueues", R"({"MaxResults":2})");
  EXPECT_NE(first.find("/a\",\"http://127.0.0.1:9324/000000000000/b\""), std::string::npos) << first;
  const std::string second = call("ListQueues", R"({"MaxResults":2,"NextToken":")" + field(first, "NextToken") + "\"}");
  EXPECT_NE(second.find("/c\""), std::string::npos);
  EXPECT_EQ(second.find("NextToken"), std::string::npos);
  EXPECT_NE(call("ListQueues", R"({"QueueNamePrefix":"oth"})").find("/other\"]"), std::string::npos);
  EXPECT_EQ(call("ListQueues", R"({"QueueNamePrefix":"zzz"})"), "{}");
  EXPECT_NE(call("ListQueues", R"({"NextToken":"garbage!"})").find("InvalidParameterValue"), std::string::npos);
}

TEST_F(ServiceTest, RegionsAndAccountsAreNamespaces) {
  create_queue();
  const std::string auth = "AWS4-HMAC-SHA256 Credential=AK/20261123/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0";
  const auto elsewhere = start("GetQueueUrl", R"({"QueueName":"q"})", {{"Authorization", auth}});
  settle();
  EXPECT_NE(elsewhere->response().body.find("QueueDoesNotExist"), std::string::npos);
  const std::string tenant =
      "AWS4-HMAC-SHA256 Credential=123456789012/20261123/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0";
  const auto created = start("CreateQueue", R"({"QueueName":"q"})", {{"Authorization", tenant}});
  settle();
  EXPECT_EQ(field(created->response().body, "QueueUrl"), "http://127.0.0.1:9324/123456789012/q");
}

TEST_F(ServiceTest, WebPagesFromElsewhereAreRefused) {
  create_queue();
  const FakeExchange::Headers form = {{"Host", "127.0.0.1:9324"}, {"Content-Type", "application/x-www-form-urlencoded"}};
  const auto attempt = [&](FakeExchange::Headers more) {
    FakeExchange::Headers headers = form;
    headers.insert(headers.end(), more.begin(), more.end());
    const auto exchange = start("POST", "/000000000000/q", headers, "Action=PurgeQueue");
    settle();
    return exchange->response().status;
  };
  EXPECT_EQ(attempt({{"Origin", "http://evil.example"}}), 403);
  EXPECT_EQ(attempt({{"Origin", "null"}}), 403);
  EXPECT_EQ(attempt({{"Sec-Fetch-Site", "cross-site"}}), 403);
  EXPECT_EQ(attempt({{"Sec-Fetch-Site", "same-site"}}), 403);
  EXPECT_EQ(attempt({{"Referer", "http://evil.example/page"}}), 403) << "older browsers send nothing else with an image";
  EXPECT_EQ(attempt({{"Referer", "http://127.0.0.1:9324.evil.example/"}}), 403);
  EXPECT_EQ(attempt({{"Referer", "http://127.0.0.1:93245/"}}), 403);
  EXPECT_EQ(start("POST", "/000000000000/q", {{"Host", "rebound.example:9324"}}, "Action=PurgeQueue")->response().status, 403);
  EXPECT_EQ(
      attempt(
          {{"Origin", "http://127.0.0.1:9324"}, {"Sec-Fetch-Site", "same-origin"}, {"Referer", "http://127.0.0.1:9324/console"}}),
      200);
}

TEST_F(ServiceTest, ABrowserThatSendsNothingElseIsKnownByItsName) {
  const FakeExchange::Headers browser = {{"Host", "localhost:9324"}, {"User-Agent", "Mozilla/5.0 (old)"}};
  EXPECT_EQ(start("GET", "/?Action=ListQueues", browser, "")->response().status, 403);
  FakeExchange::Headers typed = browser;
  typed.emplace_back("Sec-Fetch-Site", "none");
  EXPECT_EQ(start("GET", "/?Action=ListQueues", typed, "")->response().status, 200) << "typed into the address bar";
  FakeExchange::Headers with_password = browser;
  with_password.emplace_back("Authorization", "Basic dTpw");
  EXPECT_EQ(start("GET", "/?Action=ListQueues", with_password, "")->response().status, 403) << "of http://u:p@localhost";
}

TEST_F(ServiceTest, AProgramThatSignsMayCallItselfMozilla) {
  const FakeExchange::Headers celery = {
      {"Host", "localhost:9324"},
      {"User-Agent", "Mozilla/5.0 (compatible; pycurl)"},
      {"Authorization",
       "AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00"}};
  EXPECT_EQ(start("GET", "/?Action=ListQueues", celery, "")->response().status, 200);
  FakeExchange::Headers elsewhere = celery;
  elsewhere.emplace_back("Origin", "http://evil.example");
  EXPECT_EQ(start("GET", "/?Action=ListQueues", elsewhere, "")->response().status, 403);
}

TEST_F(ServiceTest, OtherMethodsAreRefused) {
  const FakeExchange::Headers host = {{"Host", "localhost"}};
  for (const char* method : {"PUT", "HEAD", "DELETE", "TRACE", "PATCH", "OPTIONS"}) {
    const auto refused = start(method, "/?Action=CreateQueue&QueueName=x", host, "");
    EXPECT_EQ(refused->response().status, 405) << method;
    EXPECT_EQ(refused->header("Allow"), "GET, POST");
  }
  const auto json_by_get = start("GET", "/", {{"Host", "localhost"}, {"X-Amz-Target", "AmazonSQS.ListQueues"}}, "{}");
  EXPECT_EQ(json_by_get->response().status, 405);
  EXPECT_EQ(engine.totals().queues, 0U);
}

TEST(LocalHost, NamesThatRebindingCannotReach) {
  for (const char* host : {"127.0.0.1", "127.0.0.1:80", "localhost:9324", "sqs", "sqs:9324", "[::1]:9324", "10.1.2.3:1",
                           "q.localhost", "host.docker.internal:9324"}) {
    EXPECT_TRUE(is_local_host(host)) << host;
  }
  for (const char* host : {"", ":80", "evil.example", "evil.example:9324", "1.2.3.4.evil.example", "localhost.evil.example"}) {
    EXPECT_FALSE(is_local_host(host)) << host;
  }
}

TEST_F(ServiceTest, MissingActionAndUnknownActions) {
  const auto none = start("GET", "/", {{"Host", "localhost"}}, "");
  EXPECT_EQ(none->response().status, 404);
  const auto unknown = start("NoSuchAction", "{}");
  EXPECT_EQ(unknown->response().status, 400);
  EXPECT_EQ(unknown->header("x-amzn-query-error"), "InvalidAction;Sender");
  EXPECT_FALSE(none->header("x-amzn-RequestId").empty() && unknown->header("x-amzn-RequestId").empty());
}

TEST_F(ServiceTest, MetricsAreInThePrometheusTextFormat) {
  const auto page = start("GET", "/metrics", {{"Host", "localhost"}}, "");
  std::istringstream lines(page->response().body);
  const std::regex allowed("# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge))|[a-z_]+(\\{[a-z]+=\"[^\"]*\"\\})? [0-9]+");
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(std::regex_match(line, allowed)) << line;
  EXPECT_NE(page->response().body.find("\nferry_store_sync_method_info{method=\""), std::string::npos);
}

TEST_F(KeyedServiceTest, EveryRequestNeedsASignatureAndAGrant) {
  const auto anonymous = start("ListQueues", "{}");
  EXPECT_EQ(anonymous->response().status, 403);
  EXPECT_NE(anonymous->response().body.find("AccessDenied"), std::string::npos);
  EXPECT_EQ(signed_call("ADMIN", "wrong", "ListQueues", "{}")->response().status, 403);
  EXPECT_EQ(signed_call("NOBODY", "x", "ListQueues", "{}")->header("x-amzn-query-error"), "InvalidClientTokenId;Sender");
  EXPECT_EQ(signed_call("ADMIN", "admin-secret", "CreateQueue", R"({"QueueName":"q"})")->response().status, 200);
  EXPECT_EQ(signed_call("SENDER", "sender-secret", "SendMessage", R"({"QueueUrl":"q","MessageBody":"x"})")->response().status,
            200);
  EXPECT_EQ(
      signed_call("SENDER", "sender-secret", "SendMessageBatch", R"({"QueueUrl":"q","Entries":[{"Id":"1","MessageBody":"x"}]})")
          ->response()
          .status,
      200);
  EXPECT_EQ(signed_call("SENDER", "sender-secret", "ReceiveMessage", R"({"QueueUrl":"q"})")->response().status, 403);
  EXPECT_EQ(signed_call("SENDER", "sender-secret", "SendMessage", R"({"QueueUrl":"other","MessageBody":"x"})")->response().status,
            403);
  EXPECT_EQ(signed_call("SENDER", "sender-secret", "CreateQueue", R"({"QueueName":"q2"})")->response().status, 403);
  EXPECT_EQ(signed_call("SENDER", "sender-secret", "ListQueues", "{}")->response().status, 403);
  EXPECT_EQ(signed_call("SENDER", "sender-secret", "TagQueue", R"({"QueueUrl":"q","Tags":{"a":"b"}})")->response().status, 403);
  EXPECT_NE(signed_call("OTHER", "other-secret", "SendMessage", R"({"QueueUrl":"q","MessageBody":"x"})")
                ->response()
                .body.find("QueueDoesNotExist"),
            std::string::npos)
      << "another account has queues of its own";
  EXPECT_NE(signed_call("OTHER", "other-secret", "SendMessage",
                        R"({"QueueUrl":"http://127.0.0.1:9324/000000000000/q","MessageBody":"x"})")
                ->response()
                .body.find("QueueDoesNotExist"),
            std::string::npos);
}

TEST_F(KeyedServiceTest, MetricsAreForThisMachine) {
  EXPECT_EQ(start("GET", "/metrics", {}, "")->response().status, 200);
}

}  // namespace
}  // namespace ferry::service
