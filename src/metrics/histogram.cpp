#include "metrics/histogram.h"

#include <algorithm>

namespace ferry::metrics {

void DurationHistogram::add(std::chrono::nanoseconds duration) {
  const std::chrono::nanoseconds taken = std::max(duration, std::chrono::nanoseconds(0));
  const double seconds = std::chrono::duration<double>(taken).count();
  const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_nanoseconds_.fetch_add(static_cast<std::uint64_t>(taken.count()), std::memory_order_relaxed);
}

DurationHistogram::Snapshot DurationHistogram::snapshot() const {
  Snapshot now;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    now.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    now.count += now.buckets[i];
  }
  now.sum_seconds = static_cast<double>(sum_nanoseconds_.load(std::memory_order_relaxed)) / 1e9;
  return now;
}

}  // namespace ferry::metrics
