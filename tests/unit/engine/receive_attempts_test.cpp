// ReceiveRequestAttemptId: the same receive again.

#include "engine/receive_attempts.h"
#include "queues_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;

TEST(ReceiveAttempts, AreForgottenAfterFiveMinutes) {
  ReceiveAttempts attempts;
  attempts.add({1, 1}, {1'000, 2'000, {{7, 1}}});
  ASSERT_NE(attempts.find({1, 1}, 1'000 + 299'999), nullptr);
  EXPECT_EQ(attempts.find({1, 1}, 1'000)->taken.front().sequence, 7u);
  EXPECT_EQ(attempts.find({1, 2}, 1'000), nullptr);
  EXPECT_EQ(attempts.find({1, 1}, 1'000 + 300'000), nullptr);
  EXPECT_EQ(attempts.bytes(), 0u);
}

TEST(ReceiveAttempts, TheOldestGoesWhenThereAreTooMany) {
  ReceiveAttempts attempts;
  for (std::uint64_t i = 1; i <= 10'000; ++i) attempts.add({i, 0}, {1, 1, {}});
  EXPECT_NE(attempts.find({1, 0}, 1), nullptr);
  const auto bytes = attempts.bytes();
  attempts.add({10'001, 0}, {1, 1, {}});
  EXPECT_EQ(attempts.find({1, 0}, 1), nullptr);
  EXPECT_NE(attempts.find({2, 0}, 1), nullptr);
  EXPECT_NE(attempts.find({10'001, 0}, 1), nullptr);
  EXPECT_EQ(attempts.bytes(), bytes);
  attempts.clear();
  EXPECT_EQ(attempts.find({2, 0}, 1), nullptr);
}

class ReceiveAttemptsTest : public QueuesTest {
 protected:
  std::vector<Delivery> attempt(const QueueRef& queue, std::string_view id, int max = 10,
                                std::optional<Seconds> timeout = std::nullopt) {
    auto taken = engine->receive(queue, caller, {max, timeout, id}, nullptr).result.value();
    last_ = bodies(taken);
    return taken;
  }
  std::string attempted(const QueueRef& queue, std::string_view id, int max = 10, std::optional<Seconds> timeout = std::nullopt) {
    attempt(queue, id, max, timeout);
    return joined(last_);
  }

 private:
  std::vector<std::string> last_;
};

TEST_F(ReceiveAttemptsTest, TheSameMessagesAndHandlesComeAgain) {
  const QueueRef queue = create_fifo("q.fifo", {{"VisibilityTimeout", "10"}});
  send_words(queue, {"a1", "a2", "b1"});
  const auto first = attempt(queue, "try", 2);
  clock.advance(Seconds(8));
  const auto again = attempt(queue, "try", 1);  // whatever it asks for now
  ASSERT_EQ(again.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(again[i].sequence, first[i].sequence);
    EXPECT_EQ(again[i].receipt_handle, first[i].receipt_handle);
    EXPECT_EQ(again[i].receive_count, 1u);  // no receive of its own
    EXPECT_EQ(again[i].first_received, first[i].first_received);
  }
  clock.advance(Millis(9'999));  // hidden anew
  expect_counts(queue, 1, 2, 0);
  EXPECT_TRUE(remove(queue, first[0].receipt_handle).has_value());
  clock.advance(Millis(1));
  expect_counts(queue, 2, 0, 0);
}

TEST_F(ReceiveAttemptsTest, TheNewTimeoutIsThatOfTheRetry) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1"});
  EXPECT_EQ(attempted(queue, "try", 1, Seconds(10)), "a1");
  EXPECT_EQ(attempted(queue, "try", 1, Seconds(100)), "a1");
  clock.advance(Seconds(50));
  EXPECT_EQ(attempted(queue, "try", 1, Seconds(5)), "a1");  // and a third time
  clock.advance(Seconds(5));
  expect_counts(queue, 1, 0, 0);
}

TEST_F(ReceiveAttemptsTest, AnotherIdIsAnotherReceive) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1", "b1"});
  EXPECT_EQ(attempted(queue, "try", 1), "a1");
  EXPECT_EQ(attempted(queue, "Try", 1), "b1");
  EXPECT_EQ(attempted(queue, "try", 1), "a1");
}

TEST_F(ReceiveAttemptsTest, AnEmptyReceiveIsNotRemembered) {
  const QueueRef queue = create_fifo();
  EXPECT_EQ(attempted(queue, "try"), "");
  send_words(queue, {"a1"});
  EXPECT_EQ(attempted(queue, "try"), "a1");
}

TEST_F(ReceiveAttemptsTest, WhatWasChangedSinceBringsNothing) {
  struct Case {
    const char* name;
    std::function<void(const QueueRef&, const std::vector<Delivery>&)> happens;
  };
  const Case cases[] = {
      {"one deleted", [&](const QueueRef& q, const auto& t) { EXPECT_TRUE(remove(q, t[0].receipt_handle).has_value()); }},
      {"visibility changed",
       [&](const QueueRef& q, const auto& t) { EXPECT_TRUE(change(q, t[1].receipt_handle, Seconds(50)).has_value()); }},
      {"visible again", [&](const QueueRef&, const auto&) { clock.advance(Seconds(30)); }},
      {"received again",
       [&](const QueueRef& q, const auto&) {
         clock.advance(Seconds(30));
         EXPECT_EQ(receive(q, 10).size(), 2u);
       }},
      {"purged", [&](const QueueRef& q, const auto&) { engine->purge(q); }},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    options.enforce_deletion_wait = false;
    restart();
    const QueueRef queue = create_fifo();
    send_words(queue, {"a1", "a2"});
    const auto taken = attempt(queue, "try");
    ASSERT_EQ(taken.size(), 2u);
    one.happens(queue, taken);
    const auto before = store->last();
    EXPECT_EQ(attempted(queue, "try"), "");
    EXPECT_EQ(attempted(queue, "try"), "");
    EXPECT_EQ(store->last(), before);
    engine->delete_queue(queue);
  }
}

TEST_F(ReceiveAttemptsTest, AReceiveThatHidNothingHasNothingToRepeat) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1"});
  EXPECT_EQ(attempted(queue, "try", 1, Seconds(0)), "a1");
  EXPECT_EQ(attempted(queue, "try", 1, Seconds(0)), "");
  EXPECT_EQ(attempted(queue, "else", 1, Seconds(0)), "a1");
}

TEST_F(ReceiveAttemptsTest, ARetryWithTimeoutZeroShowsThem) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1"});
  EXPECT_EQ(attempted(queue, "try", 1), "a1");
  const auto waiters = wait(queue, 1);
  EXPECT_EQ(attempted(queue, "try", 1, Seconds(0)), "a1");
  EXPECT_EQ(woken(waiters), 1);
  expect_counts(queue, 1, 0, 0);
  EXPECT_EQ(attempted(queue, "try", 1), "");
}

TEST_F(ReceiveAttemptsTest, FiveMinutesLaterItIsANewReceive) {
  const QueueRef queue = create_fifo("q.fifo", {{"VisibilityTimeout", "43200"}});
  send_words(queue, {"a1", "b1"});
  EXPECT_EQ(attempted(queue, "try", 1), "a1");
  clock.advance(Millis(299'999));
  EXPECT_EQ(attempted(queue, "try", 1), "a1");
  clock.advance(Millis(1));
  EXPECT_EQ(attempted(queue, "try", 1), "b1");
}

TEST_F(ReceiveAttemptsTest, TwelveHoursFromTheReceiveAreTheEnd) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1"});
  EXPECT_EQ(attempted(queue, "try", 1, Seconds(43'200)), "a1");
  clock.advance(Seconds(100));
  EXPECT_EQ(attempted(queue, "try", 1, Seconds(43'200)), "a1");
  clock.advance(Seconds(43'099));
  expect_counts(queue, 0, 1, 0);
  clock.advance(Seconds(1));
  expect_counts(queue, 1, 0, 0);
}

TEST_F(ReceiveAttemptsTest, ARestartForgets) {
  create_fifo();
  send_words(fifo(), {"a1", "b1"});
  EXPECT_EQ(attempted(fifo(), "try", 1), "a1");
  restart();
  EXPECT_EQ(attempted(fifo(), "try", 1), "b1");
}

TEST_F(ReceiveAttemptsTest, TheNewTimeoutOfARetrySurvives) {
  create_fifo();
  send_words(fifo(), {"a1"});
  EXPECT_EQ(attempted(fifo(), "try", 1, Seconds(10)), "a1");
  EXPECT_EQ(attempted(fifo(), "try", 1, Seconds(1'000)), "a1");
  restart();
  clock.advance(Seconds(500));
  expect_counts(fifo(), 0, 1, 0);
}

TEST_F(ReceiveAttemptsTest, ARefusedReceiveIsNotRemembered) {
  const QueueRef queue = create_fifo();
  send_words(queue, {"a1"});
  store->set_reserve_error(store::Purpose::Upkeep, ErrorKind::Unavailable);
  EXPECT_EQ(code_of(engine->receive(queue, caller, {1, std::nullopt, "try"}, nullptr).result), ErrorCode::ServiceUnavailable);
  store->set_reserve_error(store::Purpose::Upkeep, std::nullopt);
  EXPECT_EQ(attempted(queue, "try", 1), "a1");
  store->set_reserve_error(store::Purpose::Upkeep, ErrorKind::Unavailable);
  EXPECT_EQ(code_of(engine->receive(queue, caller, {1, std::nullopt, "try"}, nullptr).result), ErrorCode::ServiceUnavailable);
  store->set_reserve_error(store::Purpose::Upkeep, std::nullopt);
  EXPECT_EQ(attempted(queue, "try", 1), "a1");  // still the same
}

}  // namespace
}  // namespace ferry::engine
