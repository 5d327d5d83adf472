#pragma once
// A clock that stands still until it is told to move: for tests and simulation.

#include <atomic>

#include "base/clock.h"

namespace ferry {

/// Thread-safe. Wall and steady time move together in advance(); jump_wall() moves the wall clock alone.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start = from_epoch_millis(1'700'000'000'000)) : wall_ms_(to_epoch_millis(start)) {}
  Timestamp wall() const override { return from_epoch_millis(wall_ms_.load()); }
  SteadyTime steady() const override { return SteadyTime(std::chrono::nanoseconds(steady_ns_.load())); }
  void advance(Millis by) {
    wall_ms_ += by.count();
    steady_ns_ += std::chrono::nanoseconds(by).count();
  }
  void jump_wall(Millis by) { wall_ms_ += by.count(); }

 private:
  std::atomic<std::int64_t> wall_ms_;
  std::atomic<std::int64_t> steady_ns_{0};
};

}  // namespace ferry
