#include <gtest/gtest.h>

#include "support.h"

namespace ferry::protocol {
namespace {

using sqs::ErrorCode;

constexpr std::string_view kId = "00000000-0000-4000-8000-000000000001";

std::string json(const sqs::Response& response) {
  return encode(WireProtocol::Json, "X", response, kId).body;
}
// What stands between <XResult> and </XResult>.
std::string xml_result(const sqs::Response& response) {
  const std::string body = encode(WireProtocol::Query, "X", response, kId).body;
  const std::size_t start = body.find("<XResult>");
  if (start == std::string::npos) return "no result";
  return body.substr(start + 9, body.find("</XResult>") - start - 9);
}

std::string query_json(const sqs::Response& response) {
  return encode(WireProtocol::QueryJson, "X", response, "i").body;
}

sqs::ListMessageMoveTasksResponse move_tasks() {
  return {{{"handle", "RUNNING", "s", "d", 5, 1, 3, std::nullopt, 1'700'000'000'123},
           {std::nullopt, "FAILED", "s", std::nullopt, std::nullopt, 0, 2, "why", 1}}};
}

sqs::Message awkward_message() {
  sqs::Message message;
  message.message_id = "m1";
  message.receipt_handle = "r1";
  message.md5_of_body = "md5";
  message.body = "<\"quotes\" & 'CR'\r\n>\t\\ \U0001F600";
  message.attributes = {{"SenderId", "AIDA"}};
  message.message_attributes = {{"blob", {"Binary", std::nullopt, std::string("\x01\x02\xff", 3), false}},
                                {"color", {"String", "b\"lue", std::nullopt, false}}};
  message.md5_of_message_attributes = "md5a";
  return message;
}

TEST(EncodeJson, answers_without_output_have_no_body) {
  const WireResponse response = encode(WireProtocol::Json, "DeleteQueue", sqs::EmptyResponse{}, kId);
  EXPECT_EQ(response.http_status, 200);
  EXPECT_EQ(response.content_type, "application/x-amz-json-1.0");
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(response.query_error, "");
}

TEST(EncodeJson, nothing_to_say_is_an_empty_object) {
  EXPECT_EQ(json(sqs::ReceiveMessageResponse{}), "{}");
  EXPECT_EQ(json(sqs::GetQueueAttributesResponse{}), "{}");
  EXPECT_EQ(json(sqs::ListQueuesResponse{}), "{}");
}

TEST(EncodeJson, members) {
  EXPECT_EQ(json(sqs::CreateQueueResponse{"http://h/1/q"}), R"({"QueueUrl":"http://h/1/q"})");
  EXPECT_EQ(json(sqs::ListQueuesResponse{{"a", "b"}, "t"}), R"({"QueueUrls":["a","b"],"NextToken":"t"})");
  EXPECT_EQ(json(sqs::GetQueueAttributesResponse{{{"DelaySeconds", "0"}, {"Policy", "{\"a\":1}"}}}),
            R"({"Attributes":{"DelaySeconds":"0","Policy":"{\"a\":1}"}})");
  EXPECT_EQ(
      json(sqs::SendMessageResponse{"m", "b", "a", "s", "1"}),
      R"({"MessageId":"m","MD5OfMessageBody":"b","MD5OfMessageAttributes":"a","MD5OfMessageSystemAttributes":"s","SequenceNumber":"1"})");
  EXPECT_EQ(json(sqs::SendMessageResponse{"m", "b", {}, {}, {}}), R"({"MessageId":"m","MD5OfMessageBody":"b"})");
  EXPECT_EQ(
      json(sqs::SendMessageBatchResponse{{{"i", {"m", "b", {}, {}, {}}}}, {{"j", true, "Code", "text"}, {"k", false, "C", {}}}}),
      R"({"Successful":[{"Id":"i","MessageId":"m","MD5OfMessageBody":"b"}],)"
      R"("Failed":[{"Id":"j","SenderFault":true,"Code":"Code","Message":"text"},{"Id":"k","SenderFault":false,"Code":"C"}]})");
  EXPECT_EQ(json(sqs::DeleteMessageBatchResponse{{"a", "b"}, {}}), R"({"Successful":[{"Id":"a"},{"Id":"b"}]})");
  EXPECT_EQ(json(sqs::ChangeMessageVisibilityBatchResponse{{"a"}, {}}), R"({"Successful":[{"Id":"a"}]})");
  EXPECT_EQ(
      json(sqs::ReceiveMessageResponse{{awkward_message()}}),
      R"({"Messages":[{"MessageId":"m1","ReceiptHandle":"r1","MD5OfBody":"md5","Body":"<\"quotes\" & 'CR'\r\n>\t\\ )"
      "\U0001F600"
      R"(","Attributes":{"SenderId":"AIDA"},"MD5OfMessageAttributes":"md5a","MessageAttributes":{"blob":{"BinaryValue":"AQL/",)"
      R"("DataType":"Binary"},"color":{"StringValue":"b\"lue","DataType":"String"}}}]})");
}

