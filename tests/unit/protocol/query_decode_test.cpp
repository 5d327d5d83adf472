#include <gtest/gtest.h>

#include "protocol/query_parameters.h"
#include "support.h"

namespace ferry::protocol {
namespace {

using sqs::ErrorCode;

TEST(QueryDecode, every_member_of_send_message) {
  const auto request = get<sqs::SendMessageRequest>(decode_query(
      "Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2Fh%2F000000000000%2Fjobs&MessageBody=a+b%0A%E2%82%AC%2B&"
      "DelaySeconds=5"
      "&MessageAttribute.1.Name=Enable&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=All+The+"
      "Things"
      "&MessageAttribute.2.Name=blob&MessageAttribute.2.Value.DataType=Binary&MessageAttribute.2.Value.BinaryValue=AQID"
      "&MessageSystemAttribute.1.Name=AWSTraceHeader&MessageSystemAttribute.1.Value.DataType=String"
      "&MessageSystemAttribute.1.Value.StringValue=Root%3D1&MessageDeduplicationId=d&MessageGroupId=g"));
  sqs::SendMessageRequest expected;
  expected.queue_url = "http://h/000000000000/jobs";
  expected.entry.message_body = "a b\n\u20ac+";
  expected.entry.delay_seconds = 5;
  expected.entry.message_attributes = {{"Enable", {"String", "All The Things", std::nullopt, false}},
                                       {"blob", {"Binary", std::nullopt, "\x01\x02\x03", false}}};
  expected.entry.message_system_attributes = {{"AWSTraceHeader", {"String", "Root=1", std::nullopt, false}}};
  expected.entry.message_deduplication_id = "d";
  expected.entry.message_group_id = "g";
  EXPECT_EQ(request, expected);
}

TEST(QueryDecode, numbers_in_any_order_and_with_gaps) {
  const auto request = get<sqs::DeleteMessageBatchRequest>(decode_query(
      "Action=DeleteMessageBatch&DeleteMessageBatchRequestEntry.10.Id=c&DeleteMessageBatchRequestEntry.2.ReceiptHandle=hb"
      "&DeleteMessageBatchRequestEntry.1.Id=a&DeleteMessageBatchRequestEntry.2.Id=b&DeleteMessageBatchRequestEntry.x.Id=no"
      "&DeleteMessageBatchRequestEntry.-1.Id=no"));
  ASSERT_TRUE(request.entries);
  ASSERT_EQ(request.entries->size(), 3U);
  EXPECT_EQ((*request.entries)[0].id, "a");
  EXPECT_EQ((*request.entries)[1].id, "b");
  EXPECT_EQ((*request.entries)[1].receipt_handle, "hb");
  EXPECT_EQ((*request.entries)[2].id, "c");
}

TEST(QueryDecode, batches_with_nested_attributes) {
  const auto request = get<sqs::SendMessageBatchRequest>(
      decode_query("Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=x"
                   "&SendMessageBatchRequestEntry.1.DelaySeconds=7&SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n"
                   "&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=Number"
                   "&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=3&SendMessageBatchRequestEntry.2.Id=b"));
  ASSERT_EQ(request.entries->size(), 2U);
  EXPECT_EQ((*request.entries)[0].delay_seconds, 7);
  EXPECT_EQ((*request.entries)[0].message_attributes, (sqs::MessageAttributes{{"n", {"Number", "3", std::nullopt, false}}}));
  EXPECT_EQ((*request.entries)[1].message_body, std::nullopt);
}

TEST(QueryDecode, a_batch_without_entries_is_empty) {
  const auto request = get<sqs::SendMessageBatchRequest>(decode_query("Action=SendMessageBatch&QueueUrl=q"));
  ASSERT_TRUE(request.entries);
  EXPECT_TRUE(request.entries->empty());
}

TEST(QueryDecode, location_names_member_names_and_single_forms) {
  const sqs::TextMap expected = {{"DelaySeconds", "5"}};
  for (const std::string_view form :
       {"Attribute.1.Name=DelaySeconds&Attribute.1.Value=5", "Attributes.1.Name=DelaySeconds&Attributes.1.Value=5",
        "Attribute.Name=DelaySeconds&Attribute.Value=5"}) {
    EXPECT_EQ(get<sqs::SetQueueAttributesRequest>(decode_query("Action=SetQueueAttributes&" + std::string(form))).attributes,
              expected)
        << form;
  }
  for (const std::string_view form :
       {"Tag.1.Key=k&Tag.1.Value=v", "Tags.1.Key=k&Tags.1.Value=v", "tags.1.Key=k&tags.1.Value=v"}) {
    EXPECT_EQ(get<sqs::CreateQueueRequest>(decode_query("Action=CreateQueue&" + std::string(form))).tags,
              (sqs::TextMap{{"k", "v"}}))
        << form;
  }
  for (const std::string_view form : {"AttributeName.1=All", "AttributeNames.1=All", "AttributeName=All"}) {
    EXPECT_EQ(get<sqs::ReceiveMessageRequest>(decode_query("Action=ReceiveMessage&" + std::string(form))).attribute_names,
              std::vector<std::string>{"All"})
        << form;
  }
  const auto receive = get<sqs::ReceiveMessageRequest>(decode_query(
      "Action=ReceiveMessage&MessageSystemAttributeName.1=SenderId&MessageAttributeName.1=a&MessageAttributeName.2=b.*"));
  EXPECT_EQ(receive.message_system_attribute_names, std::vector<std::string>{"SenderId"});
  EXPECT_EQ(receive.message_attribute_names, (std::vector<std::string>{"a", "b.*"}));
  const auto send =
      get<sqs::SendMessageRequest>(decode_query("Action=SendMessage&MessageAttributes.1.Name=n&MessageAttributes.1.Value."
                                                "DataType=String&MessageAttributes.1.Value.StringValue=v"));
  EXPECT_EQ(send.entry.message_attributes, (sqs::MessageAttributes{{"n", {"String", "v", std::nullopt, false}}}));
  EXPECT_EQ(get<sqs::DeleteMessageBatchRequest>(decode_query("Action=DeleteMessageBatch&Entries.1.Id=a")).entries->at(0).id, "a");
}

TEST(QueryDecode, list_values_are_noticed) {
  for (const std::string_view list : {"StringListValue.1=x", "BinaryListValue.1=AQ%3D%3D"}) {
    const auto send = get<sqs::SendMessageRequest>(
        decode_query("Action=SendMessage&MessageAttribute.1.Name=n&MessageAttribute.1.Value." + std::string(list)));
    EXPECT_TRUE(send.entry.message_attributes.at(0).second.has_list_values) << list;
  }
}

TEST(QueryDecode, tags_permissions_and_move_tasks) {
  for (const std::string_view form : {"Tag.1.Key=k&Tag.1.Value=v", "Tags.1.Key=k&Tags.1.Value=v", "Tag.Key=k&Tag.Value=v"}) {
    EXPECT_EQ(get<sqs::TagQueueRequest>(decode_query("Action=TagQueue&QueueUrl=q&" + std::string(form))),
              (sqs::TagQueueRequest{"q", {{"k", "v"}}}))
        << form;
  }
  for (const std::string_view form : {"TagKey.1=a&TagKey.2=b", "TagKeys.1=a&TagKeys.2=b", "TagKey=a&TagKey.1=b"}) {
    EXPECT_EQ(get<sqs::UntagQueueRequest>(decode_query("Action=UntagQueue&" + std::string(form), "/1/q")),
              (sqs::UntagQueueRequest{"/1/q", {"a", "b"}}))
        << form;
  }
  EXPECT_EQ(get<sqs::ListQueueTagsRequest>(decode_query("Action=ListQueueTags", "/1/q")).queue_url, "/1/q");
  const sqs::AddPermissionRequest permission{"q", "l", {"111111111111", "222222222222"}, {"SendMessage", "*"}};
  for (const std::string_view form :
       {"AWSAccountId.1=111111111111&AWSAccountId.2=222222222222&ActionName.1=SendMessage&ActionName.2=*",
        "AWSAccountIds.1=111111111111&AWSAccountIds.2=222222222222&Actions.1=SendMessage&Actions.2=*"}) {
    EXPECT_EQ(get<sqs::AddPermissionRequest>(decode_query("Action=AddPermission&QueueUrl=q&Label=l&" + std::string(form))),
              permission)
        << form;
  }
  EXPECT_EQ(get<sqs::RemovePermissionRequest>(decode_query("Action=RemovePermission&Label=l", "/1/q")),
            (sqs::RemovePermissionRequest{"/1/q", "l"}));
  EXPECT_EQ(get<sqs::ListDeadLetterSourceQueuesRequest>(
                decode_query("Action=ListDeadLetterSourceQueues&QueueUrl=q&MaxResults=2&NextToken=t")),
            (sqs::ListDeadLetterSourceQueuesRequest{"q", 2, "t"}));
  EXPECT_EQ(get<sqs::StartMessageMoveTaskRequest>(
                decode_query("Action=StartMessageMoveTask&SourceArn=s&DestinationArn=d&MaxNumberOfMessagesPerSecond=5")),
            (sqs::StartMessageMoveTaskRequest{"s", "d", 5}));
  EXPECT_EQ(get<sqs::ListMessageMoveTasksRequest>(decode_query("Action=ListMessageMoveTasks&SourceArn=s&MaxResults=5")),
            (sqs::ListMessageMoveTasksRequest{"s", 5}));
  EXPECT_EQ(get<sqs::CancelMessageMoveTaskRequest>(decode_query("Action=CancelMessageMoveTask&TaskHandle=h")).task_handle, "h");
}

TEST(QueryDecode, wrong_values) {
  const auto integer = error_of(decode_query("Action=ReceiveMessage&WaitTimeSeconds=soon"));
  EXPECT_EQ(integer.code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(integer.message, "Value soon for parameter WaitTimeSeconds is invalid. Reason: Must be an integer.");
  EXPECT_EQ(error_of(decode_query("Action=ReceiveMessage&WaitTimeSeconds=")).code, ErrorCode::InvalidParameterValue);
  const auto nested = error_of(decode_query("Action=SendMessageBatch&SendMessageBatchRequestEntry.1.DelaySeconds=1.5"));
  EXPECT_EQ(nested.message, "Value 1.5 for parameter DelaySeconds is invalid. Reason: Must be an integer.");
  const auto binary = error_of(decode_query("Action=SendMessage&MessageAttribute.1.Value.BinaryValue=%3F"));
  EXPECT_EQ(binary.code, ErrorCode::Serialization);
  for (const std::string_view form : {"Action=ListQueues&x=%", "Action=ListQueues&x=%4", "Action=ListQueues&%zz=1"}) {
    EXPECT_EQ(error_of(decode_query(form)).code, ErrorCode::Serialization) << form;
  }
}

TEST(QueryDecode, url_and_body_are_merged_and_the_signature_is_left_out) {
  const auto request = get<sqs::ReceiveMessageRequest>(decode_query(
      "WaitTimeSeconds=1&QueueUrl=body", "/", "Action=ReceiveMessage&QueueUrl=url&X-Amz-Signature=00&X-Amz-Date=x&&="));
  EXPECT_EQ(request.queue_url, "body");
  EXPECT_EQ(request.wait_time_seconds, 1);
}

TEST(QueryDecode, addressing) {
  const auto url = [](std::string_view form, std::string_view path) {
    return get<sqs::DeleteQueueRequest>(decode_query("Action=DeleteQueue" + std::string(form), path)).queue_url;
  };
  EXPECT_EQ(url("", "/"), std::nullopt);
  EXPECT_EQ(url("", ""), std::nullopt);
  EXPECT_EQ(url("", "/000000000000/jobs"), "/000000000000/jobs");
  EXPECT_EQ(url("", "/000000000000/jobs%2Efifo"), "/000000000000/jobs.fifo");
  EXPECT_EQ(url("&QueueUrl=http://h/1/other", "/000000000000/jobs"), "http://h/1/other");
  EXPECT_EQ(url("&QueueUrl=", "/000000000000/jobs"), "/000000000000/jobs");
  EXPECT_EQ(get<sqs::GetQueueUrlRequest>(decode_query("Action=GetQueueUrl&QueueName=x", "/000000000000/jobs")).queue_name, "x");
}

TEST(QueryDecode, actions_that_are_not_there) {
  for (const std::string_view action : {"CreateQueue", "ListQueues"}) {
    const auto error = error_of(decode_query("Action=" + std::string(action), "/000000000000/jobs"));
    EXPECT_EQ(error.code, ErrorCode::UnknownOperation);
    EXPECT_EQ(error.message, "The action " + std::string(action) + " is not valid for this endpoint.");
    EXPECT_TRUE(decode_query("Action=" + std::string(action) + "&QueueName=a", "/"));
  }
  EXPECT_EQ(error_of(decode_query("Action=Nonsense", "/000000000000/jobs")).message,
            "The action Nonsense is not valid for this endpoint.");
  for (const std::string_view form : {"", "Version=2012-11-05", "Action="}) {
    const auto error = error_of(decode_query(form));
    EXPECT_EQ(error.code, ErrorCode::UnknownOperation);
    EXPECT_EQ(error.message, "");
  }
}

TEST(QueryParametersTest, count_at_its_limit) {
  std::string form;
  for (std::size_t i = 0; i < QueryParameters::kParametersMax; ++i) form += "a" + std::to_string(i) + "=1&";
  EXPECT_TRUE(QueryParameters::parse("", form));
  EXPECT_EQ(QueryParameters::parse("", form + "more=1").error().code, ErrorCode::Serialization);
  EXPECT_EQ(QueryParameters::parse("more=1", form).error().message, "The request has more than 5000 parameters.");
}

TEST(QueryParametersTest, finding) {
  const auto parameters = QueryParameters::parse("a=1&a=2&b.1=x&b.10.c=y&b.2=z&b.02=w&b.x=v&b.1-.q=u&c", "a=3").value();
  EXPECT_EQ(*parameters.find("a"), "3");
  EXPECT_EQ(*parameters.find("c"), "");
  EXPECT_EQ(parameters.find("b"), nullptr);
  EXPECT_TRUE(parameters.has_below("b."));
  EXPECT_FALSE(parameters.has_below("c."));
  EXPECT_EQ(parameters.numbers_below("b."), (std::vector<std::string>{"1", "02", "2", "10"}));
  EXPECT_TRUE(parameters.numbers_below("d.").empty());
}

}  // namespace
}  // namespace ferry::protocol
