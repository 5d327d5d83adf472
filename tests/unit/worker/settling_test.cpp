// Heartbeat and settler, on a clock that stands still, against a port that does what it is told.

#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <thread>

#include "base/manual_clock.h"
#include "capture.h"
#include "memory_queue.h"
#include "worker/backoff.h"
#include "worker/heartbeat.h"
#include "worker/settler.h"

namespace ferry::worker {
namespace {

using testing_support::Capture;
using testing_support::service_error;

// Every call is noted; the next answer may be set; a change may be made to wait in the middle.
class ScriptedPort final : public QueuePort {
 public:
  using Failures = client::CallResult<std::vector<EntryFailure>>;

  client::CallResult<std::vector<sqs::Message>> receive(const ReceiveCall&, const std::atomic<bool>&) override {
    return std::vector<sqs::Message>{};
  }
  Failures remove(std::span<const std::string> handles) override {
    removed.emplace_back(handles.begin(), handles.end());
    return next();
  }
  Failures change_visibility(std::span<const VisibilityChange> asked) override {
    {
      const std::lock_guard lock(mutex);
      changed.emplace_back(asked.begin(), asked.end());
    }
    if (in_change) in_change();
    return next();
  }
  client::CallResult<QueueCounts> counts() override { return QueueCounts{}; }
  client::CallResult<void> send_to_dead_letters(const sqs::Message&) override { return {}; }

