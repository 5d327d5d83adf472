#pragma once
// What people ask of the records, in SQL that every database here understands. Inside a transaction of the caller.

#include "ledger/database.h"

namespace ferry::ledger {

inline constexpr std::size_t kPageRowsMax = 1'000;
inline constexpr std::size_t kFoundRowsMax = 100;

/// InvalidArgument: `after` is no end of a page, or the limit is 0.
Result<Page> list_records(Database& database, const Filter& filter, Timestamp now);
/// At most kFoundRowsMax.
Result<std::vector<Row>> find_records(Database& database, const Ledger::Selector& selector);
Result<Statistics> count_records(Database& database, Timestamp now);

/// Both see to it that no later record begins with a fence that was given already.
Result<void> remove_record(Database& database, const Row& row);
/// How many were removed: those that expired first, at most `limit`.
Result<std::int64_t> remove_expired(Database& database, Timestamp now, std::int64_t limit);

}  // namespace ferry::ledger
