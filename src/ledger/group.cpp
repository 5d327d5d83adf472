#include "ledger/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "base/encoding.h"

namespace ferry::ledger {
namespace {

// What a handler may do in our transaction: anything but end it.
class HandlerTransaction final : public Transaction {
 public:
  explicit HandlerTransaction(Database& database) : database_(database) {}

  Result<std::int64_t> execute(std::string_view sql, std::span<const Value> values) override {
    constexpr std::array<std::string_view, 12> kRefused = {"abort",   "attach",   "begin",     "commit", "detach", "end",
                                                           "prepare", "rollback", "savepoint", "set",    "start",  "release"};
    const std::string_view text = trim(sql);
    const auto end = std::find_if(text.begin(), text.end(), [](char c) { return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z'); });
    const std::string word = to_lower(text.substr(0, static_cast<std::size_t>(end - text.begin())));
    if (word.empty() || std::find(kRefused.begin(), kRefused.end(), word) != kRefused.end() || word == "pragma" ||
        word == "vacuum") {
      return fail(ErrorKind::InvalidArgument,
                  fmt::format("\"{}\" cannot be said inside the ledger's transaction; it begins and ends with the outcome",
                              escape_control(text.substr(0, 40))));
    }
    FERRY_TRY(const Database::Answered answered, database_.query(text, values));
    return answered.changed;
  }

 private:
  Database& database_;
};
}  // namespace

void Group::want(const Operation& operation) {
  std::visit(
      [&](const auto& one) {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, ClaimRequest>) {
          wanted_[one.key.hash] = one.key;
          claimed_[one.key.hash] = true;
        } else {
          wanted_[one.key].hash = one.key;
        }
      },
      operation);
}

Result<void> Group::load() {
  std::vector<Database::Wanted> wanted;
  wanted.reserve(wanted_.size());
  for (const auto& [hash, key] : wanted_) wanted.push_back({&key, claimed_.contains(hash)});
  FERRY_TRY(Database::Loaded loaded, database_.load(wanted));
  rows_ = std::move(loaded.rows);
  fence_floor_ = loaded.fence_floor;
  return {};
}

std::optional<Row> Group::row(const KeyHash& key) const {
  const auto found = rows_.find(key);
  if (found == rows_.end()) return std::nullopt;
  return found->second;
}

void Group::keep(std::optional<Row> row) {
  if (!row) return;
  const KeyHash hash = row->key.hash;
  Row& kept = rows_[hash];
  kept = std::move(*row);
  changed_[hash] = &kept;
}

Answer Group::apply(const ClaimRequest& request) {
  ClaimDecision decision = decide_claim(row(request.key.hash), request, {now_, fence_floor_});
  keep(std::move(decision.write));
  return std::move(decision.answer);
}

Answer Group::apply(const Renewal& renewal) {
  Decision decision = decide_renewal(row(renewal.key), renewal, now_);
  keep(std::move(decision.write));
  return decision.verdict;
}

Result<Answer> Group::apply(const Settlement& settlement) {
  Decision decision = decide_settlement(row(settlement.key), settlement, now_, retention_);
  // Nothing to write: it was accepted before, and with it what the function does.
  if (settlement.with && decision.verdict == Verdict::Accepted && decision.write) {
    FERRY_TRY_VOID(database_.query("SAVEPOINT ferry_handler", {}));
    HandlerTransaction transaction(database_);
    if (auto done = settlement.with(transaction); !done) {
      FERRY_TRY_VOID(database_.query("ROLLBACK TO SAVEPOINT ferry_handler", {}));
      return Unexpected(std::move(done).error());
    }
    FERRY_TRY_VOID(database_.query("RELEASE SAVEPOINT ferry_handler", {}));
  }
  keep(std::move(decision.write));
  return Answer(decision.verdict);
}

Result<Answer> Group::apply(const Operation& operation) {
  return std::visit([&](const auto& one) -> Result<Answer> { return apply(one); }, operation);
}

Result<void> Group::save() {
  if (changed_.empty()) return {};
  std::vector<const Row*> rows;
  rows.reserve(changed_.size());
  for (const auto& [hash, row] : changed_) rows.push_back(row);
  return database_.save(rows);
}

}  // namespace ferry::ledger
