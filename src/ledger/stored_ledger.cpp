#include "ledger/stored_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <future>
#include <iterator>

#include "base/check.h"
#include "ledger/group.h"
#include "ledger/ledger_queries.h"
#include "ledger/text.h"

namespace ferry::ledger {
namespace {

constexpr Millis kExpiryPause{60'000};
constexpr int kAttemptsMax = 4;  // of a transaction that collides with others

bool has_function(const std::vector<Operation>& operations) {
  return std::any_of(operations.begin(), operations.end(), [](const Operation& operation) {
    const auto* settlement = std::get_if<Settlement>(&operation);
    return settlement != nullptr && settlement->with != nullptr;
  });
}

void make_storable(std::string& text) {
  text = readable(text, kTextBytesMax);
}

// Texts that come from outside as every database takes them; the same ones become the same.
void prepare(Operation& operation) {
  if (auto* request = std::get_if<ClaimRequest>(&operation)) {
    FERRY_CHECK(request->lease > Millis(0) && !request->owner.empty() && !request->key.scope.empty());
    for (std::string* text : {&request->message_id, &request->owner, &request->sender, &request->config_hash})
      make_storable(*text);
  } else if (auto* renewal = std::get_if<Renewal>(&operation)) {
    FERRY_CHECK(renewal->lease > Millis(0));
    make_storable(renewal->owner);
  } else {
    make_storable(std::get<Settlement>(operation).owner);
  }
}

Unexpected<Error> rolled_back(Database& database, Error error) {
  database.rollback();
  return Unexpected(std::move(error));
}

// One transaction of a person.
template <class T, class Body>
Result<T> in_transaction(Database& database, Database::Access access, const Body& body) {
  FERRY_TRY(const Timestamp now, database.begin(access));
  Result<T> result = body(now);
  if (!result) return rolled_back(database, std::move(result).error());
  if (auto committed = database.commit(); !committed) return rolled_back(database, std::move(committed).error());
  return result;
}
}  // namespace

StoredLedger::StoredLedger(std::unique_ptr<Database> database, LedgerOptions options)
    : database_(std::move(database)), options_(options), thread_([this] { run(); }) {}

StoredLedger::~StoredLedger() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void StoredLedger::submit(std::vector<Operation> operations, Then then) {
  FERRY_CHECK(operations.size() == 1 || !has_function(operations));
  for (Operation& operation : operations) prepare(operation);
  {
    const std::lock_guard lock(mutex_);
    if (waiting_operations_ + operations.size() <= kWaitingOperationsMax) {
      waiting_operations_ += operations.size();
      waiting_.push_back({std::move(operations), std::move(then), nullptr});
      return wake_.notify_one();
    }
  }
  then(fail(ErrorKind::Busy, fmt::format("more than {} operations wait for the ledger; slow down", kWaitingOperationsMax)));
}

template <class T>
Result<T> StoredLedger::run_task(const std::function<Result<T>()>& task) {
  // Shared with the ledger's thread, which may still be inside set_value() when we go on.
  const auto promise = std::make_shared<std::promise<Result<T>>>();
  auto answered = promise->get_future();
  Submission submission;
  submission.task = [this, promise, &task] { promise->set_value(broken_ ? Result<T>(Unexpected<Error>(*broken_)) : task()); };
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(submission));
  }
  wake_.notify_one();
  return answered.get();
}

void StoredLedger::run() {
  for (;;) {
    std::vector<Submission> group = take_group();
    if (group.empty()) return;
    if (group.front().task) {
      group.front().task();
    } else {
      run_group(group);
    }
  }
}

std::vector<StoredLedger::Submission> StoredLedger::take_group() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return stopped_ || !waiting_.empty(); });
  std::vector<Submission> group;
  std::size_t operations = 0;
  while (!waiting_.empty()) {
    Submission& next = waiting_.front();
    const bool fits = !next.task && operations + next.operations.size() <= kGroupOperationsMax;
    if (!group.empty() && !fits) break;
    operations += next.operations.size();
    group.push_back(std::move(next));
    waiting_.pop_front();
    if (group.front().task) break;
  }
  waiting_operations_ -= operations;
  return group;
}

void StoredLedger::run_group(std::vector<Submission>& group) {
  std::optional<Error> error = broken_;
  if (!error) {
    const bool repeatable =
        std::none_of(group.begin(), group.end(), [](const Submission& one) { return has_function(one.operations); });
    for (int attempt = 1;; ++attempt) {
      auto answers = attempt_group(group);
      if (answers) {
        for (std::size_t i = 0; i < group.size(); ++i) group[i].then(std::move((*answers)[i]));
        return;
      }
      error = std::move(answers).error();
      if (!repeatable || attempt == kAttemptsMax || !database_->collided()) break;
    }
    // After a write or sync that failed nobody knows what the file holds: no second try on it.
    if (error->kind == ErrorKind::Io || error->kind == ErrorKind::Corrupt) broken_ = error;
  }
  for (Submission& submission : group) submission.then(Unexpected<Error>(*error));
}

