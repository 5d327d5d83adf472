#include "worker/claims.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "base/check.h"
#include "worker/backoff.h"

namespace ferry::worker {
namespace {

constexpr std::size_t kUnsettledMax = 10'000;
constexpr std::size_t kQuestionsMax = 256;   // in one submission: as many as the ledger puts into one transaction
constexpr std::size_t kSubmissionsMax = 2;   // one is being committed, the next waits for it
constexpr std::size_t kAnswersPerTask = 16;  // what follows an answer may block: one thread alone is not given all

bool is_final(const Error& error) {
  return error.kind == ErrorKind::Io || error.kind == ErrorKind::Corrupt;
}

// Of the ledger; anything else a function that runs in its transaction has said.
bool may_pass(const Error& error) {
  return error.kind == ErrorKind::Busy || error.kind == ErrorKind::NoSpace || error.kind == ErrorKind::Unavailable ||
         error.kind == ErrorKind::Timeout;
}
}  // namespace

Claims::Claims(LedgerUse use, Seconds visibility, Parts parts)
    : use_(std::move(use)),
      lease_(lease_for(visibility)),
      renewal_interval_(std::chrono::nanoseconds(visibility) / 3),
      parts_(std::move(parts)) {
  FERRY_CHECK(use_.ledger != nullptr && !use_.owner.empty() && !use_.queue.empty());
}

Claims::~Claims() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return asked_ == 0; });
}

ledger::Operation Claims::Question::operation() const {
  if (settlement) return *settlement;
  return *request;
}

void Claims::claim(std::vector<Wanted> wanted) {
  std::vector<Question> questions;
  questions.reserve(wanted.size());
  for (Wanted& one : wanted) {
    Question question;
    question.message_id = one.job->message.message_id;
    question.request = claim_request(*one.job, use_.queue);
    question.request->owner = use_.owner;
    question.request->lease = lease_;
    question.claimed = std::move(one.then);
    questions.push_back(std::move(question));
  }
  {
    const std::lock_guard lock(mutex_);
    for (Question& question : questions) {
      const auto found = unsettled_.find(question.request->key.hash);
      if (found != unsettled_.end()) question.settlement = found->second;
    }
  }
  ask(std::move(questions));
}

void Claims::end(End what, OnEnd then) {
  std::vector<Question> questions(1);
  Question& question = questions.front();
  {
    const std::lock_guard lock(mutex_);
    Held& held = held_.at(what.message_id);
    held.ending = true;
    question.settlement = {held.key, held.fence, use_.owner, std::move(what.outcome), std::move(what.with)};
  }
  question.message_id = std::move(what.message_id);
  question.ended = std::move(then);
  ask(std::move(questions));
}

void Claims::ask(std::vector<Question> questions) {
  {
    const std::lock_guard lock(mutex_);
    std::move(questions.begin(), questions.end(), std::back_inserter(waiting_));
  }
  submit_what_waits();
}

// Under the lock. A settlement with a function is alone.
std::vector<Claims::Question> Claims::take_batch() {
  std::vector<Question> batch;
  if (on_the_way_ == kSubmissionsMax) return batch;
  const SteadyTime now = parts_.clock.steady();
  while (!waiting_.empty() && batch.size() < kQuestionsMax) {
    const bool alone = waiting_.front().is_alone();
    if (alone && !batch.empty()) break;
    batch.push_back(std::move(waiting_.front()));
    batch.back().asked_at = now;
    waiting_.pop_front();
    if (alone) break;
  }
  if (batch.empty()) return batch;
  ++on_the_way_;
  ++asked_;
  return batch;
}

void Claims::submit_what_waits() {
  for (;;) {
    auto batch = std::make_shared<std::vector<Question>>();  // also of the ledger's, until it has answered
    {
      const std::lock_guard lock(mutex_);
      *batch = take_batch();
    }
    if (batch->empty()) return;
    std::vector<ledger::Operation> operations;
    operations.reserve(batch->size());
    for (const Question& question : *batch) operations.push_back(question.operation());
    use_.ledger->submit(std::move(operations), [this, batch](const Answers& answers) { answered(*batch, answers); });
  }
}

// On the ledger's thread: nothing here may wait, not even for who reads what we say.
void Claims::answered(std::vector<Question>& asked, const Answers& answers) {
  Tasks tasks;
  tasks.reserve(asked.size());
  {
    const std::lock_guard lock(mutex_);
    --on_the_way_;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (asked[i].is_claim()) {
        claim_answered(asked[i], answers, i, tasks);
      } else if (asked[i].request) {
        brought(asked[i], answers, i, tasks);
      } else {
        end_answered(asked[i], answers, i, tasks);
      }
    }
  }
  submit_what_waits();
  post(std::move(tasks));
  const std::lock_guard lock(mutex_);
  --asked_;
  idle_.notify_all();
}

void Claims::post(Tasks tasks) {
  for (std::size_t from = 0; from < tasks.size(); from += kAnswersPerTask) {
    const auto begin = tasks.begin() + static_cast<std::ptrdiff_t>(from);
    const auto end = tasks.begin() + static_cast<std::ptrdiff_t>(std::min(from + kAnswersPerTask, tasks.size()));
    parts_.post([some = Tasks(std::make_move_iterator(begin), std::make_move_iterator(end))] {
      for (const std::function<void()>& task : some) task();
    });
  }
}

