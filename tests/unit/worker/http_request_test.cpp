// What an endpoint is sent and what its answers mean; nothing goes over a network here.

#include "worker/http_request.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "worker/handler_input.h"
#include "worker/http_answer.h"

namespace ferry::worker {
namespace {

class HttpRequestTest : public testing::Test {
 protected:
  HttpRequestTest() {
    spec_.http.emplace();
    spec_.http->url = "http://127.0.0.1/work";
    spec_.http->content_type = "text/plain; charset=utf-8";
    message_.message_id = "id-1";
    message_.body = "the body";
    message_.attributes = {
        {"ApproximateReceiveCount", "3"}, {"ApproximateFirstReceiveTimestamp", "1700000000000"}, {"SenderId", "AIDA"}};
    call_.spec = &spec_;
    call_.message = &message_;
    call_.request = "Enable";
    call_.queue = "q";
    call_.idempotency_key = "key-1";
    call_.deadline = from_epoch_millis(1'700'000'300'000);
  }
  void attribute(const std::string& name, const std::string& value) {
    message_.message_attributes.push_back({name, {"String", value, std::nullopt, false}});
  }
  Result<HttpHeaders> build() { return build_headers(call_, offer_, from_epoch_millis(1'700'000'001'999)); }
  std::string header(const std::string& name) {
    const auto headers = build();
    EXPECT_TRUE(headers);
    for (const auto& [key, value] : *headers) {
      if (key == name) return value;
    }
    return "(none)";
  }

