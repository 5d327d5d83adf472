#include "ledger/sqlite_database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <climits>

#include "ledger/row_fields.h"
#include "ledger/schema.h"

namespace ferry::ledger {
namespace {

constexpr std::size_t kStatementsKept = 64;

ErrorKind kind_of(int status) {
  switch (status & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorKind::Busy;
    case SQLITE_FULL:
      return ErrorKind::NoSpace;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorKind::Corrupt;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return ErrorKind::PermissionDenied;
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_TOOBIG:
      return ErrorKind::InvalidArgument;
    default:
      return ErrorKind::Io;
  }
}

int bind(sqlite3_stmt* statement, int index, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, index, *number);
  if (const auto* real = std::get_if<double>(&value)) return sqlite3_bind_double(statement, index, *real);
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  if (const auto* blob = std::get_if<Blob>(&value)) {
    if (blob->bytes.empty()) return sqlite3_bind_zeroblob(statement, index, 0);
    return sqlite3_bind_blob64(statement, index, blob->bytes.data(), blob->bytes.size(), SQLITE_STATIC);
  }
  return sqlite3_bind_null(statement, index);
}

Value column_value(sqlite3_stmt* statement, int column) {
  const auto bytes = [&](const void* data) {
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    return size == 0 ? std::string() : std::string(static_cast<const char*>(data), size);
  };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return static_cast<std::int64_t>(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT:
      return bytes(sqlite3_column_text(statement, column));
    case SQLITE_BLOB:
      return Blob{bytes(sqlite3_column_blob(statement, column))};
    default:
      return {};
  }
}

// Whatever becomes of it, a statement is ready for its next use, and holds no pointer to values of this one.
class StatementUse {
 public:
  explicit StatementUse(sqlite3_stmt* statement) : statement_(statement) {}
  ~StatementUse() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  StatementUse(const StatementUse&) = delete;
  StatementUse& operator=(const StatementUse&) = delete;

 private:
  sqlite3_stmt* statement_;
};

std::string upsert_sql() {
  std::string places;
  std::string changes;
  int index = 0;
  for (const Column& column : columns()) {
    places += fmt::format("{}${}", index == 0 ? "" : ", ", index + 1);
    ++index;
    if (column.name == "key_hash" || column.name == "first_seen") continue;
    changes += fmt::format("{}{} = excluded.{}", changes.empty() ? "" : ", ", column.name, column.name);
  }
  return fmt::format("INSERT INTO ferry_ledger ({}) VALUES ({}) ON CONFLICT (key_hash) DO UPDATE SET {}", column_list(), places,
                     changes);
}
}  // namespace

Result<std::unique_ptr<Database>> SqliteDatabase::open(const SqliteOptions& options, const Clock& clock) {
  FERRY_TRY_VOID(prepare_ledger_file(options.path, options.creation));
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(options.path, clock));
  FERRY_TRY_VOID(database->connect(options));
  if (auto made = database->set_up(); !made) {
    database->rollback();
    return Unexpected(std::move(made).error());
  }
  return std::unique_ptr<Database>(std::move(database));
}

SqliteDatabase::~SqliteDatabase() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement.prepared);
  sqlite3_close(connection_);
}

Unexpected<Error> SqliteDatabase::failed(int status, std::string_view what) const {
  const char* why = connection_ == nullptr ? sqlite3_errstr(status) : sqlite3_errmsg(connection_);
  std::string text = fmt::format("cannot {} the ledger {}: {}", what, path_, why);
  if (kind_of(status) == ErrorKind::Busy) text += "; other processes have been writing to it for longer than the time-out";
  if (kind_of(status) == ErrorKind::Corrupt) text += "; restore it from a backup, or look at it with sqlite3's .recover";
  return fail(kind_of(status), std::move(text));
}

