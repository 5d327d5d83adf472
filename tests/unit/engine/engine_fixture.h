#pragma once
// An engine over a simulated store and a manual clock, and short ways to use it.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/manual_clock.h"
#include "engine/engine.h"
#include "engine/pieces.h"
#include "engine/records.h"
#include "store/simulated/simulated_store.h"

namespace ferry::engine {

class TestWaiter final : public Waiter {
 public:
  void wake() override { ++wakes; }
  int wakes = 0;
};

class EngineTest : public testing::Test {
 protected:
  void SetUp() override { start(); }

  void start() {
    engine = std::make_unique<Engine>(*store, clock, random, log, options);
    engine->set_tick_bell([this] { ++bells; });
    ASSERT_TRUE(store->recover(*engine).has_value());
    store->set_sync_mode(store::SimulatedStore::SyncMode::Immediately);
  }
  void restart() {
    engine.reset();
    store = store->crash();
    start();
  }

  static QueueKey key(std::string name = "q") { return {"000000000000", "us-east-1", std::move(name)}; }
  QueueRef create(std::string name = "q", const sqs::TextMap& attributes = {}) {
    EXPECT_TRUE(engine->create_queue(key(name), attributes).result.has_value());
    return find(name);
  }
  QueueRef find(std::string name = "q") { return engine->find(key(std::move(name))).result.value(); }

  static SendCommand command(std::string_view body, const sqs::MessageAttributes& attributes = no_attributes()) {
    static const Md5Digest digest{};
    SendCommand command;
    command.body = body;
    command.message_attributes = &attributes;
    command.message_system_attributes = &no_attributes();
    command.md5_of_body = std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size());
    return command;
  }
  static const sqs::MessageAttributes& no_attributes() {
    static const sqs::MessageAttributes none;
    return none;
  }
  Uuid send(const QueueRef& queue, std::string_view body, std::optional<Seconds> delay = std::nullopt) {
    SendCommand one = command(body);
    one.delay = delay;
    const auto answer = engine->send(queue, caller, {one});
    EXPECT_TRUE(answer.result.has_value());
    return answer.result->front()->message_id;
  }
  void send_many(const QueueRef& queue, int count, std::optional<Seconds> delay = std::nullopt) {
    for (int i = 0; i < count; ++i) send(queue, std::to_string(i), delay);
  }
  std::vector<Delivery> receive(const QueueRef& queue, int max = 10, std::optional<Seconds> timeout = std::nullopt) {
    auto answer = engine->receive(queue, caller, {max, timeout, std::nullopt}, nullptr);
    EXPECT_TRUE(answer.result.has_value());
    return answer.result ? *answer.result : std::vector<Delivery>();
  }
  std::vector<Delivery> poll(const QueueRef& queue, const std::shared_ptr<TestWaiter>& waiter, int max = 1) {
    return engine->receive(queue, caller, {max, std::nullopt, std::nullopt}, waiter).result.value();
  }
  std::string body_of(const Delivery& delivery) {
    const auto payload = store->read_now(delivery.location);
    EXPECT_TRUE(payload.has_value());
    return std::string(decode_message(payload->bytes)->body);
  }
  std::vector<std::string> bodies(const std::vector<Delivery>& deliveries) {
    std::vector<std::string> texts;
    for (const Delivery& delivery : deliveries) texts.push_back(body_of(delivery));
    return texts;
  }
  sqs::ApiResult<sqs::EmptyResponse> remove(const QueueRef& queue, const std::string& handle) {
    return engine->delete_messages(queue, {handle}).result->front();
  }
  sqs::ApiResult<sqs::EmptyResponse> change(const QueueRef& queue, const std::string& handle, Seconds timeout) {
    return engine->change_visibility(queue, {{handle, timeout}}).result->front();
  }
  /// Until there is nothing left to do now.
  int settle() {
    int ticks = 1;
    for (auto due = engine->tick(); due && *due <= engine->now(); due = engine->tick()) ++ticks;
    return ticks;
  }
  void expect_counts(const QueueRef& queue, std::uint64_t visible, std::uint64_t not_visible, std::uint64_t delayed) {
    const QueueCounts counts = engine->counts(queue);
    EXPECT_EQ(counts.visible, visible);
    EXPECT_EQ(counts.not_visible, not_visible);
    EXPECT_EQ(counts.delayed, delayed);
  }
  std::string attribute(const QueueRef& queue, const std::string& name) {
    const auto answer = engine->get_attributes(queue, {name});
    return answer.result->empty() ? "" : answer.result->front().second;
  }

  ManualClock clock;
  SeededRandom random{42};
  Logger log{clock, LogLevel::Off, LogFormat::Text};
  EngineOptions options;
  Caller caller{"AKIAEXAMPLE", "127.0.0.1"};
  int bells = 0;
  std::unique_ptr<store::SimulatedStore> store = std::make_unique<store::SimulatedStore>();
  std::unique_ptr<Engine> engine;
};

/// The code of a result that must be an error.
template <class T>
sqs::ErrorCode code_of(const sqs::ApiResult<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? sqs::ErrorCode::InternalFailure : result.error().code;
}
template <class T>
std::string text_of(const sqs::ApiResult<T>& result) {
  return result.has_value() ? "(no error)" : result.error().message;
}

}  // namespace ferry::engine
