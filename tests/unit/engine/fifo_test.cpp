// The order of FIFO queues: groups, their visible prefix, the line of groups, handles, delay, and who is woken.

#include "queues_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;

class FifoTest : public QueuesTest {};

// ---- groups

TEST_F(FifoTest, AGroupIsGivenInTheOrderOfSending) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "a2", "a3"});
  EXPECT_EQ(given(queue, 2), "a1 a2");
  EXPECT_EQ(given(queue, 2), "");  // the prefix ends at the first that is in flight
  ASSERT_TRUE(deleted(queue, {"a1", "a2"}));
  EXPECT_EQ(given(queue, 2), "a3");
}

TEST_F(FifoTest, AReceiveTakesAllItMayOfOneGroupThenGoesOn) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "b1", "a2", "c1", "a3"});
  EXPECT_EQ(given(queue, 4), "a1 a2 a3 b1");
  EXPECT_EQ(given(queue, 4), "c1");
}

TEST_F(FifoTest, AGroupInFlightBlocksItselfAndNobodyElse) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "a2", "b1"});
  EXPECT_EQ(given(queue, 1), "a1");
  EXPECT_EQ(given(queue, 10), "b1");
  send_words(queue, {"a3"});
  EXPECT_EQ(given(queue, 10), "");
  expect_counts(queue, 2, 2, 0);  // messages of blocked groups count as visible
}

TEST_F(FifoTest, OnlyTheVisiblePrefixIsGiven) {
  struct Case {
    const char* name;
    std::vector<std::string> to_zero;
    std::vector<std::string> deleted;
    std::string next;
  };
  const Case cases[] = {
      {"the first one back", {"a1"}, {}, "a1"},
      {"the second one back", {"a2"}, {}, ""},
      {"both back", {"a1", "a2"}, {}, "a1 a2 a3"},
      {"only the first deleted", {}, {"a1"}, ""},
      {"only the second deleted", {}, {"a2"}, ""},
      {"the first back, the second deleted", {"a1"}, {"a2"}, "a1 a3"},
      {"the first deleted, the second back", {"a2"}, {"a1"}, "a2 a3"},
      {"both deleted", {}, {"a1", "a2"}, "a3"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    options.enforce_deletion_wait = false;
    restart();
    const QueueRef queue = create_fifo();
    send_words(queue, {"a1", "a2", "a3"});
    EXPECT_EQ(given(queue, 2), "a1 a2");
    for (const auto& body : one.to_zero) EXPECT_TRUE(change(queue, handle(body), Seconds(0)).has_value());
    if (!one.deleted.empty()) {
      EXPECT_TRUE(deleted(queue, one.deleted));
    }
    EXPECT_EQ(given(queue, 10), one.next);
    engine->delete_queue(queue);
  }
}

TEST_F(FifoTest, ALongerTimeoutOfTheSecondHoldsBackTheThird) {
  const QueueRef queue = create_fifo("q.fifo", {{"VisibilityTimeout", "10"}});
  send_words(queue, {"a1", "a2", "a3"});
  EXPECT_EQ(given(queue, 2), "a1 a2");
  EXPECT_TRUE(change(queue, handle("a2"), Seconds(60)).has_value());
  clock.advance(Seconds(10));
  EXPECT_EQ(given(queue, 10), "a1");
  ASSERT_TRUE(deleted(queue, {"a1"}));
  EXPECT_EQ(given(queue, 10), "");
  clock.advance(Seconds(50));
  EXPECT_EQ(given(queue, 10), "a2 a3");
}

TEST_F(FifoTest, OrderOutlivesRestarts) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "b1", "a2", "b2", "a3"});
  EXPECT_EQ(given(queue, 2), "a1 a2");
  clock.advance(Millis(1));
  EXPECT_TRUE(change(queue, handle("a1"), Seconds(0)).has_value());
  for (int i = 0; i < 2; ++i) {
    restart_both_ways();
    EXPECT_EQ(shown(fifo()), "a1 b1 a2 b2 a3");
  }
  EXPECT_EQ(given(fifo(), 10), "b1 b2 a1");
  ASSERT_TRUE(deleted(fifo(), {"a1", "a2"}));
  EXPECT_EQ(given(fifo(), 10), "a3");
}

