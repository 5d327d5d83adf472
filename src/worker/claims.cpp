#include "worker/claims.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "signing/envelope.h"
#include "worker/backoff.h"
#include "worker/handler_input.h"

namespace ferry::worker {
namespace {

constexpr std::size_t kUnsettledMax = 10'000;
constexpr Millis kMarginMin{2'000};
constexpr Millis kMarginMax{30'000};

// What a repeated delivery, or a sender that repeats itself, may change: who asks and when, and where in a trace.
bool is_transport(std::string_view attribute) {
  return attribute == signing::kReservedAttribute || attribute == "traceparent" || attribute == "tracestate" ||
         attribute == "idempotency-key";
}

std::string as_bytes(const sqs::MessageAttributeValue& value) {
  return value.data_type + '\0' + value.string_value.value_or("") + value.binary_value.value_or("");
}

bool is_final(const Error& error) {
  return error.kind == ErrorKind::Io || error.kind == ErrorKind::Corrupt;
}

// Of the ledger; anything else a function that runs in its transaction has said.
bool may_pass(const Error& error) {
  return error.kind == ErrorKind::Busy || error.kind == ErrorKind::NoSpace || error.kind == ErrorKind::Unavailable ||
         error.kind == ErrorKind::Timeout;
}
}  // namespace

Millis lease_for(Seconds visibility) {
  return Millis(visibility) + std::clamp(Millis(visibility) / 10, kMarginMin, kMarginMax);
}

ledger::ClaimRequest claim_request(const Job& job, std::string_view queue) {
  const sqs::Message& message = job.message;
  const std::string& handler = job.route.request->name;
  std::vector<std::pair<std::string, std::string>> attributes;
  for (const auto& [name, value] : message.message_attributes) {
    if (!is_transport(name)) attributes.emplace_back(name, as_bytes(value));
  }
  ledger::ClaimRequest request;
  request.key = ledger::make_key(fmt::format("{}/{}", queue, handler), idempotency_key(message));
  request.payload = ledger::payload_hash(handler, message.body, std::move(attributes));
  request.message_id = message.message_id;
  request.on_lost = job.route.request->ledger.on_lost == config::OnLost::Park ? ledger::OnLost::Park : ledger::OnLost::Retry;
  request.receive_count = receive_count(message);
  request.sender = system_attribute(message, "SenderId").value_or("");
  return request;
}

std::string_view name_of(ledger::ClaimAnswer answer) {
  switch (answer) {
    case ledger::ClaimAnswer::Run:
      return "run";
    case ledger::ClaimAnswer::Mine:
      return "mine";
    case ledger::ClaimAnswer::Deferred:
      return "deferred";
    case ledger::ClaimAnswer::NotYet:
      return "not-yet";
    case ledger::ClaimAnswer::AlreadyDone:
      return "already-done";
    case ledger::ClaimAnswer::Rejected:
      return "rejected";
    case ledger::ClaimAnswer::Parked:
      return "parked";
    case ledger::ClaimAnswer::Conflict:
      return "conflict";
  }
  return "";
}

bool is_granted(const ledger::Claim& claim) {
  // Mine: a message in hand never gets as far as a claim, so no run of it is in hand.
  return claim.answer == ledger::ClaimAnswer::Run || claim.answer == ledger::ClaimAnswer::Mine;
}

ledger::Outcome outcome_of(const HandlerResult& result, Seconds delay) {
  ledger::Outcome outcome;
  switch (result.end) {
    case HandlerEnd::Done:
      outcome.kind = ledger::OutcomeKind::Done;
      break;
    case HandlerEnd::Rejected:
      outcome.kind = ledger::OutcomeKind::Rejected;
      break;
    case HandlerEnd::Interrupted:
    case HandlerEnd::OurFault:
    case HandlerEnd::NotStarted:
      outcome.kind = ledger::OutcomeKind::Interrupted;
      outcome.retry_after = delay;
      break;
    case HandlerEnd::Retry:
    case HandlerEnd::Unavailable:
    case HandlerEnd::TimedOut:
    case HandlerEnd::Crashed:
    case HandlerEnd::Unknown:
      outcome.kind = ledger::OutcomeKind::Retry;
      outcome.retry_after = delay;
      break;
  }
  outcome.outcome_class = std::string(name_of(result.end));
  outcome.code = result.code;
  outcome.detail = result.detail;
  if (!result.result.empty()) outcome.result = result.result;
  return outcome;
}

Claims::Claims(LedgerUse use, Seconds visibility, const Clock& clock, Random& random, Reporter& reporter)
    : use_(std::move(use)),
      lease_(lease_for(visibility)),
      renewal_interval_(std::chrono::nanoseconds(visibility) / 3),
      clock_(clock),
      random_(random),
      reporter_(reporter) {
  FERRY_CHECK(use_.ledger != nullptr && !use_.owner.empty() && !use_.queue.empty());
}

Claims::~Claims() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return asked_ == 0; });
}

Result<ledger::Claim> Claims::claim(const Job& job) {
  ledger::ClaimRequest request = claim_request(job, use_.queue);
  request.owner = use_.owner;
  request.lease = lease_;
  const ledger::KeyHash key = request.key.hash;
  if (auto brought = bring_unsettled(key); !brought) return Unexpected(noted(std::move(brought).error()));
  const SteadyTime asked_at = clock_.steady();
  auto claim = use_.ledger->claim(std::move(request));
  if (!claim) return Unexpected(noted(std::move(claim).error()));
  succeeded();
  if (is_granted(*claim)) {
    const std::lock_guard lock(mutex_);
    held_[job.message.message_id] = {key, claim->fence, asked_at + renewal_interval_, asked_at + lease_};
  }
  return claim;
}

