#pragma once
// `ferry send`: requests, plain messages, JSON lines.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// Returns the exit code: 0 all sent, 7 some of them, and for none what the first failure says.
int send_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