// ---- the line of groups

TEST_F(FifoTest, GroupsStandInLine) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "b1", "c1", "a2"});
  EXPECT_EQ(given(queue, 1), "a1");
  ASSERT_TRUE(deleted(queue, {"a1"}));  // a enters again, behind c
  EXPECT_EQ(given(queue, 1), "b1");
  EXPECT_EQ(given(queue, 1), "c1");
  EXPECT_EQ(given(queue, 1), "a2");
}

TEST_F(FifoTest, AGroupServedWithTimeoutZeroGoesToTheEnd) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "b1", "c1"});
  EXPECT_EQ(given(queue, 2, Seconds(0)), "a1 b1");
  EXPECT_EQ(given(queue, 3, Seconds(0)), "c1 a1 b1");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "c1");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "a1");
  const auto taken = receive(queue, 3, Seconds(0));
  EXPECT_EQ(joined(bodies(taken)), "b1 c1 a1");
  EXPECT_EQ(taken[0].receive_count, 3u);
}

TEST_F(FifoTest, WhatMakesAGroupServableSendsItToTheEnd) {
  struct Case {
    const char* name;
    std::function<void(const QueueRef&)> happens;
    std::string order;
  };
  const Case cases[] = {
      {"visibility over", [&](const QueueRef&) { clock.advance(Seconds(30)), tick(); }, "b1 c1 a1"},
      {"visibility changed to zero", [&](const QueueRef& q) { EXPECT_TRUE(change(q, handle("a1"), Seconds(0)).has_value()); },
       "b1 c1 a1"},
      {"head deleted", [&](const QueueRef& q) { EXPECT_TRUE(deleted(q, {"a1"})); }, "b1 c1 a2"},
      {"a send to an empty group", [&](const QueueRef& q) { send_words(q, {"d1"}); }, "b1 c1 d1"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    options.enforce_deletion_wait = false;
    restart();
    const QueueRef queue = create_fifo();
    send_words(queue, {"a1", "a2", "b1", "c1"});
    EXPECT_EQ(given(queue, 1), "a1");
    one.happens(queue);
    std::vector<std::string> order;
    for (int i = 0; i < 3; ++i) order.push_back(given(queue, 1));
    EXPECT_EQ(joined(order), one.order);
    engine->delete_queue(queue);
  }
}

TEST_F(FifoTest, AHeadThatExpiresLetsItsGroupIn) {
  const QueueRef queue = create_fifo("q.fifo", {{"MessageRetentionPeriod", "60"}});
  send_words(queue, {"a1"});
  clock.advance(Seconds(30));
  send_words(queue, {"a2", "b1"});
  EXPECT_EQ(given(queue, 1, Seconds(600)), "a1");
  EXPECT_EQ(given(queue, 1, Seconds(0)), "b1");
  clock.advance(Seconds(30));
  settle();
  EXPECT_EQ(given(queue, 10), "b1 a2");
}

TEST_F(FifoTest, AfterARestartTheLineIsInTheOrderOfBecomingVisible) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1"});
  clock.advance(Seconds(1));
  send_words(queue, {"b1"});
  clock.advance(Seconds(1));
  send_words(queue, {"c1", "d1"});
  EXPECT_EQ(given(queue, 1, Seconds(1)), "a1");  // visible again one second after c and d came
  clock.advance(Seconds(5));
  restart_both_ways();
  EXPECT_EQ(given(fifo(), 10), "b1 c1 d1 a1");
}

TEST_F(FifoTest, ManyGroupsAreServedOneAfterTheOther) {
  const QueueRef queue = create_fifo();
  for (int i = 0; i < 300; ++i) send_to(queue, "group" + std::to_string(i), std::to_string(i));
  for (int i = 0; i < 300; i += 10) {
    const auto taken = take(queue);
    ASSERT_EQ(taken.size(), 10u);
    EXPECT_EQ(body_of(taken[0]), std::to_string(i));
    EXPECT_EQ(body_of(taken[9]), std::to_string(i + 9));
  }
  EXPECT_EQ(given(queue), "");
}

// ---- sequence numbers

