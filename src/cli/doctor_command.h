#pragma once

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// `ferry doctor`.
int doctor_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
