#pragma once
// `ferry serve`: builds the server from its parts and runs it until it is told to stop.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// Returns the exit code. Blocks until SIGTERM or SIGINT.
int serve_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
