// The middle of a message's way: claimed, handed to its handler, its outcome recorded.

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "worker/backoff.h"
#include "worker/message_flow.h"

namespace ferry::worker {
namespace {

constexpr std::size_t kShownBodyBytesMax = 1'000;
constexpr std::size_t kShownParameterBytesMax = 300;
constexpr Seconds kInterruptedDelayMax{5};  // jitter, so that what one worker drops does not hit the next one at once
constexpr Seconds kDeferredJitterMax{2};
constexpr Seconds kLedgerFailedDelayMin{5};

Seconds jitter(Seconds most, Random& random) {
  return Seconds(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()) + 1)));
}

std::string shown_parameter(const Job& job) {
  return job.route.parameter.empty() ? std::string() : fmt::format(" \"{}\"", clip(job.route.parameter, kShownParameterBytesMax));
}

std::string as_line(const std::string& body) {
  return body.ends_with('\n') ? body : body + "\n";
}

int attempt_of(const Job& job, const std::optional<ledger::Claim>& claim) {
  if (!claim) return receive_count(job.message);
  return static_cast<int>(std::clamp<std::int64_t>(claim->attempt, 1, std::numeric_limits<int>::max()));
}
}  // namespace

HandlerCall MessageFlow::call_for(const Job& job, const ClaimHeld& claim) const {
  const config::RequestType& type = *job.route.request;
  HandlerCall call;
  call.spec = &*type.handler;
  call.message = &job.message;
  call.request = type.name;
  call.parameter = job.route.parameter;
  call.queue = options_.queue;
  call.label = type.name.empty() ? job.message.message_id : fmt::format("{} {}", job.message.message_id, type.name);
  call.idempotency_key = idempotency_key(job.message);
  call.signed_by = job.route.signed_by;
  if (claim) {
    call.fence = claim->fence;
    call.attempt = claim->attempt;
  }
  if (job.trace) call.trace = TraceContext{job.trace->span.traceparent(), job.trace->state};
  call.deadline = parts_.clock.wall() + type.handler->timeout;
  if (type.handler->input == config::HandlerInput::Envelope) call.envelope = build_envelope(call);
  if (type.handler->input == config::HandlerInput::Line) call.envelope = as_line(job.message.body);
  if (type.handler->http || type.handler->argv.empty()) return call;  // an endpoint, or a function of this process
  call.argv = job.route.argv;
  call.environment = build_environment(call, {&options_.settings, options_.environment});
  call.working_folder = options_.working_folder;
  return call;
}

void MessageFlow::begin(const std::vector<JobPtr>& jobs) {
  std::vector<Claims::Wanted> wanted;
  for (const JobPtr& job : jobs) {
    if (must_not_begin()) {
      not_begun(job, [this, job] { give_up(*job); });
    } else if (parts_.heartbeat.is_lost(job->message.message_id)) {
      not_begun(job, [this, job] { leave_lost(*job); });
    } else if (!claims_) {
      run(job, std::nullopt);
    } else {
      wanted.push_back({job, [this, job](const Result<ledger::Claim>& claim) { claimed(job, claim); }});
    }
  }
  if (!wanted.empty()) claims_->claim(std::move(wanted));
}

bool MessageFlow::must_not_begin() const {
  return parts_.interrupt.load() > 0 || (options_.oversight != nullptr && options_.oversight->failed());
}

void MessageFlow::not_begun(const JobPtr& job, const std::function<void()>& task) {
  gate_.not_begun(*job->route.request);
  hands_.free_slot(*job);
  task();
  hands_.done();
}

void MessageFlow::claimed(const JobPtr& job, const Result<ledger::Claim>& answer) {
  if (!answer) return not_begun(job, [&] { not_claimed(*job, answer.error().message); });
  const ledger::Claim& claim = *answer;
  if (options_.oversight != nullptr) options_.oversight->claimed(*job, {name_of(claim.answer), claim.fence, claim.attempt});
  if (!is_granted(claim)) return not_begun(job, [&] { meet(*job, claim); });
  if (must_not_begin()) return release_claim(job);
  if (claim.after_loss)
    parts_.reporter.warn(fmt::format("{}: whoever had it before let the claim run out, and may have done its work; attempt {}",
                                     job->message.message_id, claim.attempt));
  run(job, claim);
}

