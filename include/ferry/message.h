#pragma once
/// @file
/// Messages as they are sent and received.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ferry {

/// Value of a message attribute. Text converts to one: `{{"Color", "red"}, {"Count", AttributeValue::number(5)}}`.
struct AttributeValue {
  std::string type = "String";  ///< String, Number or Binary; a label may follow: "Number.int".
  std::string value{};          ///< Text, a decimal number, or bytes.

  AttributeValue() = default;
  /// Of type String, like the next two.
  AttributeValue(std::string text) : value(std::move(text)) {}  // NOLINT: implicit by design
  /// Of type String.
  AttributeValue(std::string_view text) : value(text) {}  // NOLINT
  /// Of type String.
  AttributeValue(const char* text) : value(text) {}              // NOLINT
  static AttributeValue number(std::int64_t number);             ///< Of type Number.
  static AttributeValue binary(std::string bytes);               ///< Of type Binary.
  bool is_binary() const;                                        ///< Whether the value is bytes, not text.
  bool operator==(const AttributeValue& other) const = default;  ///< Type and value are the same.
};
/// By name. SQS takes at most 10; names have up to 256 letters, digits, '_', '-' and '.'.
using Attributes = std::map<std::string, AttributeValue, std::less<>>;

/// A message to be sent. Body and attributes together: at most 1 MiB (1,048,576 bytes), names and types of attributes counted.
struct OutgoingMessage {
  std::string body{};                             ///< 1 byte or more, UTF-8 without control characters but TAB, LF, CR.
  Attributes attributes{};                        ///< What receivers can route by.
  std::optional<std::chrono::seconds> delay{};    ///< Hidden for so long first, 0 to 900 s; not given: as the queue says.
  std::optional<std::string> group_id{};          ///< Needed by FIFO queues; on others the tenant of fair queues.
  std::optional<std::string> deduplication_id{};  ///< FIFO queues only.
};

/// What the service answers to a message that it has taken.
struct SentMessage {
  std::string id{};               ///< The service's id of it.
  std::string sequence_number{};  ///< FIFO queues: grows with each message of the group; else empty.
};

/// A message as received. It stays hidden from others until its visibility timeout is over.
struct Message {
  std::string id{};                                                     ///< The same in every delivery.
  std::string receipt_handle{};                                         ///< Of this delivery: deletes it, changes its visibility.
  std::string body{};                                                   ///< Byte for byte.
  Attributes attributes{};                                              ///< All of them.
  std::map<std::string, std::string, std::less<>> system_attributes{};  ///< SentTimestamp, ApproximateReceiveCount, SenderId, …

  /// How often it was received, this time included: ApproximateReceiveCount, or 1 when the service does not tell.
  int receive_count() const;
};

}  // namespace ferry
