#include "worker/settler.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sqs/limits.h"
#include "worker/backoff.h"

namespace ferry::worker {
namespace {
constexpr Millis kIdlePause{1'000};
constexpr Millis kLeastPause{1};
}  // namespace

void Settler::add(Kind kind, Settlement settlement) {
  {
    const std::lock_guard lock(mutex_);
    queue_of(kind).push_back(std::move(settlement));
  }
  if (added_) added_();
}

void Settler::remove(Ticket ticket) {
  add(Kind::Remove, {std::move(ticket), Seconds(0), 0, clock_.steady() + options_.gather, {}});
}

void Settler::give_back(Ticket ticket, Seconds timeout, Then then) {
  add(Kind::GiveBack, {std::move(ticket), timeout, 0, clock_.steady() + options_.gather, std::move(then)});
}

// A full batch goes at once, a smaller one when its first entry has waited long enough. Entries that wait for another attempt
// stay.
std::vector<Settler::Settlement> Settler::take_batch(std::deque<Settlement>& queue, SteadyTime now) {
  const auto ready = [&](const Settlement& one) { return one.failures == 0 || one.due <= now; };
  const auto ready_count = static_cast<std::size_t>(std::count_if(queue.begin(), queue.end(), ready));
  const bool any_due = std::any_of(queue.begin(), queue.end(), [&](const Settlement& one) { return one.due <= now; });
  std::vector<Settlement> batch;
  if (!any_due && ready_count < sqs::kBatchEntriesMax) return batch;
  for (auto at = queue.begin(); at != queue.end() && batch.size() < sqs::kBatchEntriesMax;) {
    if (!ready(*at)) {
      ++at;
      continue;
    }
    batch.push_back(std::move(*at));
    at = queue.erase(at);
  }
  in_call_ += batch.size();
  return batch;
}

Millis Settler::flush() {
  for (const Kind kind : {Kind::Remove, Kind::GiveBack}) {
    std::vector<Settlement> batch;
    {
      const std::lock_guard lock(mutex_);
      batch = take_batch(queue_of(kind), clock_.steady());
    }
    if (!batch.empty()) perform(kind, std::move(batch));
  }
  const SteadyTime now = clock_.steady();
  Millis pause = kIdlePause;
  const std::lock_guard lock(mutex_);
  for (const auto* queue : {&removals_, &returns_}) {
    if (queue->size() >= sqs::kBatchEntriesMax) pause = kLeastPause;
    for (const Settlement& one : *queue) pause = std::min(pause, std::chrono::ceil<Millis>(one.due - now));
  }
  return std::max(pause, kLeastPause);
}

void Settler::perform(Kind kind, std::vector<Settlement> batch) {
  std::optional<client::CallError> call_error;
  std::vector<EntryFailure> failures;
  const auto take = [&](auto answer) {
    if (answer) {
      failures = std::move(*answer);
    } else {
      call_error = answer.error();
    }
  };
  if (kind == Kind::Remove) {
    std::vector<std::string> handles;
    for (const Settlement& one : batch) handles.push_back(one.ticket.receipt_handle);
    take(queue_.remove(handles));
  } else {
    std::vector<VisibilityChange> changes;
    for (const Settlement& one : batch) changes.push_back({one.ticket.receipt_handle, one.timeout});
    take(queue_.change_visibility(changes));
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (call_error) {
      fail(kind, std::move(batch[i]), classify(*call_error), call_error->message);
      continue;
    }
    const auto failure = std::find_if(failures.begin(), failures.end(), [&](const EntryFailure& one) { return one.index == i; });
    if (failure != failures.end()) {
      fail(kind, std::move(batch[i]), failure->fault, failure->message);
    } else if (batch[i].then) {
      batch[i].then(true);
    }
  }
  const std::lock_guard lock(mutex_);
  in_call_ -= batch.size();
}

void Settler::fail(Kind kind, Settlement settlement, Fault fault, const std::string& why) {
  ++settlement.failures;
  const std::string_view what = kind == Kind::Remove ? "deleting" : "giving back";
  const bool again = (fault == Fault::Transient || fault == Fault::Cancelled) && settlement.failures < options_.attempts_max;
  if (again) {
    settlement.due = clock_.steady() + full_jitter(options_.pause, settlement.failures, random_);
    reporter_.step(fmt::format("{} {} failed, trying again: {}", what, settlement.ticket.message_id, why));
    return add(kind, std::move(settlement));
  }
  reporter_.warn(
      fmt::format("{} {} failed: {}; {}", what, settlement.ticket.message_id, why,
                  kind == Kind::Remove ? "it may come again" : "it is seen again when its visibility timeout is over"));
  if (settlement.then) settlement.then(false);
  const std::lock_guard lock(mutex_);
  ++given_up_;
}

std::size_t Settler::waiting() const {
  const std::lock_guard lock(mutex_);
  return removals_.size() + returns_.size() + in_call_;
}

std::size_t Settler::given_up() const {
  const std::lock_guard lock(mutex_);
  return given_up_;
}

}  // namespace ferry::worker