// The last moment at which nothing of the request has happened.
void MessageFlow::run(const JobPtr& job, const ClaimHeld& claim) {
  if (options_.oversight != nullptr)
    options_.oversight->started(*job, {attempt_of(*job, claim), parts_.clock.wall() + job->route.request->handler->timeout});
  tell_begin(*job);
  const auto attempt = std::make_shared<Attempt>(Attempt{job, claim});
  const SteadyTime began = parts_.clock.steady();
  parts_.runner.start(call_for(*job, claim), [this, attempt, began](HandlerResult result) {
    attempt->result = std::move(result);
    attempt->took = std::chrono::duration_cast<Millis>(parts_.clock.steady() - began);
    if (!may_block_after(*attempt)) return handler_ended(attempt);
    hands_.post([this, attempt] { handler_ended(attempt); });
  });
}

void MessageFlow::tell_begin(const Job& job) const {
  if (parts_.reporter.hears_steps())
    parts_.reporter.step(
        fmt::format("processing {} that was {}", job.message.message_id, clip(job.message.body, kShownBodyBytesMax)));
  if (parts_.reporter.hears_notes())
    parts_.reporter.note(fmt::format("{}: {}{}{}", job.message.message_id, job.route.request->shown_name(), shown_parameter(job),
                                     shown_trace(job.trace)));
}

// Whether what comes next may wait for a disk or a call: then it is not for the runner's thread.
bool MessageFlow::may_block_after(const Attempt& attempt) const {
  return !attempt.claim || options_.oversight != nullptr || attempt.result.with;
}

// The ledger says that the handler is not to be started.
void MessageFlow::meet(const Job& job, const ledger::Claim& claim) {
  const sqs::Message& message = job.message;
  const std::string name = job.route.request->shown_name();
  switch (claim.answer) {
    case ledger::ClaimAnswer::AlreadyDone: {
      parts_.reporter.step(fmt::format("{} was done before; deleting it", message.message_id));
      remove(message);
      const std::lock_guard lock(mutex_);
      ++tally_.duplicates;
      return;
    }
    case ledger::ClaimAnswer::Rejected:
      return refuse(message, fmt::format("{} rejected it before ({})", name, claim.detail));
    case ledger::ClaimAnswer::Parked:
      return refuse(message,
                    fmt::format("{}: it is parked until a person decides ({}): ferry ledger show {}", name, claim.detail,
                                message.message_id),
                    Deletion::Never);
    case ledger::ClaimAnswer::Conflict:
      return refuse(
          message,
          fmt::format("{}: CONFLICT: the key \"{}\" belongs to another request, which came as {}; the sender has used it "
                      "for two",
                      name, clip(idempotency_key(message), kShownParameterBytesMax), claim.message_id),
          Deletion::Never);
    case ledger::ClaimAnswer::Deferred:
    case ledger::ClaimAnswer::NotYet:
    case ledger::ClaimAnswer::Run:
    case ledger::ClaimAnswer::Mine:
      break;
  }
  const Seconds wait = std::chrono::ceil<Seconds>(claim.wait) + jitter(kDeferredJitterMax, parts_.random);
  parts_.reporter.step(fmt::format("{} {}; it goes back for {} s", message.message_id,
                                   claim.answer == ledger::ClaimAnswer::Deferred ? "is in somebody else's hands" : "is not due",
                                   wait.count()));
  give_back(message, wait);
  const std::lock_guard lock(mutex_);
  if (deferred_.add(message.message_id)) ++tally_.deferred;
}

void MessageFlow::not_claimed(const Job& job, const std::string& why) {
  const Seconds delay = std::max(kLedgerFailedDelayMin, std::chrono::ceil<Seconds>(claims_->pause_left())) +
                        jitter(kDeferredJitterMax, parts_.random);
  give_back(job.message, delay);
  failed_attempt(job.message, fmt::format("{}: given back for {} s, not run, because the ledger fails: {}",
                                          job.message.message_id, delay.count(), why));
}

// It was claimed, and we are to stop before its handler was started.
void MessageFlow::release_claim(const JobPtr& job) {
  gate_.not_begun(*job->route.request);
  hands_.free_slot(*job);
  Claims::End end{job->message.message_id, {}};
  end.outcome.kind = ledger::OutcomeKind::Released;
  claims_->end(std::move(end), [this, job](const Claims::Ending& ending) {
    if (ending.how == Claims::Ended::Recorded) {
      give_up(*job);
    } else {
      leave(job->message);
    }
    hands_.done();
  });
}

// The handler has ended and its message is still in hand: what has to be on record before the message is deleted or goes back is
// recorded from here on. Of a handler whose work is done in the ledger's transaction, the end is known when that has ended.
void MessageFlow::handler_ended(const AttemptPtr& attempt) {
  HandlerResult& result = attempt->result;
  if (result.end == HandlerEnd::Crashed) look_for_poison(*attempt);
  if (!result.with || result.end != HandlerEnd::Done) return record(attempt, std::nullopt);
  if (attempt->claim) return commit_transaction(attempt);
  result.end = HandlerEnd::OurFault;
  result.detail = "it works in the ledger's transaction, and there is no ledger";
  record(attempt, std::nullopt);
}

