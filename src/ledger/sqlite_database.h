#pragma once
// A ledger in one file of this host. docs/ledger.md says how it is set up and why.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ledger/database.h"
#include "ledger/file_checks.h"
#include "ledger/guarded_clock.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ferry::ledger {

struct SqliteOptions {
  std::string path;
  FileCreation creation = FileCreation::IfAbsent;
  Millis busy_timeout{5'000};  ///< how long to wait for other processes that write
};

class SqliteDatabase final : public Database {
 public:
  /// Errors: prepare_ledger_file()'s; Corrupt: no ledger, or damaged; Busy; InvalidArgument: a newer version.
  static Result<std::unique_ptr<Database>> open(const SqliteOptions& options, const Clock& clock);
  ~SqliteDatabase() override;
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  Result<Timestamp> begin(Access access) override;
  Result<Answered> query(std::string_view sql, std::span<const Value> values) override;
  Result<Loaded> load(std::span<const Wanted> wanted) override;
  Result<void> save(std::span<const Row* const> rows) override;
  Result<void> commit() override;
  void rollback() override;
  bool collided() const override { return false; }  // writers wait for each other
  std::string_view skip_locked() const override { return ""; }
  Result<std::vector<std::string>> check() override;
  Result<std::int64_t> size_bytes() override;
  std::string place() const override { return path_; }

 private:
  SqliteDatabase(std::string path, const Clock& clock) : path_(std::move(path)), clock_(clock) {}
  Result<void> connect(const SqliteOptions& options);
  Result<void> set_up();
  Result<void> pragma(std::string_view setting, const Value& wanted);
  Result<std::int64_t> integer(std::string_view sql);
  struct Statement {
    sqlite3_stmt* prepared = nullptr;
    std::vector<int> places;  ///< of $1, $2, …; 0: it has none of that name
  };
  Result<const Statement*> statement(std::string_view sql);
  Unexpected<Error> failed(int status, std::string_view what) const;

  std::string path_;
  GuardedClock clock_;
  sqlite3* connection_ = nullptr;
  std::map<std::string, Statement, std::less<>> statements_;
};

}  // namespace ferry::ledger
