#pragma once
// A few threads for work that may block for a moment.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ferry::worker {

class TaskPool {
 public:
  /// At least one thread.
  explicit TaskPool(std::size_t threads);
  /// Returns when everything that was posted has run.
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  /// Any thread, also one of the pool's. Tasks begin in the order in which they were posted; one that blocks keeps no other from
  /// its beginning while there is a thread without work.
  void post(std::function<void()> task);

 private:
  void run();
  void wake_one();

  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_, like the next three
  std::size_t idle_ = 0;
  bool waking_ = false;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace ferry::worker
