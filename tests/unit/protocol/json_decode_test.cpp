#include <gtest/gtest.h>

#include "support.h"

namespace ferry::protocol {
namespace {

using sqs::ErrorCode;

std::string serialization_text(std::string_view action, std::string_view body) {
  const sqs::ApiError error = error_of(decode_json(action, body));
  EXPECT_EQ(error.code, ErrorCode::Serialization) << body;
  return error.message;
}

TEST(Detect, by_target_and_content_type) {
  WireRequest wire;
  EXPECT_EQ(detect(wire), WireProtocol::Query);
  wire.amz_target = "AmazonSQS.SendMessage";
  wire.path = "/000000000000/jobs";
  EXPECT_EQ(detect(wire), WireProtocol::Json);
  wire.amz_target = "DynamoDB.GetItem";
  EXPECT_EQ(detect(wire), WireProtocol::Query);
  wire.content_type = "application/x-amz-json-1.0";
  EXPECT_EQ(detect(wire), WireProtocol::Json);
  wire.amz_target = "";
  EXPECT_EQ(detect(wire), WireProtocol::Json);
}

TEST(Detect, json_for_query_requests_that_ask_for_it) {
  WireRequest wire;
  for (const std::string_view accept :
       {"application/json", "Application/JSON; charset=utf-8", "application/json, text/plain, */*",
        "text/html,application/json,text/xml", " application/json ;q=0.5,application/xml"}) {
    wire.accept = accept;
    EXPECT_EQ(detect(wire), WireProtocol::QueryJson) << accept;
  }
  for (const std::string_view accept :
       {"", "*/*", "text/xml", "application/xml, application/json", "text/xml;q=0.1,application/json", "application/json2",
        "application/x-amz-json-1.0", ",,;,", "text/html"}) {
    wire.accept = accept;
    EXPECT_EQ(detect(wire), WireProtocol::Query) << accept;
  }
  wire.accept = "application/json";
  wire.amz_target = "AmazonSQS.SendMessage";
  EXPECT_EQ(detect(wire), WireProtocol::Json);
}

TEST(JsonDecode, every_member_of_send_message) {
  const auto request = get<sqs::SendMessageRequest>(decode_json("SendMessage", R"({
    "QueueUrl": "http://h/000000000000/jobs", "MessageBody": "a\"b\n\u20ac", "DelaySeconds": 5,
    "MessageAttributes": {"Enable": {"DataType": "String", "StringValue": "All The Things"},
                          "blob": {"DataType": "Binary", "BinaryValue": "AQID"}},
    "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}},
    "MessageDeduplicationId": "d", "MessageGroupId": "g", "Id": {"unknown": ["here"]}})"));
  sqs::SendMessageRequest expected;
  expected.queue_url = "http://h/000000000000/jobs";
  expected.entry.message_body = "a\"b\n\u20ac";
  expected.entry.delay_seconds = 5;
  expected.entry.message_attributes = {{"Enable", {"String", "All The Things", std::nullopt, false}},
                                       {"blob", {"Binary", std::nullopt, "\x01\x02\x03", false}}};
  expected.entry.message_system_attributes = {{"AWSTraceHeader", {"String", "Root=1", std::nullopt, false}}};
  expected.entry.message_deduplication_id = "d";
  expected.entry.message_group_id = "g";
  EXPECT_EQ(request, expected);
}

TEST(JsonDecode, absent_null_and_empty_are_told_apart) {
  const auto absent = get<sqs::SendMessageBatchRequest>(decode_json("SendMessageBatch", "{}"));
  EXPECT_EQ(absent.entries, std::nullopt);
  EXPECT_EQ(absent.queue_url, std::nullopt);
  const auto null = get<sqs::SendMessageBatchRequest>(decode_json("SendMessageBatch", R"({"Entries":null,"QueueUrl":null})"));
  EXPECT_EQ(null, absent);
  const auto empty = get<sqs::SendMessageBatchRequest>(decode_json("SendMessageBatch", R"({"Entries":[],"QueueUrl":""})"));
  ASSERT_TRUE(empty.entries);
  EXPECT_TRUE(empty.entries->empty());
  EXPECT_EQ(empty.queue_url, "");
}

TEST(JsonDecode, unknown_members_are_ignored_wherever_they_are) {
  const auto request = get<sqs::SendMessageRequest>(decode_json(
      "SendMessage",
      R"({"New":{"a":[1,-2.5e10,true,false,null,"\u0041",{"b":{}},[]]},"MessageBody":"x","Big":123456789012345678901234567890,
          "MessageAttributes":{"a":{"DataType":"String","StringValue":"v","Other":[[]]}}})"));
  EXPECT_EQ(request.entry.message_body, "x");
  EXPECT_EQ(request.entry.message_attributes.size(), 1U);
}

TEST(JsonDecode, the_last_of_repeated_members_counts) {
  const auto request = get<sqs::ReceiveMessageRequest>(
      decode_json("ReceiveMessage",
                  R"({"QueueUrl":"a","AttributeNames":["x","y"],"QueueUrl":"b","AttributeNames":["z"],"WaitTimeSeconds":1})"));
  EXPECT_EQ(request.queue_url, "b");
  EXPECT_EQ(request.attribute_names, std::vector<std::string>{"z"});
}

TEST(JsonDecode, keys_may_be_escaped) {
  EXPECT_EQ(get<sqs::DeleteQueueRequest>(decode_json("DeleteQueue", R"({"Queue\u0055rl":"a"})")).queue_url, "a");
  const auto send = get<sqs::SendMessageRequest>(
      decode_json("SendMessage", R"({"MessageAttributes":{"a\"b":{"DataType":"String","StringValue":"v"}}})"));
  EXPECT_EQ(send.entry.message_attributes[0].first, "a\"b");
  EXPECT_EQ(serialization_text("DeleteQueue", R"({"Queue\xUrl":"a"})"), "The body is not a valid JSON object.");
}

TEST(JsonDecode, numbers_and_booleans_become_text) {
  const auto request = get<sqs::SendMessageRequest>(decode_json("SendMessage", R"({"MessageBody":0,"MessageGroupId":true})"));
  EXPECT_EQ(request.entry.message_body, "0");
  EXPECT_EQ(request.entry.message_group_id, "true");
  const auto create = get<sqs::CreateQueueRequest>(
      decode_json("CreateQueue", R"({"QueueName":"q","Attributes":{"DelaySeconds":5,"X":1.50,"Y":false},"tags":{"k":"v"}})"));
  EXPECT_EQ(create.attributes, (sqs::TextMap{{"DelaySeconds", "5"}, {"X", "1.50"}, {"Y", "false"}}));
  EXPECT_EQ(create.tags, (sqs::TextMap{{"k", "v"}}));
}

TEST(JsonDecode, wrong_types_are_told_as_amazon_does) {
  EXPECT_EQ(serialization_text("SendMessage", R"({"MessageBody":{}})"), "Start of structure or map found where not expected.");
  EXPECT_EQ(serialization_text("SendMessage", R"({"MessageBody":["x"]})"), "Start of list found where not expected");
  EXPECT_EQ(serialization_text("SendMessage", R"({"DelaySeconds":"5"})"), "STRING_VALUE can not be converted to an Integer");
  EXPECT_EQ(serialization_text("SendMessage", R"({"DelaySeconds":true})"), "TRUE_VALUE can not be converted to an Integer");
  EXPECT_EQ(serialization_text("SendMessage", R"({"DelaySeconds":1.5})"), "NUMBER_VALUE can not be converted to an Integer");
  EXPECT_EQ(serialization_text("SendMessage", R"({"DelaySeconds":99999999999999999999})"),
            "NUMBER_VALUE can not be converted to an Integer");
  EXPECT_EQ(serialization_text("SendMessage", R"({"DelaySeconds":{}})"), "Start of structure or map found where not expected.");
  EXPECT_EQ(serialization_text("SendMessage", R"({"DelaySeconds":[]})"), "Start of list found where not expected");
  EXPECT_EQ(serialization_text("SendMessageBatch", R"({"Entries":{}})"), "Start of structure or map found where not expected.");
  EXPECT_EQ(serialization_text("SendMessageBatch", R"({"Entries":"x"})"), "Expected list or null");
  EXPECT_EQ(serialization_text("SendMessageBatch", R"({"Entries":[1]})"), "Expected map or null");
  EXPECT_EQ(serialization_text("SendMessageBatch", R"({"Entries":[[]]})"), "Start of list found where not expected");
  EXPECT_EQ(serialization_text("SendMessage", R"({"MessageAttributes":[]})"), "Start of list found where not expected");
  EXPECT_EQ(serialization_text("SendMessage", R"({"MessageAttributes":{"a":"x"}})"), "Expected map or null");
  EXPECT_EQ(serialization_text("ReceiveMessage", R"({"AttributeNames":"All"})"), "Expected list or null");
  EXPECT_EQ(serialization_text("ReceiveMessage", R"({"AttributeNames":[["All"]]})"), "Start of list found where not expected");
  EXPECT_EQ(serialization_text("SendMessage", R"({"MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"?"}}})"),
            "A binary value is not valid base64.");
}

