// Many threads on one queue; made for the thread sanitizer.

#include <atomic>
#include <set>
#include <thread>

#include "engine_fixture.h"

namespace ferry::engine {
namespace {

constexpr int kThreads = 8;
constexpr int kMessagesPerThread = 400;

class Bell final : public Waiter {
 public:
  void wake() override { woken.store(true); }
  std::atomic<bool> woken{false};
};

TEST(Threads, EveryMessageIsDeliveredExactlyOnceWhileLeasesHold) {
  ManualClock clock;
  SystemRandom random;
  const Logger log(clock, LogLevel::Off, LogFormat::Text);
  store::SimulatedStore store;
  Engine engine(store, clock, random, log, {});
  std::atomic<int> bells{0};
  engine.set_tick_bell([&] { ++bells; });
  ASSERT_TRUE(store.recover(engine).has_value());
  const QueueKey key{"000000000000", "us-east-1", "q"};
  ASSERT_TRUE(engine.create_queue(key, {}).result.has_value());
  const QueueRef queue = engine.find(key).result.value();
  const Caller caller{"k", "a"};
  static const std::string md5(16, 'm');
  static const sqs::MessageAttributes none;

  std::atomic<int> received{0};
  std::atomic<int> failures{0};
  std::mutex seen_mutex;
  std::set<std::uint64_t> seen;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const auto bell = std::make_shared<Bell>();
      bool registered = false;
      for (int sent = 0; received.load() < kThreads * kMessagesPerThread;) {
        if (sent < kMessagesPerThread) {
          SendCommand command;
          const std::string body = std::to_string(t) + ":" + std::to_string(sent++);
          command.body = body;
          command.message_attributes = command.message_system_attributes = &none;
          command.md5_of_body = md5;
          if (!engine.send(queue, caller, {command}).result.has_value()) ++failures;
        }
        if (registered && !bell->woken.exchange(false)) {
          std::this_thread::yield();
          continue;
        }
        const auto answer = engine.receive(queue, caller, {3, std::nullopt}, bell);
        if (!answer.result) {
          ++failures;
          break;
        }
        registered = answer.result->empty();
        std::vector<std::string> handles;
        for (const Delivery& delivery : *answer.result) {
          const std::lock_guard lock(seen_mutex);
          if (delivery.receive_count != 1 || !seen.insert(delivery.sequence).second) ++failures;
          handles.push_back(delivery.receipt_handle);
        }
        const auto deleted = engine.delete_messages(queue, handles);
        for (const auto& result : *deleted.result) failures += result.has_value() ? 0 : 1;
        received += static_cast<int>(handles.size());
        if (t == 0) engine.tick();
        if (t == 1) engine.counts(queue);
        if (t == 2) engine.find(key);
      }
      engine.abandon(queue, bell);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kThreads * kMessagesPerThread));
  EXPECT_EQ(engine.totals().messages, 0u);
  EXPECT_EQ(store.live_bodies(), 0u);
}

// Sends, receives and deletions go on while checkpoints are made, queues come and go, and a queue is purged.
TEST(Threads, CheckpointsDirectoryAndPurgeRunBeside) {
  ManualClock clock;
  SystemRandom random;
  const Logger log(clock, LogLevel::Off, LogFormat::Text);
  store::SimulatedStore store;
  EngineOptions options;
  options.enforce_deletion_wait = options.enforce_purge_wait = false;
  Engine engine(store, clock, random, log, options);
  ASSERT_TRUE(store.recover(engine).has_value());
  const auto key = [](int i) { return QueueKey{"000000000000", "us-east-1", "q" + std::to_string(i)}; };
  ASSERT_TRUE(engine.create_queue(key(0), {}).result.has_value());
  const QueueRef queue = engine.find(key(0)).result.value();
  const Caller caller{"k", "a"};
  static const std::string md5(16, 'm');
  static const sqs::MessageAttributes none;
  struct Sink final : store::CheckpointSink {
    Result<void> add_piece(std::span<const std::byte>, store::Position) override { return {}; }
  };

  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        SendCommand command;
        command.body = "x";
        command.message_attributes = command.message_system_attributes = &none;
        command.md5_of_body = md5;
        (void)engine.send(queue, caller, {command, command});
        const auto taken = engine.receive(queue, caller, {1, std::nullopt}, nullptr);
        for (const Delivery& delivery : *taken.result) {
          (void)engine.change_visibility(queue, {{delivery.receipt_handle, Seconds(1)}});
          (void)engine.delete_messages(queue, {delivery.receipt_handle});
        }
      }
    });
  }
  for (int round = 1; round <= 60; ++round) {
    Sink sink;
    EXPECT_TRUE(engine.write_checkpoint(sink).has_value());
    EXPECT_TRUE(engine.create_queue(key(round), {}).result.has_value());
    EXPECT_TRUE(engine.delete_queue(engine.find(key(round)).result.value()).result.has_value());
    if (round % 10 == 0) {
      EXPECT_TRUE(engine.purge(queue).result.has_value());
    }
    clock.advance(Seconds(1));
    engine.tick();
    engine.totals();
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  while (const auto due = engine.tick()) {
    if (*due > engine.now()) break;
  }
  store.sync_all();
  EXPECT_EQ(store.live_bodies(), engine.totals().messages);
  const QueueCounts counts = engine.counts(queue);
  EXPECT_EQ(counts.visible + counts.not_visible + counts.delayed, engine.totals().messages);
}

}  // namespace
}  // namespace ferry::engine
