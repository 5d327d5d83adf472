#pragma once
// The engine on the journal on a recorded disk, for tests of what is left after a crash. No threads: the caller takes the steps.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/log.h"
#include "base/manual_clock.h"
#include "engine/engine.h"
#include "engine/records.h"
#include "simulation/machine/history_store.h"
#include "store/journal/journal.h"
#include "support/store/recording_file_system.h"

namespace ferry::test {

inline const engine::Caller kCaller{"AK", "127.0.0.1"};

inline std::uint64_t seed_from_environment(std::uint64_t otherwise) {
  const char* const text = std::getenv("FERRY_SIM_SEED");
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

inline store::JournalOptions small_journal() {
  store::JournalOptions options;
  options.folder = "/data";
  options.segment_first_bytes = options.segment_max_bytes = 64 * 1024;
  options.group_bytes_max = 16 * 1024;
  options.reserve_bytes = 16 * 1024;
  options.ballast_bytes = 4096;
  options.cache_bytes = 16 * 1024;
  options.read_cache_bytes = 64 * 1024;
  options.threads = store::JournalOptions::Threads::None;
  return options;
}

class JournalMachine {
 public:
  struct Setup {
    DiskModel disk;
    Timestamp now;
    std::uint64_t seed = 1;  ///< machines of one test have different ones: each makes up ids
    store::JournalOptions options = small_journal();
    bool direct_access = true;
  };
  /// To be started.
  explicit JournalMachine(Setup setup)
      : clock(setup.now), random(setup.seed), files(std::move(setup.disk)), options_(std::move(setup.options)) {
    files.set_direct_access(setup.direct_access);
    journal = std::make_unique<store::Journal>(files, clock, random, log, options_);
    history = std::make_unique<HistoryStore>(*journal);
  }
  /// Started.
  JournalMachine(DiskImage image, Timestamp now, std::uint64_t seed)
      : JournalMachine(Setup{std::move(image), now, seed, small_journal(), true}) {
    const auto recovered = start();
    EXPECT_TRUE(recovered.has_value()) << recovered.error().message;
  }

  Result<void> start() {
    engine = std::make_unique<engine::Engine>(*history, clock, random, log, engine::EngineOptions{});
    engine->set_commit_listener(
        [this](store::Position position) {
          acknowledged.push_back({files.operation_count(), position.value});
        },
        [this](const Error& error) {
          failures.push_back(error);
          durable_at_failure = journal->durable().value;
        });
    auto started = journal->recover(*engine);
    if (started) history->cut(journal->last().value);
    return started;
  }
  /// The process ends and another one starts on the same disk, which keeps all that was written.
  Result<void> reopen() {
    engine.reset();
    journal.reset();
    journal = std::make_unique<store::Journal>(files, clock, random, log, options_);
    history->attach(*journal);
    return start();
  }

  /// Until a reply that has seen this position may leave.
  void settle(store::Position seen) {
    while (journal->durable() < seen) ASSERT_TRUE(journal->commit_step());
  }
  void commit() {
    while (journal->commit_step()) {
    }
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
  struct Message {
    std::string body;
    std::optional<Seconds> delay;
    std::string group;             ///< empty: none
    std::string deduplication_id;  ///< empty: none
  };
  /// Nothing is settled.
  engine::Answer<std::vector<sqs::ApiResult<engine::Sent>>> ask_to_send(const std::string& name,
                                                                        const std::vector<Message>& messages) {
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
    return engine->send(queue(name), kCaller, commands, engine::SendForm::BatchEntries);
  }
  /// Nothing: refused, because too little space is prepared.
  std::optional<std::vector<engine::Sent>> send(const std::string& name, const std::vector<Message>& messages) {
    const auto answer = ask_to_send(name, messages);
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
  /// Nothing is settled.
  engine::Answer<std::vector<engine::Delivery>> ask_to_receive(const std::string& name, std::size_t max, Seconds timeout) {
    engine::ReceiveCommand command;
    command.max_messages = static_cast<int>(max);
    command.visibility_timeout = timeout;
    return engine->receive(queue(name), kCaller, command, nullptr);
  }
  std::vector<engine::Delivery> receive(const std::string& name, std::size_t max, Seconds timeout) {
    auto received = ask_to_receive(name, max, timeout);
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
  /// What is stored at these places, in their order.
  std::vector<Result<store::Payload>> read(std::vector<store::Location> locations) {
    std::vector<Result<store::Payload>> found;
    journal->read(std::move(locations), [&](std::vector<Result<store::Payload>> payloads) { found = std::move(payloads); });
    while (journal->read_step()) {
    }
    return found;
  }
  std::string body_of(const engine::Delivery& delivery) {
    const auto payloads = read({delivery.location});
    if (payloads.empty() || !payloads.front()) {
      ADD_FAILURE() << (payloads.empty() ? "not answered" : payloads.front().error().message);
      return "";
    }
    const auto message = engine::decode_message(payloads.front()->bytes);
    if (!message) {
      ADD_FAILURE() << message.error().message;
      return "";
    }
    EXPECT_EQ(delivery.written_as, (engine::WrittenAs{message->queue_id, message->sequence}));
    return std::string(message->body);
  }
  std::int64_t now_ms() { return to_epoch_millis(engine->now()); }

  // What the store has said.
  struct Acknowledgement {
    std::size_t operations;  ///< on the disk before it
    std::uint64_t position;
  };
  std::vector<Acknowledgement> acknowledged;
  std::vector<Error> failures;
  std::uint64_t durable_at_failure = 0;

  ManualClock clock;
  SeededRandom random;
  Logger log{clock, LogLevel::Off, LogFormat::Text};
  RecordingFileSystem files;
  std::unique_ptr<store::Journal> journal;
  std::unique_ptr<HistoryStore> history;  ///< of the journal, for the engine
  std::unique_ptr<engine::Engine> engine;

 private:
  store::JournalOptions options_;
};

}  // namespace ferry::test
