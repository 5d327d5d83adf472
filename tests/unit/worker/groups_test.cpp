// Message groups through the whole worker: who follows whom, and when those behind a message that goes back do.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "capture.h"
#include "memory_queue.h"
#include "worker/worker.h"

namespace ferry::worker {
namespace {

using testing_support::Capture;
using testing_support::MemoryQueue;
using testing_support::service_error;
using testing_support::ThreadRunner;
using Call = MemoryQueue::Call;

class GroupsTest : public testing::Test {
 protected:
  GroupsTest() {
    auto parsed =
        config::parse_handoff({"[request.Enable]\nparameter = { type = \"pattern\", pattern = \"[a-z0-9]+\" }\nhandler = "
                               "[\"./enable\", \"{attr:Enable}\"]\n",
                               "handoff.toml", "/"});
    FERRY_CHECK(parsed.has_value());
    handoff_ = std::move(*parsed);
    options_.flow.mode = RunMode::Work;
    options_.flow.queue = "q.fifo";
    options_.flow.settings.concurrency = 10;
    options_.flow.settings.visibility = Seconds(3);
    options_.flow.settings.wait = Seconds(0);
    options_.flow.settings.drain_timeout = Seconds(20);
    options_.flow.backoff = {Millis(1), Millis(1)};
    options_.flow.environment = [](const std::string&) { return std::nullopt; };
    options_.settler.gather = Millis(1);
    options_.settler.pause = {Millis(1), Millis(2)};
    options_.receive_pause = {Millis(1), Millis(5)};
  }

  using Answer = std::function<HandlerEnd(const std::string& value, int run)>;
  /// Runs until `until` says so, looked at after each handler and each call to the queue.
  RunSummary run(const Answer& answer, const std::function<bool()>& until) {
    ThreadRunner runner([&](const HandlerCall& call, const InterruptLevel&) {
      int number = 0;
      {
        const std::lock_guard lock(mutex_);
        EXPECT_EQ(running_[call.parameter.substr(0, 1)]++, 0) << "two of a group";
        begun_.push_back(call.parameter);
        number = ++runs_[call.parameter];
      }
      const HandlerEnd end = answer(call.parameter, number);
      const std::lock_guard lock(mutex_);
      --running_[call.parameter.substr(0, 1)];
      if (end == HandlerEnd::Done) done_.push_back(call.parameter);
      return HandlerResult{end, "as told"};
    });
    const Router router(handoff_);
    Worker worker(options_, router, queue_, runner, clock_, random_, capture_.reporter(), stop_);
    std::thread stopper([&] {
      const SteadyTime limit = clock_.steady() + Seconds(30);
      while (!until() && clock_.steady() < limit) sleep_for(Millis(2));
      EXPECT_TRUE(until()) << capture_.text();
      stop_.request(SIGTERM);
    });
    const RunSummary summary = worker.run();
    stopper.join();
    return summary;
  }
  std::vector<std::string> done(char group) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> of_it;
    std::copy_if(done_.begin(), done_.end(), std::back_inserter(of_it), [&](const std::string& one) { return one[0] == group; });
    return of_it;
  }
  bool all_gone() { return queue_.stored().empty(); }