TEST(EncodeJson, tags_sources_and_move_tasks) {
  EXPECT_EQ(json(sqs::ListQueueTagsResponse{{{"k\"", ""}}}), R"({"Tags":{"k\"":""}})");
  EXPECT_EQ(json(sqs::ListQueueTagsResponse{}), "{}");
  EXPECT_EQ(json(sqs::ListDeadLetterSourceQueuesResponse{{"a"}, "t"}), R"({"queueUrls":["a"],"NextToken":"t"})");
  EXPECT_EQ(json(sqs::ListDeadLetterSourceQueuesResponse{}), "{}");
  EXPECT_EQ(json(sqs::StartMessageMoveTaskResponse{"h"}), R"({"TaskHandle":"h"})");
  EXPECT_EQ(json(move_tasks()),
            R"({"Results":[{"TaskHandle":"handle","Status":"RUNNING","SourceArn":"s","DestinationArn":"d",)"
            R"("MaxNumberOfMessagesPerSecond":5,"ApproximateNumberOfMessagesMoved":1,"ApproximateNumberOfMessagesToMove":3,)"
            R"("StartedTimestamp":1700000000123},{"Status":"FAILED","SourceArn":"s","ApproximateNumberOfMessagesMoved":0,)"
            R"("ApproximateNumberOfMessagesToMove":2,"FailureReason":"why","StartedTimestamp":1}]})");
  EXPECT_EQ(json(sqs::ListMessageMoveTasksResponse{}), "{}");
  EXPECT_EQ(json(sqs::CancelMessageMoveTaskResponse{0}), R"({"ApproximateNumberOfMessagesMoved":0})");
}

TEST(EncodeXml, tags_sources_and_move_tasks) {
  EXPECT_EQ(xml_result(sqs::ListQueueTagsResponse{{{"k<", ""}}}), "<Tag><Key>k&lt;</Key><Value></Value></Tag>");
  EXPECT_EQ(xml_result(sqs::ListDeadLetterSourceQueuesResponse{{"a", "b"}, "t"}),
            "<QueueUrl>a</QueueUrl><QueueUrl>b</QueueUrl><NextToken>t</NextToken>");
  EXPECT_EQ(xml_result(sqs::StartMessageMoveTaskResponse{"h"}), "<TaskHandle>h</TaskHandle>");
  EXPECT_EQ(xml_result(move_tasks()),
            "<ListMessageMoveTasksResultEntry><TaskHandle>handle</TaskHandle><Status>RUNNING</Status><SourceArn>s</SourceArn>"
            "<DestinationArn>d</DestinationArn><MaxNumberOfMessagesPerSecond>5</MaxNumberOfMessagesPerSecond>"
            "<ApproximateNumberOfMessagesMoved>1</ApproximateNumberOfMessagesMoved>"
            "<ApproximateNumberOfMessagesToMove>3</ApproximateNumberOfMessagesToMove>"
            "<StartedTimestamp>1700000000123</StartedTimestamp></ListMessageMoveTasksResultEntry>"
            "<ListMessageMoveTasksResultEntry><Status>FAILED</Status><SourceArn>s</SourceArn>"
            "<ApproximateNumberOfMessagesMoved>0</ApproximateNumberOfMessagesMoved>"
            "<ApproximateNumberOfMessagesToMove>2</ApproximateNumberOfMessagesToMove><FailureReason>why</FailureReason>"
            "<StartedTimestamp>1</StartedTimestamp></ListMessageMoveTasksResultEntry>");
  EXPECT_EQ(xml_result(sqs::CancelMessageMoveTaskResponse{7}),
            "<ApproximateNumberOfMessagesMoved>7</ApproximateNumberOfMessagesMoved>");
}

