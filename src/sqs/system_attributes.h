#pragma once
// What the service itself knows about a message, returned by ReceiveMessage when asked for.

#include <cstdint>
#include <optional>
#include <string_view>

#include "sqs/api.h"
#include "sqs/error.h"

namespace ferry::sqs {

enum class SystemAttribute {
  SenderId,
  SentTimestamp,  ///< milliseconds of Unix time
  ApproximateReceiveCount,
  ApproximateFirstReceiveTimestamp,  ///< milliseconds of Unix time
  SequenceNumber,
  MessageDeduplicationId,
  MessageGroupId,
  AWSTraceHeader,
  DeadLetterQueueSourceArn,
};

std::string_view name_of(SystemAttribute attribute);
std::optional<SystemAttribute> find_system_attribute(std::string_view name);

class SystemAttributeSet {
 public:
  bool contains(SystemAttribute attribute) const { return (bits_ >> static_cast<int>(attribute) & 1) != 0; }
  bool empty() const { return bits_ == 0; }
  void insert(SystemAttribute attribute) { bits_ |= 1U << static_cast<int>(attribute); }
  void insert_all() { bits_ = ~0U; }

 private:
  std::uint32_t bits_ = 0;
};

/// The union of AttributeNames and MessageSystemAttributeNames; "All" is every one. InvalidAttributeName for unknown names.
ApiResult<SystemAttributeSet> requested_system_attributes(const ReceiveMessageRequest& request);

}  // namespace ferry::sqs