Result<void> SqliteDatabase::connect(const SqliteOptions& options) {
  // The file is there: it was made for its owner alone, and what SQLite makes beside it takes over its mode.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
  // A plain file name could be taken for an option of sqlite3_open_v2, such as ":memory:".
  const std::string name = options.path.starts_with('/') ? options.path : "./" + options.path;
  if (const int status = sqlite3_open_v2(name.c_str(), &connection_, flags, nullptr); status != SQLITE_OK) {
    return failed(status, "open");
  }
  const auto wait_ms = std::clamp<std::int64_t>(options.busy_timeout.count(), 1, INT_MAX);
  FERRY_TRY_VOID(pragma("busy_timeout", wait_ms));
  FERRY_TRY_VOID(pragma("journal_mode", std::string("wal")));
  FERRY_TRY_VOID(pragma("synchronous", std::int64_t{2}));  // FULL: a commit is durable when it returns
  return {};
}

// SQLite answers what holds now, and keeps quiet when it did not do as told.
Result<void> SqliteDatabase::pragma(std::string_view setting, const Value& wanted) {
  const std::string text = std::holds_alternative<std::int64_t>(wanted) ? std::to_string(std::get<std::int64_t>(wanted))
                                                                        : std::get<std::string>(wanted);
  FERRY_TRY_VOID(query(fmt::format("PRAGMA {} = {}", setting, text), {}));
  FERRY_TRY(const Answered now, query(fmt::format("PRAGMA {}", setting), {}));
  if (now.rows.size() == 1 && now.rows[0].size() == 1 && now.rows[0][0] == wanted) return {};
  return fail(ErrorKind::Io, fmt::format("the ledger {} cannot be used with {} = {}", path_, setting, text));
}

Result<std::int64_t> SqliteDatabase::integer(std::string_view sql) {
  FERRY_TRY(const Answered answered, query(sql, {}));
  if (answered.rows.size() == 1 && answered.rows[0].size() == 1) {
    if (const auto* number = std::get_if<std::int64_t>(&answered.rows[0][0])) return *number;
  }
  return fail(ErrorKind::Corrupt,
              fmt::format("{} is no ledger, or damaged: its table of meta data is not as it was made", path_));
}

Result<void> SqliteDatabase::set_up() {
  // Locked from the first look on: two processes may start on a new file.
  FERRY_TRY_VOID(query("BEGIN IMMEDIATE", {}));
  FERRY_TRY(const std::int64_t tables, integer("SELECT count(*) FROM sqlite_schema"));
  FERRY_TRY(const std::int64_t ours, integer("SELECT count(*) FROM sqlite_schema WHERE name = 'ferry_ledger_meta'"));
  if (tables != 0 && ours == 0) {
    return fail(ErrorKind::InvalidArgument, fmt::format("{} is an SQLite database, but no ledger; name another file", path_));
  }
  std::int64_t version = 0;
  if (ours != 0) {
    FERRY_TRY(version, integer("SELECT version FROM ferry_ledger_meta"));
  }
  if (version == schema_version()) {
    rollback();
    return {};
  }
  FERRY_TRY_VOID(migrate(*this, Dialect::Sqlite, version));
  return commit();
}

Result<const SqliteDatabase::Statement*> SqliteDatabase::statement(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) return &found->second;
  if (statements_.size() >= kStatementsKept) {  // handlers may bring statements of any number
    for (const auto& [text, old] : statements_) sqlite3_finalize(old.prepared);
    statements_.clear();
  }
  sqlite3_stmt* made = nullptr;
  const char* rest = nullptr;
  const int status =
      sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &made, &rest);
  if (status != SQLITE_OK) return failed(status, "prepare a statement for");
  const std::string_view tail(rest, static_cast<std::size_t>(sql.data() + sql.size() - rest));
  if (made == nullptr || tail.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    sqlite3_finalize(made);
    return fail(ErrorKind::InvalidArgument, "one SQL statement at a time");
  }
  Statement& kept = statements_[std::string(sql)];
  kept.prepared = made;
  const int count = sqlite3_bind_parameter_count(made);
  for (int i = 1; i <= count; ++i) kept.places.push_back(sqlite3_bind_parameter_index(made, fmt::format("${}", i).c_str()));
  return &kept;
}