TEST(EncodeQueryJson, skeleton) {
  const WireResponse response = encode(WireProtocol::QueryJson, "ListQueues", sqs::ListQueuesResponse{{"a", "b"}, {}}, kId);
  EXPECT_EQ(response.http_status, 200);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.query_error, "");
  EXPECT_EQ(response.body, R"({"ListQueuesResponse":{"ListQueuesResult":{"queueUrls":["a","b"],"NextToken":null},)"
                           R"("ResponseMetadata":{"RequestId":"00000000-0000-4000-8000-000000000001"}}})");
  EXPECT_EQ(query_json(sqs::EmptyResponse{}), R"({"XResponse":{"ResponseMetadata":{"RequestId":"i"}}})");
}

TEST(EncodeQueryJson, results) {
  const auto result = [](const sqs::Response& response) {
    const std::string body = query_json(response);
    const std::string head = R"({"XResponse":{"XResult":)";
    const std::string tail = R"(,"ResponseMetadata":{"RequestId":"i"}}})";
    EXPECT_TRUE(body.starts_with(head) && body.ends_with(tail)) << body;
    return body.substr(head.size(), body.size() - head.size() - tail.size());
  };
  EXPECT_EQ(result(sqs::ListQueuesResponse{{}, "t"}), R"({"queueUrls":[],"NextToken":"t"})");
  EXPECT_EQ(result(sqs::GetQueueAttributesResponse{{{"DelaySeconds", "0"}, {"Policy", "{\"a\":1}"}}}),
            R"({"Attributes":[{"Name":"DelaySeconds","Value":"0"},{"Name":"Policy","Value":"{\"a\":1}"}]})");
  EXPECT_EQ(result(sqs::ListQueueTagsResponse{{{"k", "v"}}}), R"({"Tags":[{"Key":"k","Value":"v"}]})");
  EXPECT_EQ(result(sqs::SendMessageResponse{"m", "b", {}, {}, "1"}),
            R"({"MessageId":"m","MD5OfMessageBody":"b","MD5OfMessageAttributes":null,"MD5OfMessageSystemAttributes":null,)"
            R"("SequenceNumber":"1"})");
  EXPECT_EQ(result(sqs::ReceiveMessageResponse{}), R"({"messages":[]})");
  EXPECT_EQ(result(sqs::ReceiveMessageResponse{{awkward_message()}}),
            R"({"messages":[{"MessageId":"m1","ReceiptHandle":"r1","MD5OfBody":"md5","Body":"<\"quotes\" & 'CR'\r\n>\t\\ )"
            "\U0001F600"
            R"(","Attributes":[{"Name":"SenderId","Value":"AIDA"}],"MD5OfMessageAttributes":"md5a","MessageAttributes":[)"
            R"({"Name":"blob","Value":{"StringValue":null,"BinaryValue":"AQL/","DataType":"Binary"}},)"
            R"({"Name":"color","Value":{"StringValue":"b\"lue","BinaryValue":null,"DataType":"String"}}]}]})");
  EXPECT_EQ(result(sqs::DeleteMessageBatchResponse{{"a", "b"},
                                                   {{"c", true, "C",
                                                     "m\""
                                                     "\xff"}}}),
            R"({"Successful":[{"Id":"a"},{"Id":"b"}],"Failed":[{"Id":"c","SenderFault":true,"Code":"C","Message":"m\")"
            "\uFFFD"
            R"("}]})");
  EXPECT_EQ(result(sqs::CancelMessageMoveTaskResponse{7}), R"({"ApproximateNumberOfMessagesMoved":7})");
  EXPECT_EQ(result(sqs::CancelMessageMoveTaskResponse{}), R"({"ApproximateNumberOfMessagesMoved":null})");
}

