// The calls: what is sent, what is tried again and after how long, what is believed. A scripted transport plays the faults.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/digest.h"
#include "client/credentials.h"
#include "client/retry.h"
#include "fakes.h"
#include "sqs/message_attributes.h"

namespace ferry::client {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::answer;
using Kind = CallError::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const char* const kUrl = "http://127.0.0.1:9324/000000000000/Q";

std::string hex(const Md5Digest& digest) {
  return hex_encode(digest);
}

std::string sent_json(std::string_view body) {
  return "{\"MessageId\":\"m-1\",\"MD5OfMessageBody\":\"" + hex(md5(body)) + "\"}";
}
Transport::Response error(int status, std::string_view shape, std::string_view query_code, std::string retry_after = "") {
  std::vector<std::pair<std::string, std::string>> headers;
  if (!query_code.empty()) headers.emplace_back("x-amzn-query-error", std::string(query_code) + ";Sender");
  if (!retry_after.empty()) headers.emplace_back("retry-after", retry_after);
  return answer(status, "{\"__type\":\"com.amazonaws.sqs#" + std::string(shape) + "\",\"message\":\"the text\"}", headers);
}

class ClientTest : public ::testing::Test {
 protected:
  explicit ClientTest()
      : log_file_(::memfd_create("log", MFD_CLOEXEC)), log_(clock_, LogLevel::Debug, LogFormat::Json, log_file_) {}
  ~ClientTest() override { ::close(log_file_); }

