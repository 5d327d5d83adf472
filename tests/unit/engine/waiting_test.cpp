// Long polls and tick().

#include "engine_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;
using Strings = std::vector<std::string>;

class WaitingTest : public EngineTest {
 protected:
  std::vector<std::shared_ptr<TestWaiter>> wait(const QueueRef& queue, int count) {
    std::vector<std::shared_ptr<TestWaiter>> waiters;
    for (int i = 0; i < count; ++i) {
      waiters.push_back(std::make_shared<TestWaiter>());
      EXPECT_TRUE(poll(queue, waiters.back()).empty());
    }
    return waiters;
  }
  static int woken(const std::vector<std::shared_ptr<TestWaiter>>& waiters) {
    int sum = 0;
    for (const auto& waiter : waiters) sum += waiter->wakes;
    return sum;
  }
};

TEST_F(WaitingTest, ASendWakesTheOldestWaiterOnly) {
  const QueueRef queue = create();
  const auto waiters = wait(queue, 3);
  send(queue, "x");
  EXPECT_EQ(waiters[0]->wakes, 1);
  EXPECT_EQ(woken(waiters), 1);
  EXPECT_EQ(bodies(poll(queue, waiters[0])), Strings{"x"});
  send(queue, "y");
  EXPECT_EQ(waiters[1]->wakes, 1);
  EXPECT_EQ(woken(waiters), 2);
}

TEST_F(WaitingTest, ABatchWakesAsManyAsItHasMessages) {
  const QueueRef queue = create();
  const auto waiters = wait(queue, 5);
  engine->send(queue, caller, {command("a"), command("b"), command("c")});
  EXPECT_EQ(woken(waiters), 3);
  EXPECT_EQ(waiters[3]->wakes, 0);
}

TEST_F(WaitingTest, AReceiveThatFindsSomethingIsNotRegistered) {
  const QueueRef queue = create();
  send(queue, "x");
  const auto waiter = std::make_shared<TestWaiter>();
  EXPECT_EQ(poll(queue, waiter).size(), 1u);
  send(queue, "y");
  EXPECT_EQ(waiter->wakes, 0);
}

TEST_F(WaitingTest, AWokenWaiterThatComesTooLateIsRegisteredAgain) {
  const QueueRef queue = create();
  const auto waiters = wait(queue, 1);
  send(queue, "x");
  EXPECT_EQ(receive(queue).size(), 1u);
  EXPECT_TRUE(poll(queue, waiters[0]).empty());
  send(queue, "y");
  EXPECT_EQ(waiters[0]->wakes, 2);
}

TEST_F(WaitingTest, AnAbandonedWaiterIsNotWoken) {
  const QueueRef queue = create();
  const auto waiters = wait(queue, 2);
  engine->abandon(queue, waiters[0]);
  send(queue, "x");
  EXPECT_EQ(waiters[0]->wakes, 0);
  EXPECT_EQ(waiters[1]->wakes, 1);
}

TEST_F(WaitingTest, AWakeThatIsAbandonedGoesToTheNext) {
  const QueueRef queue = create();
  const auto waiters = wait(queue, 3);
  send(queue, "x");
  ASSERT_EQ(waiters[0]->wakes, 1);
  engine->abandon(queue, waiters[0]);
  EXPECT_EQ(waiters[1]->wakes, 1);
  EXPECT_EQ(waiters[2]->wakes, 0);
  // Without a message there is nothing to pass on.
  EXPECT_EQ(bodies(poll(queue, waiters[1])), Strings{"x"});
  engine->abandon(queue, waiters[1]);
  EXPECT_EQ(waiters[2]->wakes, 0);
}

TEST_F(WaitingTest, AWokenWaiterThatIsRefusedPassesItOn) {
  const QueueRef queue = create();
  const auto waiters = wait(queue, 2);
  send(queue, "x");
  store->set_reserve_error(store::Purpose::Upkeep, ErrorKind::Unavailable);
  EXPECT_EQ(code_of(engine->receive(queue, caller, {}, waiters[0]).result), ErrorCode::ServiceUnavailable);
  EXPECT_EQ(waiters[1]->wakes, 1);
}

