#pragma once
// A clock on which six seconds pass between any two looks: whatever tells its progress does so at once.

#include <atomic>

#include "base/clock.h"

namespace ferry::cli::testing_support {

class HastyClock final : public Clock {
 public:
  Timestamp wall() const override { return SystemClock().wall(); }
  SteadyTime steady() const override { return SteadyTime(Seconds(6) * looks_.fetch_add(1)); }

 private:
  mutable std::atomic<std::int64_t> looks_{1};
};

}  // namespace ferry::cli::testing_support
