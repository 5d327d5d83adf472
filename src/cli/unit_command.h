#pragma once

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// `ferry worker unit`.
int worker_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
