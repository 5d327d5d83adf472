#include "worker/dispatcher.h"

#include <algorithm>

namespace ferry::worker {

Dispatcher::Dispatcher(int slots, Work work) : work_(std::move(work)), slots_(static_cast<std::size_t>(slots)) {
  threads_.reserve(slots_);
  for (std::size_t i = 0; i < slots_; ++i) threads_.emplace_back([this] { run(); });
}

Dispatcher::~Dispatcher() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  submitted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Dispatcher::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(job));
  }
  submitted_.notify_one();
}

bool Dispatcher::may_begin(const Job& job) const {
  const int limit = job.route.request->handler->concurrency;
  const auto running = running_by_type_.find(job.route.request);
  return limit == 0 || running == running_by_type_.end() || running->second < limit;
}

void Dispatcher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto next = std::find_if(waiting_.begin(), waiting_.end(), [this](const Job& job) { return may_begin(job); });
    if (stopped_) return;
    if (next == waiting_.end()) {
      submitted_.wait(lock);
      continue;
    }
    std::list<Job> mine;
    mine.splice(mine.begin(), waiting_, next);
    const config::RequestType* type = mine.front().route.request;
    ++running_;
    ++running_by_type_[type];
    lock.unlock();
    work_(mine.front());
    lock.lock();
    --running_;
    --running_by_type_[type];
    changed_.notify_all();
    submitted_.notify_all();  // one that waited for its type's turn may begin now
  }
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

std::vector<Job> Dispatcher::take_waiting() {
  const std::lock_guard lock(mutex_);
  std::vector<Job> jobs(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.end()));
  waiting_.clear();
  return jobs;
}

}  // namespace ferry::worker
