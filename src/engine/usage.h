#pragma once
// How much of the consumers' time a tenant, or a queue, takes: the number of messages in flight, and its integral over time,
// kept for this minute of engine time and the one before.

#include <algorithm>
#include <cstdint>

namespace ferry::engine {

class Usage {
 public:
  void change(int by, std::int64_t at_ms) {
    advance(at_ms);
    in_flight_ = static_cast<std::uint32_t>(static_cast<std::int64_t>(in_flight_) + by);
  }
  std::uint32_t in_flight() const { return in_flight_; }
  /// Milliseconds of processing in this minute and the one before.
  std::uint64_t recent_ms(std::int64_t now_ms) {
    advance(now_ms);
    return this_minute_ms_ + last_minute_ms_;
  }

 private:
  static constexpr std::int64_t kMinuteMs = 60'000;

  // Minute by minute, but for those that nothing is left of.
  void advance(std::int64_t to_ms) {
    if (to_ms <= at_ms_) return;
    const std::int64_t floor_ms = (to_ms / kMinuteMs - 1) * kMinuteMs;
    if (at_ms_ < floor_ms) {
      this_minute_ms_ = last_minute_ms_ = 0;
      at_ms_ = floor_ms;
    }
    while (at_ms_ < to_ms) {
      const std::int64_t minute_end_ms = (at_ms_ / kMinuteMs + 1) * kMinuteMs;
      const std::int64_t until_ms = std::min(to_ms, minute_end_ms);
      this_minute_ms_ += in_flight_ * static_cast<std::uint64_t>(until_ms - at_ms_);
      at_ms_ = until_ms;
      if (until_ms == minute_end_ms) {
        last_minute_ms_ = this_minute_ms_;
        this_minute_ms_ = 0;
      }
    }
  }

  std::uint64_t this_minute_ms_ = 0;
  std::uint64_t last_minute_ms_ = 0;
  std::int64_t at_ms_ = 0;
  std::uint32_t in_flight_ = 0;
};

}  // namespace ferry::engine