TEST(JsonDecode, integers_of_any_size_are_delivered) {
  EXPECT_EQ(
      get<sqs::SendMessageRequest>(decode_json("SendMessage", R"({"DelaySeconds":-9223372036854775808})")).entry.delay_seconds,
      std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(get<sqs::SendMessageRequest>(decode_json("SendMessage", R"({"DelaySeconds": 901 })")).entry.delay_seconds, 901);
}

TEST(JsonDecode, list_values_are_noticed_unless_empty) {
  const auto flag = [](std::string_view lists) {
    const std::string body = R"({"MessageAttributes":{"a":{"DataType":"String",)" + std::string(lists) + "}}}";
    return get<sqs::SendMessageRequest>(decode_json("SendMessage", body)).entry.message_attributes.at(0).second.has_list_values;
  };
  EXPECT_TRUE(flag(R"("StringListValues":["x"])"));
  EXPECT_TRUE(flag(R"("BinaryListValues":["AQ=="])"));
  EXPECT_FALSE(flag(R"("StringListValues":[],"BinaryListValues":[])"));
  EXPECT_FALSE(flag(R"("StringListValues":null)"));
}

TEST(JsonDecode, malformed_json_is_refused_as_a_whole) {
  for (const std::string_view body : {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[]",
                                      "null",
                                      "1",
                                      "\"x\"",
                                      "{}x",
                                      "{} {}",
                                      "{},",
                                      "[{}]",
                                      R"({"MessageBody":"x"}})",
                                      R"({"MessageBody":"x"},)",
                                      R"({"MessageBody":"x")",
                                      R"({"MessageBody":"x)",
                                      R"({"MessageBody" "x"})",
                                      R"({"MessageBody":})",
                                      R"({"MessageBody":"x",})",
                                      R"({,"MessageBody":"x"})",
                                      R"({MessageBody:"x"})",
                                      R"({'MessageBody':'x'})",
                                      R"({"MessageBody":"x" "QueueUrl":"y"})",
                                      R"({"MessageBody":"x":"y"})",
                                      R"({"MessageBody"::"x"})",
                                      R"({"MessageBody":"x""y"})",
                                      R"({"MessageBody":"x"1})",
                                      R"({"MessageBody":1"x"})",
                                      R"({"MessageBody":tru})",
                                      R"({"MessageBody":nul})",
                                      R"({"MessageBody":nulll})",
                                      R"({"MessageBody":01})",
                                      R"({"MessageBody":1.})",
                                      R"({"MessageBody":-})",
                                      R"({"MessageBody":"\x"})",
                                      R"({"MessageBody":"\u12"})",
                                      R"({"DelaySeconds":1 2})",
                                      R"({"DelaySeconds":0x10})",
                                      R"({"DelaySeconds":NaN})",
                                      "{\"MessageBody\":\"a\nb\"}",
                                      "{\"MessageBody\":\"\xff\"}",
                                      "{\"MessageBody\":\"\xED\xA0\x80\"}",
                                      R"({"Unknown":tru})",
                                      R"({"Unknown":[1,]})",
                                      R"({"Unknown":[1 2]})",
                                      R"({"Unknown":[)",
                                      R"({"Unknown":{"a"}})",
                                      R"({"Unknown":{"a":1,}})",
                                      R"({"Unknown":"\q"})",
                                      R"({"Unknown":"x":1})",
                                      R"({"Unknown":01})",
                                      R"({"Unknown":{]})",
                                      R"({"Unknown":[}})",
                                      R"({"\q":1})",
                                      "\xEF\xBB\xBF{}",
                                      "/**/{}",
                                      R"({"MessageBody":"x"} // c)"}) {
    const sqs::ApiError error = error_of(decode_json("SendMessage", body));
    EXPECT_EQ(error.code, ErrorCode::Serialization) << body;
    EXPECT_EQ(error.message, "The body is not a valid JSON object.") << body;
  }
  EXPECT_EQ(serialization_text("SendMessage", std::string_view("{}\0", 3)), "The body is not a valid JSON object.");
}