// Under the lock, like the next four.
void Claims::claim_answered(Question& question, const Answers& answers, std::size_t index, Tasks& tasks) {
  if (!answers) {
    tasks.emplace_back([then = std::move(question.claimed), error = noted(answers.error())] { then(Unexpected<Error>(error)); });
    return;
  }
  succeeded();
  const auto& claim = std::get<ledger::Claim>((*answers)[index]);
  if (is_granted(claim)) {
    held_[question.message_id] = {question.request->key.hash, claim.fence, question.asked_at + renewal_interval_,
                                  question.asked_at + lease_};
  }
  tasks.emplace_back([then = std::move(question.claimed), claim] { then(claim); });
}

// The outcome that this worker owed the ledger: then the claim itself.
void Claims::brought(Question& question, const Answers& answers, std::size_t index, Tasks& tasks) {
  if (!answers) return claim_answered(question, answers, index, tasks);
  if (std::get<ledger::Verdict>((*answers)[index]) == ledger::Verdict::Fenced) {
    said_.push_back(
        fmt::format("an outcome that could not be recorded in time counts no more: {}", question.settlement->outcome.detail));
  }
  unsettled_.erase(question.request->key.hash);
  question.settlement.reset();
  waiting_.push_back(std::move(question));
}

void Claims::end_answered(Question& question, const Answers& answers, std::size_t index, Tasks& tasks) {
  if (!answers) return end_failed(question, answers.error(), tasks);
  succeeded();
  held_.erase(question.message_id);
  const bool accepted = std::get<ledger::Verdict>((*answers)[index]) == ledger::Verdict::Accepted;
  tasks.emplace_back([then = std::move(question.ended), how = accepted ? Ended::Recorded : Ended::Fenced] { then({how, {}}); });
}

void Claims::end_failed(Question& question, const Error& error, Tasks& tasks) {
  if (question.is_alone() && !is_final(error) && !may_pass(error)) {
    held_.at(question.message_id).ending = false;
    tasks.emplace_back([then = std::move(question.ended), why = error.message] { then({Ended::Undone, why}); });
    return;
  }
  noted(error);
  ++question.attempts;
  const bool again = !given_up_ && !is_final(error) && question.attempts < use_.commit_attempts_max;
  said_.push_back(fmt::format("{}: its outcome cannot be recorded: {}{}", question.message_id, error.message,
                              again ? "; trying again" : "; its message is left as it is"));
  if (again) {
    const SteadyTime due = parts_.clock.steady() + full_jitter(use_.commit_pause, question.attempts, parts_.random);
    again_.push_back({due, std::move(question)});
    return;
  }
  held_.erase(question.message_id);
  if (unsettled_.size() < kUnsettledMax) unsettled_[question.settlement->key] = std::move(*question.settlement);
  tasks.emplace_back([then = std::move(question.ended)] { then({Ended::Failed, {}}); });
}

void Claims::look_again() {
  tell();
  {
    const std::lock_guard lock(mutex_);
    const SteadyTime now = parts_.clock.steady();
    for (auto at = again_.begin(); at != again_.end();) {
      if (at->due > now) {
        ++at;
        continue;
      }
      waiting_.push_back(std::move(at->question));
      at = again_.erase(at);
    }
  }
  submit_what_waits();
}

void Claims::give_up() {
  {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    for (Again& one : again_) waiting_.push_back(std::move(one.question));
    again_.clear();
  }
  submit_what_waits();
}

void Claims::renew() {
  tell();
  const SteadyTime now = parts_.clock.steady();
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
  use_.ledger->submit(std::move(renewals),
                      [this, due = std::move(due), now](const Answers& answers) { renewed(due, now, answers); });
}

// On the ledger's thread: nothing here may wait, not even for who reads what we say.
void Claims::renewed(const std::vector<Due>& due, SteadyTime sent_at, const Answers& answers) {
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
  const SteadyTime now = parts_.clock.steady();
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
  if (is_final(error)) broken_ = error.message;
  const SteadyTime now = parts_.clock.steady();
  if (now >= closed_until_) {  // several at once are one failure
    closed_until_ =
        now + std::min(use_.failure_pause.max, use_.failure_pause.base * (std::int64_t{1} << std::min(failures_, 16)));
    ++failures_;
  }
  return error;
}

void Claims::succeeded() {
  failures_ = 0;
  closed_until_ = {};
}

void Claims::tell() {
  std::vector<std::string> said;
  {
    const std::lock_guard lock(mutex_);
    said.swap(said_);
  }
  for (const std::string& text : said) parts_.reporter.warn(text);
}

Millis Claims::pause_left() const {
  const std::lock_guard lock(mutex_);
  return std::max(Millis(0), std::chrono::ceil<Millis>(closed_until_ - parts_.clock.steady()));
}

std::optional<std::string> Claims::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

}  // namespace ferry::worker
