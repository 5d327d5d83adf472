// What a client of a FIFO queue was told holds after a crash: an image of only the synced bytes after every reply of a random run
// is recovered into a fresh engine. It must have every message that was acknowledged and not deleted, in the order of its group,
// with its number and its receives; keep blocked what was in flight; and answer duplicates as before.

#include <algorithm>
#include <map>

#include "simulation/machine/journal_machine.h"

namespace ferry {
namespace {

using test::CrashMode;
using test::DiskImage;
using test::JournalMachine;

constexpr std::uint64_t kSeed = 20'261'124;
constexpr int kReplies = 250;
constexpr std::int64_t kWindowMs = 300'000;
const std::string kQueue = "orders.fifo";

struct Told {
  std::string group;
  std::string body;
  std::uint32_t receives = 0;
  std::int64_t hidden_until_ms = 0;
  std::string handle;
};
struct First {
  std::string group;
  Uuid message_id;
  std::uint64_t sequence_number = 0;
  std::int64_t sent_ms = 0;
};
struct Knowledge {
  std::map<std::uint64_t, Told> messages;  // by sequence number
  std::map<std::string, First> firsts;     // by deduplication id
};

void expect_counts(JournalMachine& machine, const Knowledge& knowledge, const std::string& where) {
  const engine::QueueCounts counts = machine.engine->counts(machine.queue(kQueue));
  const auto hidden = std::count_if(knowledge.messages.begin(), knowledge.messages.end(),
                                    [&](const auto& message) { return message.second.hidden_until_ms > machine.now_ms(); });
  EXPECT_EQ(counts.not_visible, static_cast<std::uint64_t>(hidden)) << where;
  EXPECT_EQ(counts.visible, knowledge.messages.size() - static_cast<std::size_t>(hidden)) << where;
}

void check_image(DiskImage image, Timestamp now, const Knowledge& knowledge) {
  JournalMachine machine(std::move(image), now, 1);
  ASSERT_NE(machine.queue(kQueue), nullptr);
  machine.maintain();  // no thread prepares segments here
  expect_counts(machine, knowledge, "after recovery");
  const store::Position before = machine.journal->last();
  for (const auto& [id, first] : knowledge.firsts) {
    if (machine.now_ms() - first.sent_ms >= kWindowMs) continue;
    const auto sent = machine.send(kQueue, {{"another body", std::nullopt, first.group, id}});
    ASSERT_TRUE(sent && sent->size() == 1) << id;
    EXPECT_EQ(sent->front().message_id, first.message_id) << id;
    EXPECT_EQ(sent->front().sequence_number, first.sequence_number) << id;
  }
  EXPECT_EQ(machine.journal->last(), before) << "duplicates add nothing";

  // Only the messages before the first hidden one of each group may be given out.
  std::map<std::string, bool> blocked;
  std::vector<std::uint64_t> free_ones;
  for (const auto& [number, told] : knowledge.messages) {
    blocked[told.group] = blocked[told.group] || told.hidden_until_ms > machine.now_ms();
    if (!blocked[told.group]) free_ones.push_back(number);
  }
  Knowledge missing = knowledge;
  const auto drain = [&] {
    std::vector<std::uint64_t> numbers;
    std::map<std::string, std::uint64_t> latest;  // by group
    for (;;) {
      machine.maintain();
      const auto received = machine.receive(kQueue, 10, Seconds(43'200));
      if (received.empty()) return numbers;
      for (const engine::Delivery& delivery : received) {
        const std::uint64_t number = delivery.sequence_number.value_or(0);
        const auto found = missing.messages.find(number);
        if (found == missing.messages.end()) {
          ADD_FAILURE() << "given twice, or deleted and back: " << number;
          return numbers;
        }
        EXPECT_EQ(machine.body_of(delivery), found->second.body);
        EXPECT_EQ(delivery.receive_count, found->second.receives + 1) << number;
        EXPECT_LT(latest[found->second.group], number) << "the order of the group is broken";
        latest[found->second.group] = number;
        numbers.push_back(number);
        missing.messages.erase(found);
        EXPECT_TRUE(machine.erase(kQueue, delivery.receipt_handle));  // or it would block what is behind it
      }
    }
  };
  std::vector<std::uint64_t> given = drain();
  std::sort(given.begin(), given.end());
  EXPECT_EQ(given, free_ones) << "what is visible before the first hidden one of its group";
  EXPECT_EQ(missing.messages.size(), knowledge.messages.size() - free_ones.size());
}

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed)
      : chance_(seed),
        machine_(std::make_unique<JournalMachine>(DiskImage(), Timestamp(Millis(1'800'000'000'000)), chance_.next())) {
    machine_->create(kQueue, {{"FifoQueue", "true"}});
  }

  void step() {
    if (!machine_->journal->writable()) machine_->maintain();
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
        machine_->clock.advance(Millis(chance_.below(chance_.below(6) == 0 ? 200'000 : 20'000)));
        return machine_->maintain();
      default:
        if (chance_.below(6) == 0) return restart();
        machine_->journal->request_checkpoint();
        return machine_->maintain();
    }
  }
  void check() { check_image(machine_->files.image(CrashMode::OnlySynced, chance_), machine_->clock.wall(), knowledge_); }
  int acknowledged() const { return acknowledged_; }
  int duplicates() const { return duplicates_; }
  int deleted() const { return deleted_; }

