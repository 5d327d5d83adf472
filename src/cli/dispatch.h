#pragma once
// From the first word of the command line to the command.

#include <span>
#include <string>

namespace ferry::cli {

/// Runs the command named by the first argument with the process's own descriptors, environment and clocks. Returns its exit
/// code; 2 with a suggestion for an unknown command.
int dispatch(std::span<const std::string> arguments);

}  // namespace ferry::cli
