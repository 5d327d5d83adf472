#pragma once
// The way of one message through a worker: received, recognised, routed or refused, handled, settled.
//
// take() runs on the receivers' threads, begin() and what follows it on threads of the dispatcher's pool: they may wait for the
// audit trail or a call, but nothing waits for a handler or for the ledger; what comes after these is posted by them. run() and
// handler_ended() are the two places where more can be asked or noted about a request. A message that is neither settled nor
// forgotten is in the heartbeat's hands. What SQS delivers twice is run once as far as this process can tell: a message in hand
// adopts the newer receipt, one that was done is deleted again with its newest handle. Of a message group of a FIFO queue one
// message at a time is on the way (lanes.h); the others in hand follow when it is through.

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

  /// The dispatcher's. Set them before the first take(); called on any thread.
  struct Hands {
    std::function<void(std::vector<Job> jobs)> submit;     ///< jobs whose turn has come
    std::function<void(std::function<void()> task)> post;  ///< on a thread of the pool, soon
    std::function<void(const Job& job)> free_slot;         ///< its handler has ended, or does not begin
    std::function<void()> done;                            ///< nothing remains to be done for a job
  };
  void attach(Hands hands) { hands_ = std::move(hands); }

  /// Messages that have just arrived, in this order: all are in hand before the first is looked at. The jobs to submit; messages
  /// that need no handler, or wait for others of their group, are none. Blocks for a call when one goes to the dead letters.
  struct Taken {
    std::size_t fresh = 0;  ///< messages that this run sees for the first time
    std::vector<Job> jobs{};
  };
  Taken take(std::vector<sqs::Message> messages, SteadyTime arrival);
  /// From now on no message follows the one before it in its group; it goes back once that one is settled.
  void close_lanes();
  /// Messages that wait for others of their group.
  std::size_t waiting_in_lanes() const;
  /// Whether messages come in groups that have an order: then the messages of one answer are all taken before those of the next.
  bool keeps_order() const { return fifo_; }
  /// A message of a group has gone back lately: to be asked for one at a time, so that those behind it do not lose receives.
  bool is_cautious() const;
  /// Whether the rate of its handler lets the job begin now; if so it has to.
  bool may_begin(const Job& job) { return gate_.take_token(*job.route.request); }
  /// Starts the handlers of those that the ledger grants and settles the others; each handler's message is settled when it has
  /// ended. For each job free_slot() and then done() of the hands follow, once.
  void begin(const std::vector<JobPtr>& jobs);
  /// The message of a job that was never begun is seen by others at once.
  void give_up(const Job& job);
  /// What was kept invisible because it was refused is seen by others at once. At the end of a run.
  void give_back_refused();
  /// Prolongs claims that are due; does not block.
  void renew_claims() {
    if (claims_) claims_->renew();
  }
  /// Brings outcomes again that the ledger could not take, when they are due; does not block.
  void bring_outcomes() {
    if (claims_) claims_->look_again();
  }
  /// Outcomes that the ledger does not take at once are left; does not block.
  void give_up_outcomes() {
    if (claims_) claims_->give_up();
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
  struct Turn {
    bool is_new = false;
    std::optional<Job> job{};
  };
  // message_flow_run.cpp: around the handler
  HandlerCall call_for(const Job& job, const ClaimHeld& claim) const;
  bool must_not_begin() const;
  void not_begun(const JobPtr& job, const std::function<void()>& task);
  void claimed(const JobPtr& job, const Result<ledger::Claim>& answer);
  void run(const JobPtr& job, const ClaimHeld& claim);
  void tell_begin(const Job& job) const;
  void meet(const Job& job, const ledger::Claim& claim);
  void not_claimed(const Job& job, const std::string& why);
  void release_claim(const JobPtr& job);
  struct Attempt {
    JobPtr job;
    ClaimHeld claim{};
    HandlerResult result{};
    Millis took{0};
  };
  using AttemptPtr = std::shared_ptr<Attempt>;  // of whoever brings it on: runner, ledger, pool, one after the other
  bool may_block_after(const Attempt& attempt) const;
  void handler_ended(const AttemptPtr& attempt);
  void look_for_poison(Attempt& attempt);
  void commit_transaction(const AttemptPtr& attempt);
  void record(const AttemptPtr& attempt, std::optional<Claims::Ended> committed);
  void settle(const Attempt& attempt, const Ending& ending, Claims::Ended ended);
  bool is_recorded(const Attempt& attempt, Claims::Ended ended);
  Seconds delay_after(const HandlerResult& result, std::optional<Seconds> pause, int attempt);
  void leave(const sqs::Message& message);
  void leave_lost(const Job& job);
  // message_flow_lanes.cpp: the order of groups
  std::string lane_of(const sqs::Message& message) const;
  Turn enter_lane(sqs::Message message);
  Turn examine_lane(const std::string& group, sqs::Message message);
  void pass_lane(const sqs::Message& message);
  void stop_lane(const sqs::Message& message);
  Settler::Then hold_lane(const sqs::Message& message, Seconds delay);
  void end_lane(const std::string& group, bool confirmed);
  void return_follower(const sqs::Message& message);
  // message_flow.cpp
  bool is_to_be_examined(const sqs::Message& message);
  Turn examine(sqs::Message message);
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
  RememberedCounts crashed_;
  std::vector<std::string> refused_held_;
  const bool fifo_;
  Hands hands_;
  mutable std::mutex lanes_mutex_;
  Lanes<sqs::Message> lanes_;  // guarded by lanes_mutex_, like the next two
  bool lanes_closed_ = false;
  SteadyTime cautious_until_{};
};

}  // namespace ferry::worker
