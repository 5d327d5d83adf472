#pragma once
// Short ways to use FIFO queues, tenants, dead letters and move tasks. Bodies say what is meant: "a1" is the first of group "a".

#include <map>
#include <utility>

#include "engine_fixture.h"

namespace ferry::engine {

/// Words with a blank between.
inline std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

class QueuesTest : public EngineTest {
 protected:
  static std::string arn(const std::string& name) { return "arn:aws:sqs:us-east-1:000000000000:" + name; }
  static std::pair<std::string, std::string> redrive(const std::string& target, int max_receive_count) {
    return {"RedrivePolicy",
            R"({"deadLetterTargetArn":")" + arn(target) + R"(","maxReceiveCount":)" + std::to_string(max_receive_count) + "}"};
  }
  QueueRef create_fifo(const std::string& name = "q.fifo", sqs::TextMap attributes = {}) {
    attributes.emplace_back("FifoQueue", "true");
    return create(name, attributes);
  }
  QueueRef fifo() { return find("q.fifo"); }

  /// On FIFO queues under a deduplication id of its own, unless one is given.
  Sent send_to(const QueueRef& queue, std::string_view group, std::string_view body,
               std::optional<std::string> id = std::nullopt) {
    SendCommand one = command(body);
    one.message_group_id = group;
    if (Engine::kind(queue) == sqs::QueueKind::Fifo) {
      if (!id) id = "unique-" + std::to_string(++unique_);
      one.message_deduplication_id = *id;
    }
    const auto answer = engine->send(queue, caller, {one});
    EXPECT_TRUE(answer.result.has_value() && answer.result->front().has_value());
    return answer.result ? answer.result->front().value_or(Sent{}) : Sent{};
  }
  /// One send for each word; the group is the word's first letter.
  void send_words(const QueueRef& queue, const std::vector<std::string>& words) {
    for (const std::string& word : words) send_to(queue, word.substr(0, 1), word);
  }
  std::vector<Delivery> take(const QueueRef& queue, int max = 10, std::optional<Seconds> timeout = std::nullopt) {
    auto taken = receive(queue, max, timeout);
    for (const Delivery& one : taken) handles_[body_of(one)] = one.receipt_handle;
    return taken;
  }
  /// The bodies of one receive. handle() knows their handles.
  std::string given(const QueueRef& queue, int max = 10, std::optional<Seconds> timeout = std::nullopt) {
    return joined(bodies(take(queue, max, timeout)));
  }
  /// What one poll brings; with nothing to give it waits.
  std::string polled(const QueueRef& queue, const std::shared_ptr<TestWaiter>& waiter, int max = 1) {
    const auto taken = poll(queue, waiter, max);
    for (const Delivery& one : taken) handles_[body_of(one)] = one.receipt_handle;
    return joined(bodies(taken));
  }
  const std::string& handle(const std::string& body) { return handles_.at(body); }
  /// The latest handles of these bodies.
  bool deleted(const QueueRef& queue, const std::vector<std::string>& words) {
    std::vector<std::string> texts;
    for (const std::string& word : words) texts.push_back(handle(word));
    const auto answer = engine->delete_messages(queue, texts);
    if (!answer.result) return false;
    for (const auto& one : *answer.result) {
      if (!one) return false;
    }
    return true;
  }
  std::vector<std::shared_ptr<TestWaiter>> wait(const QueueRef& queue, int count) {
    std::vector<std::shared_ptr<TestWaiter>> waiters;
    for (int i = 0; i < count; ++i) {
      waiters.push_back(std::make_shared<TestWaiter>());
      EXPECT_TRUE(poll(queue, waiters.back()).empty());
    }
    return waiters;
  }
  static int woken(const std::vector<std::shared_ptr<TestWaiter>>& waiters) {
    int sum = 0;
    for (const auto& waiter : waiters) sum += waiter->wakes;
    return sum;
  }
  /// Everything there is, in the order of numbers, without receiving it.
  std::string shown(const QueueRef& queue) {
    std::vector<std::string> texts;
    for (const auto& glimpse : peek_all(queue)) texts.push_back(body_of(glimpse.message));
    return joined(texts);
  }
  std::vector<Engine::Glimpse> peek_all(const QueueRef& queue) {
    std::vector<Engine::Glimpse> all;
    for (std::uint64_t after = 0;;) {
      const auto page = *engine->peek(queue, after, 1'000).result;
      if (page.empty()) return all;
      all.insert(all.end(), page.begin(), page.end());
      after = page.back().message.sequence;
    }
  }
  Uuid id_of(const Delivery& delivery) {
    if (delivery.message_id) return *delivery.message_id;
    return decode_message(store->read_now(delivery.location)->bytes)->message_id;
  }
  Timestamp sent_time_of(const Delivery& delivery) {
    if (delivery.sent) return *delivery.sent;
    return decode_message(store->read_now(delivery.location)->bytes)->sent;
  }
  /// One tick, however much it leaves to do.
  void tick() { engine->tick(); }
  /// With and without a checkpoint before it.
  void restart_both_ways() {
    restart();
    ASSERT_TRUE(store->checkpoint().has_value());
    restart();
  }

 private:
  int unique_ = 0;
  std::map<std::string, std::string> handles_;
};

}  // namespace ferry::engine
