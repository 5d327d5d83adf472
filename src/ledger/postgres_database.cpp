#include "ledger/postgres_database.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <array>

#include "base/check.h"
#include "base/encoding.h"
#include "ledger/postgres_values.h"
#include "ledger/row_fields.h"
#include "ledger/schema.h"

namespace ferry::ledger {
namespace {

constexpr int kLoadAttemptsMax = 3;
constexpr std::int64_t kSchemaLock = 0x66657272794c6467;  // of pg_advisory_xact_lock(): two workers start on a new database

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using OwnedResult = std::unique_ptr<PGresult, ClearResult>;

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

// A password in the address could be read by everybody on this host for as long as the command runs.
Result<void> check_address(const std::string& address) {
  char* why = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(PQconninfoParse(address.c_str(), &why));
  if (parsed == nullptr) {
    std::string text = fmt::format("the ledger's address is not what libpq takes: {}", trim(why == nullptr ? "" : why));
    PQfreemem(why);
    return fail(ErrorKind::InvalidArgument, std::move(text));
  }
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    if ((keyword == "password" || keyword == "sslpassword") && option->val != nullptr) {
      return fail(
          ErrorKind::InvalidArgument,
          "the ledger's address holds a password, which others on this host could read; give it by PGPASSFILE (~/.pgpass), "
          "PGPASSWORD or a service file");
    }
  }
  return {};
}

// Numbered values as libpq takes them. Bytes go as they are, the rest as text whose type the server finds out.
class Parameters {
 public:
  explicit Parameters(std::span<const Value> values) : texts_(values.size()) {
    for (std::size_t i = 0; i < values.size(); ++i) add(values[i], texts_[i]);
  }
  bool storable() const { return storable_; }
  int count() const { return static_cast<int>(values_.size()); }
  const Oid* types() const { return types_.data(); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  void add(const Value& value, std::string& text) {
    constexpr Oid kBytea = 17;
    const auto* blob = std::get_if<Blob>(&value);
    types_.push_back(blob != nullptr ? kBytea : 0);
    formats_.push_back(blob != nullptr ? 1 : 0);
    if (blob != nullptr) text = blob->bytes;
    if (const auto* number = std::get_if<std::int64_t>(&value)) text = std::to_string(*number);
    if (const auto* real = std::get_if<double>(&value)) text = fmt::format("{}", *real);
    if (const auto* held = std::get_if<std::string>(&value)) {
      text = *held;
      storable_ = storable_ && text.find('\0') == std::string::npos;
    }
    values_.push_back(std::holds_alternative<std::monostate>(value) ? nullptr : text.c_str());
    lengths_.push_back(static_cast<int>(text.size()));
  }

  std::vector<std::string> texts_;
  std::vector<Oid> types_;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  bool storable_ = true;
};

std::string_view array_type(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::Bytes:
      return "bytea[]";
    case ColumnKind::Text:
      return "text[]";
    case ColumnKind::Integer:
      return "bigint[]";
  }
  return "";
}

// Rows in the order of their keys: all transactions lock them in the same.
std::string insert_sql() {
  std::string arrays;
  int index = 0;
  for (const Column& column : columns()) {
    arrays += fmt::format("{}${}::{}", index == 0 ? "" : ", ", index + 1, array_type(column.kind));
    ++index;
  }
  return fmt::format("INSERT INTO ferry_ledger ({0}) SELECT {0} FROM unnest({1}) AS given ({0}) ORDER BY key_hash ",
                     column_list(), arrays);
}

std::string update_all() {
  std::string changes;
  for (const Column& column : columns()) {
    if (column.name == "key_hash") continue;
    changes += fmt::format("{}{} = excluded.{}", changes.empty() ? "" : ", ", column.name, column.name);
  }
  return "ON CONFLICT (key_hash) DO UPDATE SET " + changes;
}
}  // namespace

Result<std::unique_ptr<Database>> PostgresDatabase::open(const PostgresOptions& options) {
  FERRY_TRY_VOID(check_address(options.address));
  std::unique_ptr<PostgresDatabase> database(new PostgresDatabase(options));
  FERRY_TRY_VOID(database->connect());
  if (auto made = database->set_up(); !made) {
    database->rollback();
    return Unexpected(std::move(made).error());
  }
  return std::unique_ptr<Database>(std::move(database));
}

PostgresDatabase::~PostgresDatabase() {
  PQfinish(connection_);
}

Result<void> PostgresDatabase::connect() {
  const std::string timeout = std::to_string(options_.connect_timeout.count());
  // What the address says comes later and wins.
  const std::array<const char*, 5> names = {"connect_timeout", "application_name", "client_encoding", "dbname", nullptr};
  const std::array<const char*, 5> values = {timeout.c_str(), "ferry", "UTF8", options_.address.c_str(), nullptr};
  connection_ = PQconnectdbParams(names.data(), values.data(), 1);
  if (PQstatus(connection_) != CONNECTION_OK) return failed(nullptr);
  PQsetNoticeProcessor(
      connection_, [](void*, const char*) {}, nullptr);
  return {};
}

