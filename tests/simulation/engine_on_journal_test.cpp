// What a client was told is there after a crash. The engine on the journal on a recorded disk: after every reply of a random run
// an image of only the synced bytes is taken and recovered into a fresh engine, which must know everything that was answered:
// messages, receive counts, what is left of leases and delays; and nothing that was deleted.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "base/digest.h"
#include "base/log.h"
#include "base/manual_clock.h"
#include "engine/engine.h"
#include "engine/records.h"
#include "store/journal/journal.h"
#include "support/store/recording_file_system.h"

namespace ferry {
namespace {

using test::CrashMode;
using test::DiskImage;
using test::RecordingFileSystem;

constexpr std::uint64_t kSeed = 20'261'123;
constexpr int kReplies = 400;
const engine::QueueKey kQueue{"000000000000", "us-east-1", "q"};
const engine::Caller kCaller{"AK", "127.0.0.1"};
const sqs::MessageAttributes kNoAttributes;

// What the client knows of a message that it has not deleted.
struct Told {
  std::uint32_t receives = 0;
  std::int64_t hidden_until_ms = 0;
  std::string handle;  // of the last receive
};
using Knowledge = std::map<std::string, Told>;  // by body

class Machine {
 public:
  Machine(DiskImage image, Timestamp now) : clock(now), files(std::move(image)) {
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
  engine::QueueRef queue() {
    auto found = engine->find(kQueue);
    return found.result ? *found.result : nullptr;
  }
  std::string body_of(const store::Location& location) {
    std::string body;
    journal->read({location}, [&](std::vector<Result<store::Payload>> payloads) {
      ASSERT_TRUE(payloads.front().has_value()) << payloads.front().error().message;
      const auto message = engine::decode_message(payloads.front()->bytes);
      ASSERT_TRUE(message.has_value());
      body = message->body;
    });
    while (journal->read_step()) {
    }
    return body;
  }
  std::int64_t now_ms() { return to_epoch_millis(engine->now()); }

  ManualClock clock;
  SeededRandom random{kSeed};
  Logger log{clock, LogLevel::Off, LogFormat::Text};
  RecordingFileSystem files;
  std::unique_ptr<store::Journal> journal;
  std::unique_ptr<engine::Engine> engine;
};

void expect_counts(Machine& machine, const Knowledge& knowledge, const std::string& where) {
  std::uint64_t visible = 0;
  for (const auto& [body, told] : knowledge) visible += told.hidden_until_ms <= machine.now_ms() ? 1 : 0;
  const engine::QueueCounts counts = machine.engine->counts(machine.queue());
  EXPECT_EQ(counts.visible, visible) << where;
  EXPECT_EQ(counts.not_visible + counts.delayed, knowledge.size() - visible) << where;
}

// A fresh engine on `image` must know what was told.
void check_image(DiskImage image, Timestamp now, const Knowledge& knowledge) {
  Machine machine(std::move(image), now);
  ASSERT_NE(machine.queue(), nullptr);
  expect_counts(machine, knowledge, "after recovery");
  std::set<std::int64_t> deadlines;
  for (const auto& [body, told] : knowledge) {
    if (told.hidden_until_ms > machine.now_ms()) deadlines.insert(told.hidden_until_ms);
  }
  if (!deadlines.empty()) {
    machine.clock.advance(Millis(*deadlines.begin() - machine.now_ms() - 1));
    expect_counts(machine, knowledge, "just before the first lease ends");
    machine.clock.advance(Millis(1));
    expect_counts(machine, knowledge, "when the first lease ends");
    machine.clock.advance(Millis(*deadlines.rbegin() - machine.now_ms()));
  }
  Knowledge missing = knowledge;
  for (;;) {
    machine.maintain();  // no thread prepares segments here
    auto received = machine.engine->receive(machine.queue(), kCaller, {10, Seconds(43'200)}, nullptr);
    ASSERT_TRUE(received.result.has_value());
    if (received.result->empty()) break;
    for (const engine::Delivery& delivery : *received.result) {
      const std::string body = machine.body_of(delivery.location);
      const auto found = missing.find(body);
      ASSERT_NE(found, missing.end()) << "given twice, or deleted and back: " << body.substr(0, 20);
      EXPECT_EQ(delivery.receive_count, found->second.receives + 1) << body.substr(0, 20);
      missing.erase(found);
    }
    machine.settle(received.seen);
  }
  EXPECT_TRUE(missing.empty()) << missing.size() << " acknowledged messages are lost";
}

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed)
      : chance_(seed), machine_(std::make_unique<Machine>(DiskImage(), Timestamp(Millis(1'800'000'000'000)))) {
    const auto created = machine_->engine->create_queue(kQueue, {});
    machine_->settle(created.seen);
  }

  void step() {
    if (!machine_->journal->writable()) machine_->maintain();  // no thread prepares segments here
    switch (chance_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return send();
      case 4:
      case 5:
      case 6:
        return receive();
      case 7:
      case 8:
        return erase();
      case 9:
        return change();
      case 10:
        machine_->clock.advance(Millis(chance_.below(20'000)));
        return machine_->maintain();
      default:
        if (chance_.below(6) == 0) return restart();
        machine_->journal->request_checkpoint();
        return machine_->maintain();
    }
  }
  int acknowledged() const { return acknowledged_; }
  void check() {
    check_image(machine_->files.image(CrashMode::OnlySynced, chance_), machine_->clock.wall(), knowledge_);
    const store::StoreStats stats = machine_->journal->stats();
    EXPECT_LE(stats.syncs, stats.groups);
  }

 private:
  void send() {
    const std::size_t count = 1 + chance_.below(3);
    std::vector<std::string> bodies;
    std::vector<Md5Digest> digests;
    for (std::size_t i = 0; i < count; ++i) {
      std::string body = "message " + std::to_string(next_++) + " ";
      body.append(chance_.below(chance_.below(8) == 0 ? 9'000 : 300), 'x');
      digests.push_back(md5(body));
      bodies.push_back(std::move(body));
    }
    const Seconds delay(chance_.below(4) == 0 ? 1 + chance_.below(30) : 0);
    std::vector<engine::SendCommand> commands;
    for (std::size_t i = 0; i < count; ++i) {
      engine::SendCommand command;
      command.body = bodies[i];
      command.message_attributes = command.message_system_attributes = &kNoAttributes;
      command.delay = delay;
      command.md5_of_body = std::string_view(reinterpret_cast<const char*>(digests[i].data()), digests[i].size());
      commands.push_back(command);
    }
    const auto sent = machine_->engine->send(machine_->queue(), kCaller, commands);
    if (!sent.result) return machine_->maintain();  // large, and the prepared space is nearly used: refused, nothing changed
    acknowledged_ += static_cast<int>(count);
    machine_->settle(sent.seen);
    for (const std::string& body : bodies) knowledge_[body].hidden_until_ms = machine_->now_ms() + Millis(delay).count();
  }
  void receive() {
    const Seconds timeout(chance_.below(3) * 15);
    const auto received =
        machine_->engine->receive(machine_->queue(), kCaller, {1 + static_cast<int>(chance_.below(10)), timeout}, nullptr);
    ASSERT_TRUE(received.result.has_value());
    machine_->settle(received.seen);
    for (const engine::Delivery& delivery : *received.result) {
      Told& told = knowledge_.at(machine_->body_of(delivery.location));
      told.receives = delivery.receive_count;
      told.hidden_until_ms = machine_->now_ms() + Millis(timeout).count();
      told.handle = delivery.receipt_handle;
    }
  }
  Knowledge::iterator any_received() {
    std::vector<Knowledge::iterator> received;
    for (auto at = knowledge_.begin(); at != knowledge_.end(); ++at) {
      if (!at->second.handle.empty()) received.push_back(at);
    }
    return received.empty() ? knowledge_.end() : received[chance_.below(received.size())];
  }
  void erase() {
    const auto chosen = any_received();
    if (chosen == knowledge_.end()) return;
    const auto deleted = machine_->engine->delete_messages(machine_->queue(), {chosen->second.handle});
    ASSERT_TRUE(deleted.result.has_value() && deleted.result->front().has_value());
    machine_->settle(deleted.seen);
    knowledge_.erase(chosen);
  }
  void change() {
    const auto chosen = any_received();
    if (chosen == knowledge_.end()) return;
    const Seconds timeout(chance_.below(60));
    const auto changed = machine_->engine->change_visibility(machine_->queue(), {{chosen->second.handle, timeout}});
    ASSERT_TRUE(changed.result.has_value() && changed.result->front().has_value());
    machine_->settle(changed.seen);
    chosen->second.hidden_until_ms = machine_->now_ms() + Millis(timeout).count();
  }
  void restart() {
    const Timestamp now = machine_->clock.wall();
    machine_ = std::make_unique<Machine>(machine_->files.image(CrashMode::Torn, chance_), now);
  }

  SeededRandom chance_;
  std::unique_ptr<Machine> machine_;
  Knowledge knowledge_;
  int next_ = 0;
  int acknowledged_ = 0;
};

TEST(EngineOnJournal, EverythingAnsweredSurvivesInOnlyTheSyncedBytes) {
  const char* seed_text = std::getenv("FERRY_SIM_SEED");
  const std::uint64_t seed = seed_text == nullptr ? kSeed : std::strtoull(seed_text, nullptr, 10);
  SCOPED_TRACE("FERRY_SIM_SEED=" + std::to_string(seed));
  RandomRun run(seed);
  for (int reply = 0; reply < kReplies; ++reply) {
    SCOPED_TRACE("reply " + std::to_string(reply));
    run.step();
    run.check();
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
  EXPECT_GT(run.acknowledged(), kReplies / 4) << "hardly anything was sent";
}

}  // namespace
}  // namespace ferry
