#pragma once
// A ledger in PostgreSQL, for workers on several hosts. Nothing of it lives longer than a transaction, so that it also works
// behind a pool that hands out connections by the transaction.

#include <memory>

#include "ledger/database.h"

struct pg_conn;
struct pg_result;

namespace ferry::ledger {

struct PostgresOptions {
  std::string address;  ///< a URI of libpq, without a password
  bool create = true;
  Millis lock_timeout{5'000};
  Millis statement_timeout{30'000};
  Seconds connect_timeout{10};
  const Clock* clock = nullptr;  ///< null: the server's clock; a test's otherwise
};

class PostgresDatabase final : public Database {
 public:
  static Result<std::unique_ptr<Database>> open(const PostgresOptions& options);
  ~PostgresDatabase() override;
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;

  Result<Timestamp> begin(Access access) override;
  Result<Answered> query(std::string_view sql, std::span<const Value> values) override;
  Result<Loaded> load(std::span<const Wanted> wanted) override;
  Result<void> save(std::span<const Row* const> rows) override;
  Result<void> commit() override;
  void rollback() override;
  bool collided() const override { return collided_; }
  std::string_view skip_locked() const override { return " FOR UPDATE SKIP LOCKED"; }
  /// Reads every record: the server finds what its checksums find.
  Result<std::vector<std::string>> check() override;
  Result<std::int64_t> size_bytes() override;
  std::string place() const override;

 private:
  explicit PostgresDatabase(const PostgresOptions& options) : options_(options) {}
  Result<void> connect();
  Result<void> set_up();
  Result<Timestamp> try_begin(Access access);
  Result<std::int64_t> integer(std::string_view sql);
  Result<Answered> write_rows(std::span<const Row* const> rows, std::string_view on_conflict);
  Result<std::size_t> make_sure_of(std::span<const Wanted> wanted);
  Result<Answered> answered(pg_result* result);
  Unexpected<Error> failed(const pg_result* result);

  const PostgresOptions options_;
  pg_conn* connection_ = nullptr;
  bool collided_ = false;
};

}  // namespace ferry::ledger