  SystemClock clock_;
  SeededRandom random_{3};
  Capture capture_{clock_};
  MemoryQueue queue_{clock_};
  StopFlag stop_;
  config::Handoff handoff_;
  WorkerOptions options_;
  std::mutex mutex_;
  std::map<std::string, int> running_;
  std::map<std::string, int> runs_;
  std::vector<std::string> begun_;
  std::vector<std::string> done_;
};

TEST_F(GroupsTest, EachGroupInItsOrderAndGroupsSideBySide) {
  for (int i = 0; i < 9; ++i) {
    for (const char* group : {"a", "b", "c"}) queue_.add_to_group(group, group + std::to_string(i));
  }
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  run(
      [&](const std::string&, int) {
        most = std::max(most.load(), ++at_once);
        sleep_for(Millis(3));
        --at_once;
        return HandlerEnd::Done;
      },
      [&] { return all_gone(); });
  for (const char group : {'a', 'b', 'c'}) {
    std::vector<std::string> expected;
    for (int i = 0; i < 9; ++i) expected.push_back(group + std::to_string(i));
    EXPECT_EQ(done(group), expected);
  }
  EXPECT_GE(most.load(), 2) << "groups do not wait for each other";
}

TEST_F(GroupsTest, FollowersAreHeldUntilTheQueueKnowsThatTheHeadIsHidden) {
  for (const char* value : {"a0", "a1", "a2"}) queue_.add_to_group("a", value);
  std::atomic<int> refusals{0};
  queue_.set_fault([&](Call call) -> std::optional<client::CallError> {
    if (call != Call::Change || ++refusals > 3) return std::nullopt;
    return service_error("ServiceUnavailable", 503);
  });
  run([](const std::string& value, int run) { return value == "a0" && run < 3 ? HandlerEnd::Retry : HandlerEnd::Done; },
      [&] { return all_gone(); });
  EXPECT_EQ(done('a'), (std::vector<std::string>{"a0", "a1", "a2"}));
  EXPECT_EQ(begun_, (std::vector<std::string>{"a0", "a0", "a0", "a1", "a2"}));
  const auto changes = queue_.changes();
  ASSERT_GE(changes.size(), 3u);
  EXPECT_EQ(changes[0].timeout, Seconds(1)) << "the head's backoff comes first";
  EXPECT_EQ(changes[1].timeout, Seconds(0));
  EXPECT_EQ(changes[2].timeout, Seconds(0));
}

TEST_F(GroupsTest, AfterAReturnOneIsAskedForAtATime) {
  std::string first;
  for (const char* value : {"a0", "a1", "a2"}) {
    const std::string id = queue_.add_to_group("a", value);
    if (first.empty()) first = id;
  }
  std::atomic<int> followers_received{-1};
  run(
      [&](const std::string& value, int run) {
        if (value != "a0") return HandlerEnd::Done;
        if (run == 4) followers_received = std::next(queue_.stored().begin())->second.receives;
        return run < 4 ? HandlerEnd::Retry : HandlerEnd::Done;
      },
      [&] { return all_gone(); });
  EXPECT_EQ(followers_received.load(), 1) << "received with the head the first time, and not again while it failed";
}

TEST_F(GroupsTest, WhatTheQueueDoesNotConfirmIsLeftToRunOut) {
  options_.settler.attempts_max = 2;
  for (const char* value : {"a0", "a1"}) queue_.add_to_group("a", value);
  std::atomic<int> refusals{0};
  queue_.set_fault([&](Call call) -> std::optional<client::CallError> {
    if (call != Call::Change) return std::nullopt;
    ++refusals;
    return service_error("ServiceUnavailable", 503);
  });
  run([](const std::string&, int) { return HandlerEnd::Retry; },
      [&] { return capture_.says("it is seen again when its visibility timeout is over"); });
  EXPECT_EQ(begun_, std::vector<std::string>{"a0"});
  EXPECT_TRUE(queue_.changes().empty());
  EXPECT_EQ(refusals.load(), 2) << "the head's two attempts; nothing is asked for those behind it";
  EXPECT_EQ(queue_.counts()->in_flight, 2);
}

TEST_F(GroupsTest, ADeadLetteredHeadLetsTheOthersGoOn) {
  options_.flow.on_unmatched = config::OnUnmatched::DeadLetter;
  for (const char* value : {"a0", "A1", "A2", "a3"}) queue_.add_to_group("a", value);
  run([](const std::string& value, int) { return value == "a0" ? HandlerEnd::Rejected : HandlerEnd::Done; },
      [&] { return all_gone(); });
  EXPECT_EQ(begun_, (std::vector<std::string>{"a0", "a3"}));
  EXPECT_EQ(queue_.dead_letters().size(), 3u);
}

TEST_F(GroupsTest, AHeadThatIsKeptKeepsItsGroup) {
  options_.flow.mode = RunMode::Poll;
  for (const char* value : {"a0", "A1", "a2"}) queue_.add_to_group("a", value);
  queue_.add_to_group("b", "b0");
  const Router router(handoff_);
  ThreadRunner runner([&](const HandlerCall& call, const InterruptLevel&) {
    const std::lock_guard lock(mutex_);
    begun_.push_back(call.parameter);
    return HandlerResult{};
  });
  Worker worker(options_, router, queue_, runner, clock_, random_, capture_.reporter(), stop_);
  const RunSummary summary = worker.run();
  EXPECT_EQ(summary.end, RunEnd::Drained);
  std::sort(begun_.begin(), begun_.end());
  EXPECT_EQ(begun_, (std::vector<std::string>{"a0", "b0"}));
  EXPECT_EQ(queue_.counts()->visible, 2) << "what was refused and what is behind it";
  EXPECT_EQ(summary.tally.taken, 3u) << "what had no turn was not taken";
}

TEST_F(GroupsTest, AStopGivesBackThoseBehindARunningHeadOnceItIsDone) {
  for (const char* value : {"a0", "a1", "a2"}) queue_.add_to_group("a", value);
  std::atomic<bool> running{false};
  const RunSummary summary = run(
      [&](const std::string&, int) {
        running = true;
        while (stop_.requests() == 0) sleep_for(Millis(1));
        sleep_for(Millis(120));
        EXPECT_TRUE(queue_.changes().empty()) << "nothing is given back before the head is settled";
        return HandlerEnd::Done;
      },
      [&] { return running.load(); });
  EXPECT_EQ(summary.end, RunEnd::Stopped);
  EXPECT_EQ(begun_, std::vector<std::string>{"a0"});
  EXPECT_EQ(queue_.counts()->visible, 2);
  EXPECT_EQ(summary.tally.failed, 0u);
}

TEST_F(GroupsTest, ALostHeadStopsItsLane) {
  options_.flow.settings.visibility = Seconds(1);
  for (const char* value : {"a0", "a1"}) queue_.add_to_group("a", value);
  std::atomic<bool> first{true};
  queue_.set_fault([&](Call call) -> std::optional<client::CallError> {
    if (call != Call::Change || !first.load()) return std::nullopt;
    return service_error("ServiceUnavailable", 503);
  });
  run(
      [&](const std::string& value, int run) {
        if (value == "a0" && run == 1) {
          while (!capture_.says("its visibility could not be kept")) sleep_for(Millis(5));
          first = false;
        }
        return HandlerEnd::Done;
      },
      [&] { return all_gone(); });
  EXPECT_EQ(begun_.front(), "a0");
  EXPECT_EQ(done('a').back(), "a1");
  EXPECT_EQ(runs_["a1"], 1);
  EXPECT_LE(runs_["a0"], 1) << "the newer receipt of what was done is deleted";
}

}  // namespace
}  // namespace ferry::worker