  Client client(ClientOptions options = {}) {
    return Client(std::move(options), transport_, *credentials_, clock_, random_, log_, sleeper_);
  }
  CallResult<sqs::SendMessageResponse> send(std::string body = "hello") {
    sqs::SendMessageRequest request;
    request.queue_url = kUrl;
    request.entry.message_body = std::move(body);
    return client().send_message(request);
  }
  CallResult<sqs::EmptyResponse> remove() {
    sqs::DeleteMessageRequest request;
    request.queue_url = kUrl;
    request.receipt_handle = "handle";
    return client().delete_message(request);
  }
  std::string log_text() {
    std::string text(1 << 20, '\0');
    const ssize_t got = ::pread(log_file_, text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
  }

  test::FakeTransport transport_;
  test::FakeSleeper sleeper_;
  test::FixedRandom random_{101 * 201 - 1};                  // the upper ends of the first two jitters, 100 and 200 ms
  ManualClock clock_{from_epoch_millis(1'795'420'800'000)};  // 2026-11-23T08:00:00Z
  std::unique_ptr<CredentialSource> credentials_ = make_anonymous_source();
  int log_file_;
  Logger log_;
};

TEST_F(ClientTest, SendsJsonToTheEndpoint) {
  transport_.then(answer(200, sent_json("hello")));
  ClientOptions options;
  options.endpoint_url = "https://Queue.example:443/base";
  sqs::SendMessageRequest request;
  request.queue_url = kUrl;
  request.entry.message_body = "hello";
  const auto response = client(options).send_message(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->message_id, "m-1");
  const auto& sent = transport_.requests.at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.url, "https://queue.example/base");
  EXPECT_EQ(sent.body, "{\"QueueUrl\":\"http://127.0.0.1:9324/000000000000/Q\",\"MessageBody\":\"hello\"}");
  EXPECT_EQ(sent.timeout, milliseconds(60'000));
  EXPECT_EQ(transport_.header(0, "Host"), "queue.example");
  EXPECT_EQ(transport_.header(0, "Content-Type"), "application/x-amz-json-1.0");
  EXPECT_EQ(transport_.header(0, "X-Amz-Target"), "AmazonSQS.SendMessage");
  EXPECT_EQ(transport_.header(0, "x-amzn-query-mode"), "true");
  EXPECT_EQ(transport_.header(0, "User-Agent"), "ferry");
  EXPECT_EQ(transport_.header(0, "Authorization"), "(none)");
}

TEST_F(ClientTest, SignsSoThatAServerCanVerify) {
  credentials_ = make_static_source({"AKID", "secret", ""});
  transport_.then(answer(200, sent_json("hello")));
  ASSERT_TRUE(send());
  access::SignatureVerifier verifier([](std::string_view) { return std::optional<std::string>("secret"); });
  const auto& sent = transport_.requests.at(0);
  access::SignableRequest received{sent.method, "/", "", {}, sent.body};
  for (const auto& [name, value] : sent.headers) received.headers.push_back({name, value});
  const auto who = verifier.verify(received, clock_.wall());
  ASSERT_TRUE(who) << who.error().message;
  EXPECT_EQ(who->access_key, "AKID");
  EXPECT_EQ(who->region, "us-east-1");
  EXPECT_THAT(transport_.header(0, "Authorization"),
              HasSubstr("SignedHeaders=content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode"));
}

TEST_F(ClientTest, SignsEachAttemptAnew) {
  credentials_ = make_static_source({"AKID", "secret", "token"});
  transport_.then_fails(ErrorKind::Unavailable);
  transport_.then(answer(200, "{}"));
  sleeper_.on_sleep = [&] { clock_.advance(milliseconds(20'000)); };
  ASSERT_TRUE(remove());
  EXPECT_EQ(transport_.header(0, "X-Amz-Date"), "20261123T080000Z");
  EXPECT_EQ(transport_.header(1, "X-Amz-Date"), "20261123T080020Z");
  EXPECT_EQ(transport_.header(1, "X-Amz-Security-Token"), "token");
}

TEST_F(ClientTest, TransientFaultsAreTriedAgain) {
  const std::vector<std::pair<const char*, std::function<void()>>> faults = {
      {"no connection", [&] { transport_.then_fails(ErrorKind::Unavailable); }},
      {"lost answer", [&] { transport_.then_fails(ErrorKind::Timeout); }},
      {"500", [&] { transport_.then(error(500, "InternalFailure", "InternalFailure")); }},
      {"503", [&] { transport_.then(error(503, "ServiceUnavailableException", "ServiceUnavailable")); }},
      {"502 of a proxy", [&] { transport_.then(answer(502, "<html>Bad Gateway</html>")); }},
      {"504 of a proxy", [&] { transport_.then(answer(504, "")); }},
      {"429 of a proxy", [&] { transport_.then(answer(429, "")); }},
      {"throttled, by code", [&] { transport_.then(error(403, "RequestThrottled", "RequestThrottled")); }},
      {"throttled, by shape", [&] { transport_.then(error(400, "ThrottlingException", "")); }},
      {"request timeout", [&] { transport_.then(error(400, "RequestTimeout", "RequestTimeout")); }},
  };
  for (const auto& [name, fault] : faults) {
    SCOPED_TRACE(name);
    transport_.requests.clear();
    fault();
    transport_.then(answer(200, sent_json("hello")));
    EXPECT_TRUE(send());
    EXPECT_EQ(transport_.requests.size(), 2U);
    EXPECT_EQ(transport_.requests.front().body, transport_.requests.back().body);
  }
}

TEST_F(ClientTest, AttemptsEnd) {
  for (int i = 0; i < 10; ++i) transport_.then(error(503, "ServiceUnavailableException", "ServiceUnavailable"));
  const auto result = remove();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::Service);
  EXPECT_EQ(result.error().code, "ServiceUnavailable");
  EXPECT_EQ(result.error().http_status, 503);
  EXPECT_EQ(result.error().message, "the text");
  EXPECT_EQ(transport_.requests.size(), 3U);
  EXPECT_THAT(sleeper_.slept, ElementsAre(milliseconds(100), milliseconds(200)));
  transport_.requests.clear();
  ClientOptions once;
  once.attempts_max = 1;
  sqs::DeleteQueueRequest request;
  request.queue_url = kUrl;
  EXPECT_FALSE(client(once).delete_queue(request));
  EXPECT_EQ(transport_.requests.size(), 1U);
}

TEST_F(ClientTest, RefusalsAreNotTriedAgain) {
  const std::vector<Transport::Response> refusals = {
      error(400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
      error(403, "AccessDeniedException", "AccessDenied"),
      error(403, "InvalidSignatureException", "SignatureDoesNotMatch"),
      error(403, "OverLimit", "OverLimit"),
      error(404, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
  };
  for (const auto& refusal : refusals) {
    transport_.requests.clear();
    transport_.then(refusal);
    const auto result = remove();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, Kind::Service);
    EXPECT_EQ(result.error().http_status, refusal.status);
    EXPECT_EQ(result.error().code + ";Sender", refusal.headers[0].second);
    EXPECT_EQ(transport_.requests.size(), 1U);
  }
  EXPECT_THAT(sleeper_.slept, IsEmpty());
}

TEST_F(ClientTest, KindsOfFailure) {
  transport_.always(
      [](const Transport::Request&) -> Result<Transport::Response> { return fail(ErrorKind::Unavailable, "cannot reach it"); });
  EXPECT_EQ(remove().error().kind, Kind::NotReachable);
  EXPECT_EQ(remove().error().message, "cannot reach it");
  transport_.always([](const Transport::Request&) -> Result<Transport::Response> { return fail(ErrorKind::Timeout, "lost"); });
  EXPECT_EQ(remove().error().kind, Kind::Unknown);
  transport_.always(
      [](const Transport::Request&) -> Result<Transport::Response> { return fail(ErrorKind::Corrupt, "too large"); });
  EXPECT_EQ(remove().error().kind, Kind::BadAnswer);
  transport_.always([](const Transport::Request&) -> Result<Transport::Response> { return answer(502, "<html>"); });
  EXPECT_EQ(remove().error().kind, Kind::Unknown);  // the proxy may have passed it on
  EXPECT_EQ(remove().error().http_status, 502);
  transport_.always(
      [](const Transport::Request&) -> Result<Transport::Response> { return answer(404, "<html>not here</html>"); });
  EXPECT_EQ(remove().error().kind, Kind::BadAnswer);
  EXPECT_THAT(remove().error().message, HasSubstr("is it an SQS endpoint?"));
  transport_.always([](const Transport::Request&) -> Result<Transport::Response> { return answer(301, ""); });
  EXPECT_EQ(remove().error().kind, Kind::BadAnswer);
  transport_.always([](const Transport::Request&) -> Result<Transport::Response> { return answer(429, ""); });
  EXPECT_EQ(remove().error().code, "TooManyRequests");
}

TEST_F(ClientTest, GarbageIsNoAnswer) {
  for (const char* garbage : {"", "<html>welcome to our wireless network</html>", "[]", "{\"MessageId\":3}",
                              "{\"MessageId\":\"m\"", "{\"MD5OfMessageBody\":\"5d41402abc4b2a76b9719d911017c592\"}"}) {
    SCOPED_TRACE(garbage);
    transport_.requests.clear();
    transport_.then(answer(200, garbage));
    const auto result = send();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, Kind::BadAnswer);
    EXPECT_EQ(transport_.requests.size(), 1U);
  }
}

TEST_F(ClientTest, RetryAfterIsHonouredUpToABound) {
  transport_.then(error(503, "ServiceUnavailableException", "ServiceUnavailable", "3"));
  transport_.then(error(503, "ServiceUnavailableException", "ServiceUnavailable", "3600"));
  transport_.then(answer(200, "{}"));
  ASSERT_TRUE(remove());
  EXPECT_THAT(sleeper_.slept, ElementsAre(milliseconds(3'100), milliseconds(20'200)));
}

TEST_F(ClientTest, ReceivePassesOnCancelAndWaits) {
  std::atomic<bool> cancel{false};
  sqs::ReceiveMessageRequest request;
  request.queue_url = kUrl;
  request.wait_time_seconds = 7;
  transport_.then(answer(200, "{}"));
  ASSERT_TRUE(client().receive_message(request, &cancel));
  EXPECT_EQ(transport_.cancels.at(0), &cancel);
  EXPECT_EQ(transport_.requests.at(0).timeout, milliseconds(67'000));
  request.wait_time_seconds.reset();  // the queue's own wait time may be up to 20 s
  transport_.then(answer(200, "{}"));
  ASSERT_TRUE(client().receive_message(request, &cancel));
  EXPECT_EQ(transport_.requests.at(1).timeout, milliseconds(80'000));

  transport_.then_fails(ErrorKind::Cancelled);
  EXPECT_EQ(client().receive_message(request, &cancel).error().kind, Kind::Cancelled);
  transport_.then_fails(ErrorKind::Timeout);
  sleeper_.on_sleep = [&] { cancel = true; };
  EXPECT_EQ(client().receive_message(request, &cancel).error().kind, Kind::Cancelled);
  const std::size_t before = transport_.requests.size();
  EXPECT_EQ(client().receive_message(request, &cancel).error().kind, Kind::Cancelled);
  EXPECT_EQ(transport_.requests.size(), before);
}

TEST_F(ClientTest, CredentialsThatCannotBeHad) {
  class Broken final : public CredentialSource {
    Result<std::optional<access::Credentials>> get() override { return fail(ErrorKind::Unavailable, "no role"); }
  };
  credentials_ = std::make_unique<Broken>();
  const auto result = remove();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::Credentials);
  EXPECT_EQ(result.error().message, "no role");
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(ClientTest, EndpointThatIsNone) {
  ClientOptions options;
  options.endpoint_url = "nonsense";
  sqs::ListQueuesRequest request;
  EXPECT_EQ(client(options).list_queues(request).error().kind, Kind::NotReachable);
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(ClientTest, BodyAndAttributesAreCheckedOnSend) {
  sqs::SendMessageRequest request;
  request.queue_url = kUrl;
  request.entry.message_body = "hello";
  request.entry.message_attributes = {{"Enable", {"String", "All The Things", std::nullopt}}};
  const std::string body = hex(md5("hello")), attributes = hex(sqs::md5_of_attributes(request.entry.message_attributes));
  const auto told = [&](const std::string& of_body, const std::string& of_attributes) {
    std::string json = "{\"MessageId\":\"m\",\"MD5OfMessageBody\":\"" + of_body + "\"";
    if (!of_attributes.empty()) json += ",\"MD5OfMessageAttributes\":\"" + of_attributes + "\"";
    transport_.then(answer(200, json + "}"));
    const auto result = client().send_message(request);
    if (result) return std::string("ok");
    EXPECT_EQ(result.error().kind, Kind::BadAnswer);
    return result.error().message;
  };
  const std::string changed = "the message was changed on its way: ";
  EXPECT_EQ(told(body, attributes), "ok");
  EXPECT_EQ(told(attributes, attributes), changed + "the MD5 of the body does not match");
  EXPECT_EQ(told("", attributes), changed + "the MD5 of the body does not match");
  EXPECT_EQ(told(body, body), changed + "the MD5 of the attributes does not match");
  EXPECT_EQ(told(body, ""), changed + "the answer holds no MD5 of the attributes");
}

TEST_F(ClientTest, SystemAttributesAreCheckedWhenTold) {
  sqs::SendMessageRequest request;
  request.queue_url = kUrl;
  request.entry.message_body = "hello";
  request.entry.message_system_attributes = {{"AWSTraceHeader", {"String", "Root=1", std::nullopt}}};
  const std::string start = "{\"MessageId\":\"m\",\"MD5OfMessageBody\":\"" + hex(md5("hello")) + "\"";
  transport_.then(answer(200, start + "}"));
  EXPECT_TRUE(client().send_message(request));
  transport_.then(answer(200, start + ",\"MD5OfMessageSystemAttributes\":\"" +
                                  hex(sqs::md5_of_attributes(request.entry.message_system_attributes)) + "\"}"));
  EXPECT_TRUE(client().send_message(request));
  transport_.then(answer(200, start + ",\"MD5OfMessageSystemAttributes\":\"" + hex(md5("x")) + "\"}"));
  EXPECT_FALSE(client().send_message(request));
}

TEST_F(ClientTest, BatchAnswersAreChecked) {
  sqs::SendMessageBatchRequest request;
  request.queue_url = kUrl;
  request.entries.emplace(2);
  (*request.entries)[0].id = "a", (*request.entries)[0].message_body = "one";
  (*request.entries)[1].id = "b", (*request.entries)[1].message_body = "two";
  const auto good = [](std::string id, std::string_view body) {
    return "{\"Id\":\"" + id + "\",\"MessageId\":\"m\",\"MD5OfMessageBody\":\"" + hex(md5(body)) + "\"}";
  };
  const auto bad = [](std::string id) { return "{\"Id\":\"" + id + "\",\"SenderFault\":false,\"Code\":\"InternalError\"}"; };
  const auto told = [&](std::string successful, std::string failed) {
    transport_.then(answer(200, "{\"Successful\":[" + successful + "],\"Failed\":[" + failed + "]}"));
    const auto result = client().send_message_batch(request);
    if (result) return std::string("ok");
    EXPECT_EQ(result.error().kind, Kind::BadAnswer);
    return result.error().message.substr(std::string("the message was changed on its way: ").size());
  };
  EXPECT_EQ(told(good("a", "one") + "," + good("b", "two"), ""), "ok");
  EXPECT_EQ(told(good("b", "two") + "," + good("a", "one"), ""), "ok");
  EXPECT_EQ(told(good("a", "one"), bad("b")), "ok");
  EXPECT_EQ(told("", bad("a") + "," + bad("b")), "ok");
  EXPECT_EQ(told(good("a", "two") + "," + good("b", "one"), ""), "entry \"a\": the MD5 of the body does not match");
  EXPECT_EQ(told(good("a", "one"), ""), "entry \"b\" was answered 0 times");
  EXPECT_EQ(told(good("a", "one") + "," + good("b", "two"), bad("b")), "entry \"b\" was answered 2 times");
  EXPECT_EQ(told(good("a", "one") + "," + good("c", "two"), ""), "an entry \"c\" was answered that was not sent");
  EXPECT_EQ(told(good("a", "one"), bad("c")), "an entry \"c\" was answered that was not sent");
}

TEST_F(ClientTest, ReceivedMessagesAreChecked) {
  const sqs::MessageAttributes attributes = {{"n", {"Number", "5", std::nullopt}}};
  const auto told = [&](std::string_view md5_of_body, std::string_view md5_of_attributes) {
    std::string json = "{\"Messages\":[{\"MessageId\":\"m-1\",\"ReceiptHandle\":\"h\",\"Body\":\"hello\",\"MD5OfBody\":\"";
    json.append(md5_of_body).append("\",\"MessageAttributes\":{\"n\":{\"DataType\":\"Number\",\"StringValue\":\"5\"}}");
    if (!md5_of_attributes.empty()) json.append(",\"MD5OfMessageAttributes\":\"").append(md5_of_attributes).append("\"");
    transport_.then(answer(200, json + "}]}"));
    sqs::ReceiveMessageRequest request;
    request.queue_url = kUrl;
    const auto result = client().receive_message(request);
    if (result) return "ok " + result->messages.at(0).body;
    EXPECT_EQ(result.error().kind, Kind::BadAnswer);
    return result.error().message.substr(std::string("the message was changed on its way: ").size());
  };
  const std::string body = hex(md5("hello")), right = hex(sqs::md5_of_attributes(attributes));
  EXPECT_EQ(told(body, right), "ok hello");
  EXPECT_EQ(told(right, right), "message m-1: the MD5 of the body does not match");
  EXPECT_EQ(told(body, body), "message m-1: the MD5 of the attributes does not match");
  EXPECT_EQ(told(body, ""), "message m-1: the answer holds no MD5 of the attributes");
}

TEST_F(ClientTest, EveryActionGoesUnderItsName) {
  const Client c = client();
  const auto target = [&] { return transport_.header(transport_.requests.size() - 1, "X-Amz-Target").substr(10); };
  Client calls = client();
  transport_.always([](const Transport::Request&) -> Result<Transport::Response> { return answer(200, "{}"); });
  EXPECT_FALSE(calls.create_queue({}));  // an answer without a URL is none
  EXPECT_EQ(target(), "CreateQueue");
  EXPECT_FALSE(calls.get_queue_url({}));
  EXPECT_EQ(target(), "GetQueueUrl");
  EXPECT_TRUE(calls.list_queues({}));
  EXPECT_EQ(target(), "ListQueues");
  EXPECT_TRUE(calls.delete_queue({}));
  EXPECT_EQ(target(), "DeleteQueue");
  EXPECT_TRUE(calls.get_queue_attributes({}));
  EXPECT_EQ(target(), "GetQueueAttributes");
  EXPECT_TRUE(calls.set_queue_attributes({}));
  EXPECT_EQ(target(), "SetQueueAttributes");
  EXPECT_TRUE(calls.purge_queue({}));
  EXPECT_EQ(target(), "PurgeQueue");
  EXPECT_TRUE(calls.send_message_batch({}));
  EXPECT_EQ(target(), "SendMessageBatch");
  EXPECT_TRUE(calls.receive_message({}));
  EXPECT_EQ(target(), "ReceiveMessage");
  EXPECT_TRUE(calls.delete_message({}));
  EXPECT_EQ(target(), "DeleteMessage");
  EXPECT_TRUE(calls.delete_message_batch({}));
  EXPECT_EQ(target(), "DeleteMessageBatch");
  EXPECT_TRUE(calls.change_message_visibility({}));
  EXPECT_EQ(target(), "ChangeMessageVisibility");
  EXPECT_TRUE(calls.change_message_visibility_batch({}));
  EXPECT_EQ(target(), "ChangeMessageVisibilityBatch");
}

TEST_F(ClientTest, TracesWithoutSecrets) {
  credentials_ = make_static_source({"AKIDVISIBLE", "topsecret", "topsecrettoken"});
  transport_.then(error(503, "ServiceUnavailableException", "ServiceUnavailable"));
  transport_.then(answer(200, sent_json("private body")));
  ASSERT_TRUE(send("private body"));
  const std::string text = log_text();
  EXPECT_THAT(text, HasSubstr("SendMessage"));
  EXPECT_THAT(text, HasSubstr("ServiceUnavailable"));
  EXPECT_THAT(text, HasSubstr("\"attempt\":2"));
  for (const char* secret : {"topsecret", "private body", "Signature="}) EXPECT_THAT(text, Not(HasSubstr(secret)));
}

TEST(Retry, DelaysDoubleUpToABound) {
  const auto longest = [](RetryClass kind, int attempt, std::int64_t ms) {
    test::FixedRandom greatest(static_cast<std::uint64_t>(ms)), beyond(static_cast<std::uint64_t>(ms) + 1);
    EXPECT_EQ(retry_delay(kind, attempt, {}, greatest), milliseconds(ms)) << attempt;
    EXPECT_EQ(retry_delay(kind, attempt, {}, beyond), milliseconds(0)) << attempt;
  };
  longest(RetryClass::Transient, 1, 100);
  longest(RetryClass::Transient, 4, 800);
  longest(RetryClass::Transient, 8, 12'800);
  longest(RetryClass::Transient, 9, 20'000);
  longest(RetryClass::Transient, 1'000'000, 20'000);
  longest(RetryClass::Throttled, 1, 500);
  longest(RetryClass::Throttled, 3, 2'000);
  test::FixedRandom least(0);
  EXPECT_EQ(retry_delay(RetryClass::Throttled, 3, {}, least), milliseconds(0));
  EXPECT_EQ(retry_delay(RetryClass::Transient, 1, seconds(2), least), milliseconds(2'000));
  EXPECT_EQ(retry_delay(RetryClass::Transient, 1, seconds(20), least), milliseconds(20'000));
  EXPECT_EQ(retry_delay(RetryClass::Transient, 1, seconds(21), least), milliseconds(20'000));
}

TEST(Retry, RetryAfterValues) {
  EXPECT_EQ(parse_retry_after(" 5 "), seconds(5));
  EXPECT_EQ(parse_retry_after("0"), seconds(0));
  for (const char* bad : {"", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999999999"}) {
    EXPECT_FALSE(parse_retry_after(bad)) << bad;
  }
}
}  // namespace
}  // namespace ferry::client
