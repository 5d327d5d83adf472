#include "worker/background_loop.h"

namespace ferry::worker {

BackgroundLoop::BackgroundLoop(Round round) : round_(std::move(round)), thread_([this] { run(); }) {}

void BackgroundLoop::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    poked_ = false;
    lock.unlock();
    const Millis pause = round_();
    lock.lock();
    wake_.wait_for(lock, pause, [this] { return poked_ || stopped_; });
  }
}

void BackgroundLoop::poke() {
  {
    const std::lock_guard lock(mutex_);
    poked_ = true;
  }
  wake_.notify_one();
}

void BackgroundLoop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace ferry::worker
