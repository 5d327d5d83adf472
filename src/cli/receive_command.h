#pragma once
// `ferry receive`: one receive call, all attributes asked for.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// Returns the exit code. With --delete messages are deleted once they are written.
int receive_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