TEST(EncodeQueryJson, errors) {
  const WireResponse response = encode_error(WireProtocol::QueryJson, sqs::queue_does_not_exist(), "i");
  EXPECT_EQ(response.http_status, 400);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.query_error, "");
  EXPECT_EQ(response.body,
            R"({"Error":{"Code":"AWS.SimpleQueueService.NonExistentQueue",)"
            R"("Message":"The specified queue does not exist for this wsdl version.","Type":"Sender"},"RequestId":"i"})");
  EXPECT_NE(encode_error(WireProtocol::QueryJson, {ErrorCode::InternalFailure, "a\"b"}, "i")
                .body.find(R"("Message":"a\"b","Type":"Receiver")"),
            std::string::npos);
  const WireResponse nothing = encode_error(WireProtocol::QueryJson, {ErrorCode::UnknownOperation, ""}, kId);
  EXPECT_EQ(nothing.http_status, 404);
  EXPECT_EQ(nothing.body, "<UnknownOperationException/>") << "XML whatever is asked for";
  EXPECT_EQ(nothing.content_type, "text/xml");
}

TEST(EncodeQueryXmlJson, spells_out_the_xml) {
  const auto result = [](const sqs::Response& response) {
    const WireResponse wire = encode(WireProtocol::QueryXmlJson, "X", response, "i");
    EXPECT_EQ(wire.content_type, "application/json");
    const std::string head = R"({"XResponse":{"XResult":)";
    const std::string tail = R"(,"ResponseMetadata":{"RequestId":"i"}}})";
    EXPECT_TRUE(wire.body.starts_with(head) && wire.body.ends_with(tail)) << wire.body;
    return wire.body.substr(head.size(), wire.body.size() - head.size() - tail.size());
  };
  EXPECT_EQ(result(sqs::ReceiveMessageResponse{}), "null");
  EXPECT_EQ(result(sqs::ListQueuesResponse{{"a"}, {}}), R"({"QueueUrl":"a"})");
  EXPECT_EQ(result(sqs::ListQueuesResponse{{"a", "b"}, "t"}), R"({"QueueUrl":["a","b"],"NextToken":"t"})");
  EXPECT_EQ(result(sqs::ListQueueTagsResponse{{{"k", ""}}}), R"({"Tag":{"Key":"k","Value":null}})");
  EXPECT_EQ(result(sqs::DeleteMessageBatchResponse{{"a", "b"}, {{"c", true, "C", "m"}}}),
            R"({"DeleteMessageBatchResultEntry":[{"Id":"a"},{"Id":"b"}],)"
            R"("BatchResultErrorEntry":{"Id":"c","SenderFault":"true","Code":"C","Message":"m"}})");
  EXPECT_EQ(result(sqs::CancelMessageMoveTaskResponse{7}), R"({"ApproximateNumberOfMessagesMoved":"7"})");
  const std::string message =
      R"({"MessageId":"m1","ReceiptHandle":"r1","MD5OfBody":"md5","Body":"<\"quotes\" & 'CR'\r\n>\t\\ )"
      "\U0001F600"
      R"(","Attribute":{"Name":"SenderId","Value":"AIDA"},"MD5OfMessageAttributes":"md5a","MessageAttribute":[)"
      R"({"Name":"blob","Value":{"BinaryValue":"AQL/","DataType":"Binary"}},)"
      R"({"Name":"color","Value":{"StringValue":"b\"lue","DataType":"String"}}]})";
  EXPECT_EQ(result(sqs::ReceiveMessageResponse{{awkward_message()}}), R"({"Message":)" + message + "}");
  EXPECT_EQ(result(sqs::ReceiveMessageResponse{{awkward_message(), awkward_message()}}),
            R"({"Message":[)" + message + "," + message + "]}");
  EXPECT_EQ(encode_error(WireProtocol::QueryXmlJson, {ErrorCode::OverLimit, "m"}, "i").body,
            R"({"ErrorResponse":{"Error":{"Code":"OverLimit","Message":"m","Type":"Sender"},"RequestId":"i"}})");
}

