#include "worker/receivers.h"

namespace ferry::worker {

void Receivers::add_one() {
  const std::lock_guard lock(mutex_);
  add_one_more();
}

// Under the lock.
void Receivers::add_one_more() {
  if (stopped_ || wanted_ == most_) return;
  ++wanted_;
  if (threads_.size() < wanted_) {
    threads_.emplace_back([this, index = threads_.size()] { run(index); });
  } else {
    changed_.notify_all();
  }
}

void Receivers::run(std::size_t index) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopped_ || wanted_ > index; });
    if (stopped_) return;
    lock.unlock();
    const Answer answer = receive_();
    lock.lock();
    if (answer == Answer::Full) add_one_more();
    if (answer == Answer::Empty && wanted_ > index) --wanted_;  // one too many takes nobody else away
  }
}

void Receivers::stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
  }
  changed_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

std::size_t Receivers::active() const {
  const std::lock_guard lock(mutex_);
  return wanted_;
}

}  // namespace ferry::worker
