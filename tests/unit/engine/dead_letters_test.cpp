// Messages that were received too often: when they go, where, and what they are there.

#include "queues_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;

class DeadLettersTest : public QueuesTest {
 protected:
  /// "q", whose dead letters go to "dlq".
  QueueRef create_pair(int max_receive_count, sqs::TextMap attributes = {}, const sqs::TextMap& of_target = {}) {
    create("dlq", of_target);
    attributes.push_back(redrive("dlq", max_receive_count));
    return create("q", attributes);
  }
  QueueRef create_fifo_pair(int max_receive_count, sqs::TextMap attributes = {}, const sqs::TextMap& of_target = {}) {
    create_fifo("dlq.fifo", of_target);
    attributes.push_back(redrive("dlq.fifo", max_receive_count));
    return create_fifo("q.fifo", attributes);
  }
  QueueRef dlq() { return find("dlq"); }
  void set_redrive(const QueueRef& queue, const std::string& target, int max_receive_count) {
    ASSERT_TRUE(engine->set_attributes(queue, {redrive(target, max_receive_count)}).result.has_value());
  }
  /// Receives everything visible once.
  void wear_out(const QueueRef& queue) {
    const std::uint64_t count = engine->counts(queue).visible;
    std::uint64_t taken = 0;
    while (taken < count) taken += receive(queue, 10, Seconds(1)).size();
    clock.advance(Seconds(1));
    settle();
  }
};

// ---- when

TEST_F(DeadLettersTest, AMessageIsGivenAsOftenAsThePolicySays) {
  for (const int max : {1, 2, 5}) {
    options.enforce_deletion_wait = false;
    restart();
    const QueueRef queue = create_pair(max);
    send(queue, "x");
    for (int i = 0; i < max; ++i) EXPECT_EQ(given(queue, 1, Seconds(0)), "x");
    EXPECT_EQ(shown(queue), "x");  // a receive moves it, not its last timeout
    EXPECT_EQ(given(queue, 1, Seconds(0)), "");
    EXPECT_EQ(shown(queue), "");
    EXPECT_EQ(shown(dlq()), "x");
    EXPECT_EQ(receive(dlq(), 1, Seconds(0)).front().receive_count, static_cast<std::uint32_t>(max + 1));
    engine->delete_queue(queue);
    engine->delete_queue(dlq());
  }
}

TEST_F(DeadLettersTest, AReceiveGivesWhatElseItCan) {
  const QueueRef queue = create_pair(1);
  send_words(queue, {"a1", "b1", "c1"});
  EXPECT_EQ(given(queue, 2, Seconds(0)), "a1 b1");
  EXPECT_EQ(given(queue, 10), "c1");
  EXPECT_EQ(shown(dlq()), "a1 b1");
}

TEST_F(DeadLettersTest, WhatIsInFlightOrDelayedStays) {
  const QueueRef queue = create_pair(1);
  send(queue, "in flight");
  send(queue, "delayed", Seconds(100));
  EXPECT_EQ(given(queue, 10, Seconds(50)), "in flight");
  EXPECT_EQ(given(queue, 10), "");
  EXPECT_EQ(shown(queue), "in flight delayed");
  EXPECT_EQ(shown(dlq()), "");
  clock.advance(Seconds(50));
  settle();
  EXPECT_EQ(shown(dlq()), "");
  EXPECT_EQ(given(queue, 10), "");
  EXPECT_EQ(shown(dlq()), "in flight");
}

TEST_F(DeadLettersTest, OnlyReceivesInThisQueueCount) {
  create("end");
  create("dlq", {redrive("end", 2)});
  const QueueRef queue = create("q", {redrive("dlq", 3)});
  send(queue, "x");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(given(queue, 1, Seconds(0)), "x");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(given(dlq(), 1, Seconds(0)), "x");
    restart_both_ways();
  }
  EXPECT_EQ(given(dlq(), 1, Seconds(0)), "");
  const auto taken = take(find("end")).front();
  EXPECT_EQ(taken.receive_count, 6u);
  EXPECT_EQ(taken.dead_letter_source, arn("dlq"));  // the immediate one
}

