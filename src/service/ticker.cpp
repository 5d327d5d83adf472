#include "service/ticker.h"

#include <algorithm>

namespace ferry::service {

namespace {
constexpr Millis kRestMax{1'000};  // so that a clock that was moved is noticed
constexpr Millis kRestMin{0};
}  // namespace

Ticker::Ticker(engine::Engine& engine) : engine_(engine) {
  engine_.set_tick_bell([this] {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    changed_.notify_one();
  });
}

Ticker::~Ticker() {
  stop();
}

void Ticker::start() {
  thread_ = std::thread([this] { run(); });
}

void Ticker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Ticker::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    rung_ = false;
    lock.unlock();
    const std::optional<Timestamp> due = engine_.tick();
    Millis rest = kRestMax;
    if (due) rest = std::clamp(std::chrono::duration_cast<Millis>(*due - engine_.now()), kRestMin, kRestMax);
    lock.lock();
    changed_.wait_for(lock, rest, [this] { return rung_ || stopping_; });
  }
}

}  // namespace ferry::service
