// How a worker ends when it is told to, and how it is seen that it does not hang.

#include <gtest/gtest.h>

#include <thread>

#include "base/manual_clock.h"
#include "worker_fixture.h"

namespace ferry::worker {
namespace {

using testing_support::WorkerTest;
using Call = testing_support::MemoryQueue::Call;

TEST_F(WorkerTest, HeartbeatsGoOnWhileHandlersFinishAfterAStop) {
  options_.flow.mode = RunMode::Work;
  options_.flow.settings.visibility = Seconds(1);
  queue_.add("Enable", "slow");
  const RunSummary summary = run([&](const HandlerCall&, const InterruptLevel&) {
    stop_.request(SIGTERM);
    const SteadyTime until = clock_.steady() + Millis(1'500);
    while (clock_.steady() < until) {
      EXPECT_EQ(queue_.counts()->visible, 0);
      sleep_for(Millis(5));
    }
    return HandlerResult{};
  });
  EXPECT_EQ(summary.tally.handled, 1u);
  EXPECT_EQ(queue_.removals().size(), 1u);
}

TEST_F(WorkerTest, StopLetsRunningOnesFinishAndGivesBackTheRest) {
  options_.flow.mode = RunMode::Work;
  for (int i = 0; i < 3; ++i) queue_.add("Disable", "x");  // one at a time: two wait in the dispatcher
  std::atomic<int> begun{0};
  const RunSummary summary = run([&](const HandlerCall&, const InterruptLevel& interrupt) {
    ++begun;
    while (queue_.stored().size() < 3 || queue_.counts()->in_flight < 3) sleep_for(Millis(1));
    stop_.request(SIGTERM);
    while (queue_.counts()->in_flight > 1) sleep_for(Millis(1));  // the others are given back while this one runs
    EXPECT_EQ(interrupt.load(), 0);
    return HandlerResult{};
  });
  EXPECT_EQ(summary.end, RunEnd::Stopped);
  EXPECT_EQ(begun, 1);
  EXPECT_EQ(summary.tally.handled, 1u);
  EXPECT_EQ(visible(), 2);
}

TEST_F(WorkerTest, WhatThePollBringsAfterTheStopGoesBackAtOnce) {
  options_.flow.mode = RunMode::Work;
  queue_.set_lost_answer([&](Call call) -> std::optional<client::CallError> {
    if (call == Call::Receive) stop_.request(SIGTERM);  // while the poll was out
    return std::nullopt;
  });
  queue_.add("Enable", "x");
  const RunSummary summary = run(done());
  EXPECT_EQ(summary.end, RunEnd::Stopped);
  EXPECT_TRUE(handled_.empty());
  EXPECT_EQ(visible(), 1);
}

TEST_F(WorkerTest, SecondSignalInterruptsAndGivesBack) {
  options_.flow.mode = RunMode::Work;
  queue_.add("Enable", "x");
  const RunSummary summary = run([&](const HandlerCall&, const InterruptLevel& interrupt) {
    stop_.request(SIGTERM);
    stop_.request(SIGTERM);
    while (interrupt.load() == 0) sleep_for(Millis(1));
    return HandlerResult{HandlerEnd::Interrupted, "interrupted"};
  });
  EXPECT_EQ(summary.end, RunEnd::Forced);
  EXPECT_EQ(summary.tally.interrupted, 1u);
  EXPECT_EQ(summary.tally.failed, 0u);
  ASSERT_FALSE(queue_.changes().empty());
  EXPECT_LE(queue_.changes().back().timeout, Seconds(5));
}

TEST_F(WorkerTest, WhatCannotBeSettledIsLeftAtTheEndOfTheTimeForIt) {
  options_.flow.settings.drain_timeout = Millis(100);
  options_.end_time = Millis(300);
  queue_.hang(Call::Remove);
  queue_.add("Enable", "a");
  std::thread stopper([&] {
    while (queue_.hanging() == 0) sleep_for(Millis(2));
    stop_.request(SIGTERM);
  });
  const RunSummary summary = run(done());
  stopper.join();
  EXPECT_EQ(summary.end, RunEnd::Stopped);
  EXPECT_EQ(summary.tally.handled, 1u);
  EXPECT_EQ(queue_.stored().size(), 1u);
  EXPECT_EQ(capture_.count("could not be settled"), 1);
}

TEST_F(WorkerTest, ARunThatGoesOnGivesSignsOfLifeAndOneWhosePoolHangsGivesNone) {
  options_.flow.mode = RunMode::Work;
  std::atomic<int> signs{0};
  options_.life_sign.interval = Millis(10);
  options_.life_sign.tell = [&] {
    if (++signs < 3) return;
    while (stop_.requests() == 0) sleep_for(Millis(2));  // a pool that does not come back
  };
  std::thread stopper([&] {
    while (signs < 3) sleep_for(Millis(2));
    sleep_for(Millis(200));
    EXPECT_EQ(signs, 3);
    stop_.request(SIGTERM);
  });
  run(done());
  stopper.join();
}

TEST(LifeSign, StopsWhenNothingIsReceivedForTooLong) {
  ManualClock clock;
  int told = 0;
  LifeSign sign({Seconds(1), [&] { ++told; }, Seconds(60)}, clock.steady());
  const LifeSign::Post post = [](const std::function<void()>& task) { task(); };
  sign.look(clock.steady(), post);
  sign.look(clock.steady(), post);
  EXPECT_EQ(told, 1);
  clock.advance(Seconds(60));
  sign.look(clock.steady(), post);
  EXPECT_EQ(told, 2);
  clock.advance(Seconds(1));
  sign.look(clock.steady(), post);
  EXPECT_EQ(told, 2);
  sign.stepped(clock.steady());
  sign.look(clock.steady(), post);
  EXPECT_EQ(told, 3);
  clock.advance(Seconds(61));
  sign.ending();
  sign.look(clock.steady(), post);
  EXPECT_EQ(told, 4);
}

TEST_F(WorkerTest, DrainTimeoutInterrupts) {
  options_.flow.mode = RunMode::Work;
  options_.flow.settings.drain_timeout = Millis(100);
  queue_.add("Enable", "x");
  const RunSummary summary = run([&](const HandlerCall&, const InterruptLevel& interrupt) {
    stop_.request(SIGTERM);
    while (interrupt.load() == 0) sleep_for(Millis(1));
    return HandlerResult{HandlerEnd::Interrupted, "interrupted"};
  });
  EXPECT_EQ(summary.end, RunEnd::Forced);
}

}  // namespace
}  // namespace ferry::worker
