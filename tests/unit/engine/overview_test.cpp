// What is told about queues to who watches them.

#include "queues_fixture.h"

namespace ferry::engine {
namespace {

class OverviewTest : public QueuesTest {
 protected:
  QueueOverview at(const std::string& name) {
    for (const QueueOverview& one : engine->overviews(100)) {
      if (one.key.name == name) return one;
    }
    ADD_FAILURE() << "no queue " << name;
    return {};
  }
  void expect_flow(const std::string& name, std::uint64_t arrivals, std::uint64_t departures) {
    EXPECT_EQ(at(name).arrivals, arrivals) << name;
    EXPECT_EQ(at(name).departures, departures) << name;
  }
};

TEST_F(OverviewTest, CountsWhatComesAndGoes) {
  const QueueRef queue = create();
  expect_flow("q", 0, 0);
  EXPECT_FALSE(at("q").oldest);
  const Timestamp began = engine->now();
  send_many(queue, 3);
  clock.advance(Seconds(7));
  send(queue, "late", Seconds(60));
  const auto taken = receive(queue, 1);
  EXPECT_EQ(at("q").counts.visible, 2u);
  EXPECT_EQ(at("q").counts.not_visible, 1u);
  EXPECT_EQ(at("q").counts.delayed, 1u);
  EXPECT_EQ(at("q").oldest, began);
  expect_flow("q", 4, 0);
  EXPECT_TRUE(remove(queue, taken[0].receipt_handle).has_value());
  expect_flow("q", 4, 1);
  engine->purge(queue);
  expect_flow("q", 4, 4);
  EXPECT_FALSE(at("q").oldest);
}

TEST_F(OverviewTest, ADeadLetterLeavesOneQueueAndArrivesInAnother) {
  create("dlq");
  const QueueRef queue = create("q", {redrive("dlq", 1)});
  send(queue, "x");
  receive(queue, 1, Seconds(0));
  receive(queue, 1, Seconds(0));
  expect_flow("q", 1, 1);
  expect_flow("dlq", 1, 0);
}

TEST_F(OverviewTest, AStartBeginsAtNothing) {
  const QueueRef queue = create();
  send_many(queue, 3);
  EXPECT_TRUE(remove(queue, receive(queue, 1)[0].receipt_handle).has_value());
  for (const bool with_checkpoint : {false, true}) {
    if (with_checkpoint) {
      ASSERT_TRUE(store->checkpoint().has_value());
    }
    restart();
    expect_flow("q", 0, 0);
  }
  send(find(), "more");
  clock.advance(Seconds(60));
  EXPECT_TRUE(remove(find(), receive(find(), 1)[0].receipt_handle).has_value());
  expect_flow("q", 1, 1);
}

TEST_F(OverviewTest, NoMoreThanAskedFor) {
  for (const char* name : {"b", "c", "a"}) create(name);
  EXPECT_EQ(engine->overviews(3).size(), 3u);
  const auto two = engine->overviews(2);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].key.name, "a");
  EXPECT_EQ(two[1].key.name, "b");
}

}  // namespace
}  // namespace ferry::engine
