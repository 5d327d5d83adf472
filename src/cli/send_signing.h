#pragma once
// What `ferry send` adds to messages: signatures and idempotency keys in the reserved attribute, and the trace.

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/command.h"
#include "sender/json_lines.h"
#include "sender/trace.h"

namespace ferry::cli {

struct SigningFlags {
  std::string key;  ///< --sign: a name in the key folder, or a path; empty: FERRY_SIGNING_KEY, then `configured`
  std::optional<std::string> idempotency_key;
  std::optional<Millis> valid_for;
};

struct StampWith {
  const SigningFlags& flags;
  std::string configured_key;          ///< that the configuration names, as --sign takes it, or empty
  std::optional<sender::Trace> trace;  ///< to send along
  bool quiet = false;                  ///< says not what was left out
};
/// Stamps every message, or none: refused when the key cannot be used, or a message cannot be stamped. Without a key, without
/// idempotency keys and without a trace the messages stay what they are. `queue` is the command's, for messages that name none.
Result<void, sender::Refusals> stamp_messages(std::vector<sender::Outgoing>& outgoing, const std::string& queue,
                                              const StampWith& with, const CommandContext& context);

}  // namespace ferry::cli
