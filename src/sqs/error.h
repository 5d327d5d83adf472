#pragma once
// The error catalogue: one table for both wire protocols. A client sees these codes and no others.

#include <string>
#include <string_view>

#include "base/result.h"

namespace ferry::sqs {

/// In the order of the catalogue in error.cpp. The name is the JSON shape without a trailing "Exception".
enum class ErrorCode {
  QueueDoesNotExist,
  QueueNameExists,
  QueueDeletedRecently,
  PurgeQueueInProgress,
  OverLimit,
  ReceiptHandleIsInvalid,
  MessageNotInflight,
  InvalidIdFormat,
  InvalidAttributeName,
  InvalidAttributeValue,
  InvalidMessageContents,
  EmptyBatchRequest,
  TooManyEntriesInBatchRequest,
  BatchEntryIdsNotDistinct,
  InvalidBatchEntryId,
  BatchRequestTooLong,
  UnsupportedOperation,
  ResourceNotFound,
  RequestThrottled,
  InvalidAddress,
  InvalidSecurity,
  KmsAccessDenied,
  KmsDisabled,
  KmsInvalidKeyUsage,
  KmsInvalidState,
  KmsNotFound,
  KmsThrottled,
  KmsOptInRequired,
  InvalidParameterValue,
  MissingRequiredParameter,
  UnknownOperation,
  Serialization,
  AccessDenied,
  UnrecognizedClient,
  InvalidSignature,
  IncompleteSignature,
  ServiceUnavailable,
  InternalFailure,
};

enum class Fault { Sender, Receiver };

struct ErrorCatalogueRow {
  ErrorCode code;
  std::string_view json_type;   ///< "com.amazonaws.sqs#QueueDoesNotExist": the __type of a JSON answer
  std::string_view query_code;  ///< "AWS.SimpleQueueService.NonExistentQueue": <Code>, x-amzn-query-error
  int http_status;
  Fault fault;
};

const ErrorCatalogueRow& catalogue_row(ErrorCode code);
/// The row whose JSON shape (text after '#', namespace ignored) or query code is `name`; null when unknown. For clients.
const ErrorCatalogueRow* find_catalogue_row(std::string_view name);

/// What a client is told. `message` is written for the client and comes from the functions of this module or from validation.
struct ApiError {
  ErrorCode code;
  std::string message;
};

inline Unexpected<ApiError> api_fail(ErrorCode code, std::string message) {
  return Unexpected<ApiError>(ApiError{code, std::move(message)});
}

/// A value, or what the client is told instead.
template <class T>
using ApiResult = Result<T, ApiError>;

// The texts that several actions share.
ApiError queue_does_not_exist();                    // JSON text; the Query codec appends " for this wsdl version"
ApiError missing_parameter(std::string_view name);  // The request must contain the parameter <name>.
ApiError invalid_parameter(std::string_view value, std::string_view name,
                           std::string_view reason);           // Value <v> for parameter <P> is invalid. Reason: <r>
ApiError unknown_attribute(std::string_view name);             // Unknown Attribute <name>.
ApiError invalid_attribute_value(std::string_view attribute);  // Invalid value for the parameter <attribute>.
ApiError invalid_receipt_handle(std::string_view handle);      // The input receipt handle "<h>" is not a valid receipt handle.
/// The resource that you specified for the <parameter> parameter doesn't exist.
ApiError resource_not_found(std::string_view parameter);
ApiError move_task_not_found();  // Task does not exist.

}  // namespace ferry::sqs
