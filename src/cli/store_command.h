#pragma once
// `ferry store check|stat|…`: looking after a data folder.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// Returns the exit code.
int store_command(std::span<const std::string> arguments, CommandContext& context);
int store_check_command(std::span<const std::string> arguments, CommandContext& context);
int store_stat_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
