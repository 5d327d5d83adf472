#include "sqs/error.h"

#include <array>

namespace ferry::sqs {
namespace {

constexpr std::array kCatalogue = {
    ErrorCatalogueRow{ErrorCode::QueueDoesNotExist, "com.amazonaws.sqs#QueueDoesNotExist",
                      "AWS.SimpleQueueService.NonExistentQueue", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::QueueNameExists, "com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::QueueDeletedRecently, "com.amazonaws.sqs#QueueDeletedRecently",
                      "AWS.SimpleQueueService.QueueDeletedRecently", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::PurgeQueueInProgress, "com.amazonaws.sqs#PurgeQueueInProgress",
                      "AWS.SimpleQueueService.PurgeQueueInProgress", 403, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::OverLimit, "com.amazonaws.sqs#OverLimit", "OverLimit", 403, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::ReceiptHandleIsInvalid, "com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid",
                      404, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::MessageNotInflight, "com.amazonaws.sqs#MessageNotInflight",
                      "AWS.SimpleQueueService.MessageNotInflight", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::InvalidIdFormat, "com.amazonaws.sqs#InvalidIdFormat", "InvalidIdFormat", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::InvalidAttributeName, "com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName", 400,
                      Fault::Sender},
    ErrorCatalogueRow{ErrorCode::InvalidAttributeValue, "com.amazonaws.sqs#InvalidAttributeValue", "InvalidAttributeValue", 400,
                      Fault::Sender},
    ErrorCatalogueRow{ErrorCode::InvalidMessageContents, "com.amazonaws.sqs#InvalidMessageContents", "InvalidMessageContents",
                      400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::EmptyBatchRequest, "com.amazonaws.sqs#EmptyBatchRequest",
                      "AWS.SimpleQueueService.EmptyBatchRequest", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::TooManyEntriesInBatchRequest, "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                      "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::BatchEntryIdsNotDistinct, "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
                      "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::InvalidBatchEntryId, "com.amazonaws.sqs#InvalidBatchEntryId",
                      "AWS.SimpleQueueService.InvalidBatchEntryId", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::BatchRequestTooLong, "com.amazonaws.sqs#BatchRequestTooLong",
                      "AWS.SimpleQueueService.BatchRequestTooLong", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::UnsupportedOperation, "com.amazonaws.sqs#UnsupportedOperation",
                      "AWS.SimpleQueueService.UnsupportedOperation", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::ResourceNotFound, "com.amazonaws.sqs#ResourceNotFoundException", "ResourceNotFoundException",
                      404, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::RequestThrottled, "com.amazonaws.sqs#RequestThrottled", "RequestThrottled", 403, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::InvalidAddress, "com.amazonaws.sqs#InvalidAddress", "InvalidAddress", 404, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::InvalidSecurity, "com.amazonaws.sqs#InvalidSecurity", "InvalidSecurity", 403, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::KmsAccessDenied, "com.amazonaws.sqs#KmsAccessDenied", "KMS.AccessDeniedException", 400,
                      Fault::Sender},
    ErrorCatalogueRow{ErrorCode::KmsDisabled, "com.amazonaws.sqs#KmsDisabled", "KMS.DisabledException", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::KmsInvalidKeyUsage, "com.amazonaws.sqs#KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException", 400,
                      Fault::Sender},
    ErrorCatalogueRow{ErrorCode::KmsInvalidState, "com.amazonaws.sqs#KmsInvalidState", "KMS.InvalidStateException", 400,
                      Fault::Sender},
    ErrorCatalogueRow{ErrorCode::KmsNotFound, "com.amazonaws.sqs#KmsNotFound", "KMS.NotFoundException", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::KmsThrottled, "com.amazonaws.sqs#KmsThrottled", "KMS.ThrottlingException", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::KmsOptInRequired, "com.amazonaws.sqs#KmsOptInRequired", "KMS.OptInRequired", 403, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::InvalidParameterValue, "com.amazon.coral.service#InvalidParameterValueException",
                      "InvalidParameterValue", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::MissingRequiredParameter, "com.amazon.coral.service#MissingRequiredParameterException",
                      "MissingParameter", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::UnknownOperation, "com.amazon.coral.service#UnknownOperationException", "InvalidAction", 400,
                      Fault::Sender},
    ErrorCatalogueRow{ErrorCode::Serialization, "com.amazon.coral.service#SerializationException", "MalformedInput", 400,
                      Fault::Sender},
    ErrorCatalogueRow{ErrorCode::AccessDenied, "com.amazon.coral.service#AccessDeniedException", "AccessDenied", 403,
                      Fault::Sender},
    ErrorCatalogueRow{ErrorCode::UnrecognizedClient, "com.amazon.coral.service#UnrecognizedClientException",
                      "InvalidClientTokenId", 403, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::InvalidSignature, "com.amazon.coral.service#InvalidSignatureException", "SignatureDoesNotMatch",
                      403, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::IncompleteSignature, "com.amazon.coral.service#IncompleteSignatureException",
                      "IncompleteSignature", 400, Fault::Sender},
    ErrorCatalogueRow{ErrorCode::ServiceUnavailable, "com.amazon.coral.service#ServiceUnavailableException", "ServiceUnavailable",
                      503, Fault::Receiver},
    ErrorCatalogueRow{ErrorCode::InternalFailure, "com.amazon.coral.service#InternalFailure", "InternalFailure", 500,
                      Fault::Receiver},
};

constexpr bool rows_are_in_enum_order() {
  for (std::size_t i = 0; i < kCatalogue.size(); ++i) {
    if (static_cast<std::size_t>(kCatalogue[i].code) != i) return false;
  }
  return kCatalogue.size() == static_cast<std::size_t>(ErrorCode::InternalFailure) + 1;
}
static_assert(rows_are_in_enum_order());

std::string join(std::initializer_list<std::string_view> pieces) {
  std::string text;
  for (const std::string_view piece : pieces) text += piece;
  return text;
}

}  // namespace

const ErrorCatalogueRow& catalogue_row(ErrorCode code) {
  return kCatalogue[static_cast<std::size_t>(code)];
}

const ErrorCatalogueRow* find_catalogue_row(std::string_view name) {
  if (const std::size_t hash = name.find('#'); hash != std::string_view::npos) name.remove_prefix(hash + 1);
  for (const ErrorCatalogueRow& row : kCatalogue) {
    if (row.query_code == name || row.json_type.substr(row.json_type.find('#') + 1) == name) return &row;
  }
  return nullptr;
}

ApiError queue_does_not_exist() {
  return {ErrorCode::QueueDoesNotExist, "The specified queue does not exist."};
}

ApiError missing_parameter(std::string_view name) {
  return {ErrorCode::MissingRequiredParameter, join({"The request must contain the parameter ", name, "."})};
}

ApiError invalid_parameter(std::string_view value, std::string_view name, std::string_view reason) {
  return {ErrorCode::InvalidParameterValue, join({"Value ", value, " for parameter ", name, " is invalid. Reason: ", reason})};
}

ApiError unknown_attribute(std::string_view name) {
  return {ErrorCode::InvalidAttributeName, join({"Unknown Attribute ", name, "."})};
}

ApiError invalid_attribute_value(std::string_view attribute) {
  return {ErrorCode::InvalidAttributeValue, join({"Invalid value for the parameter ", attribute, "."})};
}

ApiError invalid_receipt_handle(std::string_view handle) {
  return {ErrorCode::ReceiptHandleIsInvalid, join({"The input receipt handle \"", handle, "\" is not a valid receipt handle."})};
}

ApiError resource_not_found(std::string_view parameter) {
  return {ErrorCode::ResourceNotFound,
          join({"The resource that you specified for the ", parameter, " parameter doesn't exist."})};
}

ApiError move_task_not_found() {
  return {ErrorCode::ResourceNotFound, "Task does not exist."};
}

}  // namespace ferry::sqs