TEST_F(DeadLettersTest, AHundredGoInOneReceiveAndTheTickDoesTheRest) {
  for (const int count : {100, 101}) {
    options.enforce_deletion_wait = false;
    restart();
    const QueueRef queue = create_pair(1'000);
    send_many(queue, count);
    wear_out(queue);
    send(queue, "fresh");
    set_redrive(queue, "dlq", 1);
    EXPECT_EQ(given(queue, 10), "fresh");
    expect_counts(dlq(), 100, 0, 0);
    expect_counts(queue, static_cast<std::uint64_t>(count - 100), 1, 0);
    settle();
    expect_counts(dlq(), static_cast<std::uint64_t>(count), 0, 0);
    expect_counts(queue, 0, 1, 0);
    engine->delete_queue(queue);
    engine->delete_queue(dlq());
    settle();
  }
}

// Lowering maxReceiveCount does nothing by itself; then every lock hold moves a hundred at most.
TEST_F(DeadLettersTest, LoweringTheCountOnManyMessagesHoldsNoLockLong) {
  struct Recorder final : store::Owner {
    std::vector<std::size_t> moves;
    Result<void> restore_piece(std::span<const std::byte>) override { return {}; }
    Result<void> replay(store::Position, const store::Location&, std::span<const std::byte> bytes) override {
      if (const auto record = decode_moved(bytes)) moves.push_back(record->entries.size());
      return {};
    }
    Result<void> recovered() override { return {}; }
    void on_durable(store::Position) override {}
    void on_failed(const Error&) override {}
    Result<store::Position> write_checkpoint(store::CheckpointSink&) override { return store::Position{}; }
    void relocate(const store::Location&, std::span<const std::byte>) override {}
  };
  const QueueRef queue = create_pair(1'000);
  send_many(queue, 5'000);
  wear_out(queue);
  send(queue, "fresh");
  const auto before = store->last();
  set_redrive(queue, "dlq", 1);
  settle();
  EXPECT_EQ(store->last().value, before.value + 1);

  const auto waiter = std::make_shared<TestWaiter>();
  std::string body = polled(queue, waiter);
  int polls = 1;
  for (; body.empty() && polls < 100; ++polls) {
    const int wakes = waiter->wakes;
    settle();
    ASSERT_GT(waiter->wakes, wakes) << "the poll sleeps for ever behind dead letters";
    body = polled(queue, waiter);
  }
  EXPECT_EQ(body, "fresh");
  EXPECT_LE(polls, 10);
  settle();
  expect_counts(dlq(), 5'000, 0, 0);
  expect_counts(queue, 0, 1, 0);
  EXPECT_EQ(engine->totals().messages, 5'001u);
  Recorder recorder;
  ASSERT_TRUE(store->crash()->recover(recorder).has_value());
  EXPECT_GE(recorder.moves.size(), 50u);
  for (const std::size_t moved : recorder.moves) EXPECT_LE(moved, 100u);
}

TEST_F(DeadLettersTest, ThePolicyOfTheMomentCounts) {
  struct Case {
    const char* name;
    std::function<void(const QueueRef&)> change;
    std::string given, left, in_dlq, in_other;
  };
  const Case cases[] = {
      {"raised", [&](const QueueRef& q) { set_redrive(q, "dlq", 2); }, "x", "x", "", ""},
      {"removed",
       [&](const QueueRef& q) {
         EXPECT_TRUE(engine->set_attributes(q, {{"RedrivePolicy", ""}}).result.has_value());
       },
       "x", "x", "", ""},
      {"another target", [&](const QueueRef& q) { set_redrive(q, "other", 1); }, "", "", "", "x"},
      {"the same", [&](const QueueRef&) {}, "", "", "x", ""},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    options.enforce_deletion_wait = false;
    restart();
    create("other");
    const QueueRef queue = create_pair(1);
    send(queue, "x");
    EXPECT_EQ(given(queue, 1, Seconds(0)), "x");
    one.change(queue);
    EXPECT_EQ(given(queue, 1, Seconds(0)), one.given);
    EXPECT_EQ(shown(queue), one.left);
    EXPECT_EQ(shown(dlq()), one.in_dlq);
    EXPECT_EQ(shown(find("other")), one.in_other);
    for (const char* name : {"q", "dlq", "other"}) engine->delete_queue(find(name));
  }
}

TEST_F(DeadLettersTest, WhatTheTickFindsIsJudgedAgain) {
  const QueueRef queue = create_pair(1);
  send_many(queue, 150);
  wear_out(queue);
  EXPECT_EQ(given(queue, 10), "");
  expect_counts(dlq(), 100, 0, 0);
  set_redrive(queue, "dlq", 2);  // before the tick
  settle();
  expect_counts(dlq(), 100, 0, 0);
  expect_counts(queue, 50, 0, 0);
  EXPECT_EQ(receive(queue, 10).size(), 10u);
}

// ---- where

TEST_F(DeadLettersTest, WithoutATargetTheyAreGivenAsUsual) {
  options.enforce_deletion_wait = false;
  restart();
  const QueueRef queue = create_pair(1);
  send(queue, "x");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "x");
  engine->delete_queue(dlq());
  for (std::uint32_t count = 2; count <= 4; ++count) EXPECT_EQ(take(queue, 1, Seconds(0)).front().receive_count, count);
  restart();
  EXPECT_EQ(given(find(), 1, Seconds(0)), "x");
  create("dlq");  // the name is enough
  EXPECT_EQ(given(find(), 1, Seconds(0)), "");
  EXPECT_EQ(shown(dlq()), "x");
}

TEST_F(DeadLettersTest, AQueueMayBeItsOwnTarget) {
  create("q");
  set_redrive(find(), "q", 2);
  send_words(find(), {"a1", "b1"});
  EXPECT_EQ(given(find(), 10, Seconds(0)), "a1 b1");
  EXPECT_EQ(given(find(), 1, Seconds(0)), "a1");
  EXPECT_EQ(given(find(), 1, Seconds(0)), "b1");  // a1 has moved to the end
  EXPECT_EQ(shown(find()), "b1 a1");
  const auto again = take(find(), 1, Seconds(0));  // so does b1, and a1 counts from zero there
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(body_of(again[0]), "a1");
  EXPECT_EQ(again[0].receive_count, 3u);
  EXPECT_EQ(again[0].dead_letter_source, arn("q"));
  restart_both_ways();
  EXPECT_EQ(shown(find()), "a1 b1");
  EXPECT_EQ(given(find(), 10, Seconds(0)), "a1 b1");
  EXPECT_EQ(engine->totals().messages, 2u);
  EXPECT_EQ(store->live_bodies(), 2u);
}

TEST_F(DeadLettersTest, ACycleGoesRound) {
  create("b");
  create("a", {redrive("b", 1)});
  set_redrive(find("b"), "a", 1);
  send(find("a"), "x");
  std::vector<std::string> path;
  for (std::uint32_t count = 1; count <= 4; ++count) {
    const QueueRef here = find(count % 2 == 1 ? "a" : "b");
    const auto taken = take(here, 1, Seconds(0));
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(taken[0].receive_count, count);
    EXPECT_EQ(taken[0].dead_letter_source, count == 1 ? std::nullopt : std::optional(arn(count % 2 == 1 ? "b" : "a")));
    EXPECT_EQ(given(here, 1, Seconds(0)), "");
    if (count == 2) restart_both_ways();
  }
  EXPECT_EQ(engine->totals().messages, 1u);
  EXPECT_EQ(store->live_bodies(), 1u);
}

TEST_F(DeadLettersTest, ArrivalsWakeThePollsOfTheTarget) {
  const QueueRef queue = create_pair(1);
  send_words(queue, {"a1", "b1"});
  EXPECT_EQ(given(queue, 10, Seconds(0)), "a1 b1");
  const auto waiters = wait(dlq(), 3);
  const auto sleeper = std::make_shared<TestWaiter>();
  EXPECT_EQ(polled(queue, sleeper), "");
  EXPECT_EQ(waiters[0]->wakes, 1);
  EXPECT_EQ(waiters[1]->wakes, 1);
  EXPECT_EQ(woken(waiters), 2);
  send(queue, "c1");  // the one whose receive moved them waits as usual
  EXPECT_GE(sleeper->wakes, 1);
}

TEST_F(DeadLettersTest, TheAnswerOfTheTargetWaitsForTheMove) {
  const QueueRef queue = create_pair(1);
  send(queue, "x");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "x");
  store->set_sync_mode(store::SimulatedStore::SyncMode::OnDemand);
  const auto moved = engine->receive(queue, caller, {}, nullptr);
  EXPECT_GT(moved.seen, store->durable());
  EXPECT_GE(engine->peek(dlq(), 0, 10).seen, moved.seen);
  EXPECT_GE(engine->receive(dlq(), caller, {}, nullptr).seen, moved.seen);
  restart();  // nothing of it was durable
  EXPECT_EQ(shown(find()), "x");
  EXPECT_EQ(shown(dlq()), "");
}

// ---- what they are there

TEST_F(DeadLettersTest, OnAStandardQueueIdAndTimesAreKept) {
  const QueueRef queue = create_pair(2, {}, {{"DelaySeconds", "900"}});
  const Sent sent = send_to(queue, "tenant", "x");
  const Timestamp sent_at = clock.wall();
  clock.advance(Seconds(5));
  const auto first = take(queue, 1, Seconds(0)).front();
  EXPECT_EQ(first.dead_letter_source, std::nullopt);
  clock.advance(Seconds(5));
  EXPECT_EQ(given(queue, 1, Seconds(0)), "x");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "");
  for (std::uint32_t round = 0; round < 3; ++round) {
    const auto taken = take(dlq(), 1, Seconds(0));  // visible at once, whatever the delay of the queue
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(id_of(taken[0]), sent.message_id);
    EXPECT_EQ(taken[0].message_id, std::nullopt);
    EXPECT_EQ(sent_time_of(taken[0]), sent_at);
    EXPECT_EQ(taken[0].first_received, first.first_received);
    EXPECT_EQ(taken[0].receive_count, 3u + round);
    EXPECT_EQ(taken[0].dead_letter_source, arn("q"));
    EXPECT_EQ(taken[0].sequence, 1u);  // a number of its new queue
    EXPECT_EQ(taken[0].sequence_number, std::nullopt);
    EXPECT_FALSE(taken[0].deduplication_id_is_message_id);
    const auto payload = store->read_now(taken[0].location);
    EXPECT_EQ(decode_message(payload->bytes)->message_group_id, "tenant");
    EXPECT_EQ(decode_message(payload->bytes)->queue_id, taken[0].written_as.queue_id);
    EXPECT_EQ(decode_message(payload->bytes)->sequence, taken[0].written_as.sequence);
    round == 0 ? restart() : restart_both_ways();
  }
}

TEST_F(DeadLettersTest, OnAFifoQueueTheTimesAreNew) {
  const QueueRef queue = create_fifo_pair(1, {}, {{"DelaySeconds", "900"}});
  send_words(find("dlq.fifo"), {"n1"});
  const Sent sent = send_to(queue, "a", "a1", "id");
  const auto first = take(queue, 1, Seconds(0)).front();
  EXPECT_FALSE(first.deduplication_id_is_message_id);
  clock.advance(Seconds(50));
  EXPECT_EQ(given(queue), "");
  const Timestamp moved_at = clock.wall();
  clock.advance(Seconds(5));
  for (int round = 0; round < 2; ++round) {
    const auto taken = take(find("dlq.fifo"), 1, Seconds(0));
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(body_of(taken[0]), "a1");
    EXPECT_EQ(id_of(taken[0]), sent.message_id);
    EXPECT_EQ(sent_time_of(taken[0]), moved_at);
    EXPECT_EQ(taken[0].first_received, first.first_received);
    EXPECT_EQ(taken[0].sequence_number, 2u);
    EXPECT_TRUE(taken[0].deduplication_id_is_message_id);
    EXPECT_EQ(taken[0].dead_letter_source, arn("q.fifo"));
    restart_both_ways();
  }
}

TEST_F(DeadLettersTest, AFifoDeadLetterTakesNoPartInDeduplication) {
  const QueueRef queue = create_fifo_pair(1);
  send_to(find("dlq.fifo"), "a", "native", "id");
  send_to(queue, "a", "a1", "id");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "a1");
  EXPECT_EQ(given(queue), "");
  EXPECT_EQ(shown(find("dlq.fifo")), "native a1");  // not taken for a duplicate
  for (int i = 0; i < 2; ++i) {
    send_to(fifo(), "a", "again", "id");  // still one in the source
    EXPECT_EQ(shown(fifo()), "");
    restart_both_ways();
  }
  send_to(fifo(), "a", "a2", "other");
  EXPECT_EQ(given(fifo(), 1, Seconds(0)), "a2");
  EXPECT_EQ(given(fifo()), "");
  send_to(find("dlq.fifo"), "a", "sent", "other");  // not remembered either
  EXPECT_EQ(shown(find("dlq.fifo")), "native a1 a2 sent");
}

TEST_F(DeadLettersTest, GroupsGoOnInTheTarget) {
  const QueueRef queue = create_fifo_pair(1);
  send_words(queue, {"a1", "b1", "a2"});
  EXPECT_EQ(given(queue, 10, Seconds(0)), "a1 a2 b1");
  EXPECT_EQ(given(queue, 10), "");
  EXPECT_EQ(given(find("dlq.fifo"), 1), "a1");
  EXPECT_EQ(given(find("dlq.fifo"), 10), "b1");  // a2 waits behind a1
  ASSERT_TRUE(deleted(find("dlq.fifo"), {"a1"}));
  EXPECT_EQ(given(find("dlq.fifo"), 10), "a2");
}

// Its timer may be over without anyone having looked.
TEST_F(DeadLettersTest, AGroupThatWaitsLongerIsServedBeforeArrivals) {
  const QueueRef queue = create_fifo_pair(1);
  send_words(find("dlq.fifo"), {"b1"});
  EXPECT_EQ(given(find("dlq.fifo"), 1, Seconds(5)), "b1");
  send_words(queue, {"a1"});
  EXPECT_EQ(given(queue, 1, Seconds(0)), "a1");
  clock.advance(Seconds(5));
  EXPECT_EQ(given(queue, 1), "");
  EXPECT_EQ(given(find("dlq.fifo"), 10), "b1 a1");
}

TEST_F(DeadLettersTest, MovingTheHeadLetsTheGroupGoOn) {
  struct Case {
    std::vector<std::string> worn;
    std::vector<std::string> fresh;
    std::string given;
    std::string moved;
  };
  const Case cases[] = {
      {{"a1"}, {"a2"}, "a2", "a1"},
      {{"a1", "a2"}, {"a3", "a4"}, "a3 a4", "a1 a2"},
      {{"a1"}, {"a2", "b1"}, "a2 b1", "a1"},
      {{"a1", "b1"}, {"b2"}, "b2", "a1 b1"},
      {{"a1", "a2", "a3"}, {}, "", "a1 a2 a3"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.given);
    options.enforce_deletion_wait = false;
    restart();
    const QueueRef queue = create_fifo_pair(1);
    send_words(queue, one.worn);
    EXPECT_EQ(receive(queue, 10, Seconds(0)).size(), one.worn.size());
    send_words(queue, one.fresh);
    const auto waiter = std::make_shared<TestWaiter>();
    EXPECT_EQ(polled(queue, waiter, 10), one.given);
    EXPECT_EQ(shown(find("dlq.fifo")), one.moved);
    EXPECT_EQ(given(queue), "");
    engine->delete_queue(queue);
    engine->delete_queue(find("dlq.fifo"));
  }
}

TEST_F(DeadLettersTest, ManyFifoGroupsOfDeadLettersHoldNobodyUp) {
  const QueueRef queue = create_fifo_pair(1'000);
  for (int i = 0; i < 350; ++i) send_to(queue, "group" + std::to_string(i), std::to_string(i));
  for (int i = 0; i < 35; ++i) receive(queue, 10, Seconds(1'000));
  clock.advance(Seconds(1'000));
  settle();
  send_to(queue, "group349", "fresh");
  set_redrive(queue, "dlq.fifo", 1);
  const auto waiter = std::make_shared<TestWaiter>();
  std::string body = polled(queue, waiter);
  for (int i = 0; body.empty() && i < 10; ++i) {
    const int wakes = waiter->wakes;
    settle();
    ASSERT_GT(waiter->wakes, wakes);
    body = polled(queue, waiter);
  }
  EXPECT_EQ(body, "fresh");
  settle();
  expect_counts(find("dlq.fifo"), 350, 0, 0);
  expect_counts(queue, 0, 1, 0);
  const auto moved = peek_all(find("dlq.fifo"));
  for (std::size_t i = 0; i < moved.size(); ++i) EXPECT_EQ(body_of(moved[i].message), std::to_string(i));
}

// ---- how long they stay

TEST_F(DeadLettersTest, RetentionGoesOnFromTheFirstSend) {
  const QueueRef queue = create_pair(1, {}, {{"MessageRetentionPeriod", "100"}});
  send(queue, "one");
  clock.advance(Seconds(20));
  send(queue, "two");
  clock.advance(Seconds(10));
  // The younger one arrives first.
  EXPECT_EQ(given(queue, 1, Seconds(20)), "one");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "two");
  EXPECT_EQ(given(queue, 1), "");
  send(dlq(), "native");  // at 30 s
  clock.advance(Seconds(20));
  EXPECT_EQ(given(queue, 1), "");
  EXPECT_EQ(shown(dlq()), "two native one");
  for (const bool with_restart : {false, true}) {
    if (with_restart) restart_both_ways();
    EXPECT_EQ(shown(dlq()), "two native one");
  }
  clock.advance(Millis(49'999));
  EXPECT_EQ(shown(dlq()), "two native one");
  clock.advance(Millis(1));
  EXPECT_EQ(shown(dlq()), "two native");  // 100 s after its send
  restart_both_ways();
  clock.advance(Millis(19'999));
  EXPECT_EQ(shown(dlq()), "two native");
  clock.advance(Millis(1));
  EXPECT_EQ(shown(dlq()), "native");
  clock.advance(Millis(9'999));
  EXPECT_EQ(shown(dlq()), "native");
  clock.advance(Millis(1));
  settle();
  EXPECT_EQ(shown(dlq()), "");
  EXPECT_EQ(store->live_bodies(), 0u);
}

TEST_F(DeadLettersTest, TheTickExpiresEldersBeforeYoungerNatives) {
  const QueueRef queue = create_pair(1, {}, {{"MessageRetentionPeriod", "100"}});
  send(queue, "elder");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "elder");
  clock.advance(Seconds(60));
  send(dlq(), "native");
  EXPECT_EQ(given(queue, 1), "");
  const auto due = engine->tick();
  settle();
  ASSERT_TRUE(due.has_value());
  clock.advance(Seconds(40));
  settle();
  EXPECT_EQ(store->live_bodies(), 1u);
  EXPECT_EQ(shown(dlq()), "native");
}

TEST_F(DeadLettersTest, WhatIsTooOldForTheTargetIsGoneThere) {
  const QueueRef queue = create_pair(1, {}, {{"MessageRetentionPeriod", "60"}});
  send(queue, "x");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "x");
  clock.advance(Seconds(60));
  EXPECT_EQ(given(queue, 1), "");
  EXPECT_EQ(shown(queue), "");
  EXPECT_TRUE(receive(dlq()).empty());
  settle();
  expect_counts(dlq(), 0, 0, 0);
  EXPECT_EQ(store->live_bodies(), 0u);
  restart();
  expect_counts(dlq(), 0, 0, 0);
}

TEST_F(DeadLettersTest, OnAFifoQueueRetentionStartsAnew) {
  const QueueRef queue = create_fifo_pair(1, {}, {{"MessageRetentionPeriod", "60"}});
  send_words(queue, {"a1"});
  EXPECT_EQ(given(queue, 1, Seconds(0)), "a1");
  clock.advance(Seconds(50));
  EXPECT_EQ(given(queue), "");
  restart_both_ways();
  clock.advance(Millis(59'999));
  EXPECT_EQ(shown(find("dlq.fifo")), "a1");
  clock.advance(Millis(1));
  EXPECT_EQ(given(find("dlq.fifo")), "");
  expect_counts(find("dlq.fifo"), 0, 0, 0);
}

TEST_F(DeadLettersTest, ManyEldersExpireInSlicesInTheirOrder) {
  const QueueRef queue = create_pair(1, {}, {{"MessageRetentionPeriod", "1000"}});
  for (int i = 0; i < 2'500; ++i) {
    send(queue, std::to_string(i));
    if (i % 100 == 0) clock.advance(Millis(10));
  }
  wear_out(queue);
  for (int i = 0; i < 5; ++i) {
    receive(queue, 1);
    settle();
  }
  expect_counts(dlq(), 2'500, 0, 0);
  send(dlq(), "native");
  ASSERT_TRUE(store->checkpoint().has_value());
  clock.advance(Seconds(1'000) - Millis(1));
  EXPECT_GE(settle(), 3);
  EXPECT_EQ(shown(dlq()), "native");
  EXPECT_EQ(store->live_bodies(), 1u);
  restart();
  EXPECT_EQ(shown(dlq()), "native");
}

// ---- bodies

TEST_F(DeadLettersTest, ABodyLivesAsLongAsItsMessage) {
  options.enforce_deletion_wait = false;
  restart();
  const QueueRef queue = create_pair(1);
  send_words(queue, {"a1", "b1", "c1"});
  EXPECT_EQ(given(queue, 10, Seconds(0)), "a1 b1 c1");
  EXPECT_EQ(given(queue), "");
  EXPECT_EQ(store->live_bodies(), 3u);
  engine->delete_queue(queue);  // the queue that they were written for
  settle();
  EXPECT_EQ(store->live_bodies(), 3u);
  restart_both_ways();
  EXPECT_EQ(store->live_bodies(), 3u);
  EXPECT_EQ(given(dlq(), 2), "a1 b1");
  EXPECT_EQ(take(dlq()).front().dead_letter_source, arn("q"));
  ASSERT_TRUE(deleted(dlq(), {"a1"}));
  EXPECT_EQ(store->live_bodies(), 2u);
  engine->purge(dlq());
  settle();
  EXPECT_EQ(store->live_bodies(), 0u);
  EXPECT_EQ(engine->totals().messages, 0u);
  restart();
  expect_counts(dlq(), 0, 0, 0);
}

TEST_F(DeadLettersTest, AnOldHandleDoesNothingToTheMovedMessage) {
  const QueueRef queue = create_pair(1);
  send(queue, "x");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "x");
  EXPECT_EQ(given(queue, 1), "");
  EXPECT_TRUE(remove(queue, handle("x")).has_value());  // gone from here
  EXPECT_EQ(code_of(change(queue, handle("x"), Seconds(1))), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(code_of(remove(dlq(), handle("x"))), ErrorCode::ReceiptHandleIsInvalid);
  EXPECT_EQ(shown(dlq()), "x");
}

}  // namespace
}  // namespace ferry::engine
