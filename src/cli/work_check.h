#pragma once
// `work --check`, `poll --check`, `work --dry-run`, `poll --dry-run`: what would be run, without running it.

#include <CLI/CLI.hpp>
#include <string_view>

#include "cli/worker_setup.h"

namespace ferry::cli {

struct CheckFlags {
  bool check = false;    ///< handoff.toml and programs, offline
  bool dry_run = false;  ///< the messages that wait, and the route of each
  bool asked() const { return check || dry_run; }
};
void add_check_options(CLI::App& app, CheckFlags& flags);

/// Runs no handler and deletes nothing. check: reads the configuration as a worker does and prints its routes; asks no server.
/// dry_run: receives what waits (at most --max-messages, or 1000), prints the route and argv of each message, and gives all back:
/// until then, a minute at most, they are hidden, and their receive counts rise. Blocks. Exit codes: 0; 1 a message would be
/// refused; 2 configuration; those of a failed call.
int check_worker(const WorkerFlags& flags, const CheckFlags& what, std::string_view command, CommandContext& context);

}  // namespace ferry::cli
