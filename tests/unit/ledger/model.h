#pragma once
// A queue, a ledger and two workers, small enough to try everything that can happen to them.
//
// The ledger's rules are the real ones (decision.h); the queue is one that delivers twice, forgets deletions and ignores stale
// receipts, as SQS may; the workers do what docs/ledger.md says, one step at a time, and may stop at each. explore() walks every
// order of steps with a bounded number of faults, breadth first, so that what it finds wrong is told by the shortest way there.
// Time is what is left of leases and waits: it passes all at once, as a fault (everybody is too slow), or when nobody can do
// anything else. Handlers come in two kinds at once: one whose effect looks at key and fence, and one that just acts.

#include <cstdint>
#include <functional>
#include <string>

#include "ledger/decision.h"

namespace ferry::ledger::model {

/// The rules and the manners under test; each may be replaced by a wrong one.
struct Rules {
  std::function<ClaimDecision(const std::optional<Row>&, const ClaimRequest&, const Moment&)> claim = decide_claim;
  std::function<Decision(const std::optional<Row>&, const Renewal&, Timestamp)> renew = decide_renewal;
  std::function<Decision(const std::optional<Row>&, const Settlement&, Timestamp, Millis)> settle = decide_settlement;
  bool deletes_before_committing = false;
  bool deletes_what_is_deferred = false;
};

struct Setting {
  OnLost on_lost = OnLost::Retry;
  bool same_key = false;          ///< both messages ask for the same
  bool handlers_may_fail = true;  ///< as a fault
  int faults_max = 3;
  bool retries_wait = false;  ///< for as long as a lease; else they are due at once
};

struct Explored {
  std::string violation;  ///< what is wrong and how to get there; empty: nothing
  std::size_t worlds = 0;
  std::size_t ends = 0;  ///< worlds in which all is over
};
Explored explore(const Setting& setting, const Rules& rules);

}  // namespace ferry::ledger::model
