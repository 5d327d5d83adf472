#pragma once
// Time as an argument. The only place of the project where the system's clocks are read is clock.cpp.

#include <chrono>

namespace ferry {

using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

/// A persisted moment: milliseconds of Unix time, UTC.
using Timestamp = std::chrono::time_point<std::chrono::system_clock, Millis>;

/// A moment inside this process, on a clock that counts through suspend and never jumps (CLOCK_BOOTTIME).
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp wall() const = 0;
  virtual SteadyTime steady() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  Timestamp wall() const override;
  SteadyTime steady() const override;
};

constexpr std::int64_t to_epoch_millis(Timestamp t) {
  return t.time_since_epoch().count();
}
constexpr Timestamp from_epoch_millis(std::int64_t ms) {
  return Timestamp(Millis(ms));
}

/// Blocks the calling thread; for retries and polling loops of the command line only, never inside the server.
void sleep_for(std::chrono::nanoseconds duration);

}  // namespace ferry
