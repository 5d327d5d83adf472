#pragma once
// The rules of the ledger, without a database: what becomes of a record, given what it is, what is asked and what time it is.
// Every implementation calls these between reading a record under a lock and writing it, and decides nothing itself.

#include <optional>
#include <string_view>

#include "ledger/ledger.h"

namespace ferry::ledger {

struct ClaimDecision {
  Claim answer;
  std::optional<Row> write;  ///< absent: nothing changes
};
/// `fence_floor`: no record that was removed had a greater fence.
struct Moment {
  Timestamp now;
  Fence fence_floor = 0;
};
ClaimDecision decide_claim(const std::optional<Row>& row, const ClaimRequest& request, const Moment& moment);

struct Decision {
  Verdict verdict = Verdict::Fenced;
  std::optional<Row> write;
};
Decision decide_renewal(const std::optional<Row>& row, const Renewal& renewal, Timestamp now);
/// `retention`: how long records that are done, rejected or to be tried again are kept after `now` at least.
Decision decide_settlement(const std::optional<Row>& row, const Settlement& settlement, Timestamp now, Millis retention);

// People's. The errors are Ledger's.
Result<Row> decide_retry(const Row& row, Timestamp now);
Result<Row> decide_park(const Row& row, std::string_view reason, Timestamp now);
Result<void> decide_forget(const Row& row, Timestamp now);

/// Claimed, and the lease is not over.
bool is_live(const Row& row, Timestamp now);

}  // namespace ferry::ledger
