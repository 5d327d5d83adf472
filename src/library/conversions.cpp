#include "library/conversions.h"

#include "base/encoding.h"
#include "sender/compose.h"

namespace ferry {

AttributeValue AttributeValue::number(std::int64_t number) {
  AttributeValue value(std::to_string(number));
  value.type = "Number";
  return value;
}

AttributeValue AttributeValue::binary(std::string bytes) {
  AttributeValue value(std::move(bytes));
  value.type = "Binary";
  return value;
}

bool AttributeValue::is_binary() const {
  return type == "Binary" || type.starts_with("Binary.");
}

int Message::receive_count() const {
  const auto found = system_attributes.find("ApproximateReceiveCount");
  if (found == system_attributes.end()) return 1;
  return static_cast<int>(parse_integer(found->second).value_or(1));
}

namespace library {

sqs::MessageAttributeValue to_wire(const AttributeValue& value) {
  sqs::MessageAttributeValue made;
  made.data_type = value.type;
  (value.is_binary() ? made.binary_value : made.string_value) = value.value;
  return made;
}

sqs::MessageAttributes to_wire(const Attributes& attributes) {
  sqs::MessageAttributes made;
  made.reserve(attributes.size());
  for (const auto& [name, value] : attributes) made.emplace_back(name, to_wire(value));
  return made;
}

AttributeValue from_wire(const sqs::MessageAttributeValue& value) {
  AttributeValue made(value.binary_value ? *value.binary_value : value.string_value.value_or(""));
  made.type = value.data_type;
  return made;
}

Message from_wire(const sqs::Message& message) {
  Message made{message.message_id, message.receipt_handle, message.body, {}, {}};
  for (const auto& [name, value] : message.message_attributes) made.attributes.emplace(name, from_wire(value));
  for (const auto& [name, value] : message.attributes) made.system_attributes.emplace(name, value);
  return made;
}

SentMessage from_wire(const sqs::SendMessageResponse& sent) {
  return {sent.message_id, sent.sequence_number.value_or("")};
}

Result<sqs::SendMessageEntry> entry_of(const OutgoingMessage& message) {
  sqs::SendMessageEntry entry;
  entry.message_body = message.body;
  entry.message_attributes = to_wire(message.attributes);
  if (message.delay) entry.delay_seconds = message.delay->count();
  entry.message_group_id = message.group_id;
  entry.message_deduplication_id = message.deduplication_id;
  if (const auto refused = sender::message_refusal(entry)) return fail(ErrorKind::InvalidArgument, *refused);
  return entry;
}

}  // namespace library
}  // namespace ferry
