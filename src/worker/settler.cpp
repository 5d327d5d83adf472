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
  bool tell = true;
  {
    const std::lock_guard lock(mutex_);
    Queue& queue = queue_of(kind);
    if (settlement.failures == 0) {
      ++queue.fresh;
      tell = queue.fresh == 1 || queue.fresh % sqs::kBatchEntriesMax == 0;
    }
    queue.entries.push_back(std::move(settlement));
  }
  if (tell && added_) added_();
}

void Settler::remove(Ticket ticket) {
  add(Kind::Remove, {std::move(ticket), Seconds(0), 0, clock_.steady() + options_.gather, {}});
}

void Settler::give_back(Ticket ticket, Seconds timeout, Then then) {
  add(Kind::GiveBack, {std::move(ticket), timeout, 0, clock_.steady() + options_.gather, std::move(then)});
}

// A full batch goes at once, a smaller one when its first entry has waited long enough. Entries that wait for another attempt
// stay.
std::vector<Settler::Settlement> Settler::take_batch(Queue& queue, SteadyTime now) {
  std::vector<Settlement> batch;
  const bool full = queue.fresh >= sqs::kBatchEntriesMax;
  if (!full && std::none_of(queue.entries.begin(), queue.entries.end(), [&](const Settlement& one) { return one.due <= now; }))
    return batch;
  for (auto at = queue.entries.begin(); at != queue.entries.end() && batch.size() < sqs::kBatchEntriesMax;) {
    if (at->failures > 0 && at->due > now) {
      ++at;
      continue;
    }
    if (at->failures == 0) --queue.fresh;
    batch.push_back(std::move(*at));
    at = queue.entries.erase(at);
  }
  in_call_ += batch.size();
  return batch;
}

Millis Settler::flush() {
  for (const Kind kind : {Kind::Remove, Kind::GiveBack}) {
    for (;;) {
      std::vector<Settlement> batch;
      bool more = false;
      {
        const std::lock_guard lock(mutex_);
        batch = take_batch(queue_of(kind), clock_.steady());
        more = queue_of(kind).fresh >= sqs::kBatchEntriesMax;
      }
      if (batch.empty()) break;
      if (more && added_) added_();  // for somebody else, while this call is under way
      perform(kind, std::move(batch));
    }
  }
  const SteadyTime now = clock_.steady();
  Millis pause = kIdlePause;
  const std::lock_guard lock(mutex_);
  for (const Queue* queue : {&removals_, &returns_}) {
    for (const Settlement& one : queue->entries) pause = std::min(pause, std::chrono::ceil<Millis>(one.due - now));
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
  return removals_.entries.size() + returns_.entries.size() + in_call_;
}

std::size_t Settler::given_up() const {
  const std::lock_guard lock(mutex_);
  return given_up_;
}

}  // namespace ferry::worker
