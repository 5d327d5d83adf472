#include "worker/dispatcher.h"

#include <algorithm>

namespace ferry::worker {

Dispatcher::Dispatcher(Size size, Begin begin, MayBegin may_begin)
    : begin_(std::move(begin)), may_begin_(std::move(may_begin)), slots_(size.slots), pool_(std::min(size.slots, size.threads)) {}

Dispatcher::~Dispatcher() {
  std::unique_lock lock(mutex_);
  waiting_.clear();
  changed_.wait(lock, [this] { return running_ + ending_ == 0; });
}

void Dispatcher::submit(std::vector<Job> jobs) {
  if (jobs.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    for (Job& job : jobs) waiting_.push_back(std::make_shared<const Job>(std::move(job)));
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
  if (begun.empty()) return;
  pool_.post([this, jobs = std::move(begun)] { begin_(jobs); });
}

void Dispatcher::free_slot(const Job& job) {
  {
    const std::lock_guard lock(mutex_);
    --running_;
    --running_by_type_[job.route.request];
    ++ending_;
    if (waiting_.empty()) return tell_changes();
  }
  begin_what_may();  // one that waited for its type's turn may have it now
}

void Dispatcher::done() {
  const std::lock_guard lock(mutex_);
  --ending_;
  tell_changes();
}

std::size_t Dispatcher::reserve(std::size_t most) {
  const std::lock_guard lock(mutex_);
  const std::size_t granted = std::min(most, room_left());
  reserved_ += granted;
  return granted;
}

void Dispatcher::give_room_back(std::size_t reserved) {
  const std::lock_guard lock(mutex_);
  reserved_ -= reserved;
  tell_changes();
}

// Under the lock. As many jobs as there are slots may be on their way out besides those that have one.
std::size_t Dispatcher::room_left() const {
  const std::size_t taken = running_ + waiting_.size() + reserved_;
  const std::size_t all = taken + ending_;
  if (taken >= slots_ || all >= 2 * slots_) return 0;
  return std::min(slots_ - taken, 2 * slots_ - all);
}

// Under the lock.
void Dispatcher::tell_changes() {
  const bool is_idle = running_ + ending_ == 0 && waiting_.empty();
  if (is_idle || (room_waiters_ > 0 && room_left() >= room_wanted_)) changed_.notify_all();
}

std::size_t Dispatcher::room() const {
  const std::lock_guard lock(mutex_);
  return room_left();
}

bool Dispatcher::idle() const {
  const std::lock_guard lock(mutex_);
  return running_ + ending_ == 0 && waiting_.empty();
}

std::size_t Dispatcher::wait_for_room(std::size_t wanted, Millis timeout) {
  std::unique_lock lock(mutex_);
  if (room_left() >= wanted) return room_left();
  room_wanted_ = room_waiters_ == 0 ? wanted : std::min(room_wanted_, wanted);
  ++room_waiters_;
  changed_.wait_for(lock, timeout, [&] { return room_left() >= wanted; });
  --room_waiters_;
  return room_left();
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
