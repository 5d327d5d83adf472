#pragma once
// N slots for jobs. A job has its slot until its handler has ended; what remains to be done for it then (its outcome recorded,
// its message settled) holds no slot, but counts. A job costs no thread: what is done for it is done on a small pool, and nothing
// there waits for a handler or for the ledger. Jobs that wait are few: the receivers ask for no more messages than they have
// reserved room for.

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

/// Thread-safe.
class Dispatcher {
 public:
  struct Size {
    std::size_t slots = 1;
    std::size_t threads = 1;  ///< of the pool; no more than slots are made
  };
  /// The jobs have their slots. On a thread of the pool; may block for a moment, not for as long as a handler runs. Sees to it
  /// that free_slot() and then done() follow for each.
  using Begin = std::function<void(const std::vector<JobPtr>& jobs)>;
  /// Asked before a job that has a free slot is begun; one that may not waits on. Called under a lock: quick, and without calls
  /// to the dispatcher.
  using MayBegin = std::function<bool(const Job& job)>;
  Dispatcher(Size size, Begin begin, MayBegin may_begin = {});
  /// Waits until the jobs that were begun are done; drops waiting ones.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  void submit(std::vector<Job> jobs);
  /// On a thread of the pool, soon.
  void post(std::function<void()> task) { pool_.post(std::move(task)); }
  /// The handler of a job that was begun has ended, or does not begin. Once for each; before done().
  void free_slot(const Job& job);
  /// Nothing remains to be done for the job.
  void done();

  /// Asks again for the jobs that could not begin; what has changed is time.
  void look_again() { begin_what_may(); }

  /// Room for so many more jobs is kept for the caller, at most `most`; may be none. give_room_back() follows when they have been
  /// submitted, or will not be.
  std::size_t reserve(std::size_t most);
  void give_room_back(std::size_t reserved);
  /// Slots without a job, less the jobs that wait and what is reserved; less what is over the number of slots of jobs that are
  /// not done yet. Not below 0.
  std::size_t room() const;
  /// Nothing runs, waits or remains to be done.
  bool idle() const;
  /// Until there is room for so many, or `timeout` is over. The room that there is.
  std::size_t wait_for_room(std::size_t wanted, Millis timeout);
  /// Until it is idle or `timeout` is over; for the whole of it when it was idle before.
  void wait_for_change(Millis timeout);
  /// The jobs that were not begun; none is begun afterwards unless it is submitted.
  std::vector<JobPtr> take_waiting();

 private:
  void begin_what_may();
  bool may_begin(const Job& job) const;
  std::size_t room_left() const;
  void tell_changes();

  const Begin begin_;
  const MayBegin may_begin_;
  const std::size_t slots_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<JobPtr> waiting_;  // guarded by mutex_, like the rest
  std::map<const config::RequestType*, int> running_by_type_;
  std::size_t running_ = 0;
  std::size_t ending_ = 0;  // their slots are free, and they are not done
  std::size_t reserved_ = 0;
  std::size_t room_waiters_ = 0;
  std::size_t room_wanted_ = 0;  // the least that one of these waits for
  TaskPool pool_;                // last: its threads use all of the above
};

}  // namespace ferry::worker
