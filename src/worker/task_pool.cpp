#include "worker/task_pool.h"

#include <algorithm>

namespace ferry::worker {

TaskPool::TaskPool(std::size_t threads) {
  threads = std::max<std::size_t>(threads, 1);
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

TaskPool::~TaskPool() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  posted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void TaskPool::post(std::function<void()> task) {
  // Told under the lock: when the task has run, the pool may be gone.
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  wake_one();
}

// Waking a thread costs more than many a task: one at a time is woken, and wakes the next if it finds more than its own. A thread
// that is still on its way finds what was posted meanwhile.
void TaskPool::wake_one() {
  if (idle_ == 0 || waking_) return;
  waking_ = true;
  posted_.notify_one();
}

void TaskPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (!stopped_ && tasks_.empty()) {
      ++idle_;
      posted_.wait(lock);
      --idle_;
      waking_ = false;
    }
    if (tasks_.empty()) return;
    {
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      if (!tasks_.empty()) wake_one();
      lock.unlock();
      task();
    }
    lock.lock();
  }
}

}  // namespace ferry::worker
