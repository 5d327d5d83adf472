#pragma once
// Handlers that are C++ functions of this process, on a pool of threads.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "worker/handler.h"
#include "worker/task_pool.h"

namespace ferry::worker {

/// What a handler may ask while it works: whether it shall end. Nobody can stop a function that does not ask.
class Cancellation {
 public:
  Cancellation(const Clock& clock, SteadyTime deadline) : clock_(clock), deadline_(deadline) {}

  /// Its time is over, or the worker stops. Thread-safe.
  bool cancelled() const { return interrupted_.load() || clock_.steady() >= deadline_; }
  bool interrupted() const { return interrupted_.load(); }
  SteadyTime deadline() const { return deadline_; }
  /// Waits up to `duration`, no longer than until it is cancelled. Answers cancelled().
  bool wait_for(Millis duration) const;
  /// From the runner.
  void interrupt();

 private:
  const Clock& clock_;
  const SteadyTime deadline_;
  std::atomic<bool> interrupted_{false};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
};

/// `call` is valid while the function runs. An exception counts as HandlerEnd::Retry. One that ends with Done has done its work,
/// cancelled or not; any other end after its cancellation counts as TimedOut or Interrupted.
using HandlerFunction = std::function<HandlerResult(const HandlerCall& call, const Cancellation& cancellation)>;

/// The destructor waits for functions that run: they see their cancellation.
class FunctionRunner final : public HandlerRunner {
 public:
  /// By the names of the requests; the function named "" takes those without one of their own. At most `threads` run at a time.
  /// `clock` outlives the runner.
  FunctionRunner(std::map<std::string, HandlerFunction> functions, std::size_t threads, const Clock& clock);
  ~FunctionRunner() override;
  FunctionRunner(const FunctionRunner&) = delete;
  FunctionRunner& operator=(const FunctionRunner&) = delete;

  /// OurFault when no function is there for the request.
  void start(HandlerCall call, Done done) override;
  void interrupt(int level) override;

 private:
  HandlerResult run(const HandlerFunction& function, const HandlerCall& call);

  const std::map<std::string, HandlerFunction> functions_;
  const Clock& clock_;
  InterruptLevel interrupt_{0};
  std::mutex mutex_;
  std::list<Cancellation*> running_;  // guarded by mutex_
  TaskPool pool_;                     // last: its threads use all of the above
};

}  // namespace ferry::worker
