#pragma once
// How long to wait before another attempt, and the chance that goes into it.

#include <mutex>

#include "base/clock.h"
#include "base/random.h"
#include "config/handoff.h"

namespace ferry::worker {

/// Makes any source of chance usable by several threads. The source outlives it.
class SharedRandom final : public Random {
 public:
  explicit SharedRandom(Random& source) : source_(source) {}
  void fill(std::span<std::byte> out) override {
    const std::lock_guard lock(mutex_);
    source_.fill(out);
  }

 private:
  std::mutex mutex_;
  Random& source_;  // guarded by mutex_
};

/// Uniform in [0, min(max, base · 2^(attempt-1))]; attempts count from 1.
Millis full_jitter(const config::BackoffSettings& settings, int attempt, Random& random);

/// The visibility timeout of a message whose attempt failed: full jitter by its receive count, in whole seconds, rounded up.
Seconds retry_visibility(const config::BackoffSettings& settings, int receive_count, Random& random);

/// `wanted`, or as much of it as SQS still takes: a message's visibility is limited to 12 hours in total since its receive, which
/// was `elapsed` ago. 0 when those are over.
Seconds clamp_visibility(Seconds wanted, std::chrono::nanoseconds elapsed);

}  // namespace ferry::worker
