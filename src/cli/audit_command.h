#pragma once
// `ferry audit`: whether the record of a worker's requests is whole, and what it says about one of them.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// `verify`, `why`, `ls`. Exit codes: 0 done, 1 it is not whole or could not be read, 2 usage, 3 no such trail or request.
int audit_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
