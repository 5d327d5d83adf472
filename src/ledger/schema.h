#pragma once
// The tables of a ledger, and how an older ledger becomes one of today.
//
// To change the format: add a step at the end of kSteps, never change one. A ledger of version N is brought up by the steps
// after N in one transaction; a new one starts at 0. A program refuses a version above its own.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/database.h"

namespace ferry::ledger {

enum class Dialect { Sqlite, Postgres };

/// The newest version. `steps(dialect)[i]` are the statements from version i to i + 1.
std::int64_t schema_version();
std::vector<std::vector<std::string>> schema_steps(Dialect dialect);

/// Inside a write transaction. `version` is what the database has; 0 without tables. InvalidArgument: it is a newer one.
Result<void> migrate(Database& database, Dialect dialect, std::int64_t version);

}  // namespace ferry::ledger
