#include "sqs/system_attributes.h"

#include <array>

namespace ferry::sqs {
namespace {

constexpr std::array<std::string_view, 9> kNames = {"SenderId",
                                                    "SentTimestamp",
                                                    "ApproximateReceiveCount",
                                                    "ApproximateFirstReceiveTimestamp",
                                                    "SequenceNumber",
                                                    "MessageDeduplicationId",
                                                    "MessageGroupId",
                                                    "AWSTraceHeader",
                                                    "DeadLetterQueueSourceArn"};

}  // namespace

std::string_view name_of(SystemAttribute attribute) {
  return kNames[static_cast<std::size_t>(attribute)];
}

std::optional<SystemAttribute> find_system_attribute(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<SystemAttribute>(i);
  }
  return std::nullopt;
}

ApiResult<SystemAttributeSet> requested_system_attributes(const ReceiveMessageRequest& request) {
  SystemAttributeSet set;
  for (const auto* names : {&request.attribute_names, &request.message_system_attribute_names}) {
    for (const std::string& name : *names) {
      if (name == "All") {
        set.insert_all();
      } else if (const auto attribute = find_system_attribute(name)) {
        set.insert(*attribute);
      } else {
        return Unexpected(unknown_attribute(name));
      }
    }
  }
  return set;
}

}  // namespace ferry::sqs