 private:
  void send() {
    std::vector<JournalMachine::Message> messages(1 + chance_.below(3));
    for (JournalMachine::Message& message : messages) {
      message.group = "g" + std::to_string(chance_.below(4));
      message.body = "message " + std::to_string(next_++) + " ";
      message.body.append(chance_.below(chance_.below(8) == 0 ? 9'000 : 300), 'x');
      message.deduplication_id = chance_.below(3) == 0 ? "often" + std::to_string(chance_.below(5)) : message.body.substr(0, 12);
    }
    const auto sent = machine_->send(kQueue, messages);
    if (!sent) return machine_->maintain();
    ASSERT_EQ(sent->size(), messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const std::uint64_t number = (*sent)[i].sequence_number.value_or(0);
      auto first = knowledge_.firsts.find(messages[i].deduplication_id);
      if (first != knowledge_.firsts.end() && machine_->now_ms() - first->second.sent_ms < kWindowMs) {
        EXPECT_EQ((*sent)[i].message_id, first->second.message_id);
        EXPECT_EQ(number, first->second.sequence_number);
        ++duplicates_;
        continue;
      }
      ++acknowledged_;
      knowledge_.firsts[messages[i].deduplication_id] = {messages[i].group, (*sent)[i].message_id, number, machine_->now_ms()};
      EXPECT_TRUE(knowledge_.messages.emplace(number, Told{messages[i].group, messages[i].body, 0, 0, ""}).second) << number;
    }
  }
  void receive() {
    const Seconds timeout(chance_.below(3) * 15);
    for (const engine::Delivery& delivery : machine_->receive(kQueue, 1 + chance_.below(10), timeout)) {
      Told& told = knowledge_.messages.at(delivery.sequence_number.value_or(0));
      told.receives = delivery.receive_count;
      told.hidden_until_ms = machine_->now_ms() + Millis(timeout).count();
      told.handle = delivery.receipt_handle;
    }
  }
  // Handles of FIFO queues are good while they hide their message.
  std::map<std::uint64_t, Told>::iterator any_in_flight() {
    std::vector<std::map<std::uint64_t, Told>::iterator> found;
    for (auto at = knowledge_.messages.begin(); at != knowledge_.messages.end(); ++at) {
      if (at->second.hidden_until_ms > machine_->now_ms()) found.push_back(at);
    }
    return found.empty() ? knowledge_.messages.end() : found[chance_.below(found.size())];
  }
  void erase() {
    const auto chosen = any_in_flight();
    if (chosen == knowledge_.messages.end()) return;
    ASSERT_TRUE(machine_->erase(kQueue, chosen->second.handle));
    knowledge_.messages.erase(chosen);
    ++deleted_;
  }
  void change() {
    const auto chosen = any_in_flight();
    if (chosen == knowledge_.messages.end()) return;
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
  int duplicates_ = 0;
  int deleted_ = 0;
};

TEST(FifoOnJournal, OrderLocksAndDuplicatesSurviveInOnlyTheSyncedBytes) {
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
  EXPECT_GT(run.duplicates(), 5);
  EXPECT_GT(run.deleted(), 5);
}

}  // namespace
}  // namespace ferry