// What kills its handler again and again would do so for ever.
void MessageFlow::look_for_poison(Attempt& attempt) {
  const int limit = attempt.job->route.request->handler->poison_after;
  if (limit == 0) return;
  const std::lock_guard lock(mutex_);
  const int crashes = crashed_.add(attempt.job->message.message_id);
  if (crashes < limit) return;
  attempt.result.end = HandlerEnd::Rejected;
  attempt.result.detail += fmt::format(", {} times: it is poison", crashes);
}

void MessageFlow::commit_transaction(const AttemptPtr& attempt) {
  HandlerResult& result = attempt->result;
  const Claims::With with = std::exchange(result.with, {});
  claims_->end({attempt->job->message.message_id, outcome_of(result, Seconds(0)), with},
               [this, attempt](const Claims::Ending& ending) {
                 if (ending.how != Claims::Ended::Undone) return record(attempt, ending.how);
                 attempt->result.end = HandlerEnd::Retry;
                 attempt->result.detail = fmt::format("its transaction was undone: {}", clip(ending.why, kShownBodyBytesMax));
                 record(attempt, std::nullopt);
               });
}

// `committed`: what became of the outcome, if the ledger has been told already.
void MessageFlow::record(const AttemptPtr& attempt, std::optional<Claims::Ended> committed) {
  const Job& job = *attempt->job;
  const HandlerResult& result = attempt->result;
  const int number = attempt_of(job, attempt->claim);
  if (options_.oversight != nullptr) options_.oversight->ended(job, result, {number, attempt->took});
  Ending ending{attempt->took, gate_.ended(*job.route.request, result.end)};
  ending.delay = delay_after(result, ending.pause, number);
  hands_.free_slot(job);
  if (!attempt->claim || committed) return settle(*attempt, ending, committed.value_or(Claims::Ended::Recorded));
  claims_->end({job.message.message_id, outcome_of(result, ending.delay)},
               [this, attempt, ending](const Claims::Ending& end) { settle(*attempt, ending, end.how); });
}

void MessageFlow::settle(const Attempt& attempt, const Ending& ending, Claims::Ended ended) {
  if (is_recorded(attempt, ended)) conclude(*attempt.job, attempt.result, ending);
  hands_.done();
}

// Drawn once: the ledger and the queue are told the same.
Seconds MessageFlow::delay_after(const HandlerResult& result, std::optional<Seconds> pause, int attempt) {
  const auto backoff = [&] { return retry_visibility(options_.backoff, attempt, parts_.random); };
  switch (result.end) {
    case HandlerEnd::Done:
    case HandlerEnd::Rejected:
      return Seconds(0);
    case HandlerEnd::Interrupted:
      return jitter(kInterruptedDelayMax, parts_.random);
    case HandlerEnd::OurFault:
    case HandlerEnd::NotStarted:
      return pause ? *pause : backoff();
    case HandlerEnd::Retry:
    case HandlerEnd::Unavailable:
    case HandlerEnd::TimedOut:
    case HandlerEnd::Crashed:
    case HandlerEnd::Unknown:
      break;
  }
  return result.retry_after ? *result.retry_after : backoff();
}

// False: the outcome is not on record, and the message was left for others.
bool MessageFlow::is_recorded(const Attempt& attempt, Claims::Ended ended) {
  if (ended == Claims::Ended::Recorded) return true;
  const Job& job = *attempt.job;
  const HandlerResult& result = attempt.result;
  const std::string& id = job.message.message_id;
  leave(job.message);
  failed_attempt(
      job.message,
      ended == Claims::Ended::Fenced
          ? fmt::format("{}: {} ended ({}) after its claim was taken away; that does not count, and the message is left", id,
                        job.route.request->shown_name(), name_of(result.end))
          : fmt::format("{}: {} ended ({}), which is not on record; the message is left and comes again", id,
                        job.route.request->shown_name(), name_of(result.end)));
  return false;
}

// Its visibility was lost before its handler began: it is somebody else's now, or comes again.
void MessageFlow::leave_lost(const Job& job) {
  parts_.reporter.step(fmt::format("{} was not begun, because somebody else may have it", job.message.message_id));
  leave(job.message);
}

// Neither deleted nor given back: it is seen again when its visibility timeout is over.
void MessageFlow::leave(const sqs::Message& message) {
  parts_.heartbeat.release(message.message_id);
  if (options_.oversight != nullptr) options_.oversight->settled(message, "kept");
  stop_lane(message);
}

}  // namespace ferry::worker
