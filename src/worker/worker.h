#pragma once
// `ferry work` and `ferry poll` without the command line: receives, has messages handled, keeps them invisible
// meanwhile, settles them, and stops in order.
//
// Threads: the caller's waits for messages, others receive beside it while there are many (Work); a few begin and settle
// messages; one sends heartbeats, a few settle in batches, one watches the stop flag. All are joined when run() returns. Handlers
// run behind HandlerRunner, `concurrency` at a time.

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/process.h"
#include "base/random.h"
#include "worker/backoff.h"
#include "worker/life_sign.h"
#include "worker/message_flow.h"
#include "worker/poll_rules.h"
#include "worker/queue_port.h"
#include "worker/receivers.h"
#include "worker/router.h"
#include "worker/transcript.h"

namespace ferry::worker {

/// More than these brought nothing on two processors; from a queue far away more than one or two take the way's time out.
inline constexpr std::size_t kReceivesMax = 8;

struct WorkerOptions {
  FlowOptions flow;  ///< mode, settings and backoff among them
  SettlerOptions settler;
  std::size_t receives_max = kReceivesMax;                             ///< Work: under way at the same time; Poll: one
  config::BackoffSettings receive_pause{Millis(200), Millis(30'000)};  ///< after a receive error
  int poll_errors_max = 10;                                            ///< Poll: receive errors in a row that end it
  std::optional<std::uint64_t> messages_max;                           ///< Poll
  std::optional<Millis> time_max;                                      ///< Poll
  Millis end_time{9'000};  ///< after the drain timeout, or the second stop: then what could not be settled is left
  DrainRule::Goal goal = DrainRule::Goal::NothingToDo;  ///< Poll
  LifeSign::Options life_sign;                          ///< for whoever watches that the run does not hang
};

enum class RunEnd {
  Drained,       ///< Poll: nothing left to do
  LimitReached,  ///< Poll: messages_max or time_max, with work left
  Stopped,       ///< asked to, and everything running has finished
  Forced,        ///< asked to, and handlers were interrupted
  Failed,        ///< a receive error that ends the run, or the ledger: RunSummary::error, ledger_error
};

struct RunSummary {
  RunEnd end = RunEnd::Drained;
  Tally tally;
  std::size_t unsettled = 0;                ///< messages whose deletion or return was given up
  std::optional<client::CallError> error;   ///< Failed, because of the queue
  std::optional<std::string> ledger_error;  ///< Failed, because the ledger answers nothing any more
  std::optional<QueueCounts> counts;        ///< Poll: at the end, if they can be had
};

class Worker {
 public:
  /// Everything outlives the worker. `random` need not be thread-safe.
  Worker(WorkerOptions options, const Router& router, QueuePort& queue, HandlerRunner& runner, const Clock& clock, Random& random,
         Reporter& reporter, const StopFlag& stop);

  /// Blocks until the run has ended. Once.
  RunSummary run();

  /// At any time, from any thread.
  WorkerStatus status() const;

 private:
  struct Loops;
  std::optional<RunEnd> next_step();
  std::optional<RunEnd> receive_once(std::size_t wanted);
  Receivers::Answer receive_beside();
  std::size_t accept(std::vector<sqs::Message> messages, SteadyTime arrival);
  bool is_closing() const { return closing_.load() || stop_.requests() > 0; }
  std::size_t pool_threads() const;
  std::uint64_t in_the_count() const;
  std::optional<RunEnd> on_receive_error(const client::CallError& error);
  std::optional<RunEnd> end_when_drained();
  std::optional<QueueCounts> look_at_counts();
  void tell_counts(std::string_view when);
  void finish(Loops& loops);
  void give_up();
  void pause(Millis duration);
  Seconds wait_time() const;
  bool is_poll() const { return options_.flow.mode == RunMode::Poll; }

  WorkerOptions options_;
  QueuePort& queue_;
  HandlerRunner& runner_;
  const Clock& clock_;
  SharedRandom random_;
  Reporter& reporter_;
  const StopFlag& stop_;
  StopPlan plan_;  // the watching thread's
  std::atomic<bool> cancel_poll_{false};
  std::atomic<bool> given_up_{false};
  LifeSign life_sign_;
  std::atomic<bool> closing_{false};  // what is received from now on goes back
  std::mutex accepting_;              // FIFO: held while the messages of one answer are taken, or two answers would mix
  InterruptLevel interrupt_{0};
  Heartbeat heartbeat_;
  Settler settler_;
  MessageFlow flow_;
  DrainRule drain_;
  SteadyTime began_;
  bool reached_ = false;  // a receive has succeeded
  int errors_in_row_ = 0;
  std::uint64_t errors_untold_ = 0;
  std::optional<SteadyTime> error_told_;
  std::optional<SteadyTime> counts_told_;
  bool counts_available_ = true;
  std::optional<client::CallError> error_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Receivers> receivers_;
};

}  // namespace ferry::worker
