#pragma once
// Whether what arrived is what was sent, by the MD5s of the answers. The result is what is wrong, for people; nothing when all is
// well.

#include <optional>
#include <string>

#include "sqs/api.h"

namespace ferry::client {

std::optional<std::string> check_sent(const sqs::SendMessageEntry& entry, const sqs::SendMessageResponse& response);
/// Also that every entry was answered exactly once.
std::optional<std::string> check_sent(const sqs::SendMessageBatchRequest& request, const sqs::SendMessageBatchResponse& response);
std::optional<std::string> check_received(const sqs::ReceiveMessageResponse& response);

}  // namespace ferry::client
