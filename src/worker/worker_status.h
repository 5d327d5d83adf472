#pragma once
// How a worker that runs is doing, at one moment.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "worker/handler_gate.h"

namespace ferry::worker {

/// What a run has done so far. Messages, each counted once but for `attempts_failed`.
struct Tally {
  std::uint64_t taken = 0;  ///< new in this run
  std::uint64_t handled = 0;
  std::uint64_t refused = 0;
  std::uint64_t failed = 0;
  std::uint64_t attempts_failed = 0;
  std::uint64_t interrupted = 0;
  std::uint64_t duplicates = 0;  ///< deliveries of what was in hand or done already
  std::uint64_t deferred = 0;    ///< somebody else has them, or they are not due: they went back
};

enum class LedgerStanding {
  None,     ///< there is none
  Working,  ///< it has answered the last question
  Failing,  ///< nothing can be run now
};

struct WorkerStatus {
  Tally tally;
  std::size_t in_hand = 0;  ///< messages that this worker keeps hidden
  std::size_t kept = 0;     ///< among these: refused, and kept hidden until the run ends
  bool stopping = false;    ///< asked to: nothing is received any more
  LedgerStanding ledger = LedgerStanding::None;
  std::vector<std::pair<std::string, HandlerGate::Standing>>
      handlers;  ///< by request; one that is not named lets messages through
};

}  // namespace ferry::worker
