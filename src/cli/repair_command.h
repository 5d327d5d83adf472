#pragma once
// `ferry store repair`: makes a folder open again whose start is refused.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// Returns the exit code.
int store_repair_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