TEST_F(FifoTest, SequenceNumbersRiseAndAreToldByBothSides) {
  const QueueRef queue = create_fifo();
  const Sent first = send_to(queue, "a", "a1");
  const Sent second = send_to(queue, "b", "b1");
  const Sent repeated = send_to(queue, "a", "other", "same");
  const Sent duplicate = send_to(queue, "a", "another", "same");
  const Sent last = send_to(queue, "a", "a3");
  EXPECT_EQ(first.sequence_number, 1u);
  EXPECT_EQ(second.sequence_number, 2u);
  EXPECT_EQ(repeated.sequence_number, 3u);
  EXPECT_EQ(duplicate.sequence_number, 3u);
  EXPECT_EQ(duplicate.message_id, repeated.message_id);
  EXPECT_EQ(last.sequence_number, 4u);
  const auto taken = receive(queue);
  ASSERT_EQ(taken.size(), 4u);
  EXPECT_EQ(taken[0].sequence_number, 1u);
  EXPECT_EQ(taken[1].sequence_number, 3u);
  EXPECT_EQ(taken[2].sequence_number, 4u);
  EXPECT_EQ(taken[3].sequence_number, 2u);
  restart();
  engine->purge(fifo());
  restart();
  EXPECT_EQ(send_to(fifo(), "a", "later").sequence_number, 5u);  // never used again
  const QueueRef standard = create("standard");
  EXPECT_EQ(send_to(standard, "a", "x").sequence_number, std::nullopt);
  EXPECT_EQ(receive(standard).front().sequence_number, std::nullopt);
}

TEST_F(FifoTest, ThePayloadHasTheGroupAndTheId) {
  const QueueRef queue = create_fifo();
  send_to(queue, "the group", "x", "the id");
  const auto taken = receive(queue).front();
  EXPECT_FALSE(taken.deduplication_id_is_message_id);
  const auto payload = store->read_now(taken.location);
  EXPECT_EQ(decode_message(payload->bytes)->message_group_id, "the group");
  EXPECT_EQ(decode_message(payload->bytes)->message_deduplication_id, "the id");
  const QueueRef standard = create("standard");
  send_to(standard, "tenant", "x");
  const auto other = store->read_now(receive(standard).front().location);
  EXPECT_EQ(decode_message(other->bytes)->message_group_id, "tenant");
  EXPECT_EQ(decode_message(other->bytes)->message_deduplication_id, "");
}

// ---- handles

constexpr const char* kExpired = " for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.";
constexpr const char* kUnavailable =
    " for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.";

TEST_F(FifoTest, AHandleIsGoodWhileItsReceiveHidesTheMessage) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1"});
  EXPECT_EQ(given(queue, 1, Seconds(10)), "a1");
  const std::string first = handle("a1");
  clock.advance(Millis(9'999));
  EXPECT_TRUE(change(queue, first, Seconds(20)).has_value());  // and it stays good for longer
  clock.advance(Millis(19'999));
  expect_counts(queue, 0, 1, 0);
  clock.advance(Millis(1));
  EXPECT_EQ(text_of(remove(queue, first)), "Value " + first + kExpired);
  EXPECT_EQ(text_of(change(queue, first, Seconds(5))), "Value " + first + kUnavailable);
  EXPECT_EQ(code_of(remove(queue, first)), ErrorCode::InvalidParameterValue);
  expect_counts(queue, 1, 0, 0);  // nothing changed

  EXPECT_EQ(given(queue, 1, Seconds(10)), "a1");
  EXPECT_EQ(code_of(remove(queue, first)), ErrorCode::InvalidParameterValue);  // of an older receive
  EXPECT_EQ(code_of(change(queue, first, Seconds(0))), ErrorCode::InvalidParameterValue);
  expect_counts(queue, 0, 1, 0);
  const std::string second = handle("a1");
  EXPECT_TRUE(change(queue, second, Seconds(0)).has_value());
  EXPECT_EQ(code_of(remove(queue, second)), ErrorCode::InvalidParameterValue);

  EXPECT_EQ(given(queue, 1, Seconds(0)), "a1");
  EXPECT_EQ(text_of(remove(queue, handle("a1"))), "Value " + handle("a1") + kExpired);
  EXPECT_EQ(given(queue, 1), "a1");
  const std::string last = handle("a1");
  restart();
  EXPECT_EQ(code_of(remove(fifo(), second)), ErrorCode::InvalidParameterValue);
  EXPECT_TRUE(remove(fifo(), last).has_value());
  for (const std::string& old : {first, second, last}) {
    EXPECT_TRUE(remove(fifo(), old).has_value());  // the message is gone: nothing left to refuse
    EXPECT_EQ(text_of(change(fifo(), old, Seconds(1))), "Value " + old + kUnavailable);
  }
}

TEST_F(FifoTest, AnExpiredHandleInABatchFailsAlone) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "b1"});
  EXPECT_EQ(given(queue, 1, Seconds(0)), "a1");
  EXPECT_EQ(given(queue, 1), "b1");
  const auto answer = engine->delete_messages(queue, {handle("a1"), handle("b1")});
  EXPECT_EQ(text_of((*answer.result)[0]), "Value " + handle("a1") + kExpired);
  EXPECT_TRUE((*answer.result)[1].has_value());
  EXPECT_EQ(shown(queue), "a1");
}

