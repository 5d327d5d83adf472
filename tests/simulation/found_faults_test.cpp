// What the simulation has found, as short scripts: each of these went wrong once.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/manual_clock.h"
#include "base/random.h"
#include "engine/engine.h"
#include "store/simulated/simulated_store.h"

namespace ferry::simulation {
namespace {

using engine::Engine;

class Sleeper final : public engine::Waiter {
 public:
  void wake() override { woken = true; }
  bool woken = false;
};

class FoundFaults : public testing::Test {
 protected:
  FoundFaults() { start(); }

  static engine::QueueKey key(const std::string& name) { return {"000000000000", "us-east-1", name}; }
  void start() {
    engine_ = std::make_unique<Engine>(*store_, clock_, random_, log_, options_);
    ASSERT_TRUE(store_->recover(*engine_).has_value());
  }
  void restart() {
    store_->sync_all();
    auto image = store_->crash();
    engine_.reset();
    store_ = std::move(image);
    start();
  }
  engine::QueueRef queue(const std::string& name) { return *engine_->find(key(name)).result; }
  void create(const std::string& name, sqs::TextMap attributes = {}) {
    if (name.ends_with(".fifo")) attributes.emplace_back("FifoQueue", "true");
    ASSERT_TRUE(engine_->create_queue(key(name), attributes).result.has_value());
  }
  void set(const std::string& name, const std::string& attribute, const std::string& value) {
    ASSERT_TRUE(engine_->set_attributes(queue(name), {{attribute, value}}).result.has_value());
  }
  static std::string redrive(const std::string& target, int max_receive_count) {
    return R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:)" + target + R"(","maxReceiveCount":)" +
           std::to_string(max_receive_count) + "}";
  }
  void send(const std::string& name, const std::string& group) {
    static const sqs::MessageAttributes none;
    static const std::string md5(16, 'm');
    const std::string id = std::to_string(++ids_);
    engine::SendCommand command;
    command.body = "body";
    command.message_attributes = command.message_system_attributes = &none;
    command.md5_of_body = md5;
    if (!group.empty()) command.message_group_id = group;
    if (name.ends_with(".fifo")) command.message_deduplication_id = id;
    const auto sent = engine_->send(queue(name), {"key", "127.0.0.1"}, {command});
    ASSERT_TRUE(sent.result && sent.result->front());
  }
  std::vector<engine::Delivery> receive(const std::string& name, int max, int timeout,
                                        const std::shared_ptr<Sleeper>& waiter = nullptr) {
    engine::ReceiveCommand command;
    command.max_messages = max;
    command.visibility_timeout = Seconds(timeout);
    const auto received = engine_->receive(queue(name), {"key", "127.0.0.1"}, command, waiter);
    EXPECT_TRUE(received.result.has_value());
    return received.result ? *received.result : std::vector<engine::Delivery>();
  }
  static std::vector<std::uint64_t> numbers(const std::vector<engine::Delivery>& deliveries) {
    std::vector<std::uint64_t> numbers;
    for (const engine::Delivery& delivery : deliveries) numbers.push_back(delivery.sequence);
    return numbers;
  }
  void settle() {
    for (auto due = engine_->tick(); due && *due <= engine_->now(); due = engine_->tick()) {
    }
  }