TEST(JsonDecode, what_an_earlier_body_left_behind_closes_nothing) {
  for (const std::string_view unclosed :
       {R"({"Unknown":[{})", R"({"Unknown":{})", R"({"Unknown":{"a":{}})", R"({"Unknown":[[{})"}) {
    for (const std::string_view rest : {"]}", "}", "}}", "]]}", ",1]}"}) {
      (void)decode_json("SendMessage", std::string(unclosed) + std::string(rest));
      EXPECT_EQ(error_of(decode_json("SendMessage", unclosed)).code, ErrorCode::Serialization) << unclosed << rest;
    }
  }
}

TEST(JsonDecode, white_space_is_free) {
  EXPECT_EQ(get<sqs::DeleteQueueRequest>(decode_json("DeleteQueue", " \r\n\t{ \"QueueUrl\" :\t\"a\" \n, \"x\" : null } \r\n"))
                .queue_url,
            "a");
}

TEST(JsonDecode, unpaired_surrogates_and_nul_reach_validation) {
  const auto body = [](std::string_view json) {
    const auto request = get<sqs::SendMessageRequest>(decode_json("SendMessage", json));
    return request.entry.message_body.value_or("absent");
  };
  EXPECT_FALSE(is_sqs_text(body(R"({"MessageBody":"a\uD800b"})")));
  EXPECT_FALSE(is_sqs_text(body(R"({"MessageBody":"a\uDC00"})")));
  EXPECT_FALSE(is_sqs_text(body(R"({"MessageBody":"\u0000"})")));
  EXPECT_FALSE(is_sqs_text(body(R"({"MessageBody":"\uFFFF"})")));
  EXPECT_EQ(body(R"({"MessageBody":"\uD83D\uDE00"})"), "\U0001F600");
}