// ---- delay: the queue's alone

TEST_F(FifoTest, TheDelayOfTheQueueHidesWhatIsNew) {
  const QueueRef queue = create_fifo("q.fifo", {{"DelaySeconds", "10"}});
  send_words(queue, {"a1"});
  clock.advance(Seconds(5));
  send_words(queue, {"a2", "b1"});
  expect_counts(queue, 0, 0, 3);
  clock.advance(Millis(4'999));
  EXPECT_EQ(given(queue), "");
  clock.advance(Millis(1));
  expect_counts(queue, 1, 0, 2);
  EXPECT_EQ(given(queue, 10, Seconds(1)), "a1");
  clock.advance(Seconds(5));
  EXPECT_EQ(given(queue), "a1 a2 b1");
}

TEST_F(FifoTest, ALowerDelayFreesAtOnceWhatIsOldEnough) {
  for (const bool with_restart : {false, true}) {
    const std::string name = with_restart ? "r.fifo" : "n.fifo";
    create_fifo(name, {{"DelaySeconds", "100"}});
    send_words(find(name), {"a1"});
    clock.advance(Seconds(20));
    send_words(find(name), {"b1"});
    clock.advance(Seconds(10));
    ASSERT_TRUE(engine->set_attributes(find(name), {{"DelaySeconds", "30"}}).result.has_value());
    if (with_restart) restart_both_ways();
    expect_counts(find(name), 1, 0, 1);
    EXPECT_EQ(given(find(name)), "a1");
    clock.advance(Millis(19'999));
    EXPECT_EQ(given(find(name)), "");
    clock.advance(Millis(1));
    EXPECT_EQ(given(find(name)), "b1");
  }
}

TEST_F(FifoTest, AHigherDelayHoldsBackWhatIsStillDelayedOnly) {
  for (const bool with_restart : {false, true}) {
    const std::string name = with_restart ? "r.fifo" : "n.fifo";
    create_fifo(name, {{"DelaySeconds", "10"}});
    send_words(find(name), {"a1"});
    clock.advance(Seconds(10));
    send_words(find(name), {"b1"});
    ASSERT_TRUE(engine->set_attributes(find(name), {{"DelaySeconds", "60"}}).result.has_value());
    if (with_restart) restart_both_ways();
    expect_counts(find(name), 1, 0, 1);  // what was visible stays visible
    EXPECT_EQ(given(find(name), 1, Seconds(0)), "a1");
    clock.advance(Millis(59'999));
    expect_counts(find(name), 1, 0, 1);
    clock.advance(Millis(1));
    expect_counts(find(name), 2, 0, 0);
  }
}

TEST_F(FifoTest, WhatWasFreedOnceStaysFreeWhenTheDelayRisesAgain) {
  const QueueRef queue = create_fifo("q.fifo", {{"DelaySeconds", "100"}});
  send_words(queue, {"a1"});
  clock.advance(Seconds(10));
  ASSERT_TRUE(engine->set_attributes(queue, {{"DelaySeconds", "5"}}).result.has_value());
  ASSERT_TRUE(engine->set_attributes(queue, {{"DelaySeconds", "100"}}).result.has_value());
  send_words(queue, {"b1"});
  expect_counts(queue, 1, 0, 1);
  restart_both_ways();
  expect_counts(fifo(), 1, 0, 1);
  EXPECT_EQ(given(fifo()), "a1");
}

// The change and the sends on both sides of it may come in one millisecond.
TEST_F(FifoTest, WhatIsSentAfterTheChangeFollowsTheNewDelay) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1"});
  ASSERT_TRUE(engine->set_attributes(queue, {{"DelaySeconds", "10"}}).result.has_value());
  send_words(queue, {"b1"});
  for (int i = 0; i < 2; ++i) {
    expect_counts(fifo(), 1, 0, 1);
    restart_both_ways();
  }
  ASSERT_TRUE(engine->set_attributes(fifo(), {{"DelaySeconds", "0"}}).result.has_value());
  expect_counts(fifo(), 2, 0, 0);
}

TEST_F(FifoTest, AReceivedMessageIsNeverDelayedAgain) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1"});
  EXPECT_EQ(given(queue, 1, Seconds(5)), "a1");
  ASSERT_TRUE(engine->set_attributes(queue, {{"DelaySeconds", "900"}}).result.has_value());
  clock.advance(Seconds(5));
  EXPECT_EQ(given(queue, 1, Seconds(5)), "a1");
  restart();
  clock.advance(Seconds(6));
  EXPECT_EQ(given(fifo(), 1), "a1");
}

// ---- the limit of messages in flight

TEST_F(FifoTest, AtTheInFlightLimitAReceiveIsEmpty) {
  options.in_flight_max = 3;
  restart();
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "a2", "b1", "c1", "d1"});
  EXPECT_EQ(given(queue, 2), "a1 a2");
  EXPECT_EQ(given(queue, 2), "b1");  // only as many as there is room for
  EXPECT_EQ(given(queue, 2), "");    // no error
  ASSERT_TRUE(deleted(queue, {"b1"}));
  EXPECT_EQ(given(queue, 2), "c1");
}

TEST_F(FifoTest, PollsAtTheLimitAreWokenForEachThatLeavesFlight) {
  options.in_flight_max = 3;
  restart();
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "b1", "c1", "d1", "e1", "f1"});
  EXPECT_EQ(given(queue, 3), "a1 b1 c1");
  const auto waiters = wait(queue, 3);
  ASSERT_TRUE(deleted(queue, {"a1", "b1"}));
  EXPECT_EQ(polled(queue, waiters[0]), "d1");
  EXPECT_EQ(polled(queue, waiters[1]), "e1");
  EXPECT_EQ(waiters[0]->wakes, 1);
  EXPECT_EQ(waiters[1]->wakes, 1);
  EXPECT_EQ(polled(queue, waiters[2]), "");
  ASSERT_TRUE(deleted(queue, {"c1"}));
  EXPECT_GE(waiters[2]->wakes, 1);
  EXPECT_EQ(polled(queue, waiters[2]), "f1");
}

