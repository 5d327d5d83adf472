#pragma once
// The ledger over any database: one thread that takes what gathered while the transaction before was being committed, loads
// the records, lets decision.h decide, saves, commits, and only then answers.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "ledger/database.h"
#include "ledger/ledger.h"

namespace ferry::ledger {

inline constexpr std::size_t kGroupOperationsMax = 256;       ///< in one transaction; a longer submission has one alone
inline constexpr std::size_t kWaitingOperationsMax = 65'536;  ///< beyond it a submission is answered Busy at once
inline constexpr std::int64_t kExpiryStep = 500;              ///< records removed in one transaction at most

struct LedgerOptions {
  /// How long records are kept after their outcome; a message must be gone by then. Amazon keeps one 14 days at most, and as
  /// long again as a dead letter. Parked records and abandoned claims stay until a person decides.
  Millis retention{std::chrono::hours(24 * 30)};
};

class StoredLedger final : public Ledger {
 public:
  StoredLedger(std::unique_ptr<Database> database, LedgerOptions options);
  /// Carries out what waits.
  ~StoredLedger() override;
  StoredLedger(const StoredLedger&) = delete;
  StoredLedger& operator=(const StoredLedger&) = delete;

  void submit(std::vector<Operation> operations, Then then) override;
  Result<Page> list(const Filter& filter) override;
  Result<std::vector<Row>> find(const Selector& selector) override;
  Result<Row> retry(const KeyHash& key) override;
  Result<Row> park(const KeyHash& key, std::string_view reason) override;
  Result<void> forget(const KeyHash& key) override;
  Result<Statistics> stat() override;
  Result<std::vector<std::string>> check() override;

 private:
  struct Submission {
    std::vector<Operation> operations;
    Then then;
    std::function<void()> task;  ///< instead of operations: a transaction of its own
  };
  using Change = std::function<Result<std::optional<Row>>(const Row& row, Timestamp now)>;

  void run();
  std::vector<Submission> take_group();
  void run_group(std::vector<Submission>& group);
  Result<std::vector<Result<std::vector<Answer>>>> attempt_group(const std::vector<Submission>& group);
  Result<void> expire(Timestamp now);
  /// The record as `change` made it, or as it was when that removed it.
  Result<Row> change(const KeyHash& key, const Change& change);
  template <class T>
  Result<T> run_task(const std::function<Result<T>()>& task);

  const std::unique_ptr<Database> database_;  // of the thread alone
  const LedgerOptions options_;
  std::optional<Error> broken_;  // of the thread alone, like the next
  Timestamp next_expiry_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Submission> waiting_;  // guarded by mutex_, like the rest
  std::size_t waiting_operations_ = 0;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace ferry::ledger
