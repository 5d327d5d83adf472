// Many threads on queues that move messages to each other in both directions; made for the thread sanitizer.

#include <atomic>
#include <set>
#include <thread>

#include "engine_fixture.h"

namespace ferry::engine {
namespace {

constexpr int kSenders = 2;
constexpr int kMessagesPerSender = 600;

struct MovesThreads : testing::TestWithParam<bool> {
  static QueueKey key(const std::string& name) { return {"000000000000", "us-east-1", name + (GetParam() ? ".fifo" : "")}; }
  QueueRef create(const std::string& name) {
    sqs::TextMap attributes = {{"VisibilityTimeout", "0"}};
    if (GetParam()) attributes.emplace_back("FifoQueue", "true");
    EXPECT_TRUE(engine.create_queue(key(name), attributes).result.has_value());
    return engine.find(key(name)).result.value();
  }
  void redrive(const QueueRef& queue, const std::string& target) {
    const std::string arn = "arn:aws:sqs:us-east-1:000000000000:" + key(target).name;
    const auto answer =
        engine.set_attributes(queue, {{"RedrivePolicy", R"({"deadLetterTargetArn":")" + arn + R"(","maxReceiveCount":2})"}});
    EXPECT_TRUE(answer.result.has_value()) << (answer.result ? "" : answer.result.error().message);
  }
  void send(const QueueRef& queue, int number) {
    SendCommand command;
    const std::string body = std::to_string(number);
    const std::string group = "g" + std::to_string(number % 7);
    command.body = body;
    command.message_group_id = group;
    if (GetParam()) command.message_deduplication_id = body;
    static const std::string md5(16, 'm');
    static const sqs::MessageAttributes none;
    command.message_attributes = command.message_system_attributes = &none;
    command.md5_of_body = md5;
    EXPECT_TRUE(engine.send(queue, caller, {command}).result.value().front().has_value());
  }

  ManualClock clock;
  SystemRandom random;
  Logger log{clock, LogLevel::Off, LogFormat::Text};
  store::SimulatedStore store;
  Engine engine{store, clock, random, log, {}};
  const Caller caller{"k", "a"};
};

TEST_P(MovesThreads, NothingIsLostOrDoubledBetweenQueues) {
  ASSERT_TRUE(store.recover(engine).has_value());
  const std::vector<QueueRef> queues = {create("one"), create("two"), create("three")};
  redrive(queues[0], "two");
  redrive(queues[1], "one");
  redrive(queues[2], "two");

  std::mutex mutex;
  std::set<int> deleted;  // guarded by mutex
  std::atomic<int> failures{0};
  std::atomic<int> sending{kSenders};
  const auto consume = [&](const QueueRef& queue, bool deletes) {
    const auto taken = engine.receive(queue, caller, {3, std::nullopt}, nullptr);
    if (!taken.result) return void(++failures);
    for (const Delivery& delivery : *taken.result) {
      // A payload may be moved by compaction between the receive and the look; then it is not there.
      const auto payload = store.read_now(delivery.location);
      if (!payload) continue;
      const auto message = decode_message(payload->bytes);
      const bool genuine = message && WrittenAs{message->queue_id, message->sequence} == delivery.written_as;
      if (!genuine) ++failures;
      if (!deletes || !genuine) continue;
      // Held long enough to be deleted: FIFO handles of receives that hide nothing are no good.
      const auto held = engine.receive(queue, caller, {1, Seconds(600)}, nullptr);
      if (!held.result || held.result->empty()) continue;
      const auto its = store.read_now(held.result->front().location);
      if (!its) continue;
      const int number = std::stoi(std::string(decode_message(its->bytes)->body));
      if (!engine.delete_messages(queue, {held.result->front().receipt_handle}).result->front()) ++failures;
      const std::lock_guard lock(mutex);
      if (!deleted.insert(number).second) ++failures;
    }
  };

  std::vector<std::thread> threads;
  for (int t = 0; t < kSenders; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kMessagesPerSender; ++i) send(queues[i % 2 == 0 ? 0 : 2], t * kMessagesPerSender + i);
      --sending;
    });
  }
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; sending > 0 || i < 200; ++i) consume(queues[static_cast<std::size_t>((i + t) % 3)], i % 16 == 0);
    });
  }
  threads.emplace_back([&] {
    struct Sink final : store::CheckpointSink {
      Result<void> add_piece(std::span<const std::byte>, store::Position) override { return {}; }
    };
    while (sending > 0) {
      (void)engine.start_move_task({key("two"), std::nullopt, std::nullopt});
      engine.tick();
      Sink sink;
      if (!engine.write_checkpoint(sink)) ++failures;
      redrive(queues[2], "two");
      (void)engine.move_tasks(key("two"), 10);
      (void)engine.dead_letter_sources(queues[1], "", 10);
      (void)engine.totals();
    }
  });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);

  // What is left, whatever happened to it: each number once, and none of them was deleted.
  clock.advance(Seconds(601));
  for (auto due = engine.tick(); due && *due <= engine.now(); due = engine.tick()) continue;
  std::set<int> left;
  for (const QueueRef& queue : queues) {
    std::uint64_t after = 0;
    for (auto page = engine.peek(queue, after, 100); !page.result->empty(); page = engine.peek(queue, after, 100)) {
      for (const Engine::Glimpse& glimpse : *page.result) {
        after = glimpse.message.sequence;
        const auto payload = store.read_now(glimpse.message.location);
        ASSERT_TRUE(payload.has_value());
        EXPECT_TRUE(left.insert(std::stoi(std::string(decode_message(payload->bytes)->body))).second);
      }
    }
  }
  for (const int number : deleted) EXPECT_FALSE(left.contains(number)) << number;
  EXPECT_EQ(left.size() + deleted.size(), static_cast<std::size_t>(kSenders * kMessagesPerSender));
  EXPECT_EQ(store.live_bodies(), left.size());
  EXPECT_GT(deleted.size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, MovesThreads, testing::Values(false, true),
                         [](const auto& kind) { return kind.param ? "Fifo" : "Standard"; });

}  // namespace
}  // namespace ferry::engine
