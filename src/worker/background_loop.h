#pragma once
// A thread that does a round of work, waits, and does the next.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace ferry::worker {

class BackgroundLoop {
 public:
  /// A round does what is due and answers how long until something may be due again.
  using Round = std::function<Millis()>;
  explicit BackgroundLoop(Round round);
  ~BackgroundLoop() { stop(); }
  BackgroundLoop(const BackgroundLoop&) = delete;
  BackgroundLoop& operator=(const BackgroundLoop&) = delete;

  /// The next round comes at once.
  void poke();
  /// Returns when the round that runs is over; no other follows.
  void stop();

 private:
  void run();

  Round round_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool poked_ = false;    // guarded by mutex_
  bool stopped_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace ferry::worker
