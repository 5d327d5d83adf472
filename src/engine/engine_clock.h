#pragma once
// Engine time: what leases, delays, retention and the sixty-second rules are measured with. It starts at the later of the
// wall clock and the newest time in the log, advances with a steady clock that counts through suspend, is led towards the
// wall clock by at most one part in a thousand, and never goes back.

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace ferry::engine {

/// Thread-safe.
class EngineClock {
 public:
  explicit EngineClock(const Clock& clock);

  /// Not before `newest` from now on. For recovery.
  void start_after(Timestamp newest);
  Timestamp now();
  Timestamp wall() const { return clock_.wall(); }

 private:
  void slew(std::int64_t steady_ns);

  const Clock& clock_;
  std::atomic<std::int64_t> offset_ns_;  // engine time is steady time + offset
  std::atomic<std::int64_t> last_ms_;    // latest that was told
  std::atomic<std::int64_t> next_slew_ns_;
  std::mutex slew_mutex_;
  std::int64_t last_slew_ns_;  // guarded by slew_mutex_
};

}  // namespace ferry::engine
