#pragma once
// `ferry key`: the keys that requests are signed with.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// `new`, `public`, `ls`, `check`. Exit codes: 0 done, 1 a key is faulty or could not be made, 2 usage, 3 no such key file.
int key_command(std::span<const std::string> arguments, CommandContext& context);

}  // namespace ferry::cli