  ManualClock clock_;
  SeededRandom random_{1};
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  engine::EngineOptions options_;
  std::unique_ptr<store::SimulatedStore> store_ = std::make_unique<store::SimulatedStore>();
  std::unique_ptr<Engine> engine_;
  int ids_ = 0;
};

using Numbers = std::vector<std::uint64_t>;

class FoundFaultsAtTheLimit : public FoundFaults {
 protected:
  FoundFaultsAtTheLimit() {
    options_.in_flight_max = 3;
    store_ = std::make_unique<store::SimulatedStore>();
    start();
  }
};

// Polls that were turned away at the limit of messages in flight: only the first delete woke one.
TEST_F(FoundFaultsAtTheLimit, EveryDeleteThatMakesRoomWakesAPoll) {
  create("q.fifo");
  for (const char* group : {"a", "b", "c", "d", "e"}) send("q.fifo", group);
  const auto taken = receive("q.fifo", 3, 30);
  ASSERT_EQ(taken.size(), 3U);
  const auto first = std::make_shared<Sleeper>();
  const auto second = std::make_shared<Sleeper>();
  EXPECT_TRUE(receive("q.fifo", 1, 30, first).empty());
  EXPECT_TRUE(receive("q.fifo", 1, 30, second).empty());
  (void)engine_->delete_messages(queue("q.fifo"), {taken[0].receipt_handle, taken[1].receipt_handle});
  EXPECT_TRUE(first->woken);
  EXPECT_TRUE(second->woken);
}

// The receive stopped at the second dead letter of a group, and its poll slept beside a message that could be given out.
TEST_F(FoundFaults, DeadLettersOfAGroupDoNotHideWhatStandsBehindThem) {
  create("dead.fifo");
  create("q.fifo");
  for (int i = 0; i < 2; ++i) send("q.fifo", "a");
  ASSERT_EQ(receive("q.fifo", 2, 0).size(), 2U);
  send("q.fifo", "a");
  set("q.fifo", "RedrivePolicy", redrive("dead.fifo", 1));
  const auto poll = std::make_shared<Sleeper>();
  EXPECT_EQ(numbers(receive("q.fifo", 1, 30, poll)), Numbers{3});
  EXPECT_EQ(engine_->counts(queue("dead.fifo")).visible, 2U);
}

// What had become visible since the last look was not counted.
TEST_F(FoundFaults, AMoveTaskCountsWhatIsVisibleWhenItStarts) {
  create("dead");
  create("q", {{"RedrivePolicy", redrive("dead", 1)}});
  send("dead", "");
  ASSERT_EQ(receive("dead", 1, 30).size(), 1U);
  clock_.advance(Seconds(31));
  ASSERT_TRUE(engine_->start_move_task({key("dead"), key("q"), 1}).result.has_value());
  EXPECT_EQ(engine_->move_tasks(key("dead"), 1).result->front().messages_to_move, 1U);
}

// The policy that was there already was taken without a look at its target, which was deleted since.
TEST_F(FoundFaults, ARedrivePolicyIsCheckedWheneverItIsSet) {
  create("dead");
  create("q", {{"RedrivePolicy", redrive("dead", 1)}});
  ASSERT_TRUE(engine_->delete_queue(queue("dead")).result.has_value());
  EXPECT_TRUE(engine_->set_attributes(queue("q"), {{"DelaySeconds", "1"}}).result.has_value());
  const auto set_again = engine_->set_attributes(queue("q"), {{"RedrivePolicy", redrive("dead", 1)}});
  ASSERT_FALSE(set_again.result.has_value());
  EXPECT_EQ(set_again.result.error().code, sqs::ErrorCode::InvalidParameterValue);
}

// A dead letter entered the line of its new queue before a group whose head had been visible for long.
TEST_F(FoundFaults, ADeadLetterQueuesBehindThoseWhoAreVisibleAlready) {
  create("dead.fifo");
  create("q.fifo", {{"RedrivePolicy", redrive("dead.fifo", 1)}});
  send("dead.fifo", "a");
  ASSERT_EQ(receive("dead.fifo", 1, 10).size(), 1U);
  send("q.fifo", "b");
  ASSERT_EQ(receive("q.fifo", 1, 20).size(), 1U);
  clock_.advance(Seconds(21));
  EXPECT_TRUE(receive("q.fifo", 1, 30).empty());  // moves it
  EXPECT_EQ(numbers(receive("dead.fifo", 2, 30)), (Numbers{1, 2}));
}

// A visibility timeout of 0 for a message that was visible already ended the noise of its tenant, who was judged afresh.
TEST_F(FoundFaults, AVisibleMessageStaysVisibleWhenItsTimeoutIsSetToNothing) {
  create("q");
  for (int i = 0; i < 2; ++i) send("q", "loud");
  for (int i = 0; i < 20; ++i) send("q", "");
  const auto loud = receive("q", 2, 0);  // handles; both stay visible
  ASSERT_EQ(numbers(loud), (Numbers{1, 2}));
  ASSERT_EQ(numbers(receive("q", 1, 4)), Numbers{1});
  clock_.advance(Seconds(3));
  // Loud has had all of the time so far: its other message comes after everybody else's.
  ASSERT_EQ(numbers(receive("q", 10, 30)), (Numbers{3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  clock_.advance(Seconds(15));  // and now the others have had more than nine tenths of it
  (void)engine_->delete_messages(queue("q"), {loud[0].receipt_handle});
  ASSERT_TRUE(engine_->change_visibility(queue("q"), {{loud[1].receipt_handle, Seconds(0)}}).result->front());
  EXPECT_EQ(numbers(receive("q", 1, 30)), Numbers{13}) << "it has been noisy all the time, for it always had a visible message";
}

// Two changes of DelaySeconds in one millisecond: after a restart, what had been visible between them was delayed.
TEST_F(FoundFaults, WhatWasVisibleBeforeADelayIsVisibleAfterARestart) {
  create("q.fifo");
  set("q.fifo", "VisibilityTimeout", "30");
  send("q.fifo", "a");
  set("q.fifo", "DelaySeconds", "600");
  EXPECT_EQ(engine_->counts(queue("q.fifo")).visible, 1U);
  for (const bool from_checkpoint : {false, true}) {
    store_->sync_all();
    if (from_checkpoint) {
      ASSERT_TRUE(store_->checkpoint().has_value());
    }
    restart();
    EXPECT_EQ(engine_->counts(queue("q.fifo")).visible, 1U);
    EXPECT_EQ(engine_->counts(queue("q.fifo")).delayed, 0U);
  }
  send("q.fifo", "a");
  EXPECT_EQ(engine_->counts(queue("q.fifo")).delayed, 1U);
}

// Whether a task passed over a message in flight depended on whether tick() had something else to do in its queue.
TEST_F(FoundFaults, ATaskWaitsForItsRateBeforeItPassesOverAMessageInFlight) {
  create("dead");
  create("q", {{"RedrivePolicy", redrive("dead", 1)}});
  for (int i = 0; i < 3; ++i) send("dead", "");
  ASSERT_TRUE(engine_->start_move_task({key("dead"), key("q"), 1}).result.has_value());
  settle();
  ASSERT_EQ(engine_->counts(queue("q")).visible, 1U);
  const auto received = receive("dead", 10, 1);
  ASSERT_EQ(numbers(received), (Numbers{2, 3}));
  ASSERT_TRUE(engine_->change_visibility(queue("dead"), {{received[0].receipt_handle, Seconds(2)}}).result->front());
  for (int seconds = 1; seconds <= 3; ++seconds) {
    clock_.advance(Seconds(1));
    settle();  // after a second the third message is visible again, and the second is not
  }
  const auto tasks = engine_->move_tasks(key("dead"), 1);
  EXPECT_EQ(tasks.result->front().messages_moved, 3U);
  EXPECT_EQ(tasks.result->front().status, sqs::MoveTaskStatus::Completed);
}

}  // namespace
}  // namespace ferry::simulation
