#pragma once
// What `work` and `poll` have in common: flags, handlers, the run, its exit code.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/client_options.h"
#include "worker/worker.h"

namespace ferry::cli {

struct WorkerFlags {
  ClientOptions client;
  std::string queue;
  std::string config;
  std::optional<int> concurrency;
  std::optional<Millis> visibility;
  std::optional<Millis> wait;
  std::optional<Millis> drain_timeout;
  std::optional<Millis> timeout;  ///< of a COMMAND
  std::string ledger;             ///< where; empty: as handoff.toml says, none for a COMMAND
  bool no_ledger = false;
  std::string metrics;               ///< where to listen; empty: as handoff.toml says
  std::string metrics_file;          ///< poll only; empty: none
  std::vector<std::string> command;  ///< after "--"
  // poll only
  std::optional<Millis> time_max;
  std::optional<std::int64_t> messages_max;
  bool until_empty = false;
};

/// Splits at the first "--": the flags before it, the command behind it.
std::span<const std::string> split_command(std::span<const std::string> arguments, std::vector<std::string>& command);
void add_worker_options(CLI::App& app, WorkerFlags& flags);

/// Everything from the flags on: reads handoff.toml, connects, runs, reports. Blocks. Returns the exit code.
int run_worker(const WorkerFlags& flags, worker::RunMode mode, CommandContext& context);

/// The exit code of a run; `signal` is what it was stopped by, if it was.
int exit_code_of(const worker::RunSummary& summary, worker::RunMode mode, int signal);

}  // namespace ferry::cli
