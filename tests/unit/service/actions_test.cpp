// Tags, permissions, dead-letter sources and move tasks, from request to answer.

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "service_fixture.h"

namespace ferry::service {
namespace {

TEST_F(ServiceTest, TagsAreKept) {
  EXPECT_NE(call("CreateQueue", R"({"QueueName":"q","tags":{"team":"a","env":"test"}})").find("/q"), std::string::npos);
  EXPECT_EQ(call("TagQueue", R"({"QueueUrl":"q","Tags":{"env":"prod","Env":""}})"), "");
  EXPECT_EQ(call("ListQueueTags", R"({"QueueUrl":"q"})"), R"({"Tags":{"Env":"","env":"prod","team":"a"}})");
  EXPECT_EQ(call("UntagQueue", R"({"QueueUrl":"q","TagKeys":["env","unknown"]})"), "");
  EXPECT_EQ(call("ListQueueTags", R"({"QueueUrl":"q"})"), R"({"Tags":{"Env":"","team":"a"}})");
  EXPECT_EQ(call("UntagQueue", R"({"QueueUrl":"q","TagKeys":["Env","team"]})"), "");
  EXPECT_EQ(call("ListQueueTags", R"({"QueueUrl":"q"})"), "{}");
}

TEST_F(ServiceTest, TagsThatAreRefusedChangeNothing) {
  create_queue();
  const std::string too_long(129, 'k');
  refused("TagQueue", R"({"QueueUrl":"q","Tags":{}})", "MissingParameter", "The request must contain the parameter Tags.");
  refused("TagQueue", R"({"QueueUrl":"q","Tags":{"good":"1",")" + too_long + R"(":""}})", "InvalidParameterValue",
          "Tag keys must be between 1 and 128 characters in length.");
  refused("UntagQueue", R"({"QueueUrl":"q","TagKeys":[]})", "InvalidParameterValue",
          "Tag keys must be between 1 and 128 characters in length.");
  std::string tags;
  for (int i = 0; i < 51; ++i) tags += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":"")";
  refused("TagQueue", R"({"QueueUrl":"q","Tags":{)" + tags + "}}", "InvalidParameterValue", "Too many tags added for queue q.");
  refused("CreateQueue", R"({"QueueName":"r","tags":{)" + tags + "}}", "InvalidParameterValue",
          "Too many tags added for queue r.");
  EXPECT_EQ(call("ListQueueTags", R"({"QueueUrl":"q"})"), "{}");
  for (const char* action :
       {"TagQueue", "UntagQueue", "ListQueueTags", "AddPermission", "RemovePermission", "ListDeadLetterSourceQueues"}) {
    refused(action, R"({"QueueUrl":"other"})", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.");
    refused(action, "{}", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.");
  }
}

TEST_F(ServiceTest, PermissionsEditThePolicy) {
  create_queue();
  const std::string add = R"({"QueueUrl":"q","Label":"one","AWSAccountIds":["111111111111"],"Actions":["SendMessage"]})";
  const auto policy = [&] { return call("GetQueueAttributes", R"({"QueueUrl":"q","AttributeNames":["Policy"]})"); };
  EXPECT_EQ(policy(), "{}");
  EXPECT_EQ(call("AddPermission", add), "");
  EXPECT_EQ(
      policy(),
      R"({"Attributes":{"Policy":"{\"Version\":\"2008-10-17\",\"Id\":\"arn:aws:sqs:us-east-1:000000000000:q/SQSDefaultPolicy\",)"
      R"(\"Statement\":[{\"Sid\":\"one\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::111111111111:root\"},)"
      R"(\"Action\":\"SQS:SendMessage\",\"Resource\":\"arn:aws:sqs:us-east-1:000000000000:q\"}]}"}})");
  refused("AddPermission", add, "InvalidParameterValue", "Value one for parameter Label is invalid. Reason: Already exists.");
  refused("AddPermission", R"({"QueueUrl":"q","Label":"two","AWSAccountIds":["111111111111"],"Actions":["DeleteQueue"]})",
          "InvalidParameterValue",
          "Value SQS:DeleteQueue for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this "
          "action.");
  refused("RemovePermission", R"({"QueueUrl":"q","Label":"two"})", "InvalidParameterValue",
          "Value two for parameter Label is invalid. Reason: can't find label on existing policy.");
  refused("RemovePermission", R"({"QueueUrl":"q"})", "MissingParameter", "The request must contain the parameter Label.");
  EXPECT_EQ(call("RemovePermission", R"({"QueueUrl":"q","Label":"one"})"), "");
  EXPECT_EQ(policy(), "{}");
  refused("RemovePermission", R"({"QueueUrl":"q","Label":"one"})", "InvalidParameterValue",
          "Value one for parameter Label is invalid. Reason: can't find label.");
}

TEST_F(ServiceTest, DeadLetterSourcesPage) {
  create_queue("dlq");
  EXPECT_EQ(call("ListDeadLetterSourceQueues", R"({"QueueUrl":"dlq"})"), "{}");
  for (const char* name : {"s2", "s1", "s3"}) create_source(name, "dlq");
  EXPECT_EQ(call("ListDeadLetterSourceQueues", R"({"QueueUrl":"dlq"})"),
            R"({"queueUrls":["http://127.0.0.1:9324/000000000000/s1","http://127.0.0.1:9324/000000000000/s2",)"
            R"("http://127.0.0.1:9324/000000000000/s3"]})");
  const std::string first = call("ListDeadLetterSourceQueues", R"({"QueueUrl":"dlq","MaxResults":2})");
  EXPECT_NE(first.find("/s2\"]"), std::string::npos) << first;
  const std::string second =
      call("ListDeadLetterSourceQueues", R"({"QueueUrl":"dlq","MaxResults":2,"NextToken":")" + field(first, "NextToken") + "\"}");
  EXPECT_EQ(second, R"({"queueUrls":["http://127.0.0.1:9324/000000000000/s3"]})");
  refused("ListDeadLetterSourceQueues", R"({"QueueUrl":"dlq","MaxResults":1001})", "InvalidParameterValue",
          "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.");
  refused("ListDeadLetterSourceQueues", R"({"QueueUrl":"dlq","NextToken":"forged"})", "InvalidParameterValue",
          "Invalid or expired next token.");
}

class MoveTaskTest : public ServiceTest {
 protected:
  MoveTaskTest() {
    create_queue("dlq");
    create_source("q", "dlq");
  }
  // A message that failed, now in dlq.
  void send_dead_letter(const std::string& body) {
    call("SendMessage", R"({"QueueUrl":"q","MessageBody":")" + body + "\"}");
    call("ReceiveMessage", R"({"QueueUrl":"q","VisibilityTimeout":0})");
    EXPECT_EQ(call("ReceiveMessage", R"({"QueueUrl":"q"})"), "{}");
  }
  std::string start_task(const std::string& more = "") {
    return call("StartMessageMoveTask", R"({"SourceArn":")" + arn("dlq") + "\"" + more + "}");
  }
  std::string list_tasks() { return call("ListMessageMoveTasks", R"({"SourceArn":")" + arn("dlq") + R"(","MaxResults":10})"); }
  void run_tasks() {
    for (int i = 0; i < 10; ++i) {
      engine.tick();
      settle();
    }
  }
};

TEST_F(MoveTaskTest, MovesBackAndIsListed) {
  send_dead_letter("one");
  EXPECT_EQ(list_tasks(), "{}");
  const std::string handle = field(start_task(), "TaskHandle");
  const std::string text = base64_decode(handle).value_or("");
  EXPECT_TRUE(std::regex_match(
      text, std::regex(R"re(\{"taskId":"[0-9a-f-]{36}","sourceArn":"arn:aws:sqs:us-east-1:000000000000:dlq"\})re")))
      << text;
  const std::string running = list_tasks();
  EXPECT_EQ(field(running, "Status"), "RUNNING");
  EXPECT_EQ(field(running, "TaskHandle"), handle);
  EXPECT_EQ(running.find("DestinationArn"), std::string::npos) << "none was given";
  EXPECT_EQ(running.find("MaxNumberOfMessagesPerSecond"), std::string::npos) << "none was given";
  run_tasks();
  const std::string done = list_tasks();
  EXPECT_EQ(field(done, "Status"), "COMPLETED");
  EXPECT_EQ(done.find("TaskHandle"), std::string::npos) << "only a running task has one";
  EXPECT_NE(done.find(R"("ApproximateNumberOfMessagesMoved":1,"ApproximateNumberOfMessagesToMove":1)"), std::string::npos)
      << done;
  EXPECT_NE(done.find("\"StartedTimestamp\":" + std::to_string(to_epoch_millis(clock.wall()))), std::string::npos) << done;
  EXPECT_EQ(field(call("ReceiveMessage", R"({"QueueUrl":"q"})"), "Body"), "one");
}

TEST_F(MoveTaskTest, DestinationAndRateAreTold) {
  create_queue("other");
  for (const char* body : {"one", "two", "three"}) send_dead_letter(body);
  start_task(R"(,"DestinationArn":")" + arn("other") + R"(","MaxNumberOfMessagesPerSecond":1)");
  const std::string running = list_tasks();
  EXPECT_EQ(field(running, "DestinationArn"), arn("other"));
  EXPECT_NE(running.find("\"MaxNumberOfMessagesPerSecond\":1"), std::string::npos);
  const std::string handle = field(running, "TaskHandle");
  refused("StartMessageMoveTask", R"({"SourceArn":")" + arn("dlq") + "\"}", "InvalidParameterValue",
          "There is already a task running. Only one active task is allowed for a source queue arn at a given time.");
  const std::string cancelled = call("CancelMessageMoveTask", R"({"TaskHandle":")" + handle + "\"}");
  EXPECT_NE(cancelled.find("\"ApproximateNumberOfMessagesMoved\":"), std::string::npos) << cancelled;
  EXPECT_EQ(field(list_tasks(), "Status"), "CANCELLED");
  const auto again = start("CancelMessageMoveTask", R"({"TaskHandle":")" + handle + "\"}");
  settle();
  EXPECT_EQ(again->header("x-amzn-query-error"), "ResourceNotFoundException;Sender");
  EXPECT_EQ(again->response().status, 404);
}

