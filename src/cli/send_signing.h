#pragma once
// What `ferry send` puts into the reserved attribute: signatures and idempotency keys.

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/command.h"
#include "sender/json_lines.h"

namespace ferry::cli {

struct SigningFlags {
  std::string key;  ///< --sign: a name in the key folder, or a path; empty: FERRY_SIGNING_KEY, then `configured`
  std::optional<std::string> idempotency_key;
  std::optional<Millis> valid_for;
};

/// Stamps every message, or none: refused when the key cannot be used, or a message cannot be stamped. Without a key and
/// without idempotency keys the messages stay what they are. `queue` is the command's, for messages that name none.
/// `configured` is the key that the configuration names, as --sign takes it, or empty.
Result<void, sender::Refusals> stamp_messages(std::vector<sender::Outgoing>& outgoing, const std::string& queue,
                                              const SigningFlags& flags, const std::string& configured,
                                              const CommandContext& context);

}  // namespace ferry::cli
