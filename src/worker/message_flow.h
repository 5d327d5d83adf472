#pragma once
// The way of one message through a worker: received, recognised, routed or refused, handled, settled.
//
// take() runs on the receiver's thread. begin() and what it hands to `finish` run on threads of the dispatcher's pool: they may
// wait for a disk or a call, but nothing waits for a handler. before_handler() and after_handler() are the two places where more
// can be asked or noted about a request. A message that is neither settled nor forgotten is in the heartbeat's hands. What SQS
// delivers twice is run once as far as this process can tell: a message in hand adopts the newer receipt, one that was done is
// deleted again with its newest handle. Of a message group of a FIFO queue one message at a time is on the way (lanes.h); the
// others in hand follow when it is through.

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "config/handoff.h"
#include "worker/claims.h"
#include "worker/dispatcher.h"
#include "worker/handler.h"
#include "worker/handler_gate.h"
#include "worker/handler_input.h"
#include "worker/heartbeat.h"
#include "worker/lanes.h"
#include "worker/oversight.h"
#include "worker/router.h"
#include "worker/run_memory.h"
#include "worker/settler.h"
#include "worker/transcript.h"
#include "worker/worker_status.h"

namespace ferry::worker {

enum class RunMode { Work, Poll };

struct FlowOptions {
  RunMode mode = RunMode::Work;
  std::string queue;  ///< as people call it: FERRY_QUEUE
  config::OnUnmatched on_unmatched = config::OnUnmatched::Keep;
  config::BackoffSettings backoff;
  config::WorkerSettings settings;
  std::string working_folder;
  std::function<std::optional<std::string>(const std::string&)> environment;  ///< the worker's own
  std::size_t remembered_ids_max = 100'000;                                   ///< of each kind: done, refused, failed
  LedgerUse ledger;                                                           ///< without one nothing is claimed
  Oversight* oversight = nullptr;                                             ///< outlives the flow; null: nobody looks over it
  std::size_t refused_held_max = 1'000;  ///< Poll: kept invisible until the run ends; more go back at once, with a delay
};

class MessageFlow {
 public:
  struct Parts {
    const Router& router;
    QueuePort& queue;
    Heartbeat& heartbeat;
    Settler& settler;
    HandlerRunner& runner;
    const Clock& clock;
    Random& random;  ///< may be used by any thread
    Reporter& reporter;
    const InterruptLevel& interrupt;
  };
  /// Everything in `parts` outlives the flow.
  MessageFlow(FlowOptions options, Parts parts);

  /// A message that has just arrived. The job to submit, or nothing when it needs no handler. Blocks for a call when it goes to
  /// the dead letters. `is_new` tells whether this run sees it for the first time.
  struct Taken {
    bool is_new = false;
    std::optional<Job> job;
  };
  Taken take(sqs::Message message, SteadyTime arrival);
  /// What is done with a job whose turn comes later, when those before it in its group are through: Dispatcher::submit(). Called
  /// on threads of the pool. Set it before the first take().
  void on_ready(std::function<void(Job job)> ready) { ready_ = std::move(ready); }
  /// From now on no message follows the one before it in its group; it goes back once that one is settled.
  void close_lanes();
  /// Messages that wait for others of their group.
  std::size_t waiting_in_lanes() const;
  /// A message of a group has gone back lately: to be asked for one at a time, so that those behind it do not lose receives.
  bool is_cautious() const;
  /// Whether the rate of its handler lets the job begin now; if so it has to.
  bool may_begin(const Job& job) { return gate_.take_token(*job.route.request); }
  /// Runs a task on the pool and frees the slot after it: Dispatcher::finish().
  using Finish = std::function<void(std::function<void()> task)>;
  /// Starts the handler; when that has ended, `finish` is given what settles the message. Calls `finish` exactly once.
  void begin(const JobPtr& job, const Finish& finish);
  /// The message of a job that was never begun is seen by others at once.
  void give_up(const Job& job);
  /// What was kept invisible because it was refused is seen by others at once. At the end of a run.
  void give_back_refused();
  /// Prolongs claims that are due; does not block.
  void renew_claims() {
    if (claims_) claims_->renew();
  }
  /// The ledger's say, if there is one: Claims::pause_left() and Claims::broken().
  Millis ledger_pause() const { return claims_ ? claims_->pause_left() : Millis(0); }
  std::optional<std::string> ledger_broken() const { return claims_ ? claims_->broken() : std::nullopt; }

