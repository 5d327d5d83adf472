#pragma once
// The operations of one transaction, applied one after the other to records that were loaded together.

#include <map>
#include <vector>

#include "ledger/database.h"
#include "ledger/decision.h"

namespace ferry::ledger {

class Group {
 public:
  Group(Database& database, Timestamp now, Millis retention) : database_(database), now_(now), retention_(retention) {}

  /// To be called for all operations before load().
  void want(const Operation& operation);
  Result<void> load();
  /// The error of a settlement's function: nothing was changed by it.
  Result<Answer> apply(const Operation& operation);
  /// Writes what has changed.
  Result<void> save();

 private:
  Answer apply(const ClaimRequest& request);
  Answer apply(const Renewal& renewal);
  Result<Answer> apply(const Settlement& settlement);
  std::optional<Row> row(const KeyHash& key) const;
  void keep(std::optional<Row> row);

  Database& database_;
  const Timestamp now_;
  const Millis retention_;
  std::map<KeyHash, Key> wanted_;
  std::map<KeyHash, bool> claimed_;
  Fence fence_floor_ = 0;
  std::map<KeyHash, Row> rows_;
  std::map<KeyHash, const Row*> changed_;  // into rows_
};

}  // namespace ferry::ledger
