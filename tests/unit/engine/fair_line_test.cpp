// Fair queues: who is noisy, and who is served when. Tenants are letters; "0" has no tenant.

#include <algorithm>
#include <chrono>

#include "engine/line.h"
#include "engine/usage.h"
#include "queues_fixture.h"

namespace ferry::engine {
namespace {

// ---- processing time

TEST(Usage, IsTheNumberInFlightOverTime) {
  Usage usage;
  usage.change(1, 0);
  EXPECT_EQ(usage.recent_ms(1'000), 1'000u);
  usage.change(2, 1'000);
  EXPECT_EQ(usage.in_flight(), 3u);
  EXPECT_EQ(usage.recent_ms(2'000), 4'000u);
  usage.change(-3, 2'000);
  EXPECT_EQ(usage.recent_ms(59'999), 4'000u);
}

TEST(Usage, KeepsThisMinuteAndTheOneBefore) {
  Usage usage;
  usage.change(1, 30'000);
  usage.change(-1, 90'000);  // half a minute in each
  EXPECT_EQ(usage.recent_ms(119'999), 60'000u);
  EXPECT_EQ(usage.recent_ms(120'000), 30'000u);
  EXPECT_EQ(usage.recent_ms(179'999), 30'000u);
  EXPECT_EQ(usage.recent_ms(180'000), 0u);
}

TEST(Usage, ALongSilenceIsNotLookedAtMinuteByMinute) {
  Usage usage;
  usage.change(5, 1'700'000'000'000);
  const std::int64_t years_later = 1'700'000'000'000 + 1'000'000'000'000;
  EXPECT_EQ(usage.recent_ms(years_later), 5u * static_cast<std::uint64_t>(60'000 + years_later % 60'000));
}

TEST(Usage, TimeThatDoesNotGoOnAddsNothing) {
  Usage usage;
  usage.change(1, 10'000);
  usage.change(1, 9'000);
  EXPECT_EQ(usage.in_flight(), 2u);
  EXPECT_EQ(usage.recent_ms(10'000), 0u);
  EXPECT_EQ(usage.recent_ms(11'000), 2'000u);
}

// ---- the line by itself

// A line with its index: numbers rise by one, everything in flight stays there.
class LineMachine {
 public:
  std::uint64_t add(std::string_view tenant, std::int64_t now_ms = 0) {
    const std::uint64_t sequence = ++last_;
    MessageEntry entry;
    entry.group = tenant == "0" ? kNoGroup : line_->group(identity_hash(tenant));
    index_.put(sequence, entry);
    line_->insert(sequence, entry.group, now_ms);
    show(sequence);
    names_[sequence] = tenant;
    return sequence;
  }
  void add_many(std::string_view tenant, int count, std::int64_t now_ms = 0) {
    for (int i = 0; i < count; ++i) add(tenant, now_ms);
  }
  /// The tenants of the next `count`, one letter each.
  std::string take(int count, std::int64_t now_ms = 0) {
    std::string order;
    for (int i = 0; i < count; ++i) {
      const auto next = line_->front(now_ms);
      if (!next) break;
      index_.clear_ready(*next);
      const GroupId group = index_.find(*next)->group;
      line_->hide(*next, group);
      line_->in_flight(group, 1, now_ms);
      in_flight_.push_back(*next);
      order += names_.at(*next);
    }
    return order;
  }
  /// The oldest `count` in flight of that tenant are done.
  void finish(std::string_view tenant, int count, std::int64_t now_ms) {
    for (auto at = in_flight_.begin(); at != in_flight_.end() && count > 0;) {
      if (names_.at(*at) != tenant) {
        ++at;
        continue;
      }
      const GroupId group = index_.find(*at)->group;
      line_->in_flight(group, -1, now_ms);
      line_->erase(*at, group);
      index_.erase(*at);
      at = in_flight_.erase(at);
      --count;
    }
  }
  /// The oldest in flight of that tenant is visible again.
  void give_back(std::string_view tenant, std::int64_t now_ms = 0) {
    const auto at =
        std::find_if(in_flight_.begin(), in_flight_.end(), [&](std::uint64_t sequence) { return names_.at(sequence) == tenant; });
    line_->in_flight(index_.find(*at)->group, -1, now_ms);
    show(*at);
    in_flight_.erase(at);
  }
  Line& line() { return *line_; }

 private:
  void show(std::uint64_t sequence) {
    index_.set_ready(sequence);
    line_->show(sequence, index_.find(sequence)->group);
  }

  MessageIndex index_;
  std::unique_ptr<Line> line_ = make_fair_line(index_);
  std::uint64_t last_ = 0;
  std::vector<std::uint64_t> in_flight_;
  std::map<std::uint64_t, std::string> names_;
};

TEST(FairLine, QuietOnesAreServedInTheOrderOfSending) {
  LineMachine machine;
  for (const char* tenant : {"a", "0", "b", "a", "c", "0", "b"}) machine.add(tenant);
  EXPECT_EQ(machine.take(10), "a0bac0b");
}

TEST(FairLine, WhatComesBackComesBeforeNewerOnes) {
  LineMachine machine;
  for (const char* tenant : {"a", "b", "a", "c"}) machine.add(tenant);
  EXPECT_EQ(machine.take(3), "aba");
  machine.give_back("b");
  machine.give_back("a");
  EXPECT_EQ(machine.take(3), "abc");
}

// More than one in ten of what is in flight, and at least thirty. All of it was taken at one moment: no processing time yet.
TEST(FairLine, ThirtyInFlightMayBeNoisyAndTwentyNineNot) {
  for (const int mine : {29, 30}) {
    LineMachine machine;
    machine.add_many("a", mine + 1);
    machine.add("b");
    const std::string taken = machine.take(mine);
    EXPECT_EQ(taken, std::string(static_cast<std::size_t>(mine), 'a'));
    EXPECT_EQ(machine.take(1), mine == 29 ? "a" : "b");
    EXPECT_EQ(machine.take(1), mine == 29 ? "b" : "a");
  }
}

TEST(FairLine, OneInTenInFlightIsQuietAndMoreIsNot) {
  struct Case {
    int mine;
    int others;
    std::string next;
  };
  const Case cases[] = {{30, 270, "ab"}, {30, 269, "ba"}, {31, 279, "ab"}, {31, 278, "ba"}, {100, 900, "ab"}, {100, 899, "ba"}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.mine);
    LineMachine machine;
    machine.add_many("0", one.others);  // without a tenant: they count for the queue
    machine.add_many("a", one.mine + 1);
    machine.add("b");
    machine.take(one.others + one.mine);
    EXPECT_EQ(machine.take(2), one.next);
  }
}

// Rule two: more than a tenth of the processing time of this minute and the one before, however few are in flight.
TEST(FairLine, ATenthOfTheProcessingTimeIsQuietAndMoreIsNot) {
  struct Case {
    std::int64_t mine_ms;
    std::int64_t others_ms;
    std::string next;
  };
  const Case cases[] = {{1'000, 9'000, "ab"}, {1'001, 9'000, "ba"}, {1'000, 8'999, "ba"}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.mine_ms);
    LineMachine machine;
    machine.add("a");
    machine.add("0");
    machine.add("a");  // or it would be forgotten
    EXPECT_EQ(machine.take(2, 0), "a0");
    machine.finish("a", 1, one.mine_ms);
    machine.finish("0", 1, one.others_ms);
    machine.add("b", 10'000);
    EXPECT_EQ(machine.take(2, 10'000), one.next);
  }
}

TEST(FairLine, ProcessingTimeIsForgottenAfterAMinuteOrTwo) {
  for (const std::int64_t later_ms : {119'999, 120'000}) {
    LineMachine machine;
    machine.add("a");
    EXPECT_EQ(machine.take(1, 10'000), "a");
    machine.add("a");  // or it would be a new tenant
    machine.finish("a", 1, 50'000);
    machine.add("b");
    EXPECT_EQ(machine.take(2, later_ms), later_ms == 119'999 ? "ba" : "ab");
  }
}

TEST(FairLine, AmongNoisyOnesTheFewestInFlightGoFirst) {
  LineMachine machine;
  machine.add_many("a", 60);
  EXPECT_EQ(machine.take(60), std::string(60, 'a'));
  machine.add_many("b", 50);
  EXPECT_EQ(machine.take(50), std::string(50, 'b'));
  machine.add_many("a", 20);
  machine.add_many("b", 20);
  machine.add_many("c", 3);
  EXPECT_EQ(machine.take(3), "ccc");
  EXPECT_EQ(machine.take(10), std::string(10, 'b'));  // 50 to 60
  const std::string even = machine.take(10);
  EXPECT_EQ(std::count(even.begin(), even.end(), 'a'), 5);
  machine.finish("a", 30, 0);
  EXPECT_EQ(machine.take(5), "aaaaa");
  machine.add("d");
  EXPECT_EQ(machine.take(1), "d");  // the quiet always first
}

TEST(FairLine, InsideANoisyTenantTheOrderStays) {
  LineMachine machine;
  machine.add_many("a", 33);
  machine.take(31);
  machine.give_back("a");  // the first one again
  EXPECT_EQ(machine.line().front(0), 1u);
}

TEST(FairLine, ATenantThatSentNothingForFiveMinutesIsQuiet) {
  LineMachine machine;
  machine.add_many("a", 40, 0);
  machine.add_many("b", 3, 0);
  EXPECT_EQ(machine.take(31), std::string(30, 'a') + "b");  // a is noisy
  EXPECT_EQ(machine.take(1, 299'999), "b");
  EXPECT_EQ(machine.take(3, 300'000), "aaa");  // and judged no more while it is silent
  machine.add("a", 300'000);
  EXPECT_EQ(machine.take(2, 300'000), "ba");
}

TEST(FairLine, ASendProlongsTheNoise) {
  LineMachine machine;
  machine.add_many("a", 40, 0);
  machine.add_many("b", 5, 0);
  machine.take(31);
  machine.add("a", 200'000);
  EXPECT_EQ(machine.take(1, 300'000), "b");
  EXPECT_EQ(machine.take(1, 499'999), "b");
  EXPECT_EQ(machine.take(1, 500'000), "a");
}

TEST(FairLine, AnEmptyBacklogEndsTheNoise) {
  LineMachine machine;
  machine.add_many("a", 31);
  machine.add("b");
  EXPECT_EQ(machine.take(32), std::string(30, 'a') + "ba");
  machine.finish("a", 20, 0);
  machine.add("a");
  machine.add("c");
  EXPECT_EQ(machine.take(2), "ac");  // eleven in flight: quiet
}

TEST(FairLine, ATenantIsForgottenWithItsLastMessage) {
  LineMachine machine;
  machine.add_many("a", 30);
  machine.take(30);
  machine.finish("a", 30, 30'000);
  const auto bytes = machine.line().bytes();
  machine.add("a", 30'000);
  machine.add("b", 30'000);
  EXPECT_EQ(machine.take(2, 30'000), "ab");
  machine.finish("a", 1, 30'000);
  machine.finish("b", 1, 30'000);
  EXPECT_LE(machine.line().bytes(), bytes + 200);
}

TEST(FairLine, IsFreedInSlices) {
  LineMachine machine;
  for (int i = 0; i < 100; ++i) machine.add("tenant" + std::to_string(i));
  int slices = 1;
  while (machine.line().free_slice(10)) ++slices;
  EXPECT_GE(slices, 10);
  EXPECT_LE(slices, 21);
}

// What one receive and the deletion after it cost must not grow with the tenants; the bound is generous because time is what is
// measured: a walk over all tenants would take a thousand times as long.
TEST(FairLine, TheCostDoesNotGrowWithTheTenants) {
  const auto cost = [](int tenants) {
    LineMachine machine;
    for (int i = 0; i < tenants; ++i) machine.add("tenant" + std::to_string(i));
    machine.add_many("noisy", 400);
    std::int64_t now_ms = 0;
    auto best = std::chrono::steady_clock::duration::max();
    for (int round = 0; round < 7; ++round) {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < 10; ++i) {
        machine.add("tenant", ++now_ms);
        machine.take(1, now_ms);
      }
      best = std::min(best, std::chrono::steady_clock::now() - start);
    }
    return std::chrono::duration<double>(best).count();
  };
  EXPECT_LT(cost(100'000), 50 * cost(100));
}

// ---- through the engine

class FairQueueTest : public QueuesTest {
 protected:
  void send_many_to(const QueueRef& queue, const std::string& tenant, int count) {
    for (int i = 0; i < count; ++i) send_to(queue, tenant, tenant);
  }
};

TEST_F(FairQueueTest, AFloodDoesNotHoldUpTheOthers) {
  const QueueRef queue = create();
  send_many_to(queue, "flood", 500);
  send_many_to(queue, "quiet", 3);
  std::vector<std::string> order;
  for (int i = 0; i < 5; ++i) order.push_back(given(queue, 10));
  EXPECT_EQ(order[2], joined(std::vector<std::string>(10, "flood")));
  EXPECT_EQ(order[3], "quiet quiet quiet " + joined(std::vector<std::string>(7, "flood")));
}

TEST_F(FairQueueTest, ATenantIsOnlyATag) {
  const QueueRef queue = create();
  send_words(queue, {"a1", "a2", "a3"});
  EXPECT_EQ(given(queue, 1), "a1");
  EXPECT_EQ(given(queue, 10), "a2 a3");  // no group is blocked
  const std::string handle_of_a3 = handle("a3");
  EXPECT_TRUE(change(queue, handle("a3"), Seconds(0)).has_value());
  EXPECT_TRUE(remove(queue, handle_of_a3).has_value());
  send_to(queue, "a", "same");
  send_to(queue, "a", "same");
  EXPECT_EQ(given(queue, 10), "same same");
}

TEST_F(FairQueueTest, OneReceiveCountsWhatItHasTakenItself) {
  options.in_flight_max = 1'000;
  restart();
  const QueueRef queue = create();
  send_many_to(queue, "a", 40);
  send_to(queue, "b", "b1");
  for (int i = 0; i < 2; ++i) given(queue, 10);
  given(queue, 8);
  EXPECT_EQ(given(queue, 4), "a a b1 a");  // the 29th and the 30th, then a is noisy
}

TEST_F(FairQueueTest, ShowingWhatIsVisibleDoesNotEndTheNoise) {
  const QueueRef queue = create();
  for (int i = 1; i <= 31; ++i) send_to(queue, "a", "a" + std::to_string(i));
  for (int i = 0; i < 4; ++i) take(queue, 10);
  send_words(queue, {"b1", "b2"});
  EXPECT_TRUE(change(queue, handle("a1"), Seconds(0)).has_value());
  EXPECT_EQ(given(queue, 1), "b1");  // thirty of a are in flight
  ASSERT_TRUE(deleted(queue, {"a2"}));
  EXPECT_TRUE(change(queue, handle("a1"), Seconds(0)).has_value());  // visible already
  EXPECT_EQ(given(queue, 1), "b2");
  EXPECT_EQ(given(queue, 1), "a1");
}

TEST_F(FairQueueTest, NoiseIsForgottenAtARestart) {
  const QueueRef queue = create();
  send_many_to(queue, "a", 40);
  send_to(queue, "b", "b1");
  for (int i = 0; i < 3; ++i) given(queue, 10);
  EXPECT_EQ(given(queue, 1, Seconds(0)), "b1");
  clock.advance(Seconds(30));  // nothing is in flight any more
  restart_both_ways();
  EXPECT_EQ(given(find(), 1, Seconds(0)), "a");
}

TEST_F(FairQueueTest, WhatIsInFlightAtARestartCounts) {
  const QueueRef queue = create("q", {{"VisibilityTimeout", "1000"}});
  send_many_to(queue, "a", 40);
  send_to(queue, "b", "b1");
  for (int i = 0; i < 3; ++i) given(queue, 10);
  restart_both_ways();
  EXPECT_EQ(given(find(), 2), "b1 a");
}

TEST_F(FairQueueTest, ManyTenantsComeAndGo) {
  const QueueRef queue = create();
  const auto empty = engine->totals().index_bytes;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 500; ++i) send_to(queue, "tenant" + std::to_string(round * 500 + i), std::to_string(i));
    for (int i = 0; i < 500; i += 10) {
      std::vector<std::string> handles;
      for (const auto& one : receive(queue, 10)) handles.push_back(one.receipt_handle);
      ASSERT_EQ(handles.size(), 10u);
      engine->delete_messages(queue, handles);
    }
  }
  EXPECT_EQ(engine->totals().messages, 0u);
  EXPECT_LT(engine->totals().index_bytes, empty + 200'000);
}

}  // namespace
}  // namespace ferry::engine
