#include "sqs/validation.h"

#include <gtest/gtest.h>

#include "sqs/limits.h"
#include "sqs/next_token.h"

namespace ferry::sqs {
namespace {

const ApiError kAllowed{ErrorCode::InternalFailure, "allowed"};

template <class T>
ApiError error_of(const ApiResult<T>& result) {
  return result ? kAllowed : result.error();
}

void expect_error(const ApiError& error, ErrorCode code, std::string_view message) {
  EXPECT_EQ(error.code, code) << error.message;
  EXPECT_EQ(error.message, message);
}

SendMessageEntry entry_with_body(std::string body) {
  SendMessageEntry entry;
  entry.message_body = std::move(body);
  return entry;
}

constexpr QueueKind kStandard = QueueKind::Standard;
constexpr QueueKind kFifo = QueueKind::Fifo;

TEST(ValidateCreateQueue, names) {
  EXPECT_EQ(*validate_create_queue({"jobs", {{"DelaySeconds", "1"}}, {{"team", "a"}}}), "jobs");
  EXPECT_EQ(*validate_create_queue({"jobs.fifo", {}, {}}), "jobs.fifo");
  expect_error(error_of(validate_create_queue({"", {}, {}})), ErrorCode::InvalidParameterValue, "Queue name cannot be empty");
}

TEST(ValidateListQueues, results_and_tokens) {
  const ListParameters all = *validate_list_queues({});
  EXPECT_EQ(all.max, 1000);
  EXPECT_FALSE(all.gives_token);
  EXPECT_EQ(all.prefix, "");
  EXPECT_EQ(all.after, "");
  const ListParameters page = *validate_list_queues({"pre", 2, encode_next_token("last")});
  EXPECT_EQ(page.max, 2);
  EXPECT_TRUE(page.gives_token);
  EXPECT_EQ(page.prefix, "pre");
  EXPECT_EQ(page.after, "last");
  EXPECT_FALSE(validate_list_queues({std::nullopt, 0, std::nullopt})->gives_token);
  EXPECT_EQ(validate_list_queues({std::nullopt, 1, std::nullopt})->max, 1);
  EXPECT_EQ(validate_list_queues({std::nullopt, 1000, std::nullopt})->max, 1000);
  for (const std::int64_t bad : {-1L, 1001L, 9'000'000'000L}) {
    expect_error(error_of(validate_list_queues({std::nullopt, bad, std::nullopt})), ErrorCode::InvalidParameterValue,
                 "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.");
  }
  expect_error(error_of(validate_list_queues({std::nullopt, 2, "junk"})), ErrorCode::InvalidParameterValue,
               "Invalid or expired next token.");
}

TEST(ValidateSend, body) {
  EXPECT_TRUE(validate_send(entry_with_body("x"), kStandard));
  EXPECT_TRUE(validate_send(entry_with_body("\t\n\r \x7f\u0085\uFFFD\U0010FFFF"), kStandard));
  for (const SendMessageEntry& missing : {SendMessageEntry{}, entry_with_body("")}) {
    expect_error(error_of(validate_send(missing, kStandard)), ErrorCode::MissingRequiredParameter,
                 "The request must contain the parameter MessageBody.");
    expect_error(error_of(validate_send(missing, kStandard, 3)), ErrorCode::MissingRequiredParameter,
                 "The request must contain the parameter SendMessageBatchRequestEntry.3.MessageBody.");
  }
  for (const std::string& bad :
       {std::string("a\0b", 3), std::string("\x0b"), std::string("\x1f"), std::string("\uFFFE"), std::string("\uFFFF"),
        std::string("\xED\xA0\x80"), std::string("\xff"), std::string("\xC0\x80")}) {
    expect_error(
        error_of(validate_send(entry_with_body(bad), kStandard)), ErrorCode::InvalidMessageContents,
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to "
        "#x10FFFF");
  }
}

TEST(ValidateSend, delay_at_its_limits) {
  SendMessageEntry entry = entry_with_body("x");
  for (const std::int64_t good : {0, 900}) {
    entry.delay_seconds = good;
    EXPECT_TRUE(validate_send(entry, kStandard));
  }
  for (const std::int64_t bad : {-1, 901}) {
    entry.delay_seconds = bad;
    for (const BatchIndex index : {BatchIndex{}, BatchIndex{1}}) {
      expect_error(error_of(validate_send(entry, kStandard, index)), ErrorCode::InvalidParameterValue,
                   "Value " + std::to_string(bad) +
                       " for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.");
    }
  }
}

TEST(ValidateSend, group_and_deduplication_ids) {
  SendMessageEntry entry = entry_with_body("x");
  for (const std::string& bad :
       {std::string(), std::string(129, 'g'), std::string("a b"), std::string("\u00e9"), std::string("\x7f")}) {
    entry.message_group_id = bad;
    expect_error(
        error_of(validate_send(entry, kStandard)), ErrorCode::InvalidParameterValue,
        "Value " + bad +
            " for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation "
            "characters. 1 to 128 in length.");
  }
  for (const std::string& good :
       {std::string(1, 'g'), std::string(128, 'g'), std::string("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~azAZ09")}) {
    entry.message_group_id = good;
    EXPECT_TRUE(validate_send(entry, kStandard)) << "a tenant";
    EXPECT_TRUE(validate_send(entry, kFifo)) << "a group";
  }
  entry.message_group_id.reset();

  entry.message_deduplication_id = std::string(129, 'd');
  EXPECT_NE(error_of(validate_send(entry, kStandard)).message.find("MessageDeduplicationId can only include"), std::string::npos);
  entry.message_deduplication_id = "d";
  expect_error(
      error_of(validate_send(entry, kStandard)), ErrorCode::InvalidParameterValue,
      "Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for "
      "this queue type.");
  expect_error(error_of(validate_send(entry, kStandard, 1)), ErrorCode::InvalidParameterValue,
               "The request include parameter that is not valid for this queue type");
}

TEST(ValidateSend, what_fifo_queues_need_and_refuse) {
  SendMessageEntry entry = entry_with_body("x");
  expect_error(error_of(validate_send(entry, kFifo)), ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter MessageGroupId.");
  expect_error(error_of(validate_send(entry, kFifo, 2)), ErrorCode::InvalidParameterValue,
               "The request must contain the parameter MessageGroupId.");
  entry.message_group_id = "g";
  EXPECT_TRUE(validate_send(entry, kFifo)) << "whether a deduplication id is needed depends on the queue";
  entry.message_deduplication_id = std::string(128, 'd');
  EXPECT_TRUE(validate_send(entry, kFifo, 1));
  for (const std::string& bad :
       {std::string(), std::string(129, 'd'), std::string("a b"), std::string("a\n"), std::string("\u00e9")}) {
    entry.message_deduplication_id = bad;
    expect_error(error_of(validate_send(entry, kFifo)), ErrorCode::InvalidParameterValue,
                 "Value " + bad +
                     " for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include "
                     "alphanumeric and punctuation characters. 1 to 128 in length.");
  }
  entry.message_deduplication_id = "d";
  entry.delay_seconds = 0;
  EXPECT_TRUE(validate_send(entry, kFifo));
  entry.delay_seconds = 1;
  for (const BatchIndex index : {BatchIndex{}, BatchIndex{1}}) {
    expect_error(
        error_of(validate_send(entry, kFifo, index)), ErrorCode::InvalidParameterValue,
        "Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this "
        "queue type.");
  }
  EXPECT_EQ(error_of(validate_send(entry, kStandard)).code, ErrorCode::InvalidParameterValue) << "the deduplication id";
}

TEST(ValidateSend, a_sender_that_does_not_know_the_kind) {
  SendMessageEntry entry = entry_with_body("x");
  EXPECT_TRUE(validate_message(entry));
  entry.message_group_id = "g";
  entry.message_deduplication_id = "d";
  entry.delay_seconds = 900;
  EXPECT_TRUE(validate_message(entry));
  entry.delay_seconds = 901;
  EXPECT_FALSE(validate_message(entry));
  entry.delay_seconds = 1;
  entry.message_group_id = "a b";
  EXPECT_FALSE(validate_message(entry));
  EXPECT_FALSE(validate_message(entry_with_body("\x01")));
}

TEST(ValidateSend, attributes_are_looked_at) {
  SendMessageEntry entry = entry_with_body("x");
  entry.message_attributes = {{"a", {"Nonsense", "v", std::nullopt, false}}};
  EXPECT_EQ(error_of(validate_send(entry, kStandard)).code, ErrorCode::InvalidParameterValue);
  entry.message_attributes.clear();
  entry.message_system_attributes = {{"a", {"String", "v", std::nullopt, false}}};
  EXPECT_EQ(error_of(validate_send(entry, kStandard)).message, "Message system attribute name 'a' is invalid.");
}

TEST(ValidateSend, too_long_is_told_differently_in_a_batch) {
  expect_error(message_too_long(1024), ErrorCode::InvalidParameterValue,
               "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.");
  expect_error(message_too_long(1024, 2), ErrorCode::InvalidParameterValue,
               "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.");
}

SendMessageBatchRequest batch_of(const std::vector<std::string>& ids, const std::string& body = "x") {
  SendMessageBatchRequest request;
  request.entries.emplace();
  for (const std::string& id : ids) {
    request.entries->push_back(entry_with_body(body));
    request.entries->back().id = id;
  }
  return request;
}

TEST(ValidateBatch, counts) {
  expect_error(error_of(validate_batch(SendMessageBatchRequest{})), ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter Entries.");
  expect_error(error_of(validate_batch(batch_of({}))), ErrorCode::EmptyBatchRequest,
               "There should be at least one SendMessageBatchRequestEntry in the request.");
  expect_error(error_of(validate_batch(DeleteMessageBatchRequest{"q", std::vector<DeleteMessageBatchRequestEntry>{}})),
               ErrorCode::EmptyBatchRequest, "There should be at least one DeleteMessageBatchRequestEntry in the request.");
  expect_error(
      error_of(validate_batch(ChangeMessageVisibilityBatchRequest{"q", std::vector<ChangeMessageVisibilityBatchRequestEntry>{}})),
      ErrorCode::EmptyBatchRequest, "There should be at least one ChangeMessageVisibilityBatchRequestEntry in the request.");
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) ids.push_back("id" + std::to_string(i));
  EXPECT_TRUE(validate_batch(batch_of(ids)));
  ids.emplace_back("id10");
  expect_error(error_of(validate_batch(batch_of(ids))), ErrorCode::TooManyEntriesInBatchRequest,
               "Maximum number of entries per request are 10. You have sent 11.");
}

TEST(ValidateBatch, ids) {
  EXPECT_TRUE(validate_batch(batch_of({"a", "A", "_", "-", std::string(80, '9')})));
  for (const std::string& bad :
       {std::string(), std::string(81, 'i'), std::string("a b"), std::string("a."), std::string("\u00e9")}) {
    expect_error(
        error_of(validate_batch(batch_of({"ok", bad}))), ErrorCode::InvalidBatchEntryId,
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.");
  }
  SendMessageBatchRequest missing = batch_of({"a", "b"});
  (*missing.entries)[1].id.reset();
  expect_error(error_of(validate_batch(missing)), ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter SendMessageBatchRequestEntry.2.Id.");
  expect_error(error_of(validate_batch(batch_of({"a", "b", "b", "a"}))), ErrorCode::BatchEntryIdsNotDistinct, "Id b repeated.");
}

TEST(ValidateBatch, order_of_the_checks) {
  EXPECT_EQ(error_of(validate_batch(batch_of(std::vector<std::string>(11, "bad id")))).code,
            ErrorCode::TooManyEntriesInBatchRequest);
  EXPECT_EQ(error_of(validate_batch(batch_of({"a", "a", "bad id"}))).code, ErrorCode::InvalidBatchEntryId);
  EXPECT_EQ(error_of(validate_batch(batch_of({"a", "a"}, std::string(600'000, 'x')))).code, ErrorCode::BatchEntryIdsNotDistinct);
}

TEST(ValidateBatch, bytes_at_their_limit) {
  SendMessageBatchRequest request = batch_of({"a", "b"}, std::string(kBatchBytesMax / 2, 'x'));
  EXPECT_TRUE(validate_batch(request));
  (*request.entries)[0].message_attributes = {{"k", {"String", "x", std::nullopt, false}}};
  expect_error(error_of(validate_batch(request)), ErrorCode::BatchRequestTooLong,
               "Batch requests cannot be longer than 1048576 bytes. You have sent 1048584 bytes.");
}

TEST(ValidateBatch, errors_of_entries) {
  const BatchResultErrorEntry long_one = batch_error("a", message_too_long(7, 1));
  EXPECT_EQ(long_one.id, "a");
  EXPECT_TRUE(long_one.sender_fault);
  EXPECT_EQ(long_one.code, "InvalidParameterValue");
  EXPECT_EQ(long_one.message, "One or more parameters cannot be validated. Reason: Message must be shorter than 7 bytes.");
  EXPECT_EQ(batch_error("a", {ErrorCode::UnsupportedOperation, "m"}).code, "UnsupportedOperation");
  EXPECT_EQ(batch_error("a", invalid_receipt_handle("h")).code, "ReceiptHandleIsInvalid");
  const BatchResultErrorEntry ours = batch_error("a", {ErrorCode::ServiceUnavailable, ""});
  EXPECT_FALSE(ours.sender_fault);
  EXPECT_EQ(ours.message, std::nullopt);
}

TEST(ValidateReceive, limits) {
  ReceiveMessageRequest request;
  EXPECT_EQ(validate_receive(request, kStandard)->max_messages, 1);
  EXPECT_EQ(validate_receive(request, kStandard)->wait_time, std::nullopt);
  EXPECT_EQ(validate_receive(request, kStandard)->visibility_timeout, std::nullopt);
  request.max_number_of_messages = 10;
  request.wait_time_seconds = 20;
  request.visibility_timeout = 43'200;
  EXPECT_EQ(validate_receive(request, kStandard)->max_messages, 10);
  EXPECT_EQ(validate_receive(request, kStandard)->wait_time, Seconds(20));
  EXPECT_EQ(validate_receive(request, kStandard)->visibility_timeout, Seconds(43'200));
  request.wait_time_seconds = 0;
  request.visibility_timeout = 0;
  EXPECT_EQ(validate_receive(request, kStandard)->wait_time, Seconds(0));
  EXPECT_EQ(validate_receive(request, kStandard)->visibility_timeout, Seconds(0));
  for (const std::int64_t bad : {0, 11, -1}) {
    ReceiveMessageRequest r;
    r.max_number_of_messages = bad;
    expect_error(error_of(validate_receive(r, kStandard)), ErrorCode::InvalidParameterValue,
                 "Value " + std::to_string(bad) +
                     " for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.");
  }
  for (const std::int64_t bad : {-1, 21}) {
    ReceiveMessageRequest r;
    r.wait_time_seconds = bad;
    expect_error(error_of(validate_receive(r, kStandard)), ErrorCode::InvalidParameterValue,
                 "Value " + std::to_string(bad) +
                     " for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.");
  }
  for (const std::int64_t bad : {-1, 43'201}) {
    ReceiveMessageRequest r;
    r.visibility_timeout = bad;
    expect_error(error_of(validate_receive(r, kStandard)), ErrorCode::InvalidParameterValue,
                 "Value " + std::to_string(bad) +
                     " for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.");
  }
}

TEST(ValidateReceive, attempt_ids_belong_to_fifo_queues) {
  ReceiveMessageRequest request;
  request.receive_request_attempt_id = "attempt";
  expect_error(
      error_of(validate_receive(request, kStandard)), ErrorCode::InvalidParameterValue,
      "Value attempt for parameter ReceiveRequestAttemptId is invalid. The request include parameter that is not valid for this "
      "queue type");
  EXPECT_TRUE(validate_receive(request, kFifo));
  request.receive_request_attempt_id = std::string(128, 'a');
  EXPECT_TRUE(validate_receive(request, kFifo));
  for (const std::string& bad : {std::string(129, 'a'), std::string(), std::string("a b")}) {
    request.receive_request_attempt_id = bad;
    for (const QueueKind kind : {kStandard, kFifo}) {
      expect_error(error_of(validate_receive(request, kind)), ErrorCode::InvalidParameterValue,
                   "Value " + bad +
                       " for parameter ReceiveRequestAttemptId is invalid. Reason: ReceiveRequestAttemptId can only include "
                       "alphanumeric and punctuation characters. 1 to 128 in length.");
    }
  }
}

TEST(ValidateDelete, missing_handles) {
  EXPECT_TRUE(validate_delete(DeleteMessageRequest{"q", "h"}));
  EXPECT_TRUE(validate_delete(DeleteMessageBatchRequestEntry{"a", "h"}, 1));
  for (const OptionalText& missing : {OptionalText(), OptionalText("")}) {
    expect_error(error_of(validate_delete(DeleteMessageRequest{"q", missing})), ErrorCode::MissingRequiredParameter,
                 "The request must contain the parameter ReceiptHandle.");
    expect_error(error_of(validate_delete(DeleteMessageBatchRequestEntry{"a", missing}, 2)), ErrorCode::MissingRequiredParameter,
                 "The request must contain the parameter DeleteMessageBatchRequestEntry.2.ReceiptHandle.");
  }
}

TEST(ValidateVisibilityChange, single) {
  EXPECT_EQ(*validate_visibility_change(ChangeMessageVisibilityRequest{"q", "h", 0}), Seconds(0));
  EXPECT_EQ(*validate_visibility_change(ChangeMessageVisibilityRequest{"q", "h", 43'200}), Seconds(43'200));
  expect_error(error_of(validate_visibility_change(ChangeMessageVisibilityRequest{"q", std::nullopt, 1})),
               ErrorCode::MissingRequiredParameter, "The request must contain the parameter ReceiptHandle.");
  expect_error(error_of(validate_visibility_change(ChangeMessageVisibilityRequest{"q", "h", std::nullopt})),
               ErrorCode::MissingRequiredParameter, "The request must contain the parameter VisibilityTimeout.");
  for (const std::int64_t bad : {-1, 43'201}) {
    expect_error(
        error_of(validate_visibility_change(ChangeMessageVisibilityRequest{"q", "h", bad})), ErrorCode::InvalidParameterValue,
        "Value " + std::to_string(bad) + " for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.");
  }
}

TEST(ValidateVisibilityChange, in_a_batch) {
  EXPECT_EQ(*validate_visibility_change(ChangeMessageVisibilityBatchRequestEntry{"a", "h", 5}, 1), Seconds(5));
  expect_error(error_of(validate_visibility_change(ChangeMessageVisibilityBatchRequestEntry{"a", "", 5}, 1)),
               ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle.");
  expect_error(error_of(validate_visibility_change(ChangeMessageVisibilityBatchRequestEntry{"a", "h", std::nullopt}, 1)),
               ErrorCode::MissingRequiredParameter,
               "The request must contain the parameter ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout.");
  for (const std::int64_t bad : {-1, 43'201}) {
    expect_error(
        error_of(validate_visibility_change(ChangeMessageVisibilityBatchRequestEntry{"a", "h", bad}, 1)),
        ErrorCode::InvalidParameterValue,
        "Value " + std::to_string(bad) +
            " for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.");
  }
}

}  // namespace
}  // namespace ferry::sqs
