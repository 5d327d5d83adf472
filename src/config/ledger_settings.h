#pragma once
// The parts of handoff.toml that are about the ledger.

#include <chrono>
#include <string>

#include "base/clock.h"

namespace ferry::config {

/// What becomes of a request whose worker let its claim run out: it may have done its work, and nobody knows.
enum class OnLost { Retry, Park };

/// Of one request.
struct LedgerRules {
  OnLost on_lost = OnLost::Retry;
  bool require_key = false;  ///< a message without a key of its sender's is refused, with a ledger or without
};

/// [ledger]
struct LedgerTable {
  bool enabled = true;
  std::string place;                              ///< absolute path of a file, or postgresql://…; empty: the default one
  Millis retention{std::chrono::hours(24 * 30)};  ///< of records, after their outcome
};

}  // namespace ferry::config