Result<std::vector<Result<std::vector<Answer>>>> StoredLedger::attempt_group(const std::vector<Submission>& submissions) {
  FERRY_TRY(const Timestamp now, database_->begin(Database::Access::Write));
  Group group(*database_, now, options_.retention);
  for (const Submission& submission : submissions) {
    for (const Operation& operation : submission.operations) group.want(operation);
  }
  if (auto loaded = group.load(); !loaded) return rolled_back(*database_, std::move(loaded).error());
  std::vector<Result<std::vector<Answer>>> all;
  all.reserve(submissions.size());
  for (const Submission& submission : submissions) {
    Result<std::vector<Answer>> answers = std::vector<Answer>{};
    for (const Operation& operation : submission.operations) {
      auto answer = group.apply(operation);
      if (!answer) {  // of the only operation
        answers = Unexpected(std::move(answer).error());
        break;
      }
      answers->push_back(std::move(*answer));
    }
    all.push_back(std::move(answers));
  }
  if (auto saved = group.save(); !saved) return rolled_back(*database_, std::move(saved).error());
  if (auto expired = expire(now); !expired) return rolled_back(*database_, std::move(expired).error());
  if (auto committed = database_->commit(); !committed) return rolled_back(*database_, std::move(committed).error());
  return all;
}

Result<void> StoredLedger::expire(Timestamp now) {
  if (now < next_expiry_) return {};
  FERRY_TRY(const std::int64_t removed, remove_expired(*database_, now, kExpiryStep));
  if (removed < kExpiryStep) next_expiry_ = now + kExpiryPause;
  return {};
}

Result<Page> StoredLedger::list(const Filter& filter) {
  return run_task<Page>([&] {
    return in_transaction<Page>(*database_, Database::Access::Read,
                                [&](Timestamp now) { return list_records(*database_, filter, now); });
  });
}

Result<std::vector<Row>> StoredLedger::find(const Selector& selector) {
  return run_task<std::vector<Row>>([&] {
    return in_transaction<std::vector<Row>>(*database_, Database::Access::Read,
                                            [&](Timestamp) { return find_records(*database_, selector); });
  });
}

Result<Row> StoredLedger::change(const KeyHash& hash, const Change& change) {
  return run_task<Row>([&] {
    return in_transaction<Row>(*database_, Database::Access::Write, [&](Timestamp now) -> Result<Row> {
      Key key;
      key.hash = hash;
      const std::array<Database::Wanted, 1> wanted = {Database::Wanted{&key, false}};
      FERRY_TRY(Database::Loaded loaded, database_->load(wanted));
      if (loaded.rows.empty()) return fail(ErrorKind::NotFound, "there is no such record in the ledger");
      Row& before = loaded.rows.begin()->second;
      FERRY_TRY(std::optional<Row> after, change(before, now));
      if (!after) {
        FERRY_TRY_VOID(remove_record(*database_, before));
        return std::move(before);
      }
      const std::array<const Row*, 1> rows = {&*after};
      FERRY_TRY_VOID(database_->save(rows));
      return std::move(*after);
    });
  });
}

Result<Row> StoredLedger::retry(const KeyHash& key) {
  return change(key, [](const Row& row, Timestamp now) -> Result<std::optional<Row>> {
    FERRY_TRY(Row again, decide_retry(row, now));
    return std::optional(std::move(again));
  });
}

Result<Row> StoredLedger::park(const KeyHash& key, std::string_view reason) {
  return change(key, [&](const Row& row, Timestamp now) -> Result<std::optional<Row>> {
    FERRY_TRY(Row parked, decide_park(row, reason, now));
    return std::optional(std::move(parked));
  });
}

Result<void> StoredLedger::forget(const KeyHash& key) {
  const auto forgotten = change(key, [](const Row& row, Timestamp now) -> Result<std::optional<Row>> {
    FERRY_TRY_VOID(decide_forget(row, now));
    return std::optional<Row>();
  });
  if (!forgotten) return Unexpected<Error>(forgotten.error());
  return {};
}

Result<Statistics> StoredLedger::stat() {
  return run_task<Statistics>([&] {
    return in_transaction<Statistics>(*database_, Database::Access::Read,
                                      [&](Timestamp now) { return count_records(*database_, now); });
  });
}

Result<std::vector<std::string>> StoredLedger::check() {
  return run_task<std::vector<std::string>>([&] { return database_->check(); });
}

}  // namespace ferry::ledger