// ---- long polls: exactly who is woken

TEST_F(FifoTest, OnlyWhatMakesAGroupServableWakes) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1"});
  EXPECT_EQ(given(queue, 1), "a1");
  const auto waiters = wait(queue, 4);
  send_words(queue, {"a2", "a3"});
  EXPECT_EQ(woken(waiters), 0);  // their group is blocked
  ASSERT_TRUE(deleted(queue, {"a1"}));
  EXPECT_EQ(waiters[0]->wakes, 1);  // one group: one receive
  EXPECT_EQ(woken(waiters), 1);
  EXPECT_EQ(polled(queue, waiters[0], 10), "a2 a3");
  send_words(queue, {"b1", "c1"});
  EXPECT_EQ(waiters[1]->wakes, 1);
  EXPECT_EQ(waiters[2]->wakes, 1);
  EXPECT_EQ(woken(waiters), 3);
}

TEST_F(FifoTest, ABatchWakesOneForEachGroup) {
  const QueueRef queue = create_fifo("q.fifo", {{"ContentBasedDeduplication", "true"}});
  const auto waiters = wait(queue, 4);
  std::vector<SendCommand> batch;
  for (const std::string_view body : {"a1", "a2", "b1", "a3"}) {
    batch.push_back(command(body));
    batch.back().message_group_id = body.substr(0, 1);
  }
  ASSERT_TRUE(engine->send(queue, caller, batch, SendForm::BatchEntries).result.has_value());
  EXPECT_EQ(waiters[0]->wakes, 1);
  EXPECT_EQ(waiters[1]->wakes, 1);
  EXPECT_EQ(woken(waiters), 2);
}

