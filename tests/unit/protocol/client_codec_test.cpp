#include <gtest/gtest.h>

#include "support.h"

namespace ferry::protocol {
namespace {

template <class Response>
Response answer(const sqs::Request& request, std::string_view body) {
  auto result = decode_response(request, body);
  if (!result) {
    ADD_FAILURE() << result.error().message;
    return {};
  }
  return std::get<Response>(std::move(*result));
}

TEST(EncodeRequest, names_and_bodies) {
  sqs::SendMessageRequest send;
  send.queue_url = "http://h/1/q";
  send.entry.message_body = "a\"b";
  send.entry.message_attributes = {{"Enable", {"String", "x", std::nullopt, false}}};
  EXPECT_EQ(action_name(send), "SendMessage");
  EXPECT_EQ(
      encode_request(send),
      R"({"QueueUrl":"http://h/1/q","MessageBody":"a\"b","MessageAttributes":{"Enable":{"StringValue":"x","DataType":"String"}}})");
  EXPECT_EQ(encode_request(sqs::ListQueuesRequest{}), "{}");
  EXPECT_EQ(action_name(sqs::TagQueueRequest{}), "TagQueue");
  EXPECT_EQ(encode_request(sqs::TagQueueRequest{"q", {{"k", "v"}}}), R"({"QueueUrl":"q","Tags":{"k":"v"}})");
  EXPECT_EQ(encode_request(sqs::CreateQueueRequest{"q", {}, {{"k", "v"}}}), R"({"QueueName":"q","tags":{"k":"v"}})");
  EXPECT_EQ(encode_request(sqs::AddPermissionRequest{"q", "l", {"1"}, {"*"}}),
            R"({"QueueUrl":"q","Label":"l","AWSAccountIds":["1"],"Actions":["*"]})");
}

TEST(DecodeResponse, foreign_answers) {
  const auto receive = answer<sqs::ReceiveMessageResponse>(
      sqs::ReceiveMessageRequest{},
      R"({"Messages":[{"MessageId":"m","ReceiptHandle":"r","Body":"b","MD5OfBody":"d","Attributes":{"ApproximateReceiveCount":1},
          "MessageAttributes":{"n":{"DataType":"Number","StringValue":"3"}},"Extra":{}}],"Other":[1]})");
  ASSERT_EQ(receive.messages.size(), 1U);
  EXPECT_EQ(receive.messages[0].body, "b");
  EXPECT_EQ(receive.messages[0].attributes, (sqs::TextMap{{"ApproximateReceiveCount", "1"}}));
  EXPECT_TRUE(answer<sqs::ReceiveMessageResponse>(sqs::ReceiveMessageRequest{}, R"({"Messages":null})").messages.empty());
  EXPECT_TRUE(answer<sqs::ReceiveMessageResponse>(sqs::ReceiveMessageRequest{}, R"({"Messages":[]})").messages.empty());
  answer<sqs::EmptyResponse>(sqs::DeleteMessageRequest{}, "");
  answer<sqs::EmptyResponse>(sqs::DeleteMessageRequest{}, "{}");
  const auto deleted = answer<sqs::DeleteMessageBatchResponse>(
      sqs::DeleteMessageBatchRequest{},
      R"({"Successful":[{"Id":"a","x":1}],"Failed":[{"Id":"b","SenderFault":false,"Code":"C"}]})");
  EXPECT_EQ(deleted.successful, std::vector<std::string>{"a"});
  EXPECT_FALSE(deleted.failed.at(0).sender_fault);
}

TEST(DecodeResponse, what_is_no_answer) {
  const std::pair<sqs::Request, std::string_view> cases[] = {
      {sqs::SendMessageRequest{}, "{}"},
      {sqs::SendMessageRequest{}, ""},
      {sqs::SendMessageRequest{}, "<html>"},
      {sqs::CreateQueueRequest{}, "{}"},
      {sqs::GetQueueUrlRequest{}, R"({"QueueUrl":null})"},
      {sqs::DeleteMessageRequest{}, "<html>"},
      {sqs::ReceiveMessageRequest{}, R"({"Messages":[{"Body":"b"}]})"},
      {sqs::ReceiveMessageRequest{}, R"({"Messages":{}})"},
      {sqs::SendMessageBatchRequest{}, R"({"Successful":[{"Id":"a"}]})"},
      {sqs::SendMessageBatchRequest{}, R"({"Successful":[{"MessageId":"a"}]})"},
      {sqs::StartMessageMoveTaskRequest{}, "{}"},
      {sqs::ListMessageMoveTasksRequest{}, R"({"Results":[{"StartedTimestamp":"soon"}]})"},
  };
  for (const auto& [request, body] : cases) {
    const auto result = decode_response(request, body);
    ASSERT_FALSE(result) << action_name(request) << body;
    EXPECT_EQ(result.error().kind, ErrorKind::Corrupt);
    EXPECT_NE(result.error().message.find(action_name(request)), std::string::npos);
  }
}

TEST(DecodeError, codes_shapes_and_messages) {
  const RemoteError full =
      decode_error(R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."})",
                   "AWS.SimpleQueueService.NonExistentQueue;Sender");
  EXPECT_EQ(full.code, "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(full.shape, "QueueDoesNotExist");
  EXPECT_EQ(full.message, "The specified queue does not exist.");
  const RemoteError other = decode_error(R"({"__type":"OverLimit","Message":"m"})", "");
  EXPECT_EQ(other.code, "OverLimit");
  EXPECT_EQ(other.shape, "OverLimit");
  EXPECT_EQ(other.message, "m");
  for (const std::string_view rubbish : {"", "<html>502</html>", "[]", R"({"__type":{}})"}) {
    const RemoteError none = decode_error(rubbish, "");
    EXPECT_EQ(none.code, "") << rubbish;
    EXPECT_EQ(none.shape, "");
    EXPECT_EQ(none.message, "");
  }
  EXPECT_EQ(decode_error("", "OverLimit;Sender").code, "OverLimit");
}

TEST(DecodeError, reads_what_the_server_writes) {
  for (int i = 0; i <= static_cast<int>(sqs::ErrorCode::InternalFailure); ++i) {
    const auto code = static_cast<sqs::ErrorCode>(i);
    const WireResponse wire = encode_error(WireProtocol::Json, {code, "why"}, "id");
    const RemoteError error = decode_error(wire.body, wire.query_error);
    EXPECT_EQ(error.code, sqs::catalogue_row(code).query_code);
    EXPECT_EQ(sqs::find_catalogue_row(error.shape), &sqs::catalogue_row(code));
    EXPECT_EQ(error.message, "why");
  }
}

}  // namespace
}  // namespace ferry::protocol
