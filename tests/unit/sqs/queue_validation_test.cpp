#include <gtest/gtest.h>

#include "base/encoding.h"
#include "sqs/limits.h"
#include "sqs/next_token.h"
#include "sqs/validation.h"

namespace ferry::sqs {
namespace {

const std::string kSource = "arn:aws:sqs:us-east-1:000000000000:dlq";
const std::string kDestination = "arn:aws:sqs:us-east-1:000000000000:jobs";

template <class T>
void expect_error(const ApiResult<T>& result, ErrorCode code, std::string_view message) {
  ASSERT_FALSE(result.has_value()) << message;
  EXPECT_EQ(result.error().code, code);
  EXPECT_EQ(result.error().message, message);
}

TEST(ValidateSetAttributes, none_is_too_few) {
  EXPECT_TRUE(validate_set_attributes({"q", {{"DelaySeconds", "1"}}}));
  expect_error(validate_set_attributes({"q", {}}), ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter Attribute.Name.");
}

TEST(ValidateTags, empty_requests_and_keys) {
  EXPECT_TRUE(validate_tag_queue({"q", {{"a", ""}}}));
  expect_error(validate_tag_queue({"q", {}}), ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter Tags.");
  EXPECT_TRUE(validate_untag_queue({"q", {"a", std::string(128, 'k')}}));
  for (const std::vector<std::string>& bad : {std::vector<std::string>{}, {""}, {"a", std::string(129, 'k')}, {"\xff"}}) {
    expect_error(validate_untag_queue({"q", bad}), ErrorCode::InvalidParameterValue,
                 "Tag keys must be between 1 and 128 characters in length.");
  }
}

TEST(ValidateListSources, results_and_tokens) {
  EXPECT_EQ(validate_list_sources({})->max, 1000);
  EXPECT_FALSE(validate_list_sources({})->gives_token);
  const auto page = validate_list_sources({"q", 1000, encode_next_token("last")});
  EXPECT_EQ(page->max, 1000);
  EXPECT_TRUE(page->gives_token);
  EXPECT_EQ(page->after, "last");
  for (const std::int64_t bad : {-1, 1001}) {
    expect_error(validate_list_sources({"q", bad, std::nullopt}), ErrorCode::InvalidParameterValue,
                 "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.");
  }
  for (const std::string& forged : {std::string("x"), base64_encode("list-queues:2:a"), base64_encode("list-queues:1:a b")}) {
    expect_error(validate_list_sources({"q", 1, forged}), ErrorCode::InvalidParameterValue, "Invalid or expired next token.");
  }
}

AddPermissionRequest permission(std::vector<std::string> actions = {"SendMessage"},
                                std::vector<std::string> accounts = {"111111111111"}, OptionalText label = "label") {
  return {"q", std::move(label), std::move(accounts), std::move(actions)};
}

TEST(ValidateAddPermission, what_is_granted) {
  const auto valid = validate_add_permission(permission({"SendMessage", "*"}, {"111111111111", "222222222222"}));
  ASSERT_TRUE(valid);
  EXPECT_EQ(valid->label, "label");
  EXPECT_EQ(valid->accounts, (std::vector<std::string>{"111111111111", "222222222222"}));
  EXPECT_EQ(valid->actions, (std::vector<std::string>{"SendMessage", "*"}));
  for (const char* action : {"*", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
                             "ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage"}) {
    EXPECT_TRUE(validate_add_permission(permission({action}))) << action;
  }
}

TEST(ValidateAddPermission, labels) {
  EXPECT_TRUE(validate_add_permission(permission({"*"}, {"111111111111"}, std::string(80, 'l'))));
  EXPECT_TRUE(validate_add_permission(permission({"*"}, {"111111111111"}, "aZ09_-")));
  for (const OptionalText& missing : {OptionalText(), OptionalText("")}) {
    expect_error(validate_add_permission(permission({"*"}, {"111111111111"}, missing)), ErrorCode::MissingRequiredParameter,
                 "The request must contain the parameter Label.");
    expect_error(validate_remove_permission({"q", missing}), ErrorCode::MissingRequiredParameter,
                 "The request must contain the parameter Label.");
  }
  for (const std::string& bad : {std::string(81, 'l'), std::string("a b"), std::string("a.b"), std::string("\u00e9")}) {
    expect_error(validate_add_permission(permission({"*"}, {"111111111111"}, bad)), ErrorCode::InvalidParameterValue,
                 "Value " + bad +
                     " for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or "
                     "underscores. 1 to 80 in length.");
  }
  EXPECT_EQ(*validate_remove_permission({"q", "any thing"}), "any thing");
}

TEST(ValidateAddPermission, accounts) {
  const std::string account = "111111111111";
  expect_error(validate_add_permission(permission({"*"}, {})), ErrorCode::InvalidParameterValue,
               "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.");
  for (const std::string& bad : {std::string(), std::string("1"), std::string("11111111111a"), account + "1", std::string("*")}) {
    expect_error(validate_add_permission(permission({"*"}, {account, bad})), ErrorCode::InvalidParameterValue,
                 "Value [" + account + ", " + bad + "] for parameter PrincipalId is invalid. Reason: Unable to verify.");
  }
  EXPECT_TRUE(validate_add_permission(permission({"*"}, std::vector<std::string>(50, account))));
  expect_error(validate_add_permission(permission({"*"}, std::vector<std::string>(51, account))), ErrorCode::OverLimit,
               "51 Principals were found, maximum allowed is 50.");
}

TEST(ValidateAddPermission, actions) {
  expect_error(validate_add_permission(permission({})), ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter ActionName.");
  EXPECT_TRUE(validate_add_permission(permission(std::vector<std::string>(7, "SendMessage"))));
  expect_error(validate_add_permission(permission(std::vector<std::string>(8, "SendMessage"))), ErrorCode::OverLimit,
               "8 Actions were found, maximum allowed is 7.");
  for (const char* owner :
       {"AddPermission", "CancelMessageMoveTask", "CreateQueue", "DeleteQueue", "ListMessageMoveTasks", "ListQueueTags",
        "ListQueues", "RemovePermission", "SetQueueAttributes", "StartMessageMoveTask", "TagQueue", "UntagQueue"}) {
    expect_error(validate_add_permission(permission({"SendMessage", owner})), ErrorCode::InvalidParameterValue,
                 "Value SQS:" + std::string(owner) +
                     " for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action.");
  }
  for (const char* unknown : {"", "Nonsense", "sendmessage", "SendMessageBatch", "SQS:SendMessage", "Send*"}) {
    expect_error(validate_add_permission(permission({unknown})), ErrorCode::InvalidParameterValue,
                 "Value SQS:" + std::string(unknown) +
                     " for parameter ActionName is invalid. Reason: Please refer to the appropriate WSDL for a list of valid "
                     "actions. ");
  }
}

TEST(ValidateMoveTask, start) {
  const auto plain = validate_start_move_task({kSource, std::nullopt, std::nullopt});
  ASSERT_TRUE(plain);
  EXPECT_EQ(format_queue_arn(plain->source), kSource);
  EXPECT_FALSE(plain->destination);
  EXPECT_FALSE(plain->messages_per_second);
  for (const int rate : {1, 500}) {
    const auto full = validate_start_move_task({kSource, kDestination, rate});
    ASSERT_TRUE(full);
    EXPECT_EQ(format_queue_arn(*full->destination), kDestination);
    EXPECT_EQ(full->messages_per_second, rate);
  }
  for (const std::int64_t bad : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{501}, std::int64_t{1} << 40}) {
    expect_error(
        validate_start_move_task({kSource, kDestination, bad}), ErrorCode::InvalidParameterValue,
        "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and 500.");
  }
}

TEST(ValidateMoveTask, arns) {
  expect_error(validate_start_move_task({}), ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter SourceArn.");
  expect_error(validate_list_move_tasks({}), ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter SourceArn.");
  const std::string format = "arn:<partition>:<service>:<region>:<account-id>:<resource-id>";
  for (const char* bad : {"", "dlq", "arn", "arn:aws:sqs:us-east-1:000000000000",
                          "arn:aws:sqs:us-east-1:000000000000:", "arn:aws:sqs::000000000000:dlq", "http://h/000000000000/dlq"}) {
    expect_error(validate_start_move_task({bad, std::nullopt, std::nullopt}), ErrorCode::InvalidParameterValue,
                 "You must use this format to specify the SourceArn: " + format);
    expect_error(validate_start_move_task({kSource, bad, std::nullopt}), ErrorCode::InvalidParameterValue,
                 "You must use this format to specify the DestinationArn: " + format);
    expect_error(validate_list_move_tasks({bad, std::nullopt}), ErrorCode::InvalidParameterValue,
                 "You must use this format to specify the SourceArn: " + format);
  }
  for (const char* other : {"arn:aws:sns:us-east-1:000000000000:dlq", "arn:aws:sqs:us-east-1:000000000000:a b",
                            "arn:aws:sqs:us-east-1:000000000000:a:b"}) {
    expect_error(validate_start_move_task({other, std::nullopt, std::nullopt}), ErrorCode::ResourceNotFound,
                 "The resource that you specified for the SourceArn parameter doesn't exist.");
    expect_error(validate_start_move_task({kSource, other, std::nullopt}), ErrorCode::ResourceNotFound,
                 "The resource that you specified for the DestinationArn parameter doesn't exist.");
  }
  for (const std::string& same : {kSource, std::string("arn:aws-cn:sqs:us-east-1:000000000000:dlq")}) {
    expect_error(validate_start_move_task({kSource, same, std::nullopt}), ErrorCode::InvalidParameterValue,
                 "Source queue arn and destination queue arn cannot be the same.");
  }
  expect_error(validate_start_move_task({kSource, kDestination + ".fifo", std::nullopt}), ErrorCode::InvalidParameterValue,
               "The source queue and destination queue must be of the same queue type.");
}

TEST(ValidateMoveTask, list) {
  EXPECT_EQ(validate_list_move_tasks({kSource, std::nullopt})->max, 1);
  EXPECT_EQ(validate_list_move_tasks({kSource, 10})->max, 10);
  for (const std::int64_t bad : {0, -1, 11}) {
    expect_error(validate_list_move_tasks({kSource, bad}), ErrorCode::InvalidParameterValue,
                 "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 10.");
  }
}

TEST(ValidateMoveTask, cancel) {
  expect_error(validate_cancel_move_task({}), ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter TaskHandle.");
  for (const std::string& bad : {std::string(), std::string("x"), base64_encode("{}")}) {
    expect_error(validate_cancel_move_task({bad}), ErrorCode::InvalidParameterValue,
                 "Value for parameter TaskHandle is invalid.");
  }
  const std::string id = "8f5e1a2b-0000-4000-8000-0123456789ab";
  const auto handle = [](const std::string& task) {
    return base64_encode(R"({"taskId":")" + task + R"(","sourceArn":")" + kSource + "\"}");
  };
  const auto task = validate_cancel_move_task({handle(id)});
  ASSERT_TRUE(task);
  EXPECT_EQ(format_queue_arn(task->source), kSource);
  EXPECT_EQ(to_string(*task->task), id);
  EXPECT_FALSE(validate_cancel_move_task({handle("no uuid")})->task);
}

}  // namespace
}  // namespace ferry::sqs
