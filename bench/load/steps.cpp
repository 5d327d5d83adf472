// Filling, and the single steps at a depth: all connections do the same step until its messages are through.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cycles.h"
#include "messages.h"
#include "pool.h"
#include "programs.h"
#include "requests.h"

namespace ferry::bench {
namespace {

constexpr int kVisibility = 600;  // seconds: longer than a round takes
constexpr int kChangedVisibility = 900;

std::size_t connections_of(const Arguments& arguments, std::size_t otherwise) {
  return arguments.count("--connections", otherwise, {1, 10'000});
}
std::size_t batch_of(const Arguments& arguments, std::size_t otherwise) {
  return arguments.count("--batch", otherwise, {1, 10});
}
double seconds_of(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

class Sending final : public Job {
 public:
  Sending(const Target& target, MessageSource& source, std::uint64_t messages, std::size_t batch)
      : target_(target), source_(source), left_(messages), batch_(batch) {}
  Turn next(std::size_t) override {
    if (left_ == 0) return {};
    const std::size_t count = std::min<std::uint64_t>(batch_, left_);
    left_ -= count;
    return {send_request(target_, source_.take(count))};
  }
  void answered(std::size_t, std::string_view body, SteadyTime, SteadyTime) override { check_batch(body); }

 private:
  const Target& target_;
  MessageSource& source_;
  std::uint64_t left_;
  const std::size_t batch_;
};

/// Until so many were received, or a receive gave nothing.
class Receiving final : public Job {
 public:
  Receiving(const Target& target, std::uint64_t messages, std::size_t batch, int visibility_timeout)
      : receive_(receive_request(target, {static_cast<int>(batch), 0, visibility_timeout})), wanted_(messages), batch_(batch) {}
  Turn next(std::size_t) override {
    if (dry_ || received_ + asked_ >= wanted_) return {};
    asked_ += batch_;
    return {receive_};
  }
  void answered(std::size_t, std::string_view body, SteadyTime, SteadyTime) override {
    auto handles = handles_in(body);
    asked_ -= batch_;
    received_ += handles.size();
    dry_ = dry_ || handles.empty();
    if (!handles.empty()) batches_.push_back(std::move(handles));
  }
  std::uint64_t received() const { return received_; }
  const std::vector<std::vector<std::string>>& batches() const { return batches_; }

 private:
  const std::string receive_;
  const std::uint64_t wanted_;
  const std::size_t batch_;
  std::uint64_t received_ = 0, asked_ = 0;
  bool dry_ = false;
  std::vector<std::vector<std::string>> batches_;
};

/// The same with each batch of handles.
class Settling final : public Job {
 public:
  enum class Action { ChangeVisibility, Delete };
  Settling(const Target& target, const std::vector<std::vector<std::string>>& batches, Action action)
      : target_(target), batches_(batches), action_(action) {}
  Turn next(std::size_t) override {
    if (done_ == batches_.size()) return {};
    const auto& handles = batches_[done_++];
    return {action_ == Action::Delete ? delete_request(target_, handles)
                                      : change_visibility_request(target_, handles, kChangedVisibility)};
  }
  void answered(std::size_t, std::string_view body, SteadyTime, SteadyTime) override { check_batch(body); }

 private:
  const Target& target_;
  const std::vector<std::vector<std::string>>& batches_;
  const Action action_;
  std::size_t done_ = 0;
};

struct Side {
  Side(const std::string& url, const Arguments& arguments)
      : target(url), source(arguments), pool(target.address, connections_of(arguments, 32)) {}
  Target target;
  MessageSource source;
  Pool pool;
  std::string report;  // objects of JSON, one a round

  void add(const std::string& object) { report.append(report.empty() ? "" : ",").append(object); }
};

std::vector<std::unique_ptr<Side>> sides_of(const Arguments& arguments) {
  std::vector<std::unique_ptr<Side>> sides;
  for (std::size_t i = 1; i < arguments.words().size(); ++i) {
    sides.push_back(std::make_unique<Side>(arguments.words()[i], arguments));
  }
  return sides;
}

int print(const std::vector<std::unique_ptr<Side>>& sides) {
  std::printf("[");
  for (const auto& side : sides) std::printf("%s[%s]", &side == &sides.front() ? "" : ",", side->report.c_str());
  std::printf("]\n");
  return 0;
}

void add_step(std::string& steps, std::string_view name, std::uint64_t messages, std::chrono::nanoseconds time) {
  steps.append(steps.size() == 1 ? "\"" : ",\"").append(name).append("\":[").append(std::to_string(messages));
  steps.append(",").append(std::to_string(seconds_of(time))).append("]");
}

void one_round(Side& side, std::uint64_t messages, std::size_t batch, bool sends) {
  std::string steps = "{";
  if (sends) {
    Sending sending(side.target, side.source, messages, batch);
    add_step(steps, "send", messages, side.pool.run(sending));
  }
  Receiving receiving(side.target, messages, batch, kVisibility);
  const auto receive_time = side.pool.run(receiving);
  add_step(steps, "receive", receiving.received(), receive_time);
  Settling changing(side.target, receiving.batches(), Settling::Action::ChangeVisibility);
  add_step(steps, "change visibility", receiving.received(), side.pool.run(changing));
  Settling deleting(side.target, receiving.batches(), Settling::Action::Delete);
  add_step(steps, "delete", receiving.received(), side.pool.run(deleting));
  side.add(steps + "}");
}

}  // namespace

int fill(const Arguments& arguments) {
  const Target target(arguments.words()[1]);
  MessageSource source(arguments);
  Pool pool(target.address, connections_of(arguments, 16));
  const std::uint64_t messages = arguments.count("--messages", 1000, {1, 1e9});
  Sending sending(target, source, messages, batch_of(arguments, 10));
  const double seconds = seconds_of(pool.run(sending));
  std::printf("{\"messages\":%llu,\"seconds\":%.3f}\n", static_cast<unsigned long long>(messages), seconds);
  return 0;
}

int touch(const Arguments& arguments) {
  const Target target(arguments.words()[1]);
  Pool pool(target.address, connections_of(arguments, 16));
  Receiving receiving(target, arguments.count("--messages", 1000, {1, 1e9}), 10,
                      static_cast<int>(arguments.count("--visibility", 0, {0, 43'200})));
  const double seconds = seconds_of(pool.run(receiving));
  std::printf("{\"messages\":%llu,\"seconds\":%.3f}\n", static_cast<unsigned long long>(receiving.received()), seconds);
  return 0;
}

int rounds(const Arguments& arguments) {
  const auto sides = sides_of(arguments);
  const std::uint64_t count = arguments.count("--rounds", 10, {1, 10'000});
  for (std::uint64_t round = 0; round < count; ++round) {
    for (const auto& side : sides) {
      one_round(*side, arguments.count("--messages", 2000, {1, 100'000}), batch_of(arguments, 1), !arguments.has("--no-send"));
    }
  }
  return print(sides);
}

int windows(const Arguments& arguments) {
  const auto sides = sides_of(arguments);
  CycleOptions options;
  options.batch = batch_of(arguments, 1);
  options.sends = !arguments.has("--no-send");
  options.deletes = !arguments.has("--no-delete");
  if (arguments.has("--visibility")) {
    options.visibility_timeout = static_cast<int>(arguments.count("--visibility", 0, {0, 43'200}));
  }
  options.time = std::chrono::milliseconds(arguments.count("--milliseconds", 500, {10, 600'000}));
  const std::uint64_t count = arguments.count("--rounds", 10, {1, 10'000});
  for (std::uint64_t round = 0; round < count; ++round) {
    for (const auto& side : sides) {
      Cycles cycles(side->target, side->source, options, side->pool.size());
      side->pool.run(cycles);
      side->add(cycles.report());
    }
  }
  return print(sides);
}

}  // namespace ferry::bench
