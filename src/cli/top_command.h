#pragma once
// `ferry top`: queues and workers as they are now.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

int top_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
