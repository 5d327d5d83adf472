#pragma once
// A worker's dealings with the ledger: claims a request before its handler starts, keeps the claim alive meanwhile, and commits
// the outcome before the message is settled.
//
// Nobody waits for the ledger: what is asked of it gathers while it commits what was asked before, goes there in one submission,
// and its answers go to threads of the pool.
//
// An outcome that the ledger did not take, because it failed, is remembered: the next claim of that request by this worker brings
// it first, so that a handler whose work is done does not run again here.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "config/handoff.h"
#include "ledger/ledger.h"
#include "worker/dispatcher.h"
#include "worker/handler.h"
#include "worker/transcript.h"

namespace ferry::worker {

struct LedgerUse {
  ledger::Ledger* ledger = nullptr;  ///< outlives the worker; null: there is none
  std::string owner;                 ///< ledger::make_owner()
  std::string queue;                 ///< the queue's own name: with the request's it is the scope of keys
  int commit_attempts_max = 5;       ///< of one outcome before its message is left
  config::BackoffSettings commit_pause{Millis(200), Millis(3'000)};
  config::BackoffSettings failure_pause{Millis(1'000), Millis(60'000)};  ///< without new messages, while the ledger fails
};

/// How long a claim lasts without renewal: the visibility timeout, a tenth of it more, and that at least 2 s, at most 30 s.
Millis lease_for(Seconds visibility);

/// What the ledger is asked about a message: key, payload, which attributes are left out of that.
ledger::ClaimRequest claim_request(const Job& job, std::string_view queue);

/// "run", "not-yet", …: for records.
std::string_view name_of(ledger::ClaimAnswer answer);
/// Whether the handler is to be started.
bool is_granted(const ledger::Claim& claim);

/// What is recorded of a handler's end. `delay`: until the next attempt, if there is to be one.
ledger::Outcome outcome_of(const HandlerResult& result, Seconds delay);

/// Thread-safe.
class Claims {
 public:
  /// Runs a task on a thread of the pool: Dispatcher::post().
  using Post = std::function<void(std::function<void()> task)>;
  /// Everything outlives it; `random` may be used by any thread.
  struct Parts {
    const Clock& clock;
    Random& random;
    Reporter& reporter;
    Post post;
  };
  Claims(LedgerUse use, Seconds visibility, Parts parts);
  /// Waits for what the ledger was asked.
  ~Claims();
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

  /// Once, on a thread of the pool. An error: nothing may be run.
  using Claimed = std::function<void(Result<ledger::Claim> claim)>;
  struct Wanted {
    JobPtr job;
    Claimed then;
  };
  /// Does not block. A claim that is granted is durable, and renewed until end().
  void claim(std::vector<Wanted> wanted);

  enum class Ended {
    Recorded,  ///< durable
    Fenced,    ///< the request is somebody else's, or a person has intervened: nothing of ours counts
    Failed,    ///< the ledger took it after no attempt; the message must be left as it is
    Undone,    ///< `with` failed, and nothing of it remains; the claim goes on
  };
  struct Ending {
    Ended how = Ended::Recorded;
    std::string why{};  ///< Undone
  };
  using With = std::function<Result<void>(ledger::Transaction&)>;
  /// Once, on a thread of the pool.
  using OnEnd = std::function<void(Ending ending)>;
  struct End {
    std::string message_id;
    ledger::Outcome outcome;
    With with{};
  };
  /// Ends the claim of this message; does not block. While the ledger fails it is tried several times, with pauses. `with` runs
  /// in the same transaction (ledger::Settlement); failures of it that may pass count as the ledger's.
  void end(End what, OnEnd then);

  /// Asks again what failed and is due. To be called often; does not block.
  void look_again();
  /// An outcome that the ledger does not take is not brought again. For good; does not block.
  void give_up();
  /// Prolongs the claims that are due (a third of the visibility timeout after the last time), all in one transaction. Does not
  /// block. To be called at least every twelfth of the visibility timeout.
  void renew();

  /// No new messages for so long, because the ledger fails; 0 when it does not.
  Millis pause_left() const;
  /// Set once the ledger can answer nothing any more: the worker has to end.
  std::optional<std::string> broken() const;

 private:
  struct Held {
    ledger::KeyHash key{};
    ledger::Fence fence = 0;
    SteadyTime next_renewal;
    SteadyTime lease_end;
    bool renewing = false;
    bool ending = false;  ///< its outcome is on the way: what a renewal hears does not matter
    bool told = false;    ///< that it is somebody else's, or that its lease is over
  };
  struct Due {
    std::string message_id;
    ledger::Fence fence = 0;
  };
  // Either a claim (with `claimed`), before which an outcome may have to be brought, or the end of one (with `ended`).
  struct Question {
    std::string message_id;
    std::optional<ledger::ClaimRequest> request{};
    std::optional<ledger::Settlement> settlement{};
    Claimed claimed{};
    OnEnd ended{};
    int attempts = 0;
    SteadyTime asked_at{};
    bool is_alone() const { return settlement && settlement->with; }
    bool is_claim() const { return request && !settlement; }
    ledger::Operation operation() const;
  };
  struct Again {
    SteadyTime due;
    Question question;
  };
  using Answers = Result<std::vector<ledger::Answer>>;
  using Tasks = std::vector<std::function<void()>>;
  void ask(std::vector<Question> questions);
  std::vector<Question> take_batch();
  void submit_what_waits();
  void answered(std::vector<Question>& asked, const Answers& answers);
  void claim_answered(Question& question, const Answers& answers, std::size_t index, Tasks& tasks);
  void brought(Question& question, const Answers& answers, std::size_t index, Tasks& tasks);
  void end_answered(Question& question, const Answers& answers, std::size_t index, Tasks& tasks);
  void end_failed(Question& question, const Error& error, Tasks& tasks);
  void post(Tasks tasks);
  void renewed(const std::vector<Due>& due, SteadyTime sent_at, const Answers& answers);
  void apply(const Due& due, SteadyTime sent_at, const ledger::Verdict* verdict, const std::string& why);
  Error noted(Error error);
  void succeeded();
  void tell();

  const LedgerUse use_;
  const Millis lease_;
  const std::chrono::nanoseconds renewal_interval_;
  const Parts parts_;

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::map<std::string, Held> held_;  // by message id; guarded by mutex_, like the rest
  std::map<ledger::KeyHash, ledger::Settlement> unsettled_;
  std::deque<Question> waiting_;
  std::vector<Again> again_;
  std::size_t on_the_way_ = 0;  // submissions of questions
  std::size_t asked_ = 0;       // submissions that are not answered to the end, renewals too
  std::vector<std::string> said_;
  bool given_up_ = false;
  int failures_ = 0;  // of claims, in a row
  SteadyTime closed_until_{};
  std::optional<std::string> broken_;
};

}  // namespace ferry::worker
