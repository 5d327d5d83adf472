#include "ledger/open_ledger.h"

#include <fmt/format.h>

#include "ledger/postgres_database.h"
#include "ledger/sqlite_database.h"

namespace ferry::ledger {

bool is_server_address(std::string_view where) {
  return where.starts_with("postgresql://") || where.starts_with("postgres://");
}

Result<std::unique_ptr<Ledger>> open_ledger(const std::string& where, const OpenOptions& options, const Clock& clock) {
  if (where.empty()) return fail(ErrorKind::InvalidArgument, "name the ledger: a file, or postgresql://HOST/DATABASE");
  std::unique_ptr<Database> database;
  if (is_server_address(where)) {
    PostgresOptions postgres;
    postgres.address = where;
    postgres.create = options.create;
    postgres.lock_timeout = options.lock_timeout;
    FERRY_TRY(database, PostgresDatabase::open(postgres));
  } else {
    SqliteOptions sqlite;
    sqlite.path = where;
    sqlite.creation = options.create ? FileCreation::IfAbsent : FileCreation::MustExist;
    sqlite.busy_timeout = options.lock_timeout;
    FERRY_TRY(database, SqliteDatabase::open(sqlite, clock));
  }
  return std::unique_ptr<Ledger>(std::make_unique<StoredLedger>(std::move(database), options.ledger));
}

}  // namespace ferry::ledger
