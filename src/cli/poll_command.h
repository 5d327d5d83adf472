#pragma once
// `ferry poll`: carries out what is there and ends; for cron, timers and Task Scheduler.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// Returns the exit code. Blocks until the queue is drained, a limit is reached, or SIGINT or SIGTERM.
int poll_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
