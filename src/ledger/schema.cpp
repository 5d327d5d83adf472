#include "ledger/schema.h"

#include <fmt/format.h>

#include <array>

#include "ledger/row_fields.h"

namespace ferry::ledger {
namespace {

std::string_view type_name(Dialect dialect, ColumnKind kind) {
  const bool sqlite = dialect == Dialect::Sqlite;
  switch (kind) {
    case ColumnKind::Bytes:
      return sqlite ? "BLOB" : "BYTEA";
    case ColumnKind::Text:
      return "TEXT";
    case ColumnKind::Integer:
      return sqlite ? "INTEGER" : "BIGINT";
  }
  return "";
}

// Names are qualified by ferry_: in PostgreSQL the database may be shared with others.
std::vector<std::string> tables(Dialect dialect) {
  const std::string_view integer = type_name(dialect, ColumnKind::Integer);
  const std::string_view strict = dialect == Dialect::Sqlite ? " STRICT" : "";
  std::string lines;
  for (const Column& column : columns()) {
    const std::string_view rule = column.name == "key_hash" ? " PRIMARY KEY" : column.name == "code" ? "" : " NOT NULL";
    lines += fmt::format("{}{} {}{}", lines.empty() ? "" : ", ", column.name, type_name(dialect, column.kind), rule);
  }
  return {
      fmt::format("CREATE TABLE ferry_ledger_meta (id {0} PRIMARY KEY CHECK (id = 1), version {0} NOT NULL, "
                  "time_ms {0} NOT NULL, fence_floor {0} NOT NULL){1}",
                  integer, strict),
      "INSERT INTO ferry_ledger_meta (id, version, time_ms, fence_floor) VALUES (1, 0, 0, 0)",
      fmt::format("CREATE TABLE ferry_ledger ({}){}", lines, strict),
  };
}

// For lists in the order of first sight, and for finding what has expired.
std::vector<std::string> indexes() {
  return {
      "CREATE INDEX ferry_ledger_by_age ON ferry_ledger (first_seen, key_hash)",
      "CREATE INDEX ferry_ledger_expiry ON ferry_ledger (expires_at) WHERE expires_at > 0",
  };
}
}  // namespace

std::int64_t schema_version() {
  return static_cast<std::int64_t>(schema_steps(Dialect::Sqlite).size());
}

std::vector<std::vector<std::string>> schema_steps(Dialect dialect) {
  return {tables(dialect), indexes()};
}

Result<void> migrate(Database& database, Dialect dialect, std::int64_t version) {
  const auto steps = schema_steps(dialect);
  const auto newest = static_cast<std::int64_t>(steps.size());
  if (version < 0 || version > newest) {
    return fail(
        ErrorKind::InvalidArgument,
        fmt::format("the ledger {} has version {}, and this program knows versions up to {}; use the newer ferry that wrote it",
                    database.place(), version, newest));
  }
  if (version == newest) return {};
  for (std::int64_t step = version; step < newest; ++step) {
    for (const std::string& statement : steps[static_cast<std::size_t>(step)]) FERRY_TRY_VOID(database.query(statement, {}));
  }
  const std::array<Value, 1> values = {newest};
  FERRY_TRY_VOID(database.query("UPDATE ferry_ledger_meta SET version = $1", values));
  return {};
}

}  // namespace ferry::ledger