TEST_F(WaitingTest, AReceiveThatHidesNothingPassesTheWakeOn) {
  const QueueRef queue = create("q", {{"VisibilityTimeout", "0"}});
  const auto waiters = wait(queue, 2);
  send(queue, "x");
  EXPECT_EQ(woken(waiters), 1);
  EXPECT_EQ(bodies(poll(queue, waiters[0])), Strings{"x"});
  EXPECT_EQ(waiters[1]->wakes, 1);
}

TEST_F(WaitingTest, AWokenWaiterThatMeetsTheInFlightLimitPassesItOn) {
  options.in_flight_max = 1;
  restart();
  const QueueRef queue = create();
  const auto waiters = wait(queue, 3);
  engine->send(queue, caller, {command("a"), command("b")});
  EXPECT_EQ(woken(waiters), 2);
  EXPECT_EQ(poll(queue, waiters[0]).size(), 1u);
  EXPECT_EQ(code_of(engine->receive(queue, caller, {}, waiters[1]).result), ErrorCode::OverLimit);
  EXPECT_EQ(waiters[2]->wakes, 1);
}

TEST_F(WaitingTest, AWaiterIsRegisteredOnce) {
  const QueueRef queue = create();
  const auto waiters = wait(queue, 1);
  EXPECT_TRUE(poll(queue, waiters[0]).empty());
  engine->send(queue, caller, {command("a"), command("b")});
  EXPECT_EQ(waiters[0]->wakes, 1);
}

