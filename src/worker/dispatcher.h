#pragma once
// N slots that work on jobs, each a thread. Jobs that wait are few: the receiver asks for no more messages than there is room.

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "sqs/api.h"
#include "worker/router.h"

namespace ferry::worker {

struct Job {
  sqs::Message message;
  Route route;
};

class Dispatcher {
 public:
  using Work = std::function<void(Job&)>;
  /// `work` runs on the slots' threads and is done with a job when it returns.
  Dispatcher(int slots, Work work);
  /// Waits for running jobs; drops waiting ones.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  void submit(Job job);
  /// Slots without a job, less the jobs that wait; not below 0.
  std::size_t room() const;
  bool idle() const;
  /// Until a job is done or `timeout` is over.
  void wait_for_change(Millis timeout);
  /// The jobs that no slot has begun; none is begun afterwards unless it is submitted.
  std::vector<Job> take_waiting();

 private:
  void run();
  bool may_begin(const Job& job) const;

  Work work_;
  std::size_t slots_;
  mutable std::mutex mutex_;
  std::condition_variable submitted_;
  std::condition_variable changed_;
  std::list<Job> waiting_;  // guarded by mutex_, like the rest
  std::map<const config::RequestType*, int> running_by_type_;
  std::size_t running_ = 0;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace ferry::worker
