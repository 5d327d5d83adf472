#include "worker/dispatcher.h"

#include <algorithm>

namespace ferry::worker {
namespace {
// Beginning and settling a job waits for the disk, or for a heartbeat that is on its way; handlers run elsewhere. What waits for
// the ledger at the same time shares its transactions: with 8 it does a thousand requests a second, with 64 six thousand.
constexpr std::size_t kPoolThreadsMax = 64;
}  // namespace

Dispatcher::Dispatcher(std::size_t slots, Begin begin, MayBegin may_begin)
    : begin_(std::move(begin)), may_begin_(std::move(may_begin)), slots_(slots), pool_(std::min(slots, kPoolThreadsMax)) {}

Dispatcher::~Dispatcher() {
  std::unique_lock lock(mutex_);
  waiting_.clear();
  changed_.wait(lock, [this] { return running_ == 0; });
}

void Dispatcher::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::make_shared<const Job>(std::move(job)));
  }
  begin_what_may();
}

bool Dispatcher::may_begin(const Job& job) const {
  const int limit = job.route.request->handler->concurrency;
  const auto running = running_by_type_.find(job.route.request);
  const bool room_for_type = limit == 0 || running == running_by_type_.end() || running->second < limit;
  return room_for_type && (!may_begin_ || may_begin_(job));
}

void Dispatcher::begin_what_may() {
  std::vector<JobPtr> begun;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = waiting_.begin(); at != waiting_.end() && running_ < slots_;) {
      if (!may_begin(**at)) {
        ++at;
        continue;
      }
      ++running_;
      ++running_by_type_[(*at)->route.request];
      begun.push_back(std::move(*at));
      at = waiting_.erase(at);
    }
  }
  for (JobPtr& job : begun) {
    pool_.post([this, job = std::move(job)] { begin_(job); });
  }
}

void Dispatcher::finish(const JobPtr& job, std::function<void()> work) {
  pool_.post([this, job, work = std::move(work)] {
    work();
    {
      const std::lock_guard lock(mutex_);
      --running_;
      --running_by_type_[job->route.request];
      changed_.notify_all();
    }
    begin_what_may();  // one that waited for its type's turn may have it now
  });
}

std::size_t Dispatcher::room() const {
  const std::lock_guard lock(mutex_);
  const std::size_t taken = running_ + waiting_.size();
  return taken < slots_ ? slots_ - taken : 0;
}

bool Dispatcher::idle() const {
  const std::lock_guard lock(mutex_);
  return running_ == 0 && waiting_.empty();
}

void Dispatcher::wait_for_change(Millis timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout);
}

std::vector<JobPtr> Dispatcher::take_waiting() {
  const std::lock_guard lock(mutex_);
  std::vector<JobPtr> jobs(waiting_.begin(), waiting_.end());
  waiting_.clear();
  return jobs;
}

}  // namespace ferry::worker