TEST_F(WaitingTest, TheEndOfADelayWakes) {
  const QueueRef queue = create();
  const int bells_before = bells;
  send(queue, "x", Seconds(5));
  EXPECT_GT(bells, bells_before);  // timers run whether somebody waits or not
  const auto waiters = wait(queue, 1);
  const auto due = engine->tick();
  ASSERT_TRUE(due.has_value());
  EXPECT_EQ(*due, engine->now() + Seconds(5));
  clock.advance(Millis(4'999));
  engine->tick();
  EXPECT_EQ(woken(waiters), 0);
  clock.advance(Millis(1));
  engine->tick();
  EXPECT_EQ(woken(waiters), 1);
  EXPECT_EQ(bodies(poll(queue, waiters[0])), Strings{"x"});
}

TEST_F(WaitingTest, TheEndOfAVisibilityTimeoutWakes) {
  const QueueRef queue = create("q", {{"VisibilityTimeout", "7"}});
  send(queue, "x");
  receive(queue);
  const auto waiters = wait(queue, 2);
  EXPECT_EQ(*engine->tick(), engine->now() + Seconds(7));
  clock.advance(Seconds(7));
  engine->tick();
  EXPECT_EQ(waiters[0]->wakes, 1);
  EXPECT_EQ(waiters[1]->wakes, 0);
}

TEST_F(WaitingTest, VisibilityZeroWakesAtOnceAndAShorterOneRings) {
  const QueueRef queue = create();
  send_many(queue, 2);
  const auto taken = receive(queue, 2, Seconds(1000));
  const auto waiters = wait(queue, 2);
  engine->tick();
  EXPECT_TRUE(change(queue, taken[0].receipt_handle, Seconds(0)).has_value());
  EXPECT_EQ(woken(waiters), 1);
  const int bells_before = bells;
  EXPECT_TRUE(change(queue, taken[1].receipt_handle, Seconds(3)).has_value());
  EXPECT_EQ(bells, bells_before + 1);
  EXPECT_EQ(*engine->tick(), engine->now() + Seconds(3));
  clock.advance(Seconds(3));
  engine->tick();
  EXPECT_EQ(woken(waiters), 2);
}

TEST_F(WaitingTest, WhatAReceiveBringsUpToDateWakesTheOthers) {
  const QueueRef queue = create("q", {{"VisibilityTimeout", "1"}});
  send_many(queue, 3);
  receive(queue, 10);
  const auto waiters = wait(queue, 3);
  clock.advance(Seconds(1));
  EXPECT_EQ(receive(queue, 1).size(), 1u);  // before any tick
  EXPECT_EQ(woken(waiters), 2);
}

TEST_F(WaitingTest, DeletingTheQueueWakesAll) {
  const QueueRef queue = create();
  const auto waiters = wait(queue, 3);
  engine->delete_queue(queue);
  EXPECT_EQ(woken(waiters), 3);
  EXPECT_EQ(code_of(engine->receive(queue, caller, {}, waiters[0]).result), ErrorCode::QueueDoesNotExist);
}

TEST_F(WaitingTest, AWaiterBehindAMassExpiryIsWokenForWhatIsLeft) {
  const QueueRef queue = create();
  send_many(queue, 3'000);
  clock.advance(Seconds(100));
  send(queue, "young");
  engine->set_attributes(queue, {{"MessageRetentionPeriod", "60"}});
  const auto waiter = std::make_shared<TestWaiter>();
  std::vector<Delivery> taken = poll(queue, waiter);
  for (int round = 0; taken.empty() && round < 10; ++round) {
    settle();
    ASSERT_GT(waiter->wakes, 0);
    taken = poll(queue, waiter);
  }
  EXPECT_EQ(bodies(taken), Strings{"young"});
}

TEST_F(WaitingTest, ManyDueAtOnceAreTakenInSlices) {
  const QueueRef queue = create();
  send_many(queue, 2'500, Seconds(10));
  const auto waiters = wait(queue, 2'500);
  clock.advance(Seconds(10));
  engine->tick();
  EXPECT_EQ(woken(waiters), 1'000);
  settle();
  EXPECT_EQ(woken(waiters), 2'500);
  expect_counts(queue, 2'500, 0, 0);
}

TEST_F(WaitingTest, CountsAreExactWhenManyAreDueAtOnce) {
  const QueueRef queue = create();
  send_many(queue, 2'500, Seconds(10));
  clock.advance(Seconds(10));
  expect_counts(queue, 2'500, 0, 0);
}

TEST_F(WaitingTest, NothingToDoMeansNoCall) {
  EXPECT_FALSE(engine->tick().has_value());
  const QueueRef queue = create();
  EXPECT_FALSE(engine->tick().has_value());
  const auto waiters = wait(queue, 1);
  EXPECT_FALSE(engine->tick().has_value());
}

// The bell rings for what is earlier than the promise, and for nothing else.
TEST_F(WaitingTest, TheBellRingsOnlyForSomethingEarlier) {
  const QueueRef queue = create();
  const QueueRef other = create("other", {{"MessageRetentionPeriod", "60"}});
  engine->tick();
  const int at_start = bells;
  send(queue, "x");  // expires in four days
  EXPECT_EQ(bells, at_start + 1);
  send_many(queue, 50);
  EXPECT_EQ(bells, at_start + 1);
  EXPECT_EQ(*engine->tick(), engine->now() + sqs::kRetentionDefault);
  receive(queue);  // ends in half a minute
  EXPECT_EQ(bells, at_start + 2);
  EXPECT_EQ(*engine->tick(), engine->now() + sqs::kVisibilityTimeoutDefault);
  send(other, "x");
  EXPECT_EQ(bells, at_start + 2);
}

TEST_F(WaitingTest, ATickLooksAtDueQueuesOnly) {
  for (int i = 0; i < 200; ++i) send(create("q" + std::to_string(i), {{"MessageRetentionPeriod", i < 100 ? "60" : "600"}}), "x");
  clock.advance(Seconds(60));
  settle();
  EXPECT_EQ(engine->totals().messages, 100u);
  EXPECT_EQ(*engine->tick(), engine->now() + Seconds(540));
}

}  // namespace
}  // namespace ferry::engine
