#include "engine/engine_clock.h"

#include <algorithm>

namespace ferry::engine {
namespace {

constexpr std::int64_t kNanosPerMilli = 1'000'000;
constexpr std::int64_t kSlewEveryNs = 1'000 * kNanosPerMilli;
constexpr std::int64_t kSlewDivisor = 1'000;  // a lease of 30 s may be off by 30 ms

std::int64_t steady_ns(const Clock& clock) {
  return clock.steady().time_since_epoch().count();
}

}  // namespace

EngineClock::EngineClock(const Clock& clock) : clock_(clock) {
  const std::int64_t steady = steady_ns(clock);
  offset_ns_ = to_epoch_millis(clock.wall()) * kNanosPerMilli - steady;
  last_ms_ = to_epoch_millis(clock.wall());
  next_slew_ns_ = steady + kSlewEveryNs;
  last_slew_ns_ = steady;
}

void EngineClock::start_after(Timestamp newest) {
  const std::int64_t behind_ms = to_epoch_millis(newest) - to_epoch_millis(now());
  if (behind_ms > 0) offset_ns_ += behind_ms * kNanosPerMilli;
}

Timestamp EngineClock::now() {
  const std::int64_t steady = steady_ns(clock_);
  if (steady >= next_slew_ns_.load(std::memory_order_relaxed)) slew(steady);
  const std::int64_t now_ms = (steady + offset_ns_.load(std::memory_order_relaxed)) / kNanosPerMilli;
  std::int64_t last = last_ms_.load();
  while (now_ms > last) {
    if (last_ms_.compare_exchange_weak(last, now_ms)) return from_epoch_millis(now_ms);
  }
  return from_epoch_millis(last);
}

void EngineClock::slew(std::int64_t steady) {
  const std::unique_lock lock(slew_mutex_, std::try_to_lock);
  if (!lock.owns_lock() || steady < next_slew_ns_) return;
  const std::int64_t allowed = (steady - last_slew_ns_) / kSlewDivisor;
  const std::int64_t behind = to_epoch_millis(clock_.wall()) * kNanosPerMilli - (steady + offset_ns_);
  offset_ns_ += std::clamp(behind, -allowed, allowed);
  last_slew_ns_ = steady;
  next_slew_ns_ = steady + kSlewEveryNs;
}

}  // namespace ferry::engine