TEST(EncodeXml, skeleton) {
  const WireResponse response = encode(WireProtocol::Query, "CreateQueue", sqs::CreateQueueResponse{"http://h/1/q"}, kId);
  EXPECT_EQ(response.http_status, 200);
  EXPECT_EQ(response.content_type, "text/xml");
  EXPECT_EQ(
      response.body,
      "<?xml version=\"1.0\"?><CreateQueueResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><CreateQueueResult>"
      "<QueueUrl>http://h/1/q</QueueUrl></CreateQueueResult><ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000001"
      "</RequestId></ResponseMetadata></CreateQueueResponse>");
  EXPECT_EQ(encode(WireProtocol::Query, "DeleteQueue", sqs::EmptyResponse{}, "i").body,
            "<?xml version=\"1.0\"?><DeleteQueueResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><ResponseMetadata>"
            "<RequestId>i</RequestId></ResponseMetadata></DeleteQueueResponse>");
}

TEST(EncodeXml, results) {
  EXPECT_EQ(xml_result(sqs::ReceiveMessageResponse{}), "");
  EXPECT_EQ(xml_result(sqs::ListQueuesResponse{{"a", "b"}, "t"}),
            "<QueueUrl>a</QueueUrl><QueueUrl>b</QueueUrl><NextToken>t</NextToken>");
  EXPECT_EQ(xml_result(sqs::GetQueueAttributesResponse{{{"DelaySeconds", "0"}}}),
            "<Attribute><Name>DelaySeconds</Name><Value>0</Value></Attribute>");
  EXPECT_EQ(xml_result(sqs::SendMessageBatchResponse{{{"i", {"m", "b", "a", {}, {}}}}, {{"j", true, "Code", "te<xt"}}}),
            "<SendMessageBatchResultEntry><Id>i</Id><MessageId>m</MessageId><MD5OfMessageBody>b</MD5OfMessageBody>"
            "<MD5OfMessageAttributes>a</MD5OfMessageAttributes></SendMessageBatchResultEntry><BatchResultErrorEntry><Id>j</Id>"
            "<SenderFault>true</SenderFault><Code>Code</Code><Message>te&lt;xt</Message></BatchResultErrorEntry>");
  EXPECT_EQ(xml_result(sqs::DeleteMessageBatchResponse{{"a"}, {}}),
            "<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>");
  EXPECT_EQ(xml_result(sqs::ChangeMessageVisibilityBatchResponse{{"a"}, {}}),
            "<ChangeMessageVisibilityBatchResultEntry><Id>a</Id></ChangeMessageVisibilityBatchResultEntry>");
  EXPECT_EQ(
      xml_result(sqs::ReceiveMessageResponse{{awkward_message()}}),
      "<Message><MessageId>m1</MessageId><ReceiptHandle>r1</ReceiptHandle><MD5OfBody>md5</MD5OfBody>"
      "<Body>&lt;&quot;quotes&quot; &amp; 'CR'&#xD;\n&gt;\t\\ "
      "\U0001F600</Body><Attribute><Name>SenderId</Name><Value>AIDA</Value>"
      "</Attribute><MD5OfMessageAttributes>md5a</MD5OfMessageAttributes><MessageAttribute><Name>blob</Name><Value>"
      "<BinaryValue>AQL/</BinaryValue><DataType>Binary</DataType></Value></MessageAttribute><MessageAttribute><Name>color</Name>"
      "<Value><StringValue>b&quot;lue</StringValue><DataType>String</DataType></Value></MessageAttribute></Message>");
}

