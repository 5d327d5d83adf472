// What a client was told is there after a crash. The engine on the journal on a recorded disk: after every reply of a random run
// an image of only the synced bytes is taken and recovered into a fresh engine, which must know everything that was answered:
// messages, receive counts, what is left of leases and delays; and nothing that was deleted.

#include <algorithm>
#include <map>
#include <set>

#include "simulation/machine/journal_machine.h"

namespace ferry {
namespace {

using test::CrashMode;
using test::DiskImage;
using test::JournalMachine;

constexpr std::uint64_t kSeed = 20'261'123;
constexpr int kReplies = 400;
const std::string kQueue = "q";

// What the client knows of a message that it has not deleted.
struct Told {
  std::uint32_t receives = 0;
  std::int64_t hidden_until_ms = 0;
  std::string handle;  // of the last receive
};
using Knowledge = std::map<std::string, Told>;  // by body

void expect_counts(JournalMachine& machine, const Knowledge& knowledge, const std::string& where) {
  std::uint64_t visible = 0;
  for (const auto& [body, told] : knowledge) visible += told.hidden_until_ms <= machine.now_ms() ? 1 : 0;
  const engine::QueueCounts counts = machine.engine->counts(machine.queue(kQueue));
  EXPECT_EQ(counts.visible, visible) << where;
  EXPECT_EQ(counts.not_visible + counts.delayed, knowledge.size() - visible) << where;
}

// A fresh engine on `image` must know what was told.
void check_image(DiskImage image, Timestamp now, const Knowledge& knowledge) {
  JournalMachine machine(std::move(image), now, 1);
  ASSERT_NE(machine.queue(kQueue), nullptr);
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
    const auto received = machine.receive(kQueue, 10, Seconds(43'200));
    if (received.empty()) break;
    for (const engine::Delivery& delivery : received) {
      const std::string body = machine.body_of(delivery);
      const auto found = missing.find(body);
      ASSERT_NE(found, missing.end()) << "given twice, or deleted and back: " << body.substr(0, 20);
      EXPECT_EQ(delivery.receive_count, found->second.receives + 1) << body.substr(0, 20);
      missing.erase(found);
    }
  }
  EXPECT_TRUE(missing.empty()) << missing.size() << " acknowledged messages are lost";
}

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed)
      : chance_(seed),
        machine_(std::make_unique<JournalMachine>(DiskImage(), Timestamp(Millis(1'800'000'000'000)), chance_.next())) {
    machine_->create(kQueue, {});
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
    const Seconds delay(chance_.below(4) == 0 ? 1 + chance_.below(30) : 0);
    std::vector<JournalMachine::Message> messages(1 + chance_.below(3));
    for (JournalMachine::Message& message : messages) {
      message.body = "message " + std::to_string(next_++) + " ";
      message.body.append(chance_.below(chance_.below(8) == 0 ? 9'000 : 300), 'x');
      message.delay = delay;
    }
    if (!machine_->send(kQueue, messages)) return machine_->maintain();  // large, and the prepared space is nearly used
    acknowledged_ += static_cast<int>(messages.size());
    for (const auto& message : messages) knowledge_[message.body].hidden_until_ms = machine_->now_ms() + Millis(delay).count();
  }
  void receive() {
    const Seconds timeout(chance_.below(3) * 15);
    for (const engine::Delivery& delivery : machine_->receive(kQueue, 1 + chance_.below(10), timeout)) {
      Told& told = knowledge_.at(machine_->body_of(delivery));
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
    ASSERT_TRUE(machine_->erase(kQueue, chosen->second.handle));
    knowledge_.erase(chosen);
  }
  void change() {
    const auto chosen = any_received();
    if (chosen == knowledge_.end()) return;
    const Seconds timeout(chance_.below(60));
    ASSERT_TRUE(machine_->change(kQueue, chosen->second.handle, timeout));
    chosen->second.hidden_until_ms = machine_->now_ms() + Millis(timeout).count();
  }
  void restart() {
    const Timestamp now = machine_->clock.wall();
    machine_ = std::make_unique<JournalMachine>(machine_->files.image(CrashMode::Torn, chance_), now, chance_.next());
  }

  SeededRandom chance_;
  std::unique_ptr<JournalMachine> machine_;
  Knowledge knowledge_;
  int next_ = 0;
  int acknowledged_ = 0;
};

TEST(EngineOnJournal, EverythingAnsweredSurvivesInOnlyTheSyncedBytes) {
  const std::uint64_t seed = test::seed_from_environment(kSeed);
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
