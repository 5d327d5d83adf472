#pragma once
// `ferry work`: carries out requests until it is stopped.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// Returns the exit code. Blocks until SIGINT or SIGTERM, or until the queue is gone or refused.
int work_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
