#pragma once
// Stand-ins for everything the client meets.

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/log.h"
#include "base/manual_clock.h"
#include "client/client.h"

namespace ferry::client::test {

using Response = Transport::Response;

inline Response answer(int status, std::string body, std::vector<std::pair<std::string, std::string>> headers = {}) {
  return {status, std::move(headers), std::move(body)};
}

/// Answers in the order of its script, or by a function; records what was asked. Thread-safe.
class FakeTransport final : public Transport {
 public:
  using Step = std::function<Result<Response>(const Request&)>;

  void then(Step step) { script_.push_back(std::move(step)); }
  void then(Response response) {
    then([response](const Request&) -> Result<Response> { return response; });
  }
  void then_fails(ErrorKind kind) {
    then([kind](const Request&) -> Result<Response> { return fail(kind, "scripted"); });
  }
  void always(Step step) { always_ = std::move(step); }

  Result<Response> perform(const Request& request, const std::atomic<bool>* cancel) override {
    Step step;
    {
      const std::lock_guard lock(mutex_);
      requests.push_back(request);
      cancels.push_back(cancel);
      if (!script_.empty()) {
        step = std::move(script_.front());
        script_.pop_front();
      } else {
        step = always_;
      }
    }
    if (!step) return fail(ErrorKind::Unavailable, "nothing more in the script");
    return step(request);
  }

  std::string header(std::size_t request, std::string_view name) const {
    for (const auto& [key, value] : requests.at(request).headers) {
      if (equals_ignore_case(key, name)) return value;
    }
    return "(none)";
  }

  std::vector<Request> requests;
  std::vector<const std::atomic<bool>*> cancels;

 private:
  std::mutex mutex_;
  std::deque<Step> script_;
  Step always_;
};

class FakeSleeper final : public Sleeper {
 public:
  void sleep(std::chrono::milliseconds duration, const std::atomic<bool>*) override {
    slept.push_back(duration);
    if (on_sleep) on_sleep();
  }
  std::vector<std::chrono::milliseconds> slept;
  std::function<void()> on_sleep;
};

/// Every draw is `value`, so below(value + 1) gives its largest number.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::uint64_t number) : value(number) {}
  void fill(std::span<std::byte> out) override {
    std::memset(out.data(), 0, out.size());
    std::memcpy(out.data(), &value, std::min(out.size(), sizeof value));
  }
  std::uint64_t value;
};

}  // namespace ferry::client::test
