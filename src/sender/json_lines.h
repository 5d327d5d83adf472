#pragma once
// Messages from JSON lines, one object a line: either with the names of the API (MessageBody, MessageAttributes, DelaySeconds,
// MessageGroupId, MessageDeduplicationId, and our IdempotencyKey), or with those of the PowerShell sender (Parameters,
// RequestType). SQSQueueUrl or QueueUrl may name the queue of a line. Names are found whatever their case, as PowerShell finds
// them.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sender/compose.h"

namespace ferry::sender {

struct Outgoing {
  std::string queue;  ///< as the line names it; empty: the command's
  sqs::SendMessageEntry entry;
  std::optional<std::string> idempotency_key;  ///< as the line gives it
};

struct JsonLinesContext {
  Origin origin;
  std::string request_type;                  ///< of lines that have Parameters but no RequestType; empty: they must have one
  const config::Handoff* handoff = nullptr;  ///< requests are checked against it
};

/// All lines or none: every wrong line is told, at most 20 of them, with its number. Blank lines are skipped.
Result<std::vector<Outgoing>, Refusals> read_json_lines(std::string_view text, const JsonLinesContext& context);

}  // namespace ferry::sender
