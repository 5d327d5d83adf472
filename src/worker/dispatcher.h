#pragma once
// N slots for jobs. A job that has a slot costs no thread: it is begun on a thread of a small pool, and when its handler has
// ended, what is to be done then runs there, too. Jobs that wait are few: the receiver asks for no more messages than there is
// room.

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "sqs/api.h"
#include "worker/attempt_trace.h"
#include "worker/router.h"
#include "worker/task_pool.h"

namespace ferry::worker {

struct Job {
  sqs::Message message;
  Route route;
  std::optional<AttemptTrace> trace{};
};
/// Shared: with the handler's runner, until that has told the result.
using JobPtr = std::shared_ptr<const Job>;

class Dispatcher {
 public:
  /// The job has its slot. On a thread of the pool; may block for a moment, not for as long as a handler runs. Sees to it that
  /// finish() follows.
  using Begin = std::function<void(const JobPtr& job)>;
  /// Asked before a job that has a free slot is begun; one that may not waits on. Called under a lock: quick, and without calls
  /// to the dispatcher.
  using MayBegin = std::function<bool(const Job& job)>;
  Dispatcher(std::size_t slots, Begin begin, MayBegin may_begin = {});
  /// Waits for jobs that were begun; drops waiting ones.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  void submit(Job job);
  /// Runs `work` on a thread of the pool and frees the job's slot after it. Once for each job that was begun; any thread.
  void finish(const JobPtr& job, std::function<void()> work);

  /// Asks again for the jobs that could not begin; what has changed is time.
  void look_again() { begin_what_may(); }

  /// Slots without a job, less the jobs that wait; not below 0.
  std::size_t room() const;
  bool idle() const;
  /// Until a job is done or `timeout` is over.
  void wait_for_change(Millis timeout);
  /// The jobs that were not begun; none is begun afterwards unless it is submitted.
  std::vector<JobPtr> take_waiting();

 private:
  void begin_what_may();
  bool may_begin(const Job& job) const;

  const Begin begin_;
  const MayBegin may_begin_;
  const std::size_t slots_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<JobPtr> waiting_;  // guarded by mutex_, like the next two
  std::map<const config::RequestType*, int> running_by_type_;
  std::size_t running_ = 0;
  TaskPool pool_;  // last: its threads use all of the above
};

}  // namespace ferry::worker
