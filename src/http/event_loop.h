#pragma once
// One thread's epoll loop: descriptors, tasks from other threads, timers.
//
// Descriptors are registered once, edge-triggered, for everything; what an edge means is remembered by its owner. So no system
// call but epoll_wait, read and write happens for a request. Tasks wake the loop through an eventfd, and only the first of those
// that gather while it sleeps or works does so; the eventfd is edge-triggered too and never read.

#include <atomic>
#include <mutex>
#include <thread>

#include "http/descriptor.h"
#include "http/server.h"
#include "http/timer_queue.h"

namespace ferry::http {

/// Something with a descriptor in the loop.
class EventSource {
 public:
  virtual ~EventSource() = default;
  /// `events` as epoll reports them.
  virtual void on_events(std::uint32_t events) = 0;
};

class EventLoop final : public Loop {
 public:
  EventLoop(std::size_t index, const Clock& clock);
  ~EventLoop() override;

  void post(std::function<void()> task) override;
  std::size_t index() const override { return index_; }
  bool is_current() const override { return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  TimerId start_timer(std::chrono::nanoseconds delay, std::function<void()> task) override;
  void cancel_timer(TimerId id) override;

  /// Runs until exit(), on the calling thread. `turn_end` runs after every turn, also after the last one.
  void run(const std::function<void()>& turn_end);
  /// Ends run() after the turn; tasks and timers left are dropped. Thread-safe.
  void exit();

  /// Whether the kernel took it. Edge-triggered, for reading, writing and hang-up.
  bool watch_edges(int descriptor, EventSource& source);
  /// Level-triggered, for reading.
  bool watch_level(int descriptor, EventSource& source);
  void unwatch(int descriptor);

  /// When the present turn began; only on the loop's thread.
  SteadyTime now() const { return now_; }
  const Clock& clock() const { return clock_; }

 private:
  bool watch(int descriptor, EventSource* source, std::uint32_t events);
  int wait_milliseconds();
  void run_tasks();
  void run_timers();
  void drop_all();

  const std::size_t index_;
  const Clock& clock_;
  Descriptor epoll_;
  Descriptor wake_;
  std::atomic<std::thread::id> thread_{};
  std::atomic<bool> exiting_{false};
  SteadyTime now_{};
  TimerQueue timers_;

  std::mutex tasks_mutex_;
  std::vector<std::function<void()>> tasks_;  // guarded by tasks_mutex_
  bool stopped_ = false;                      // guarded by tasks_mutex_
  std::vector<std::function<void()>> running_;
};

}  // namespace ferry::http
