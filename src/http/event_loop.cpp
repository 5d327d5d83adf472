#include "http/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>

#include "base/check.h"

namespace ferry::http {
namespace {
constexpr int kEventsPerTurn = 256;
}

EventLoop::EventLoop(std::size_t index, const Clock& clock)
    : index_(index),
      clock_(clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      now_(clock.steady()) {
  // Two descriptors at the start of the program: without them there is no server to report through.
  FERRY_CHECK(epoll_ && wake_);
  FERRY_CHECK(watch(wake_.get(), nullptr, EPOLLIN | EPOLLET));
}

EventLoop::~EventLoop() {
  drop_all();
}

void EventLoop::post(std::function<void()> task) {
  {
    std::lock_guard lock(tasks_mutex_);
    if (stopped_) return;
    tasks_.push_back(std::move(task));
    if (tasks_.size() > 1) return;
  }
  if (is_current()) return;
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(wake_.get(), &one, sizeof one);
}

Loop::TimerId EventLoop::start_timer(std::chrono::nanoseconds delay, std::function<void()> task) {
  FERRY_DCHECK(is_current());
  return timers_.add(clock_.steady() + delay, std::move(task));
}

void EventLoop::cancel_timer(TimerId id) {
  FERRY_DCHECK(is_current());
  timers_.cancel(id);
}

bool EventLoop::watch(int descriptor, EventSource* source, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = source;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

bool EventLoop::watch_edges(int descriptor, EventSource& source) {
  return watch(descriptor, &source, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

bool EventLoop::watch_level(int descriptor, EventSource& source) {
  return watch(descriptor, &source, EPOLLIN);
}

void EventLoop::unwatch(int descriptor) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
}

int EventLoop::wait_milliseconds() {
  {
    std::lock_guard lock(tasks_mutex_);
    if (!tasks_.empty()) return 0;
  }
  auto due = timers_.next_due();
  if (!due) return -1;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - clock_.steady()).count();
  constexpr std::int64_t kLongest = 60'000;
  return static_cast<int>(left < 0 ? 0 : left > kLongest ? kLongest : left);
}

void EventLoop::run(const std::function<void()>& turn_end) {
  thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  std::array<epoll_event, kEventsPerTurn> events{};
  while (!exiting_.load(std::memory_order_acquire)) {
    int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, wait_milliseconds());
    FERRY_CHECK(count >= 0 || errno == EINTR);
    now_ = clock_.steady();
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr != nullptr) static_cast<EventSource*>(event.data.ptr)->on_events(event.events);
    }
    run_tasks();
    run_timers();
    turn_end();
  }
  drop_all();
}

void EventLoop::exit() {
  exiting_.store(true, std::memory_order_release);
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(wake_.get(), &one, sizeof one);
}

void EventLoop::run_tasks() {
  {
    std::lock_guard lock(tasks_mutex_);
    running_.swap(tasks_);
  }
  for (auto& task : running_) {
    task();
    task = nullptr;  // what it owns goes now, not at the end of the batch
  }
  running_.clear();
}

// Timers started meanwhile wait for the next turn, so that one which starts itself again cannot hold the loop.
void EventLoop::run_timers() {
  for (std::size_t left = timers_.size(); left > 0; --left) {
    auto task = timers_.take_due(now_);
    if (!task) return;
    task();
  }
}

void EventLoop::drop_all() {
  std::vector<std::function<void()>> dropped;
  {
    std::lock_guard lock(tasks_mutex_);
    stopped_ = true;
    dropped.swap(tasks_);
  }
  dropped.clear();
  timers_ = TimerQueue();
}

}  // namespace ferry::http