  Tally tally() const;
  /// Any thread. All but what the heartbeat knows.
  WorkerStatus status() const;
  /// Messages in flight that this run has refused or failed.
  std::int64_t own_in_flight() const;

 private:
  using ClaimHeld = std::optional<ledger::Claim>;  // nothing: there is no ledger
  struct Ending {
    Millis took{0};
    std::optional<Seconds> pause;  // of the handler, from now on
    Seconds delay{0};              // until the message is seen again, if it goes back
  };
  enum class Deletion { Allowed, Never };
  // message_flow_run.cpp: around the handler
  HandlerCall call_for(const Job& job, const ClaimHeld& claim) const;
  bool must_not_begin() const;
  bool before_handler(const JobPtr& job, const Finish& finish, ClaimHeld& claim);
  void meet(const Job& job, const ledger::Claim& claim);
  void not_claimed(const Job& job, const std::string& why);
  void release_claim(const Job& job);
  void after_handler(const Job& job, const ClaimHeld& claim, HandlerResult result, Millis took);
  std::optional<Claims::Ended> commit_transaction(const Job& job, const ClaimHeld& claim, HandlerResult& result);
  bool is_recorded(const Job& job, const HandlerResult& result, Claims::Ended ended);
  Seconds delay_after(const HandlerResult& result, std::optional<Seconds> pause, int attempt);
  void leave(const sqs::Message& message);
  void leave_lost(const Job& job);
  // message_flow_lanes.cpp: the order of groups
  std::string lane_of(const sqs::Message& message) const;
  Taken enter_lane(sqs::Message message);
  Taken examine_lane(const std::string& group, sqs::Message message);
  void pass_lane(const sqs::Message& message);
  void stop_lane(const sqs::Message& message);
  Settler::Then hold_lane(const sqs::Message& message, Seconds delay);
  void end_lane(const std::string& group, bool confirmed);
  void return_follower(const sqs::Message& message);
  // message_flow.cpp
  Taken examine(sqs::Message message);
  void conclude(const Job& job, const HandlerResult& result, const Ending& ending);
  void attempt_again(const Job& job, const HandlerResult& result, const Ending& ending);
  void refuse(const sqs::Message& message, const std::string& reason, Deletion deletion = Deletion::Allowed);
  void keep_refused(const sqs::Message& message, bool first);
  void dead_letter(const sqs::Message& message);
  bool cannot_be_recorded(const sqs::Message& message);
  void remove(const sqs::Message& message, std::string_view how = "deleted");
  void give_back(const sqs::Message& message, Seconds timeout);
  void failed_attempt(const sqs::Message& message, const std::string& text);
  Seconds retry_delay(const sqs::Message& message);

  FlowOptions options_;
  Parts parts_;
  HandlerGate gate_;
  std::optional<Claims> claims_;
  mutable std::mutex mutex_;
  Tally tally_;  // guarded by mutex_, like the rest
  RememberedIds done_;
  RememberedIds refused_;
  RememberedIds failed_;
  RememberedIds deferred_;
  std::vector<std::string> refused_held_;
  const bool fifo_;
  std::function<void(Job)> ready_;
  mutable std::mutex lanes_mutex_;
  Lanes<sqs::Message> lanes_;  // guarded by lanes_mutex_, like the next two
  bool lanes_closed_ = false;
  SteadyTime cautious_until_{};
};

}  // namespace ferry::worker
