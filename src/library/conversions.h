#pragma once
// Messages of users and messages of the wire.

#include "base/result.h"
#include "ferry/message.h"
#include "sqs/api.h"

namespace ferry::library {

sqs::MessageAttributeValue to_wire(const AttributeValue& value);
sqs::MessageAttributes to_wire(const Attributes& attributes);
AttributeValue from_wire(const sqs::MessageAttributeValue& value);
Message from_wire(const sqs::Message& message);
SentMessage from_wire(const sqs::SendMessageResponse& sent);

/// InvalidArgument: SQS takes no such message; the error says why.
Result<sqs::SendMessageEntry> entry_of(const OutgoingMessage& message);

}  // namespace ferry::library
