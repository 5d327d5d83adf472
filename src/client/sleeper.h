#pragma once
// Waiting between attempts: a seam, so that tests do not wait.

#include <atomic>
#include <chrono>

namespace ferry::client {

class Sleeper {
 public:
  virtual ~Sleeper() = default;
  /// Blocks for `duration`, or for up to 100 ms after `cancel` (if any) became true.
  virtual void sleep(std::chrono::milliseconds duration, const std::atomic<bool>* cancel) = 0;
};

/// Really waits. Thread-safe, without state.
Sleeper& system_sleeper();

}  // namespace ferry::client
