#include "sqs/error.h"

#include <gtest/gtest.h>

namespace ferry::sqs {
namespace {

struct ExpectedRow {
  ErrorCode code;
  std::string_view type;
  std::string_view query;
  int status;
};

constexpr ExpectedRow kExpected[] = {
    {ErrorCode::QueueDoesNotExist, "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400},
    {ErrorCode::QueueNameExists, "com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists", 400},
    {ErrorCode::QueueDeletedRecently, "com.amazonaws.sqs#QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently",
     400},
    {ErrorCode::PurgeQueueInProgress, "com.amazonaws.sqs#PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress",
     403},
    {ErrorCode::OverLimit, "com.amazonaws.sqs#OverLimit", "OverLimit", 403},
    {ErrorCode::ReceiptHandleIsInvalid, "com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404},
    {ErrorCode::ResourceNotFound, "com.amazonaws.sqs#ResourceNotFoundException", "ResourceNotFoundException", 404},
    {ErrorCode::InvalidAddress, "com.amazonaws.sqs#InvalidAddress", "InvalidAddress", 404},
    {ErrorCode::InvalidSecurity, "com.amazonaws.sqs#InvalidSecurity", "InvalidSecurity", 403},
    {ErrorCode::KmsAccessDenied, "com.amazonaws.sqs#KmsAccessDenied", "KMS.AccessDeniedException", 400},
    {ErrorCode::KmsDisabled, "com.amazonaws.sqs#KmsDisabled", "KMS.DisabledException", 400},
    {ErrorCode::KmsInvalidKeyUsage, "com.amazonaws.sqs#KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException", 400},
    {ErrorCode::KmsInvalidState, "com.amazonaws.sqs#KmsInvalidState", "KMS.InvalidStateException", 400},
    {ErrorCode::KmsNotFound, "com.amazonaws.sqs#KmsNotFound", "KMS.NotFoundException", 400},
    {ErrorCode::KmsThrottled, "com.amazonaws.sqs#KmsThrottled", "KMS.ThrottlingException", 400},
    {ErrorCode::KmsOptInRequired, "com.amazonaws.sqs#KmsOptInRequired", "KMS.OptInRequired", 403},
    {ErrorCode::InvalidParameterValue, "com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue", 400},
    {ErrorCode::MissingRequiredParameter, "com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter", 400},
    {ErrorCode::UnknownOperation, "com.amazon.coral.service#UnknownOperationException", "InvalidAction", 400},
    {ErrorCode::Serialization, "com.amazon.coral.service#SerializationException", "MalformedInput", 400},
    {ErrorCode::UnrecognizedClient, "com.amazon.coral.service#UnrecognizedClientException", "InvalidClientTokenId", 403},
    {ErrorCode::InvalidSignature, "com.amazon.coral.service#InvalidSignatureException", "SignatureDoesNotMatch", 403},
    {ErrorCode::IncompleteSignature, "com.amazon.coral.service#IncompleteSignatureException", "IncompleteSignature", 400},
    {ErrorCode::ServiceUnavailable, "com.amazon.coral.service#ServiceUnavailableException", "ServiceUnavailable", 503},
    {ErrorCode::InternalFailure, "com.amazon.coral.service#InternalFailure", "InternalFailure", 500},
};

TEST(ErrorCatalogue, rows_are_as_amazon_answers) {
  for (const ExpectedRow& expected : kExpected) {
    const ErrorCatalogueRow& row = catalogue_row(expected.code);
    EXPECT_EQ(row.json_type, expected.type);
    EXPECT_EQ(row.query_code, expected.query);
    EXPECT_EQ(row.http_status, expected.status);
    EXPECT_EQ(row.fault, expected.status >= 500 ? Fault::Receiver : Fault::Sender);
  }
}

TEST(ErrorCatalogue, rows_are_found_by_shape_and_by_query_code) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::InternalFailure); ++i) {
    const ErrorCatalogueRow& row = catalogue_row(static_cast<ErrorCode>(i));
    EXPECT_EQ(find_catalogue_row(row.json_type), &row);
    EXPECT_EQ(find_catalogue_row(row.query_code), &row);
  }
  ASSERT_NE(find_catalogue_row("QueueDoesNotExist"), nullptr);
  EXPECT_EQ(find_catalogue_row("other.namespace#QueueDoesNotExist")->code, ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(find_catalogue_row("NoSuchShape"), nullptr);
  EXPECT_EQ(find_catalogue_row(""), nullptr);
}

TEST(ErrorCatalogue, shared_texts) {
  EXPECT_EQ(queue_does_not_exist().message, "The specified queue does not exist.");
  EXPECT_EQ(missing_parameter("MessageBody").message, "The request must contain the parameter MessageBody.");
  EXPECT_EQ(missing_parameter("MessageBody").code, ErrorCode::MissingRequiredParameter);
  EXPECT_EQ(invalid_parameter("", "P", "r").message, "Value  for parameter P is invalid. Reason: r");
  EXPECT_EQ(invalid_parameter("", "P", "r").code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(unknown_attribute("X").message, "Unknown Attribute X.");
  EXPECT_EQ(unknown_attribute("X").code, ErrorCode::InvalidAttributeName);
  EXPECT_EQ(invalid_attribute_value("A").message, "Invalid value for the parameter A.");
  EXPECT_EQ(invalid_attribute_value("A").code, ErrorCode::InvalidAttributeValue);
  EXPECT_EQ(invalid_receipt_handle("h").message, "The input receipt handle \"h\" is not a valid receipt handle.");
  EXPECT_EQ(invalid_receipt_handle("h").code, ErrorCode::ReceiptHandleIsInvalid);
  EXPECT_EQ(resource_not_found("SourceArn").message,
            "The resource that you specified for the SourceArn parameter doesn't exist.");
  EXPECT_EQ(resource_not_found("SourceArn").code, ErrorCode::ResourceNotFound);
  EXPECT_EQ(move_task_not_found().message, "Task does not exist.");
  EXPECT_EQ(move_task_not_found().code, ErrorCode::ResourceNotFound);
}

}  // namespace
}  // namespace ferry::sqs