Result<void> PostgresDatabase::set_up() {
  // Not to_regclass(): that may answer from a cache which others' new tables have not reached.
  constexpr std::string_view kExists =
      "SELECT count(*) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
      "WHERE c.relname = 'ferry_ledger_meta' AND n.nspname = ANY (current_schemas(false))";
  FERRY_TRY_VOID(begin(Access::Write));
  FERRY_TRY(std::int64_t exists, integer(kExists));
  if (exists == 0 && !options_.create) return fail(ErrorKind::NotFound, fmt::format("there is no ledger in {}", place()));
  std::int64_t version = 0;
  if (exists != 0) {
    FERRY_TRY(version, integer("SELECT version FROM ferry_ledger_meta"));
  }
  if (version == schema_version()) return commit();
  const std::array<Value, 1> lock = {kSchemaLock};
  FERRY_TRY_VOID(query("SELECT pg_advisory_xact_lock($1)", lock));
  FERRY_TRY(exists, integer(kExists));
  if (exists != 0) {
    FERRY_TRY(version, integer("SELECT version FROM ferry_ledger_meta"));
  }
  FERRY_TRY_VOID(migrate(*this, Dialect::Postgres, version));
  return commit();
}

std::string PostgresDatabase::place() const {
  const char* host = connection_ == nullptr ? nullptr : PQhost(connection_);
  const char* database = connection_ == nullptr ? nullptr : PQdb(connection_);
  return fmt::format("postgresql://{}/{}", host == nullptr ? "" : host, database == nullptr ? "" : database);
}

Unexpected<Error> PostgresDatabase::failed(const PGresult* result) {
  const char* const state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string why = escape_control(trim(PQerrorMessage(connection_)));
  collided_ = state != nullptr && is_collision(state);
  if (state == nullptr || PQstatus(connection_) != CONNECTION_OK) {
    return fail(ErrorKind::Unavailable, fmt::format("no connection to the ledger {}: {}", place(), why));
  }
  return fail(kind_of_sqlstate(state), fmt::format("the ledger {} refused: {} ({})", place(), why, state));
}

Result<Database::Answered> PostgresDatabase::answered(PGresult* raw) {
  const OwnedResult result(raw);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return failed(result.get());
  Answered answered;
  const int columns = PQnfields(result.get());
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    Values values;
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result.get(), row, column) != 0) {
        values.emplace_back();
        continue;
      }
      const std::string_view text(PQgetvalue(result.get(), row, column),
                                  static_cast<std::size_t>(PQgetlength(result.get(), row, column)));
      auto value = parse_value(text, PQftype(result.get(), column));
      if (!value) return fail(ErrorKind::Unavailable, fmt::format("the ledger {} answers what is no value of its type", place()));
      values.push_back(std::move(*value));
    }
    answered.rows.push_back(std::move(values));
  }
  answered.changed = parse_integer(PQcmdTuples(result.get())).value_or(0);
  return answered;
}

Result<Database::Answered> PostgresDatabase::query(std::string_view sql, std::span<const Value> values) {
  const std::string text(sql);
  const Parameters parameters(values);
  if (!parameters.storable())
    return fail(ErrorKind::InvalidArgument, "PostgreSQL stores no text that holds a NUL; pass it as a Blob");
  return answered(PQexecParams(connection_, text.c_str(), parameters.count(), parameters.types(), parameters.values(),
                               parameters.lengths(), parameters.formats(), 0));
}

Result<std::int64_t> PostgresDatabase::integer(std::string_view sql) {
  FERRY_TRY(const Answered answered, query(sql, {}));
  if (answered.rows.size() == 1 && answered.rows[0].size() == 1) {
    if (const auto* number = std::get_if<std::int64_t>(&answered.rows[0][0])) return *number;
  }
  return fail(ErrorKind::Corrupt, fmt::format("the ledger {} is damaged: its table of meta data is not as it was made", place()));
}

Result<Timestamp> PostgresDatabase::try_begin(Access access) {
  // One journey. A pool may give another connection to each transaction: what is set ends with it.
  const std::string text = fmt::format(
      "BEGIN ISOLATION LEVEL READ COMMITTED {0}; SET LOCAL statement_timeout = {1}; SET LOCAL lock_timeout = {2}; "
      "SET LOCAL idle_in_transaction_session_timeout = {1}; "
      "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'; "
      "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
      access == Access::Write ? "READ WRITE" : "READ ONLY", options_.statement_timeout.count(), options_.lock_timeout.count());
  FERRY_TRY(const Answered now, answered(PQexec(connection_, text.c_str())));
  const auto* time = now.rows.size() == 1 && now.rows[0].size() == 1 ? std::get_if<std::int64_t>(&now.rows[0][0]) : nullptr;
  if (time == nullptr) return fail(ErrorKind::Unavailable, fmt::format("the ledger {} does not tell its time", place()));
  return options_.clock != nullptr ? options_.clock->wall() : from_epoch_millis(*time);
}