TEST_F(FifoTest, ADuplicateWakesNobody) {
  const QueueRef queue = create_fifo();
  send_to(queue, "a", "a1", "same");
  EXPECT_EQ(given(queue, 1), "a1");
  ASSERT_TRUE(deleted(queue, {"a1"}));
  const auto waiters = wait(queue, 1);
  send_to(queue, "a", "a1", "same");
  EXPECT_EQ(woken(waiters), 0);
}

TEST_F(FifoTest, EachWayToBecomeServableWakesOne) {
  struct Case {
    const char* name;
    std::function<void(const QueueRef&)> happens;
  };
  const Case cases[] = {
      {"visibility over", [&](const QueueRef&) { clock.advance(Seconds(30)), settle(); }},
      {"visibility changed to zero", [&](const QueueRef& q) { EXPECT_TRUE(change(q, handle("a1"), Seconds(0)).has_value()); }},
      {"head deleted", [&](const QueueRef& q) { EXPECT_TRUE(deleted(q, {"a1"})); }},
      {"head expired",
       [&](const QueueRef& q) {
         EXPECT_TRUE(change(q, handle("a1"), Seconds(1'000)).has_value());
         clock.advance(Millis(59'500));
         settle();
       }},
      {"another group", [&](const QueueRef& q) { send_words(q, {"b1"}); }},
      {"a lower delay",
       [&](const QueueRef& q) {
         EXPECT_TRUE(engine->set_attributes(q, {{"DelaySeconds", "20"}}).result.has_value());
         send_words(q, {"b1"});
         clock.advance(Seconds(1));
         settle();
         EXPECT_TRUE(engine->set_attributes(q, {{"DelaySeconds", "1"}}).result.has_value());
         settle();
       }},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    options.enforce_deletion_wait = false;
    restart();
    const QueueRef queue = create_fifo("q.fifo", {{"MessageRetentionPeriod", "60"}});
    send_words(queue, {"a1"});
    clock.advance(Millis(500));
    send_words(queue, {"a2"});
    EXPECT_EQ(given(queue, 1), "a1");
    const auto waiters = wait(queue, 2);
    one.happens(queue);
    EXPECT_EQ(waiters[0]->wakes, 1);
    EXPECT_EQ(woken(waiters), 1);
    EXPECT_NE(polled(queue, waiters[0]), "");
    engine->delete_queue(queue);
  }
}

TEST_F(FifoTest, TheTailOfAGroupBecomingVisibleWakesNobody) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "a2"});
  EXPECT_EQ(given(queue, 2), "a1 a2");
  const auto waiters = wait(queue, 1);
  EXPECT_TRUE(change(queue, handle("a2"), Seconds(0)).has_value());
  EXPECT_EQ(woken(waiters), 0);
  ASSERT_TRUE(deleted(queue, {"a1"}));
  EXPECT_EQ(woken(waiters), 1);
}

TEST_F(FifoTest, AReceiveThatHidesNothingPassesTheWakeOn) {
  const QueueRef queue = create_fifo("q.fifo", {{"VisibilityTimeout", "0"}});
  const auto waiters = wait(queue, 2);
  send_words(queue, {"a1"});
  EXPECT_EQ(woken(waiters), 1);
  EXPECT_EQ(polled(queue, waiters[0]), "a1");
  EXPECT_EQ(waiters[1]->wakes, 1);
}

TEST_F(FifoTest, AReceiveThatLeavesAnotherGroupTakesNoWakeAway) {
  const QueueRef queue = create_fifo();
  const auto waiters = wait(queue, 2);
  send_words(queue, {"a1", "b1"});
  EXPECT_EQ(woken(waiters), 2);
  EXPECT_EQ(polled(queue, waiters[0], 1), "a1");
  engine->abandon(queue, waiters[1]);
  const auto third = std::make_shared<TestWaiter>();
  EXPECT_EQ(polled(queue, third), "b1");
}

}  // namespace
}  // namespace ferry::engine
