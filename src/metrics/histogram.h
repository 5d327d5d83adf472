#pragma once
// How often something took how long.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace ferry::metrics {

/// Counts durations by size. Thread-safe; add() takes no lock.
class DurationHistogram {
 public:
  /// Upper bounds of the buckets in seconds: from what a function in memory takes to a day.
  static constexpr std::array<double, 21> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,  0.25,  0.5,  1,
                                                     2.5,    5,     10,     30,    60,   300,   900,  3600, 21600, 86400};

  /// Less than nothing counts as nothing: clocks of two machines differ.
  void add(std::chrono::nanoseconds duration);

  struct Snapshot {
    std::array<std::uint64_t, kBounds.size() + 1> buckets{};  ///< each on its own; the last: longer than every bound
    std::uint64_t count = 0;                                  ///< of all buckets
    double sum_seconds = 0;
  };
  /// Counts that add up; what is added meanwhile is in it or not.
  Snapshot snapshot() const;

 private:
  std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_nanoseconds_{0};
};

}  // namespace ferry::metrics
