#pragma once

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// `ferry dlq ls|show|replay`.
int dlq_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