Result<Timestamp> PostgresDatabase::begin(Access access) {
  collided_ = false;
  if (PQstatus(connection_) == CONNECTION_OK) {
    auto began = try_begin(access);
    if (began || PQstatus(connection_) == CONNECTION_OK) {
      if (!began) rollback();
      return began;
    }
  }
  PQreset(connection_);  // the server was started anew, say
  if (PQstatus(connection_) != CONNECTION_OK) return failed(nullptr);
  return try_begin(access);
}

Result<Database::Answered> PostgresDatabase::write_rows(std::span<const Row* const> rows, std::string_view on_conflict) {
  static const std::string kInsert = insert_sql();
  std::vector<Values> by_column(columns().size());
  for (const Row* row : rows) {
    Values values = to_values(*row);
    for (std::size_t column = 0; column < values.size(); ++column) by_column[column].push_back(std::move(values[column]));
  }
  Values arrays;
  arrays.reserve(by_column.size());
  for (const Values& column : by_column) arrays.emplace_back(array_literal(column));
  return query(fmt::format("{}{}", kInsert, on_conflict), arrays);
}

// A row for each claim that has none: whoever else wants to make it waits for the end of this transaction.
Result<std::size_t> PostgresDatabase::make_sure_of(std::span<const Wanted> wanted) {
  std::vector<Row> rows;
  for (const Wanted& one : wanted) {
    if (!one.claimed) continue;
    Row& row = rows.emplace_back();
    row.key = *one.key;
    row.state = State{0};  // none: no transaction is committed with it
  }
  if (rows.empty()) return std::size_t{0};
  std::vector<const Row*> pointers;
  pointers.reserve(rows.size());
  for (const Row& row : rows) pointers.push_back(&row);
  FERRY_TRY(const Answered made, write_rows(pointers, "ON CONFLICT (key_hash) DO NOTHING RETURNING key_hash"));
  return made.rows.size();
}

Result<Database::Loaded> PostgresDatabase::load(std::span<const Wanted> wanted) {
  static const std::string kSelect = fmt::format(
      "SELECT {} FROM ferry_ledger WHERE key_hash = ANY ($1::bytea[]) AND state > 0 ORDER BY key_hash FOR UPDATE", column_list());
  Values hashes;
  std::size_t claimed = 0;
  for (const Wanted& one : wanted) {
    hashes.push_back(bytes_value(one.key->hash));
    if (one.claimed) ++claimed;
  }
  const std::array<Value, 1> values = {array_literal(hashes)};
  std::size_t made = 0;
  for (int attempt = 0; attempt < kLoadAttemptsMax; ++attempt) {
    FERRY_TRY(const std::size_t more, make_sure_of(wanted));
    made += more;
    FERRY_TRY(const Answered answered, query(kSelect, values));
    Loaded loaded;
    std::size_t found = 0;
    for (const Values& row_values : answered.rows) {
      FERRY_TRY(Row row, from_values(row_values));
      const KeyHash hash = row.key.hash;
      for (const Wanted& one : wanted) found += one.claimed && one.key->hash == hash ? 1 : 0;
      loaded.rows.emplace(hash, std::move(row));
    }
    if (found + made < claimed) continue;  // one was removed between the two statements
    // After the wait for whoever removed a record of ours: the floor is what that made it.
    FERRY_TRY(loaded.fence_floor, integer("SELECT fence_floor FROM ferry_ledger_meta"));
    return loaded;
  }
  collided_ = true;
  return fail(ErrorKind::Busy, fmt::format("records of the ledger {} come and go while they are being claimed", place()));
}

Result<void> PostgresDatabase::save(std::span<const Row* const> rows) {
  static const std::string kUpdate = update_all();
  FERRY_TRY_VOID(write_rows(rows, kUpdate));
  return {};
}

Result<void> PostgresDatabase::commit() {
  const OwnedResult result(PQexec(connection_, "COMMIT"));
  if (PQstatus(connection_) != CONNECTION_OK) {
    return fail(ErrorKind::Timeout,
                fmt::format("the connection to the ledger {} was lost while it committed; whether it did is not known", place()));
  }
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) return failed(result.get());
  if (std::string_view(PQcmdStatus(result.get())) == "COMMIT") return {};
  return fail(ErrorKind::InvalidArgument, "the transaction had failed before, and was undone");  // said ROLLBACK
}

void PostgresDatabase::rollback() {
  if (PQtransactionStatus(connection_) == PQTRANS_IDLE || PQstatus(connection_) != CONNECTION_OK) return;
  const OwnedResult result(PQexec(connection_, "ROLLBACK"));
}

Result<std::vector<std::string>> PostgresDatabase::check() {
  FERRY_TRY_VOID(query("SELECT count(length(result)), count(detail) FROM ferry_ledger", {}));
  return std::vector<std::string>{};
}

Result<std::int64_t> PostgresDatabase::size_bytes() {
  return integer("SELECT pg_total_relation_size(to_regclass('ferry_ledger'))");
}

}  // namespace ferry::ledger
