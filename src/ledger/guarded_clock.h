#pragma once
// The wall clock of a host as the clock of a ledger: it never goes back, and never stands still for long.

#include <algorithm>

#include "base/clock.h"

namespace ferry::ledger {

/// One thread at a time.
class GuardedClock {
 public:
  explicit GuardedClock(const Clock& clock) : clock_(clock) {}

  /// Not before `stored`, the greatest time that the database has seen, nor before what was answered earlier. While the wall
  /// clock is behind that, time goes on as the steady clock does.
  Timestamp now(Timestamp stored) {
    const SteadyTime steady = clock_.steady();
    Timestamp time = std::max(clock_.wall(), stored);
    if (last_ != Timestamp{}) time = std::max(time, last_ + std::chrono::floor<Millis>(steady - last_steady_));
    // Moved by what was added only, or fractions of milliseconds would be lost at each call.
    last_steady_ = last_ == Timestamp{} ? steady : std::max(last_steady_ + (time - last_), last_steady_);
    if (last_steady_ > steady) last_steady_ = steady;
    last_ = time;
    return time;
  }

 private:
  const Clock& clock_;
  Timestamp last_;
  SteadyTime last_steady_;
};

}  // namespace ferry::ledger