  config::HandlerSpec spec_;
  sqs::Message message_;
  HandlerCall call_;
  CompletionOffer offer_;
};

TEST_F(HttpRequestTest, HeadersOfElasticBeanstalkAndOurs) {
  attribute("Enable", "All The Things");
  call_.trace = TraceContext{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b"};
  offer_ = {"t0", "http://127.0.0.1:8090/complete/t0"};
  const auto headers = build();
  ASSERT_TRUE(headers);
  EXPECT_EQ(*headers, (HttpHeaders{{"X-Aws-Sqsd-Msgid", "id-1"},
                                   {"X-Aws-Sqsd-Queue", "q"},
                                   {"X-Aws-Sqsd-First-Received-At", "2023-11-14T22:13:20.000Z"},
                                   {"X-Aws-Sqsd-Receive-Count", "3"},
                                   {"X-Aws-Sqsd-Sender-Id", "AIDA"},
                                   {"Idempotency-Key", "key-1"},
                                   {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
                                   {"tracestate", "a=b"},
                                   {"X-Aws-Sqsd-Attr-Enable", "All%20The%20Things"},
                                   {"Content-Type", "text/plain; charset=utf-8"},
                                   {"Content-Digest", "sha-256=:+oJC6Z9IlmylFAkrQjO0RoUfQrV61QMb8TPh3XZ4fz4=:"},
                                   {"X-Ferry-Request", "Enable"},
                                   {"X-Ferry-Deadline", "2023-11-14T22:18:20.000Z"},
                                   {"X-Ferry-Completion-Token", "t0"},
                                   {"X-Ferry-Completion-Url", "http://127.0.0.1:8090/complete/t0"}}));
}

TEST_F(HttpRequestTest, NoValueCanMakeAHeader) {
  attribute("A", "x\r\nX-Evil: 1\t%41 ä");
  EXPECT_EQ(header("X-Aws-Sqsd-Attr-A"), "x%0D%0AX-Evil:%201%09%2541%20%C3%A4");
  call_.queue = "q\nr";
  EXPECT_EQ(header("X-Aws-Sqsd-Queue"), "q%0Ar");
  call_.idempotency_key = "a b";
  EXPECT_EQ(header("Idempotency-Key"), "a%20b");
  attribute("B:C", "x");
  EXPECT_EQ(build().error().message, "its attribute \"B:C\" cannot be the name of a header");
}

TEST_F(HttpRequestTest, NamesThatHeadersDoNotTellApartAreRefused) {
  attribute("Reason", "a");
  attribute("reason", "b");
  EXPECT_EQ(build().error().message,
            "two of its attributes are reason but for upper and lower case, which headers do not tell apart "
            "(content = \"envelope\" does)");
  spec_.input = config::HandlerInput::Envelope;
  call_.envelope = "{}";
  EXPECT_TRUE(build());
  EXPECT_EQ(header("X-Aws-Sqsd-Attr-Reason"), "(none)");
}

TEST_F(HttpRequestTest, BinaryGoesIntoTheEnvelopeOnly) {
  message_.message_attributes.push_back({"Blob", {"Binary", std::nullopt, "\x01\x02", false}});
  EXPECT_EQ(header("X-Aws-Sqsd-Attr-Blob"), "(none)");
  EXPECT_NE(build_envelope(call_).find(R"("Blob":{"type":"Binary","base64":"AQI="})"), std::string::npos)
      << build_envelope(call_);
}

TEST_F(HttpRequestTest, HeadersHaveABudget) {
  attribute("A", "");
  std::size_t bytes = 0;
  const auto headers = build();
  for (const auto& [name, value] : *headers) {
    if (name == "Content-Type") break;
    bytes += name.size() + value.size() + 4;
  }
  message_.message_attributes[0].second.string_value = std::string(kMessageHeaderBytesMax - bytes, 'x');
  EXPECT_TRUE(build());
  message_.message_attributes[0].second.string_value->push_back('x');
  EXPECT_EQ(
      build().error().message,
      "its attributes make 8193 bytes of headers; an endpoint is sent at most 8192 (content = \"envelope\" puts them into the "
      "body)");
}

TEST_F(HttpRequestTest, SignatureIsOverTimeBodyAndWhatTheMessageSays) {
  attribute("Enable", "All");
  EXPECT_EQ(header("X-Ferry-Signature"), "(none)");
  spec_.http->signing_key = "0123456789abcdef";
  EXPECT_EQ(header("X-Ferry-Timestamp"), "1700000001");
  EXPECT_EQ(string_to_sign(*build(), {1'700'000'001, "the body"}),
            "ferry-v1\n1700000001\nfa8242e99f48966ca514092b4233b446851f42b57ad5031bf133e1dd76787f3e\n"
            "idempotency-key:key-1\nx-aws-sqsd-attr-enable:All\nx-aws-sqsd-first-received-at:2023-11-14T22:13:20.000Z\n"
            "x-aws-sqsd-msgid:id-1\nx-aws-sqsd-queue:q\nx-aws-sqsd-receive-count:3\nx-aws-sqsd-sender-id:AIDA\n");
  const std::string signature = header("X-Ferry-Signature");
  EXPECT_EQ(signature, "v1=edce36d3d010fb891512bd93d7d6fe24bb0dadd7241259d6333b88e900c31244");
  message_.message_attributes[0].second.string_value = "Some";
  EXPECT_NE(header("X-Ferry-Signature"), signature);
  message_.message_attributes[0].second.string_value = "All";
  EXPECT_EQ(header("X-Ferry-Signature"), signature);
  message_.body = "the bodz";
  EXPECT_NE(header("X-Ferry-Signature"), signature);
}

TEST_F(HttpRequestTest, WhoSignedIsToldAndSigned) {
  for (const char* forged : {"X-Ferry-Signed-By", "signed_by", "Signed-By"}) attribute(forged, "mallory");
  EXPECT_EQ(header("X-Ferry-Signed-By"), "(none)");
  EXPECT_EQ(build_envelope(call_).find(R"("signed_by":"mallory")"), std::string::npos);
  call_.signed_by = "alice ä";
  EXPECT_EQ(header("X-Ferry-Signed-By"), "alice%20%C3%A4");
  EXPECT_NE(build_envelope(call_).find(R"(,"signed_by":"alice ä",)"), std::string::npos) << build_envelope(call_);
  spec_.http->signing_key = "0123456789abcdef";
  EXPECT_NE(string_to_sign(*build(), {1, "b"}).find("\nx-ferry-signed-by:alice%20%C3%A4\n"), std::string::npos);
  const std::string signature = header("X-Ferry-Signature");
  call_.signed_by.clear();
  EXPECT_NE(header("X-Ferry-Signature"), signature);
}

TEST_F(HttpRequestTest, EnvelopeHasTheWholeMessage) {
  attribute("Enable", "a \"b\"\n");
  call_.parameter = "a";
  EXPECT_EQ(
      build_envelope(call_),
      R"({"protocol":1,"message_id":"id-1","queue":"q","request":"Enable","parameter":"a","idempotency_key":"key-1",)"
      R"("receive_count":3,"deadline":"2023-11-14T22:18:20.000Z","body":"the body",)"
      R"("attributes":{"Enable":{"type":"String","value":"a \"b\"\n"}},)"
      R"("system_attributes":{"ApproximateReceiveCount":"3","ApproximateFirstReceiveTimestamp":"1700000000000","SenderId":"AIDA"}})");
}

TEST_F(HttpRequestTest, KeyIsTheSendersTheFifosOrTheMessages) {
  EXPECT_EQ(idempotency_key(message_), "id-1");
  message_.attributes.emplace_back("MessageGroupId", "g");
  EXPECT_EQ(idempotency_key(message_), "id-1");
  message_.attributes.emplace_back("MessageDeduplicationId", "d");
  EXPECT_EQ(idempotency_key(message_), "g:d");
  attribute("idempotency-key", "mine");
  EXPECT_EQ(idempotency_key(message_), "mine");
}

TEST_F(HttpRequestTest, TraceIsPassedOnWhenItIsOne) {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_FALSE(trace_context(message_));
  attribute("traceparent", good);
  ASSERT_TRUE(trace_context(message_));
  EXPECT_EQ(trace_context(message_)->parent, good);
  attribute("tracestate", "a=b\r\nX-Evil: 1");
  EXPECT_EQ(trace_context(message_)->state, "");
  message_.message_attributes[1].second.string_value = std::string(512, 'x');
  EXPECT_EQ(trace_context(message_)->state.size(), 512u);
  message_.message_attributes[1].second.string_value = std::string(513, 'x');
  EXPECT_EQ(trace_context(message_)->state, "");
  for (const std::string& bad : std::vector<std::string>{
           good + "0", good.substr(1), "01" + good.substr(2), "00-" + std::string(32, '0') + good.substr(35),
           good.substr(0, 36) + std::string(16, '0') + "-01", "00-0AF7651916CD43DD8448EB211C80319C" + good.substr(35)}) {
    message_.message_attributes[0].second.string_value = bad;
    EXPECT_FALSE(trace_context(message_)) << bad;
  }
}

TEST_F(HttpRequestTest, WithoutTheAttributeTheStampTellsTheTrace) {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  attribute("Ferry", "v1;i=order-1;p=" + good);
  ASSERT_TRUE(trace_context(message_));
  EXPECT_EQ(trace_context(message_)->parent, good);
  attribute("traceparent", "00-11111111111111111111111111111111-2222222222222222-00");
  EXPECT_EQ(trace_context(message_)->parent, "00-11111111111111111111111111111111-2222222222222222-00");
}

TEST_F(HttpRequestTest, AnAttemptIsASpanOfItsOwn) {
  SeededRandom random(3);
  EXPECT_FALSE(attempt_trace(message_, random));
  EXPECT_EQ(shown_trace(std::nullopt), "");
  attribute("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  attribute("tracestate", "a=b");
  const auto first = attempt_trace(message_, random);
  const auto second = attempt_trace(message_, random);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->span.trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(first->span.flags, 1);
  EXPECT_EQ(first->parent_span_id, "b7ad6b7169203331");
  EXPECT_EQ(first->state, "a=b");
  EXPECT_NE(first->span.span_id, first->parent_span_id);
  EXPECT_NE(first->span.span_id, second->span.span_id);
  EXPECT_EQ(shown_trace(first),
            " [trace_id=0af7651916cd43dd8448eb211c80319c span_id=" + first->span.span_id + " parent_span_id=b7ad6b7169203331]");
}

TEST(HttpAnswers, TableOfTheProtocol) {
  const auto end = [](int status) {
    HttpAnswer answer;
    answer.status = status;
    return classify_answer(answer, from_epoch_millis(0)).end;
  };
  for (const int status : {200, 201, 202, 204, 299}) EXPECT_EQ(end(status), HandlerEnd::Done) << status;
  for (const int status : {301, 302, 303, 307, 308, 304, 401, 403, 404, 405})
    EXPECT_EQ(end(status), HandlerEnd::OurFault) << status;
  for (const int status : {400, 410, 413, 415, 422}) EXPECT_EQ(end(status), HandlerEnd::Rejected) << status;
  for (const int status : {402, 406, 408, 409, 418, 425, 429, 500, 501, 502, 504, 599})
    EXPECT_EQ(end(status), HandlerEnd::Retry) << status;
  EXPECT_EQ(end(503), HandlerEnd::Unavailable);
}

TEST(HttpAnswers, RetryAfterInSecondsAndAsADateWithABound) {
  const Timestamp now = from_epoch_millis(784'111'777'000);  // Sun, 06 Nov 1994 08:49:37 GMT
  EXPECT_EQ(parse_retry_after("0", now), Seconds(0));
  EXPECT_EQ(parse_retry_after(" 120 ", now), Seconds(120));
  EXPECT_EQ(parse_retry_after("3600", now), Seconds(3600));
  EXPECT_EQ(parse_retry_after("3601", now), Seconds(3600));
  EXPECT_EQ(parse_retry_after("99999999999999999999999", now), Seconds(3600));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), Seconds(10));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:07 GMT", now), Seconds(0));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 2094 08:49:37 GMT", now), Seconds(3600));
  for (const char* bad : {"", "-1", "1.5", "soon", "1994-11-06"}) EXPECT_FALSE(parse_retry_after(bad, now)) << bad;
  HttpAnswer answer;
  answer.retry_after = "30";
  for (const int status : {408, 425, 429, 503}) {
    answer.status = status;
    EXPECT_EQ(classify_answer(answer, now).retry_after, Seconds(30)) << status;
  }
  for (const int status : {200, 400, 409, 500}) {
    answer.status = status;
    EXPECT_FALSE(classify_answer(answer, now).retry_after) << status;
  }
}

TEST(HttpAnswers, JsonIsKeptAndReasonsAreShown) {
  HttpAnswer answer;
  answer.status = 200;
  answer.content_type = "application/json; charset=utf-8";
  answer.body = R"({"id": 7})";
  EXPECT_EQ(classify_answer(answer, from_epoch_millis(0)).result, answer.body);
  answer.whole = false;
  EXPECT_EQ(classify_answer(answer, from_epoch_millis(0)).result, "");
  answer.whole = true;
  answer.content_type = "text/html";
  EXPECT_EQ(classify_answer(answer, from_epoch_millis(0)).result, "");
  answer.content_type = "application/json";
  answer.body = "{";
  EXPECT_EQ(classify_answer(answer, from_epoch_millis(0)).result, "");
  answer.status = 422;
  answer.body = "no such\x1b customer\n";
  const HandlerResult refused = classify_answer(answer, from_epoch_millis(0));
  EXPECT_EQ(refused.detail, "HTTP 422: no such\\x1b customer");
  EXPECT_EQ(refused.code, 422);
  answer.body = std::string(5'000, 'x');
  EXPECT_EQ(classify_answer(answer, from_epoch_millis(0)).output_tail.size(), kOutputTailBytesMax);
}

}  // namespace
}  // namespace ferry::worker
