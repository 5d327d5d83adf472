#include "worker/heartbeat.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace ferry::worker {
namespace {

constexpr Millis kIdlePause{1'000};
constexpr Millis kLeastPause{5};
constexpr Millis kWaitTick{50};

std::chrono::nanoseconds margin_of(Seconds visibility) {
  return std::min<std::chrono::nanoseconds>(std::chrono::nanoseconds(visibility) / 10, Seconds(2));
}
}  // namespace

Heartbeat::Entry Heartbeat::make_entry(Receipt receipt) const {
  Entry entry;
  entry.handle = std::move(receipt.handle);
  entry.arrival = receipt.arrival;
  entry.deadline = receipt.arrival + visibility_ - margin_of(visibility_);
  // A third of the lease, between 90 and 110 per cent of it.
  const std::chrono::nanoseconds third = std::chrono::nanoseconds(visibility_) / 3;
  entry.next_beat = receipt.arrival + third * static_cast<std::int64_t>(90 + random_.below(21)) / 100;
  return entry;
}

void Heartbeat::hold(const std::string& message_id, Receipt receipt) {
  Entry entry = make_entry(std::move(receipt));
  const std::lock_guard lock(mutex_);
  const bool fresh = entries_.emplace(message_id, std::move(entry)).second;
  FERRY_CHECK(fresh);
}

bool Heartbeat::adopt(const std::string& message_id, Receipt receipt) {
  Entry entry = make_entry(std::move(receipt));
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(message_id);
  if (found == entries_.end()) return false;
  entry.beating = found->second.beating;
  found->second = std::move(entry);
  return true;
}

bool Heartbeat::hold_or_adopt(const std::string& message_id, Receipt receipt) {
  Entry entry = make_entry(std::move(receipt));
  const std::lock_guard lock(mutex_);
  const auto [found, fresh] = entries_.try_emplace(message_id);
  if (!fresh) entry.beating = found->second.beating;
  found->second = std::move(entry);
  return fresh;
}

bool Heartbeat::is_lost(const std::string& message_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(message_id);
  FERRY_CHECK(found != entries_.end());
  return found->second.lost;
}

Heartbeat::Released Heartbeat::release(const std::string& message_id) {
  std::unique_lock lock(mutex_);
  const auto found = entries_.find(message_id);
  FERRY_CHECK(found != entries_.end());
  const SteadyTime give_up = clock_.steady() + visibility_;
  // Not due any more, so no other beat begins while this one is waited for.
  found->second.next_beat = SteadyTime::max();
  while (found->second.beating && clock_.steady() < give_up) beaten_.wait_for(lock, kWaitTick);
  Released released{std::move(found->second.handle), found->second.arrival, found->second.lost};
  entries_.erase(found);
  return released;
}

std::vector<Heartbeat::Due> Heartbeat::take_due(SteadyTime now) {
  std::vector<Due> due;
  const std::lock_guard lock(mutex_);
  for (auto& [message_id, entry] : entries_) {
    if (entry.next_beat > now || entry.lost) continue;
    // SQS counts 12 hours in total since the receive; nothing is gained by asking for more.
    const Seconds left = std::chrono::floor<Seconds>(entry.arrival + sqs::kVisibilityTimeoutMax - now) - Seconds(1);
    if (left <= Seconds(0)) {
      lose(message_id, entry, "it has been in hand for 12 hours, which is all that SQS allows");
      continue;
    }
    if (now >= entry.deadline) {
      lose(message_id, entry, "its visibility timeout is over");
      continue;
    }
    if (due.size() == sqs::kBatchEntriesMax) break;
    entry.beating = true;
    due.push_back({message_id, entry.handle, std::min(visibility_, left)});
  }
  return due;
}

Millis Heartbeat::beat() {
  const SteadyTime sent_at = clock_.steady();
  const std::vector<Due> due = take_due(sent_at);
  if (!due.empty()) {
    std::vector<VisibilityChange> changes;
    for (const Due& one : due) changes.push_back({one.handle, one.timeout});
    const auto answer = queue_.change_visibility(changes);
    for (std::size_t i = 0; i < due.size(); ++i) {
      std::optional<Fault> fault;
      std::string why;
      if (!answer) {
        fault = classify(answer.error());
        if (*fault == Fault::Lost) fault = Fault::Transient;  // a whole call says nothing about one message
        why = answer.error().message;
      } else {
        for (const EntryFailure& failure : *answer) {
          if (failure.index == i) {
            fault = failure.fault;
            why = failure.message;
          }
        }
      }
      apply(due[i], sent_at, fault, why);
    }
    beaten_.notify_all();
  }
  tell();
  const SteadyTime now = clock_.steady();
  Millis pause = std::min<Millis>(kIdlePause, Millis(visibility_) / 8);
  const std::lock_guard lock(mutex_);
  for (const auto& [message_id, entry] : entries_) {
    if (entry.lost || entry.next_beat == SteadyTime::max()) continue;
    pause = std::min(pause, std::chrono::ceil<Millis>(entry.next_beat - now));
  }
  return std::max(pause, kLeastPause);
}

void Heartbeat::apply(const Due& due, SteadyTime sent_at, std::optional<Fault> fault, const std::string& why) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(due.message_id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  entry.beating = false;
  const bool settling = entry.next_beat == SteadyTime::max();
  if (entry.handle != due.handle) return;  // a newer receipt came meanwhile; it has a lease of its own
  if (!fault) {
    entry.failures = 0;
    entry.deadline = sent_at + due.timeout - margin_of(due.timeout);
    const std::chrono::nanoseconds third = std::chrono::nanoseconds(due.timeout) / 3;
    if (!settling) entry.next_beat = sent_at + third * static_cast<std::int64_t>(90 + random_.below(21)) / 100;
    return;
  }
  if (*fault == Fault::Lost) return lose(due.message_id, entry, why);
  // Soon again: a twelfth of the lease, doubled each time, with jitter from a half to the whole.
  const std::chrono::nanoseconds ceiling = std::min<std::chrono::nanoseconds>(
      (std::chrono::nanoseconds(visibility_) / 12) * (std::int64_t{1} << std::min(entry.failures, 4)), Seconds(30));
  ++entry.failures;
  const SteadyTime retry = clock_.steady() + ceiling * static_cast<std::int64_t>(50 + random_.below(51)) / 100;
  if (!settling) entry.next_beat = std::min(retry, std::max(entry.deadline, clock_.steady()));
  said_.push_back({Said::Step, fmt::format("{}: extending its visibility failed, trying again: {}", due.message_id, why)});
}

void Heartbeat::lose(const std::string& message_id, Entry& entry, const std::string& why) {
  if (entry.lost) return;
  entry.lost = true;
  said_.push_back(
      {Said::Warning, fmt::format("{}: its visibility could not be kept ({}); somebody else may receive it while it is worked on",
                                  message_id, why)});
}

void Heartbeat::tell() {
  std::vector<Said> said;
  {
    const std::lock_guard lock(mutex_);
    said.swap(said_);
  }
  for (const Said& one : said) {
    if (one.kind == Said::Warning) {
      reporter_.warn(one.text);
    } else {
      reporter_.step(one.text);
    }
  }
}

std::size_t Heartbeat::held() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace ferry::worker
