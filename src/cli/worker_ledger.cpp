#include "cli/worker_ledger.h"

#include "cli/ledger_command.h"
#include "ledger/open_ledger.h"

namespace ferry::cli {

Result<std::string> place_of_ledger(const LedgerChoice& choice, const EnvironmentGetter& environment) {
  if (choice.refused) return std::string();
  if (!choice.named.empty()) return choice.named;
  if (choice.command || !choice.table.enabled) return std::string();
  std::string place = ledger_location(choice.table.place, environment);
  if (!place.empty()) return place;
  return fail(
      ErrorKind::InvalidArgument,
      "neither XDG_STATE_HOME nor HOME is set, so there is no default place; name one with ledger.path or --ledger, or do "
      "without with --no-ledger");
}

Result<WorkerLedger> open_worker_ledger(const LedgerChoice& choice, CommandContext& context) {
  FERRY_TRY(const std::string place, place_of_ledger(choice, context.environment));
  WorkerLedger made;
  if (place.empty()) return made;
  ledger::OpenOptions options;
  options.ledger.retention = choice.table.retention;
  FERRY_TRY(made.ledger, ledger::open_ledger(place, options, context.clock));
  made.owner = ledger::make_owner(context.random);
  return made;
}

int exit_code_of_ledger(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::InvalidArgument:
      return kExitUsage;
    case ErrorKind::NotFound:
      return kExitNotFound;
    case ErrorKind::PermissionDenied:
      return kExitNotAuthorised;
    case ErrorKind::Unavailable:
      return kExitNotReachable;
    default:
      return kExitFailed;
  }
}

}  // namespace ferry::cli