Result<Database::Answered> SqliteDatabase::query(std::string_view sql, std::span<const Value> values) {
  FERRY_TRY(const Statement* const found, statement(sql));
  sqlite3_stmt* const prepared = found->prepared;
  const std::vector<int>& places = found->places;
  if (places.size() != values.size()) {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("the statement takes {} values, and {} were given", places.size(), values.size()));
  }
  const StatementUse use(prepared);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (places[i] == 0) return fail(ErrorKind::InvalidArgument, fmt::format("the statement has no ${}", i + 1));
    if (const int status = bind(prepared, places[i], values[i]); status != SQLITE_OK) return failed(status, "bind a value for");
  }
  Answered answered;
  int status = SQLITE_ROW;
  while ((status = sqlite3_step(prepared)) == SQLITE_ROW) {
    Values row;
    const int count = sqlite3_column_count(prepared);
    row.reserve(static_cast<std::size_t>(count));
    for (int column = 0; column < count; ++column) row.push_back(column_value(prepared, column));
    answered.rows.push_back(std::move(row));
  }
  if (status != SQLITE_DONE) return failed(status, "use");
  if (sqlite3_stmt_readonly(prepared) == 0) answered.changed = sqlite3_changes64(connection_);
  return answered;
}

Result<Timestamp> SqliteDatabase::begin(Access access) {
  FERRY_TRY_VOID(query(access == Access::Write ? "BEGIN IMMEDIATE" : "BEGIN", {}));
  auto stored = integer("SELECT time_ms FROM ferry_ledger_meta");
  if (!stored) {
    rollback();
    return Unexpected(std::move(stored).error());
  }
  const Timestamp now = clock_.now(from_epoch_millis(*stored));
  if (access == Access::Write && to_epoch_millis(now) != *stored) {
    const std::array<Value, 1> values = {time_value(now)};
    if (auto kept = query("UPDATE ferry_ledger_meta SET time_ms = $1", values); !kept) {
      rollback();
      return Unexpected(std::move(kept).error());
    }
  }
  return now;
}

Result<Database::Loaded> SqliteDatabase::load(std::span<const Wanted> wanted) {
  static const std::string kSelect = fmt::format("SELECT {} FROM ferry_ledger WHERE key_hash = $1", column_list());
  Loaded loaded;
  for (const Wanted& one : wanted) {
    const std::array<Value, 1> values = {bytes_value(one.key->hash)};
    FERRY_TRY(const Answered answered, query(kSelect, values));
    if (answered.rows.empty()) continue;
    FERRY_TRY(Row row, from_values(answered.rows.front()));
    loaded.rows.emplace(one.key->hash, std::move(row));
  }
  FERRY_TRY(loaded.fence_floor, integer("SELECT fence_floor FROM ferry_ledger_meta"));
  return loaded;
}

Result<void> SqliteDatabase::save(std::span<const Row* const> rows) {
  static const std::string kUpsert = upsert_sql();
  for (const Row* row : rows) FERRY_TRY_VOID(query(kUpsert, to_values(*row)));
  return {};
}

Result<void> SqliteDatabase::commit() {
  FERRY_TRY_VOID(query("COMMIT", {}));
  return {};
}

void SqliteDatabase::rollback() {
  if (sqlite3_get_autocommit(connection_) != 0) return;  // none is open: SQLite ends it itself after some errors
  static_cast<void>(query("ROLLBACK", {}).has_value());
}

Result<std::vector<std::string>> SqliteDatabase::check() {
  FERRY_TRY(const Answered answered, query("PRAGMA integrity_check", {}));
  std::vector<std::string> faults;
  for (const Values& row : answered.rows) {
    const auto* text = row.empty() ? nullptr : std::get_if<std::string>(&row.front());
    if (text != nullptr && *text != "ok") faults.push_back(*text);
  }
  return faults;
}

Result<std::int64_t> SqliteDatabase::size_bytes() {
  return integer("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()");
}

}  // namespace ferry::ledger