TEST(EncodeError, json) {
  const WireResponse response = encode_error(WireProtocol::Json, sqs::queue_does_not_exist(), kId);
  EXPECT_EQ(response.http_status, 400);
  EXPECT_EQ(response.content_type, "application/x-amz-json-1.0");
  EXPECT_EQ(response.query_error, "AWS.SimpleQueueService.NonExistentQueue;Sender");
  EXPECT_EQ(response.body, R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."})");
  EXPECT_EQ(encode_error(WireProtocol::Json, {ErrorCode::MessageNotInflight, ""}, kId).body,
            R"({"__type":"com.amazonaws.sqs#MessageNotInflight"})");
  const WireResponse ours = encode_error(WireProtocol::Json, {ErrorCode::ServiceUnavailable, "later"}, kId);
  EXPECT_EQ(ours.http_status, 503);
  EXPECT_EQ(ours.query_error, "ServiceUnavailable;Receiver");
}

TEST(EncodeError, xml) {
  const WireResponse response = encode_error(WireProtocol::Query, sqs::invalid_parameter("<v>", "P", "r"), kId);
  EXPECT_EQ(response.http_status, 400);
  EXPECT_EQ(response.content_type, "text/xml");
  EXPECT_EQ(response.query_error, "");
  EXPECT_EQ(
      response.body,
      "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error><Type>Sender</Type>"
      "<Code>InvalidParameterValue</Code><Message>Value &lt;v&gt; for parameter P is invalid. Reason: "
      "r</Message><Detail/></Error>"
      "<RequestId>00000000-0000-4000-8000-000000000001</RequestId></ErrorResponse>");
  EXPECT_NE(encode_error(WireProtocol::Query, {ErrorCode::InternalFailure, "x"}, kId).body.find("<Type>Receiver</Type>"),
            std::string::npos);
}

TEST(EncodeError, query_appends_to_the_missing_queue) {
  EXPECT_NE(encode_error(WireProtocol::Query, sqs::queue_does_not_exist(), kId)
                .body.find("<Message>The specified queue does not exist for this wsdl version.</Message>"),
            std::string::npos);
}

TEST(EncodeError, no_action_at_all) {
  const WireResponse response = encode_error(WireProtocol::Query, {ErrorCode::UnknownOperation, ""}, kId);
  EXPECT_EQ(response.http_status, 404);
  EXPECT_EQ(response.body, "<UnknownOperationException/>");
  EXPECT_EQ(encode_error(WireProtocol::Query, {ErrorCode::UnknownOperation, "x"}, kId).http_status, 400);
}

TEST(EncodeError, quoted_rubbish_becomes_presentable) {
  const std::string rubbish = std::string("a\0b\xff", 4) + "\xED\xA0\x80\uFFFE\U0001F600";
  const std::string clean = "a\uFFFDb\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\U0001F600";
  EXPECT_EQ(encode_error(WireProtocol::Json, {ErrorCode::InvalidParameterValue, rubbish}, kId).body,
            R"({"__type":"com.amazon.coral.service#InvalidParameterValueException","message":")" + clean + "\"}");
  EXPECT_NE(encode_error(WireProtocol::Query, {ErrorCode::InvalidParameterValue, rubbish}, kId).body.find(clean),
            std::string::npos);
  const sqs::DeleteMessageBatchResponse batch{{}, {{"a", true, "C", rubbish}}};
  EXPECT_NE(json(batch).find(clean), std::string::npos);
  EXPECT_NE(xml_result(batch).find(clean), std::string::npos);
}

TEST(EncodeError, long_messages_are_cut) {
  const auto body = [](std::size_t size) {
    return encode_error(WireProtocol::Json, {ErrorCode::InvalidParameterValue, std::string(size, 'v')}, kId).body;
  };
  EXPECT_NE(body(4'096).find(std::string(4'096, 'v') + "\""), std::string::npos);
  EXPECT_NE(body(4'097).find(std::string(4'096, 'v') + "...\""), std::string::npos);
  EXPECT_LT(body(1'000'000).size(), 5'000U);
}

}  // namespace
}  // namespace ferry::protocol
