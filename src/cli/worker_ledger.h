#pragma once
// Which ledger a worker uses, if any.

#include <memory>
#include <string>

#include "cli/command.h"
#include "config/handoff.h"
#include "ledger/ledger.h"

namespace ferry::cli {

struct LedgerChoice {
  const config::LedgerTable& table;
  const std::string& named;  ///< --ledger; may be empty
  bool refused = false;      ///< --no-ledger
  bool command = false;      ///< a COMMAND instead of handoff.toml: no ledger unless it is named
};
/// The place; empty: no ledger. InvalidArgument when there is to be one and nobody says where it might be.
Result<std::string> place_of_ledger(const LedgerChoice& choice, const EnvironmentGetter& environment);

struct WorkerLedger {
  std::unique_ptr<ledger::Ledger> ledger;  ///< null: none
  std::string owner;                       ///< this process
};
/// Opens it, or creates it. Blocks for the disk or the server. The errors of ledger::open_ledger().
Result<WorkerLedger> open_worker_ledger(const LedgerChoice& choice, CommandContext& context);

/// The exit code of a command that could not open it.
int exit_code_of_ledger(ErrorKind kind);

}  // namespace ferry::cli
