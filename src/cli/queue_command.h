#pragma once
// `ferry queue create|ls|show|set|purge|rm`.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// Returns the exit code.
int queue_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
