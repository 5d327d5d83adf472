#pragma once
// `ferry backup` and `ferry restore`.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

// They return the exit code.
int backup_command(std::span<const std::string> arguments, CommandContext& context);
int restore_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
