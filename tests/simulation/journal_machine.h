#pragma once
// The engine on the journal on a recorded disk, for tests of what is left after a crash. No threads: the caller takes the steps.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/log.h"
#include "base/manual_clock.h"
#include "engine/engine.h"
#include "engine/records.h"
#include "store/journal/journal.h"
#include "support/store/recording_file_system.h"

namespace ferry::test {

inline const engine::Caller kCaller{"AK", "127.0.0.1"};

inline std::uint64_t seed_from_environment(std::uint64_t otherwise) {
  const char* const text = std::getenv("FERRY_SIM_SEED");
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class JournalMachine {
 public:
  /// Machines of one test have different seeds: each makes up ids.
  JournalMachine(DiskImage image, Timestamp now, std::uint64_t seed) : clock(now), random(seed), files(std::move(image)) {
    store::JournalOptions options;
    options.folder = "/data";
    options.segment_first_bytes = options.segment_max_bytes = 64 * 1024;
    options.group_bytes_max = 16 * 1024;
    options.reserve_bytes = 16 * 1024;
    options.ballast_bytes = 4096;
    options.cache_bytes = 16 * 1024;
    options.read_cache_bytes = 64 * 1024;
    options.threads = store::JournalOptions::Threads::None;
    journal = std::make_unique<store::Journal>(files, clock, random, log, options);
    engine = std::make_unique<engine::Engine>(*journal, clock, random, log, engine::EngineOptions{});
    const auto recovered = journal->recover(*engine);
    EXPECT_TRUE(recovered.has_value()) << recovered.error().message;
  }

  /// Until a reply that has seen this position may leave.
  void settle(store::Position seen) {
    while (journal->durable() < seen) ASSERT_TRUE(journal->commit_step());
  }
  void maintain() {
    while (journal->commit_step() || journal->maintain_step()) {
    }
  }
  static engine::QueueKey key(const std::string& name) { return {"000000000000", "us-east-1", name}; }
  /// Null: there is no such queue.
  engine::QueueRef queue(const std::string& name) {
    auto found = engine->find(key(name));
    return found.result ? *found.result : nullptr;
  }
  void create(const std::string& name, const sqs::TextMap& attributes) {
    const auto created = engine->create_queue(key(name), attributes);
    ASSERT_TRUE(created.result.has_value()) << created.result.error().message;
    settle(created.seen);
  }
  /// Nothing: refused, because too little space is prepared.
  struct Message {
    std::string body;
    std::optional<Seconds> delay;
    std::string group;             ///< empty: none
    std::string deduplication_id;  ///< empty: none
  };
  std::optional<std::vector<engine::Sent>> send(const std::string& name, const std::vector<Message>& messages) {
    static const sqs::MessageAttributes none;
    std::vector<Md5Digest> digests;
    for (const Message& message : messages) digests.push_back(md5(message.body));
    std::vector<engine::SendCommand> commands;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      engine::SendCommand& command = commands.emplace_back();
      command.body = messages[i].body;
      command.delay = messages[i].delay;
      command.message_attributes = command.message_system_attributes = &none;
      if (!messages[i].group.empty()) command.message_group_id = messages[i].group;
      if (!messages[i].deduplication_id.empty()) command.message_deduplication_id = messages[i].deduplication_id;
      command.md5_of_body = std::string_view(reinterpret_cast<const char*>(digests[i].data()), digests[i].size());
    }
    const auto answer = engine->send(queue(name), kCaller, commands, engine::SendForm::BatchEntries);
    if (!answer.result) {
      EXPECT_EQ(answer.result.error().code, sqs::ErrorCode::ServiceUnavailable) << answer.result.error().message;
      return std::nullopt;
    }
    settle(answer.seen);
    std::vector<engine::Sent> sent;
    for (const auto& result : *answer.result) {
      EXPECT_TRUE(result.has_value());
      if (result) sent.push_back(*result);
    }
    return sent;
  }
  std::vector<engine::Delivery> receive(const std::string& name, std::size_t max, Seconds timeout) {
    engine::ReceiveCommand command;
    command.max_messages = static_cast<int>(max);
    command.visibility_timeout = timeout;
    auto received = engine->receive(queue(name), kCaller, command, nullptr);
    settle(received.seen);
    EXPECT_TRUE(received.result.has_value());
    return received.result ? *received.result : std::vector<engine::Delivery>();
  }
  bool erase(const std::string& name, const std::string& handle) {
    const auto deleted = engine->delete_messages(queue(name), {handle});
    settle(deleted.seen);
    return deleted.result && deleted.result->front();
  }
  bool change(const std::string& name, const std::string& handle, Seconds timeout) {
    const auto changed = engine->change_visibility(queue(name), {{handle, timeout}});
    settle(changed.seen);
    return changed.result && changed.result->front();
  }
  /// Everything that is due.
  void tick() {
    for (auto due = engine->tick(); due && *due <= engine->now(); due = engine->tick()) maintain();
  }
  std::string body_of(const engine::Delivery& delivery) {
    std::string body;
    journal->read({delivery.location}, [&](std::vector<Result<store::Payload>> payloads) {
      ASSERT_TRUE(payloads.front().has_value()) << payloads.front().error().message;
      const auto message = engine::decode_message(payloads.front()->bytes);
      ASSERT_TRUE(message.has_value());
      EXPECT_EQ(delivery.written_as, (engine::WrittenAs{message->queue_id, message->sequence}));
      body = message->body;
    });
    while (journal->read_step()) {
    }
    return body;
  }
  std::int64_t now_ms() { return to_epoch_millis(engine->now()); }

  ManualClock clock;
  SeededRandom random;
  Logger log{clock, LogLevel::Off, LogFormat::Text};
  RecordingFileSystem files;
  std::unique_ptr<store::Journal> journal;
  std::unique_ptr<engine::Engine> engine;
};

}  // namespace ferry::test
