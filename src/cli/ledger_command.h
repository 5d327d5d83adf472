#pragma once
// `ferry ledger …`: looking at what was done, and deciding about what was not.

#include <span>
#include <string>

#include "cli/command.h"

namespace ferry::cli {

/// Returns the exit code.
int ledger_command(std::span<const std::string> arguments, CommandContext& context);
int ledger_list_command(std::span<const std::string> arguments, CommandContext& context);
int ledger_show_command(std::span<const std::string> arguments, CommandContext& context);
int ledger_retry_command(std::span<const std::string> arguments, CommandContext& context);
int ledger_park_command(std::span<const std::string> arguments, CommandContext& context);
int ledger_forget_command(std::span<const std::string> arguments, CommandContext& context);
int ledger_stat_command(std::span<const std::string> arguments, CommandContext& context);

/// `named`, or FERRY_LEDGER, or $XDG_STATE_HOME/ferry/ledger.db, or ~/.local/state/ferry/ledger.db. Empty: none can be told,
/// for neither XDG_STATE_HOME nor HOME is set.
std::string ledger_location(const std::string& named, const EnvironmentGetter& environment);

}  // namespace ferry::cli
