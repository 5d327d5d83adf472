#pragma once
// The thread that calls Engine::tick() when something is due: delays that end, leases that run out under a long poll,
// retention, memory that is freed in slices.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/engine.h"

namespace ferry::service {

class Ticker {
 public:
  /// `engine` outlives the ticker. Sets the engine's bell.
  explicit Ticker(engine::Engine& engine);
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  void start();
  /// Returns when the thread has ended. Safe to call twice.
  void stop();

 private:
  void run();

  engine::Engine& engine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;      // mutex_
  bool stopping_ = false;  // mutex_
  std::thread thread_;
};

}  // namespace ferry::service