  Failures next() {
    if (answers.empty()) return std::vector<EntryFailure>{};
    Failures answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }
  std::mutex mutex;
  std::deque<Failures> answers;
  std::vector<std::vector<std::string>> removed;
  std::vector<std::vector<VisibilityChange>> changed;
  std::function<void()> in_change;
};

client::CallResult<std::vector<EntryFailure>> call_failed(const std::string& code, int status) {
  return Unexpected(service_error(code, status));
}

class HeartbeatTest : public testing::Test {
 protected:
  void hold(const std::string& id) { heartbeat_.hold(id, {"h-" + id, clock_.steady()}); }
  ManualClock clock_;
  SystemClock system_clock_;
  SeededRandom seeded_{7};
  SharedRandom random_{seeded_};
  Capture capture_{system_clock_};
  ScriptedPort port_;
  Heartbeat heartbeat_{Seconds(60), port_, clock_, random_, capture_.reporter()};
};

TEST_F(HeartbeatTest, FirstBeatComesAfterAThirdWithTenPerCentJitter) {
  hold("a");
  clock_.advance(Millis(17'999));
  heartbeat_.beat();
  EXPECT_TRUE(port_.changed.empty());
  clock_.advance(Millis(4'001));
  heartbeat_.beat();
  ASSERT_EQ(port_.changed.size(), 1u);
  EXPECT_EQ(port_.changed[0][0].receipt_handle, "h-a");
  EXPECT_EQ(port_.changed[0][0].timeout, Seconds(60));
  clock_.advance(Millis(17'999));
  heartbeat_.beat();
  EXPECT_EQ(port_.changed.size(), 1u);
  clock_.advance(Millis(4'001));
  heartbeat_.beat();
  EXPECT_EQ(port_.changed.size(), 2u);
}

TEST_F(HeartbeatTest, TenInOneCall) {
  for (int i = 0; i < 12; ++i) hold("m" + std::to_string(i));
  clock_.advance(Seconds(22));
  EXPECT_LE(heartbeat_.beat(), Millis(5));  // more is due
  heartbeat_.beat();
  ASSERT_EQ(port_.changed.size(), 2u);
  EXPECT_EQ(port_.changed[0].size(), 10u);
  EXPECT_EQ(port_.changed[1].size(), 2u);
}

TEST_F(HeartbeatTest, NothingIsSentAfterTheRelease) {
  hold("a");
  EXPECT_EQ(heartbeat_.release("a").handle, "h-a");
  clock_.advance(Seconds(30));
  heartbeat_.beat();
  EXPECT_TRUE(port_.changed.empty());
  EXPECT_EQ(heartbeat_.held(), 0u);
}

TEST_F(HeartbeatTest, ReleaseWaitsForTheBeatThatIsOnItsWay) {
  hold("a");
  clock_.advance(Seconds(22));
  std::promise<void> in_call;
  std::promise<void> go_on;
  port_.in_change = [&] {
    in_call.set_value();
    go_on.get_future().wait();
  };
  std::thread beater([&] { heartbeat_.beat(); });
  in_call.get_future().wait();
  std::atomic<bool> released{false};
  std::thread releaser([&] {
    heartbeat_.release("a");
    released = true;
  });
  for (int i = 0; i < 1000 && !released; ++i) std::this_thread::yield();
  EXPECT_FALSE(released);
  go_on.set_value();
  beater.join();
  releaser.join();
  EXPECT_TRUE(released);
  port_.in_change = nullptr;
  clock_.advance(Seconds(60));
  heartbeat_.beat();
  EXPECT_EQ(port_.changed.size(), 1u);
}

TEST_F(HeartbeatTest, ReleaseGivesUpAfterOneVisibilityTimeout) {
  hold("a");
  clock_.advance(Seconds(22));
  std::promise<void> in_call;
  std::promise<void> go_on;
  port_.in_change = [&] {
    in_call.set_value();
    go_on.get_future().wait();
  };
  std::thread beater([&] { heartbeat_.beat(); });
  in_call.get_future().wait();
  std::thread time([&] {
    for (int i = 0; i < 70; ++i) clock_.advance(Seconds(1));
  });
  time.join();
  std::thread releaser([&] { heartbeat_.release("a"); });
  clock_.advance(Seconds(61));
  std::thread more_time([&] {
    while (heartbeat_.held() > 0) clock_.advance(Seconds(1));
  });
  releaser.join();
  more_time.join();
  go_on.set_value();
  beater.join();
}

TEST_F(HeartbeatTest, PassingFailuresAreTriedAgainUntilTheLeaseIsOver) {
  hold("a");
  for (int i = 0; i < 100; ++i) port_.answers.push_back(call_failed("RequestThrottled", 403));
  for (int i = 0; i < 70; ++i) {
    clock_.advance(Seconds(1));
    heartbeat_.beat();
  }
  EXPECT_GE(port_.changed.size(), 3u);
  EXPECT_LE(port_.changed.size(), 15u);
  EXPECT_TRUE(heartbeat_.release("a").lost);
  EXPECT_EQ(capture_.count("its visibility timeout is over"), 1);
}

TEST_F(HeartbeatTest, OneFailureIsNoLoss) {
  hold("a");
  port_.answers.push_back(call_failed("", 503));
  for (int i = 0; i < 120; ++i) {
    clock_.advance(Seconds(1));
    heartbeat_.beat();
  }
  EXPECT_FALSE(heartbeat_.release("a").lost);
}

TEST_F(HeartbeatTest, LostIsLostAndTheOthersGoOn) {
  hold("a");
  hold("b");
  clock_.advance(Seconds(22));
  port_.answers.push_back(std::vector<EntryFailure>{{0, Fault::Lost, "not in flight"}});
  heartbeat_.beat();
  clock_.advance(Seconds(22));
  heartbeat_.beat();
  ASSERT_EQ(port_.changed.size(), 2u);
  ASSERT_EQ(port_.changed[1].size(), 1u);
  EXPECT_EQ(port_.changed[1][0].receipt_handle, "h-b");
  EXPECT_TRUE(heartbeat_.release("a").lost);
  EXPECT_FALSE(heartbeat_.release("b").lost);
}

// A slow answer: the lease counts from when the request was sent, for the server may have acted at once.
TEST_F(HeartbeatTest, LeaseCountsFromTheSendingOfTheRequest) {
  hold("a");
  clock_.advance(Seconds(22));
  port_.in_change = [&] { clock_.advance(Seconds(30)); };
  heartbeat_.beat();
  port_.in_change = nullptr;
  heartbeat_.beat();  // 30 s after the sending the next one is long due
  EXPECT_EQ(port_.changed.size(), 2u);
}

TEST_F(HeartbeatTest, NewerReceiptIsTheOneThatCounts) {
  hold("a");
  clock_.advance(Seconds(10));
  EXPECT_TRUE(heartbeat_.adopt("a", {"newer", clock_.steady()}));
  EXPECT_FALSE(heartbeat_.adopt("b", {"newer", clock_.steady()}));
  clock_.advance(Seconds(22));
  heartbeat_.beat();
  ASSERT_EQ(port_.changed.size(), 1u);
  EXPECT_EQ(port_.changed[0][0].receipt_handle, "newer");
  EXPECT_EQ(heartbeat_.release("a").handle, "newer");
}

TEST_F(HeartbeatTest, TwelveHoursAreTheEnd) {
  hold("a");
  for (int i = 0; i < 43'000 / 20; ++i) {
    clock_.advance(Seconds(20));
    heartbeat_.beat();
  }
  port_.changed.clear();
  for (int i = 0; i < 2'010; ++i) {
    clock_.advance(Millis(100));
    heartbeat_.beat();
  }
  EXPECT_TRUE(capture_.says("12 hours"));
  Seconds least(60);
  for (const auto& call : port_.changed) least = std::min(least, call[0].timeout);
  EXPECT_LT(least, Seconds(60));  // the last ones ask for no more than is left
  EXPECT_TRUE(heartbeat_.release("a").lost);
}

class SettlerTest : public testing::Test {
 protected:
  // Flushes and lets time pass until nothing waits.
  void settle_all() {
    for (int i = 0; i < 200 && settler_.waiting() > 0; ++i) {
      settler_.flush();
      clock_.advance(Seconds(1));
    }
  }
  ManualClock clock_;
  SystemClock system_clock_;
  SeededRandom seeded_{7};
  SharedRandom random_{seeded_};
  Capture capture_{system_clock_};
  ScriptedPort port_;
  Settler settler_{SettlerOptions{}, port_, clock_, random_, capture_.reporter()};
};

TEST_F(SettlerTest, GathersForAWhileOrUntilTen) {
  settler_.remove({"a", "h1"});
  settler_.flush();
  EXPECT_TRUE(port_.removed.empty());
  clock_.advance(Millis(20));
  settler_.flush();
  ASSERT_EQ(port_.removed.size(), 1u);
  for (int i = 0; i < 11; ++i) settler_.remove({"m", "x" + std::to_string(i)});
  settler_.flush();
  ASSERT_EQ(port_.removed.size(), 2u);
  EXPECT_EQ(port_.removed[1].size(), 10u);
  EXPECT_EQ(settler_.waiting(), 1u);
}

TEST_F(SettlerTest, OnlyFailedEntriesAreRepeated) {
  for (const char* id : {"a", "b", "c"}) settler_.remove({id, std::string("h-") + id});
  clock_.advance(Millis(20));
  port_.answers.push_back(std::vector<EntryFailure>{{1, Fault::Transient, "boom"}});
  settle_all();
  ASSERT_EQ(port_.removed.size(), 2u);
  EXPECT_EQ(port_.removed[1], std::vector<std::string>{"h-b"});
  EXPECT_EQ(settler_.given_up(), 0u);
}

TEST_F(SettlerTest, FailedCallRepeatsAll) {
  for (const char* id : {"a", "b"}) settler_.give_back({id, std::string("h-") + id}, Seconds(3));
  clock_.advance(Millis(20));
  port_.answers.push_back(call_failed("ServiceUnavailable", 503));
  settle_all();
  std::vector<std::string> handles;
  for (std::size_t call = 1; call < port_.changed.size(); ++call) {
    for (const VisibilityChange& change : port_.changed[call]) handles.push_back(change.receipt_handle);
  }
  std::sort(handles.begin(), handles.end());
  EXPECT_EQ(handles, (std::vector<std::string>{"h-a", "h-b"}));
  EXPECT_EQ(port_.changed.back()[0].timeout, Seconds(3));
}

TEST_F(SettlerTest, AttemptsAreBoundedAndTold) {
  settler_.remove({"a", "h"});
  for (int i = 0; i < 20; ++i) port_.answers.push_back(call_failed("", 500));
  clock_.advance(Millis(20));
  settle_all();
  EXPECT_EQ(port_.removed.size(), 8u);
  EXPECT_EQ(settler_.waiting(), 0u);
  EXPECT_EQ(settler_.given_up(), 1u);
  EXPECT_TRUE(capture_.says("deleting a failed: the service answered ; it may come again"));
}

TEST_F(SettlerTest, LostEntryIsNotRepeated) {
  settler_.give_back({"a", "h"}, Seconds(3));
  clock_.advance(Millis(20));
  port_.answers.push_back(std::vector<EntryFailure>{{0, Fault::Lost, "not in flight"}});
  settle_all();
  EXPECT_EQ(port_.changed.size(), 1u);
  EXPECT_EQ(settler_.given_up(), 1u);
}

TEST_F(SettlerTest, TellsWhenThereIsSomethingToFlush) {
  int told = 0;
  settler_.on_added([&] { ++told; });
  settler_.remove({"a", "h"});
  settler_.give_back({"b", "h"}, Seconds(1));
  EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace ferry::worker