TEST_F(MoveTaskTest, QueuesThatDoNotExistOrBelongToOthers) {
  const std::string source_missing = "The resource that you specified for the SourceArn parameter doesn't exist.";
  const std::string destination_missing = "The resource that you specified for the DestinationArn parameter doesn't exist.";
  for (const std::string& missing : {arn("nothing"), std::string("arn:aws:sqs:us-east-1:111111111111:dlq"),
                                     std::string("arn:aws:sqs:eu-west-1:000000000000:dlq")}) {
    const std::string member = R"("SourceArn":")" + missing + "\"";
    refused("StartMessageMoveTask", "{" + member + "}", "ResourceNotFoundException", source_missing);
    refused("ListMessageMoveTasks", "{" + member + "}", "ResourceNotFoundException", source_missing);
    const std::string handle =
        base64_encode(R"({"taskId":"00000000-0000-4000-8000-000000000000","sourceArn":")" + missing + "\"}");
    refused("CancelMessageMoveTask", R"({"TaskHandle":")" + handle + "\"}", "ResourceNotFoundException", source_missing);
    refused("StartMessageMoveTask", R"({"SourceArn":")" + arn("dlq") + R"(","DestinationArn":")" + missing + "\"}",
            "ResourceNotFoundException", destination_missing);
  }
  refused("StartMessageMoveTask", R"({"SourceArn":")" + arn("q") + "\"}", "InvalidParameterValue",
          "Source queue must be configured as a Dead Letter Queue.");
  EXPECT_EQ(list_tasks(), "{}");
}

