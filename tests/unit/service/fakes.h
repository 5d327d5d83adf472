#pragma once
// An event loop that runs when it is told to, and exchanges whose answers can be read: the service without sockets.

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/manual_clock.h"
#include "http/server.h"

namespace ferry::service {

class FakeLoop final : public http::Loop {
 public:
  explicit FakeLoop(ManualClock& clock) : clock_(clock) {}
  void post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  std::size_t index() const override { return 0; }
  bool is_current() const override { return true; }
  TimerId start_timer(std::chrono::nanoseconds delay, std::function<void()> task) override {
    timers_.emplace(++last_timer_, std::pair{clock_.steady() + delay, std::move(task)});
    return last_timer_;
  }
  void cancel_timer(TimerId id) override { timers_.erase(id); }

  /// Runs what was posted and what is due, until nothing is left.
  void run() {
    for (;;) {
      if (auto task = next_task()) {
        task();
        continue;
      }
      auto due = timers_.begin();
      while (due != timers_.end() && due->second.first > clock_.steady()) ++due;
      if (due == timers_.end()) return;
      auto task = std::move(due->second.second);
      timers_.erase(due);
      task();
    }
  }
  std::size_t timers() const { return timers_.size(); }

 private:
  std::function<void()> next_task() {
    const std::lock_guard lock(mutex_);
    if (tasks_.empty()) return nullptr;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }
  ManualClock& clock_;
  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;
  std::map<TimerId, std::pair<SteadyTime, std::function<void()>>> timers_;
  TimerId last_timer_ = 0;
};

class FakeServer final : public http::Server {
 public:
  explicit FakeServer(FakeLoop& loop) : loop_(loop) {}
  Result<void> bind() override { return {}; }
  std::string host() const override { return "127.0.0.1"; }
  std::string url() const override { return "http://127.0.0.1:9324"; }
  std::uint16_t port() const override { return 9324; }
  std::vector<http::Loop*> loops() override { return {&loop_}; }
  void start() override {}
  void stop(std::chrono::nanoseconds) override {}
  http::ServerStats stats() const override { return {}; }

 private:
  FakeLoop& loop_;
};

class FakeExchange final : public http::Exchange {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  FakeExchange(FakeLoop& loop, std::string method, std::string target, Headers headers, std::string body)
      : loop_(loop),
        method_(std::move(method)),
        target_(std::move(target)),
        headers_(std::move(headers)),
        body_(std::move(body)) {
    request_.method = method_;
    request_.target = target_;
    const std::size_t mark = target_.find('?');
    request_.path = std::string_view(target_).substr(0, mark);
    if (mark != std::string::npos) request_.query = std::string_view(target_).substr(mark + 1);
    for (const auto& [name, value] : headers_) request_.headers.push_back({name, value});
    request_.body = body_;
    request_.peer = "127.0.0.1";
  }
  const http::Request& request() const override { return request_; }
  http::Loop& loop() override { return loop_; }
  void respond(http::Response&& response) override {
    EXPECT_FALSE(response_.has_value()) << "answered twice";
    response_ = std::move(response);
  }
  void on_gone(std::function<void()> gone) override { gone_ = std::move(gone); }

  void go_away() {
    if (gone_) gone_();
  }
  bool answered() const { return response_.has_value(); }
  const http::Response& response() const { return *response_; }
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : response_->headers) {
      if (key == name) return value;
    }
    return {};
  }

 private:
  FakeLoop& loop_;
  std::string method_, target_;
  Headers headers_;
  std::string body_;
  http::Request request_;
  std::optional<http::Response> response_;
  std::function<void()> gone_;
};

}  // namespace ferry::service
