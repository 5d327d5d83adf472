#pragma once
// What an operator sees of a long start.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"

namespace ferry::store {

/// One line of the log for each second that a start takes. Both arguments outlive it.
class RecoveryProgress {
 public:
  static constexpr std::chrono::seconds kInterval{1};

  RecoveryProgress(const Clock& clock, const Logger& log) : clock_(clock), log_(log), next_at_(clock.steady() + kInterval) {}

  /// `done` of `all` bytes of this step. Cheap enough for each group of records.
  void report(std::string_view step, std::uint64_t done, std::uint64_t all) {
    if (clock_.steady() < next_at_) return;
    next_at_ = clock_.steady() + kInterval;
    log_.info("recovering", {{"step", step}, {"percent", all == 0 ? 100 : done * 100 / all}, {"bytes", done}, {"of", all}});
  }

 private:
  const Clock& clock_;
  const Logger& log_;
  SteadyTime next_at_;
};

}  // namespace ferry::store