Result<void> Claims::bring_unsettled(const ledger::KeyHash& key) {
  ledger::Settlement settlement;
  {
    const std::lock_guard lock(mutex_);
    const auto found = unsettled_.find(key);
    if (found == unsettled_.end()) return {};
    settlement = found->second;
  }
  FERRY_TRY(const ledger::Verdict verdict, use_.ledger->commit(settlement));
  if (verdict == ledger::Verdict::Fenced)
    reporter_.warn(fmt::format("an outcome that could not be recorded in time counts no more: {}", settlement.outcome.detail));
  const std::lock_guard lock(mutex_);
  unsettled_.erase(key);
  return {};
}

Claims::Ending Claims::end(const std::string& message_id, ledger::Outcome outcome, With with) {
  ledger::Settlement settlement;
  {
    const std::lock_guard lock(mutex_);
    Held& held = held_.at(message_id);
    held.ending = true;
    settlement = {held.key, held.fence, use_.owner, std::move(outcome), std::move(with)};
  }
  std::optional<ledger::Verdict> verdict;
  for (int attempt = 1; !verdict; ++attempt) {
    const auto answer = use_.ledger->commit(settlement);
    if (answer) {
      verdict = *answer;
      break;
    }
    if (settlement.with && !is_final(answer.error()) && !may_pass(answer.error())) return undone(message_id, answer.error());
    const Error error = noted(answer.error());
    const bool again = !is_final(error) && attempt < use_.commit_attempts_max;
    reporter_.warn(fmt::format("{}: its outcome cannot be recorded: {}{}", message_id, error.message,
                               again ? "; trying again" : "; its message is left as it is"));
    if (!again) break;
    sleep_for(full_jitter(use_.commit_pause, attempt, random_));
  }
  if (verdict) succeeded();
  const std::lock_guard lock(mutex_);
  held_.erase(message_id);
  if (verdict) return {*verdict == ledger::Verdict::Accepted ? Ended::Recorded : Ended::Fenced};
  if (unsettled_.size() < kUnsettledMax) unsettled_[settlement.key] = std::move(settlement);
  return {Ended::Failed};
}

Claims::Ending Claims::undone(const std::string& message_id, const Error& error) {
  const std::lock_guard lock(mutex_);
  held_.at(message_id).ending = false;
  return {Ended::Undone, error.message};
}

void Claims::renew() {
  tell();
  const SteadyTime now = clock_.steady();
  std::vector<ledger::Operation> renewals;
  std::vector<Due> due;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [message_id, held] : held_) {
      if (held.renewing || held.next_renewal > now) continue;
      held.renewing = true;
      renewals.emplace_back(ledger::Renewal{held.key, held.fence, use_.owner, lease_});
      due.push_back({message_id, held.fence});
    }
    if (due.empty()) return;
    ++asked_;
  }
  use_.ledger->submit(std::move(renewals), [this, due = std::move(due), now](const Result<std::vector<ledger::Answer>>& answers) {
    renewed(due, now, answers);
  });
}

// On the ledger's thread: nothing here may wait, not even for who reads what we say.
void Claims::renewed(const std::vector<Due>& due, SteadyTime sent_at, const Result<std::vector<ledger::Answer>>& answers) {
  const std::lock_guard lock(mutex_);
  const std::string why = answers ? std::string() : answers.error().message;
  if (!answers && is_final(answers.error())) broken_ = why;
  for (std::size_t i = 0; i < due.size(); ++i) {
    apply(due[i], sent_at, answers ? &std::get<ledger::Verdict>((*answers)[i]) : nullptr, why);
  }
  --asked_;
  idle_.notify_all();
}

// Under the lock. No verdict: the ledger failed.
void Claims::apply(const Due& due, SteadyTime sent_at, const ledger::Verdict* verdict, const std::string& why) {
  const auto found = held_.find(due.message_id);
  if (found == held_.end() || found->second.fence != due.fence) return;  // ended meanwhile
  Held& held = found->second;
  held.renewing = false;
  const SteadyTime now = clock_.steady();
  if (verdict == nullptr) {
    held.next_renewal = now + renewal_interval_ / 4;
    if (held.told || now < held.lease_end) return;
    held.told = true;
    said_.push_back(fmt::format("{}: its claim could not be renewed ({}); somebody else may claim it while it is worked on",
                                due.message_id, why));
  } else if (*verdict == ledger::Verdict::Accepted) {
    held.next_renewal = sent_at + renewal_interval_;
    held.lease_end = sent_at + lease_;
    held.told = false;
  } else {
    held.next_renewal = SteadyTime::max();
    if (held.ending || held.told) return;
    held.told = true;
    said_.push_back(
        fmt::format("{}: its claim was taken away; its handler goes on, but its outcome will not count", due.message_id));
  }
}

Error Claims::noted(Error error) {
  const std::lock_guard lock(mutex_);
  if (is_final(error)) broken_ = error.message;
  const SteadyTime now = clock_.steady();
  if (now >= closed_until_) {  // several at once are one failure
    closed_until_ =
        now + std::min(use_.failure_pause.max, use_.failure_pause.base * (std::int64_t{1} << std::min(failures_, 16)));
    ++failures_;
  }
  return error;
}

void Claims::succeeded() {
  const std::lock_guard lock(mutex_);
  failures_ = 0;
  closed_until_ = {};
}

void Claims::tell() {
  std::vector<std::string> said;
  {
    const std::lock_guard lock(mutex_);
    said.swap(said_);
  }
  for (const std::string& text : said) reporter_.warn(text);
}

Millis Claims::pause_left() const {
  const std::lock_guard lock(mutex_);
  return std::max(Millis(0), std::chrono::ceil<Millis>(closed_until_ - clock_.steady()));
}

std::optional<std::string> Claims::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

}  // namespace ferry::worker