TEST_F(MoveTaskTest, ForgedHandles) {
  send_dead_letter("one");
  start_task();
  for (const std::string& forged : {std::string("x"), std::string(), base64_encode("{}")}) {
    refused("CancelMessageMoveTask", R"({"TaskHandle":")" + forged + "\"}", "InvalidParameterValue",
            "Value for parameter TaskHandle is invalid.");
  }
  for (const char* id : {"8f5e1a2b-0000-4000-8000-0123456789ab", "no uuid", "00000000-0000-0000-0000-000000000000"}) {
    const std::string handle = base64_encode(R"({"taskId":")" + std::string(id) + R"(","sourceArn":")" + arn("dlq") + "\"}");
    refused("CancelMessageMoveTask", R"({"TaskHandle":")" + handle + "\"}", "ResourceNotFoundException", "Task does not exist.");
  }
  refused("CancelMessageMoveTask", "{}", "MissingParameter", "The request must contain the parameter TaskHandle.");
  EXPECT_EQ(field(list_tasks(), "Status"), "RUNNING");
}

TEST_F(ServiceTest, QueryRequestsAreAnsweredInJsonWhenTheyAskForIt) {
  create_queue();
  const FakeExchange::Headers headers = {{"Host", "127.0.0.1:9324"}, {"Accept", "application/json"}};
  const auto list = start("GET", "/?Action=ListQueues", headers, "");
  const auto missing = start("GET", "/000000000000/other?Action=GetQueueAttributes", headers, "");
  const auto none = start("GET", "/", headers, "");
  settle();
  EXPECT_EQ(list->response().content_type, "application/json");
  EXPECT_TRUE(list->response().body.starts_with(
      R"({"ListQueuesResponse":{"ListQueuesResult":{"queueUrls":["http://127.0.0.1:9324/000000000000/q"],"NextToken":null},)"))
      << list->response().body;
  EXPECT_EQ(missing->response().status, 400);
  EXPECT_TRUE(missing->response().body.starts_with(R"({"Error":{"Code":"AWS.SimpleQueueService.NonExistentQueue",)"))
      << missing->response().body;
  EXPECT_EQ(none->response().status, 404);
  EXPECT_EQ(none->response().body, "<UnknownOperationException/>");
}

class GrantsTest : public KeyedServiceTest {
 protected:
  GrantsTest() : KeyedServiceTest(ring()) {}
  static const access::KeyRing& ring() {
    static const access::KeyRing keys(
        {{"ADMIN", "secret", "000000000000", {{{"*"}, {"*"}}}},
         {"MOVER", "secret", "000000000000", {{{"StartMessageMoveTask"}, {"dlq"}}}},
         {"FILLER",
          "secret",
          "000000000000",
          {{{"StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask"}, {"dlq"}}, {{"SendMessage"}, {"other"}}}}});
    return keys;
  }
  int status(const std::string& key, const std::string& action, const std::string& body) {
    return signed_call(key, "secret", action, body)->response().status;
  }
};

TEST_F(GrantsTest, MoveTasksNeedTheGrantOfTheSourceAndOfSendingToTheDestination) {
  for (const char* name : {"dlq", "other"}) {
    EXPECT_EQ(status("ADMIN", "CreateQueue", R"({"QueueName":")" + std::string(name) + "\"}"), 200);
  }
  EXPECT_EQ(status("ADMIN", "CreateQueue",
                   R"({"QueueName":"q","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\")" + arn("dlq") +
                       R"(\",\"maxReceiveCount\":1}"}})"),
            200);
  const std::string source = R"({"SourceArn":")" + arn("dlq") + "\"";
  const std::string to_other = source + R"(,"DestinationArn":")" + arn("other") + "\"}";
  const std::string to_q = source + R"(,"DestinationArn":")" + arn("q") + "\"}";
  EXPECT_EQ(status("MOVER", "StartMessageMoveTask", to_other), 403);
  EXPECT_EQ(status("FILLER", "StartMessageMoveTask", to_q), 403);
  EXPECT_EQ(status("MOVER", "StartMessageMoveTask", R"({"SourceArn":")" + arn("q") + "\"}"), 403);
  EXPECT_EQ(status("MOVER", "ListMessageMoveTasks", source + "}"), 403);
  const std::string handle = base64_encode(R"({"taskId":"x","sourceArn":")" + arn("dlq") + "\"}");
  EXPECT_EQ(status("MOVER", "CancelMessageMoveTask", R"({"TaskHandle":")" + handle + "\"}"), 403);
  EXPECT_EQ(status("FILLER", "CancelMessageMoveTask", R"({"TaskHandle":")" + handle + "\"}"), 404);
  EXPECT_EQ(status("FILLER", "StartMessageMoveTask", to_other), 200);
  EXPECT_EQ(status("FILLER", "ListMessageMoveTasks", source + "}"), 200);
  for (const char* action :
       {"TagQueue", "UntagQueue", "ListQueueTags", "AddPermission", "RemovePermission", "ListDeadLetterSourceQueues"}) {
    EXPECT_EQ(status("MOVER", action, R"({"QueueUrl":"dlq"})"), 403) << action;
  }
}

}  // namespace
}  // namespace ferry::service
