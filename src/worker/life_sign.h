#pragma once
// Tells whoever watches the worker that it does not hang: as long as messages are asked for again and again, and the threads that
// begin and settle them do what they are given.

#include <atomic>
#include <functional>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace ferry::worker {

class LifeSign {
 public:
  struct Options {
    Millis interval{0};            ///< at least so much time between two signs; 0: none is given
    std::function<void()> tell{};  ///< on a thread of the pool; must not block
    /// The longest that one round of receiving may take: a long poll of 20 s that is not answered, tried 3 times with 60 s of
    /// patience each, takes 4 minutes and some pauses.
    Millis step_max{600'000};
  };
  LifeSign(Options options, SteadyTime now) : options_(std::move(options)), stepped_(now) {}

  /// A round of receiving begins. Thread-safe, like the next.
  void stepped(SteadyTime now) { stepped_.store(now); }
  /// Nothing is received any more: from now on the pool alone counts.
  void ending() { ending_.store(true); }

  using Post = std::function<void(std::function<void()> task)>;
  /// To be called often, by one thread. Posts the next sign when it is due; none while the one before waits for a thread.
  void look(SteadyTime now, const Post& post) {
    if (options_.interval == Millis(0) || posted_.load()) return;
    if (asked_ && now - *asked_ < options_.interval) return;
    if (!ending_.load() && now - stepped_.load() > options_.step_max) return;
    asked_ = now;
    posted_.store(true);
    post([this] {
      options_.tell();
      posted_.store(false);
    });
  }

 private:
  Options options_;
  std::atomic<SteadyTime> stepped_;
  std::atomic<bool> ending_{false};
  std::atomic<bool> posted_{false};
  std::optional<SteadyTime> asked_;  // look()'s thread
};

}  // namespace ferry::worker