TEST(JsonDecode, depth_and_elements_are_bounded) {
  const auto nested = [](std::size_t depth) {
    return R"({"Unknown":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(decode_json("SendMessage", nested(64)));
  EXPECT_EQ(serialization_text("SendMessage", nested(65)), "The body is nested too deeply.");
  EXPECT_EQ(error_of(decode_json("SendMessage", nested(100'000))).code, ErrorCode::Serialization);
  const auto names = [](std::size_t count) {
    std::string body = R"({"AttributeNames":[""])";
    body.pop_back();
    for (std::size_t i = 1; i < count; ++i) body += R"(,"")";
    return body + "]}";
  };
  EXPECT_EQ(get<sqs::ReceiveMessageRequest>(decode_json("ReceiveMessage", names(20'000))).attribute_names.size(), 20'000U);
  EXPECT_EQ(serialization_text("ReceiveMessage", names(20'001)), "The body has too many elements.");
}

TEST(JsonDecode, bodies_beyond_the_kept_buffer) {
  const std::string big(1'048'576, 'x');
  const std::string body = R"({"MessageBody":")" + big + R"("})";
  EXPECT_EQ(get<sqs::SendMessageRequest>(decode_json("SendMessage", body)).entry.message_body, big);
  EXPECT_EQ(get<sqs::SendMessageRequest>(decode_json("SendMessage", R"({"MessageBody":"small"})")).entry.message_body, "small");
}

TEST(JsonDecode, tags_permissions_and_move_tasks) {
  EXPECT_EQ(get<sqs::CreateQueueRequest>(decode_json("CreateQueue", R"({"tags":{"k":"v"},"Tags":{"no":"no"}})")).tags,
            (sqs::TextMap{{"k", "v"}}));
  EXPECT_EQ(get<sqs::TagQueueRequest>(decode_json("TagQueue", R"({"QueueUrl":"q","Tags":{"k":"v","l":""},"tags":{"no":"no"}})")),
            (sqs::TagQueueRequest{"q", {{"k", "v"}, {"l", ""}}}));
  EXPECT_EQ(get<sqs::UntagQueueRequest>(decode_json("UntagQueue", R"({"QueueUrl":"q","TagKeys":["a","b"]})")),
            (sqs::UntagQueueRequest{"q", {"a", "b"}}));
  EXPECT_EQ(get<sqs::ListQueueTagsRequest>(decode_json("ListQueueTags", R"({"QueueUrl":"q"})")).queue_url, "q");
  EXPECT_EQ(
      get<sqs::AddPermissionRequest>(decode_json(
          "AddPermission", R"({"QueueUrl":"q","Label":"l","AWSAccountIds":["111111111111"],"Actions":["SendMessage","*"]})")),
      (sqs::AddPermissionRequest{"q", "l", {"111111111111"}, {"SendMessage", "*"}}));
  EXPECT_EQ(get<sqs::RemovePermissionRequest>(decode_json("RemovePermission", R"({"QueueUrl":"q","Label":"l"})")),
            (sqs::RemovePermissionRequest{"q", "l"}));
  EXPECT_EQ(get<sqs::ListDeadLetterSourceQueuesRequest>(
                decode_json("ListDeadLetterSourceQueues", R"({"QueueUrl":"q","MaxResults":2,"NextToken":"t"})")),
            (sqs::ListDeadLetterSourceQueuesRequest{"q", 2, "t"}));
  EXPECT_EQ(get<sqs::StartMessageMoveTaskRequest>(decode_json(
                "StartMessageMoveTask", R"({"SourceArn":"s","DestinationArn":"d","MaxNumberOfMessagesPerSecond":5})")),
            (sqs::StartMessageMoveTaskRequest{"s", "d", 5}));
  EXPECT_EQ(get<sqs::ListMessageMoveTasksRequest>(decode_json("ListMessageMoveTasks", R"({"SourceArn":"s","MaxResults":5})")),
            (sqs::ListMessageMoveTasksRequest{"s", 5}));
  EXPECT_EQ(get<sqs::CancelMessageMoveTaskRequest>(decode_json("CancelMessageMoveTask", R"({"TaskHandle":"h"})")).task_handle,
            "h");
  EXPECT_EQ(serialization_text("TagQueue", R"({"Tags":["k"]})"), "Start of list found where not expected");
  EXPECT_EQ(serialization_text("UntagQueue", R"({"TagKeys":{"k":"v"}})"), "Start of structure or map found where not expected.");
  EXPECT_EQ(serialization_text("ListMessageMoveTasks", R"({"MaxResults":"5"})"),
            "STRING_VALUE can not be converted to an Integer");
}

TEST(JsonDecode, actions) {
  EXPECT_EQ(decode_json("ListQueues", "{}")->action, "ListQueues");
  for (const std::string_view action : {"", "sendmessage", "SendMessage2", "Unsupported"}) {
    const sqs::ApiError error = error_of(decode_json(action, "{}"));
    EXPECT_EQ(error.code, ErrorCode::UnknownOperation) << action;
    EXPECT_EQ(error.message, "The action " + std::string(action) + " is not valid for this endpoint.");
  }
  const WireRequest no_target{"POST", "/", "", "application/x-amz-json-1.0", "", "", "{}"};
  EXPECT_EQ(error_of(decode(WireProtocol::Json, no_target)).code, ErrorCode::UnknownOperation);
  EXPECT_NE(error_of(decode(WireProtocol::Json, no_target)).message, "");
}

}  // namespace
}  // namespace ferry::protocol
