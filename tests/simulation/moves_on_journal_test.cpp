// Messages that move between queues are in exactly one of them after a crash. A queue with a dead-letter queue, and move tasks
// that bring the dead letters back: after every reply of a random run an image of only the synced bytes is recovered into a fresh
// engine. Every message that was acknowledged and not deleted is there once, nothing deleted is, and a task that was started goes
// on and comes to its end.

#include <map>
#include <set>

#include "simulation/machine/journal_machine.h"

namespace ferry {
namespace {

using engine::Engine;
using test::CrashMode;
using test::DiskImage;
using test::JournalMachine;

constexpr std::uint64_t kSeed = 20'261'125;
constexpr int kReplies = 250;

struct Kind {
  std::string work;
  std::string dead;
  bool is_fifo = false;
};

struct Knowledge {
  std::set<std::string> messages;  // bodies
  std::optional<Uuid> task;
  std::uint64_t task_moved = 0;
  sqs::MoveTaskStatus task_status{};
};

std::optional<Engine::MoveTask> task_of(JournalMachine& machine, const Kind& kind, const Uuid& id) {
  const auto tasks = machine.engine->move_tasks(JournalMachine::key(kind.dead), 10);
  machine.settle(tasks.seen);
  EXPECT_TRUE(tasks.result.has_value());
  for (const Engine::MoveTask& task : *tasks.result) {
    if (task.id == id) return task;
  }
  return std::nullopt;
}

void check_image(DiskImage image, Timestamp now, const Kind& kind, const Knowledge& knowledge) {
  JournalMachine machine(std::move(image), now, 1);
  ASSERT_TRUE(machine.queue(kind.work) != nullptr && machine.queue(kind.dead) != nullptr);
  machine.maintain();
  EXPECT_EQ(machine.engine->totals().messages, knowledge.messages.size());
  if (knowledge.task) {
    const auto task = task_of(machine, kind, *knowledge.task);
    ASSERT_TRUE(task.has_value()) << "the task is forgotten";
    EXPECT_GE(task->messages_moved, knowledge.task_moved);
    if (knowledge.task_status != sqs::MoveTaskStatus::Running) {
      EXPECT_EQ(task->status, knowledge.task_status);
    }
  }
  machine.clock.advance(Seconds(120));  // whatever is in flight comes back
  for (int seconds = 0; knowledge.task && task_of(machine, kind, *knowledge.task)->status == sqs::MoveTaskStatus::Running;
       ++seconds) {
    ASSERT_LT(seconds, 1'000) << "the task never ends: moved " << task_of(machine, kind, *knowledge.task)->messages_moved
                              << " of " << task_of(machine, kind, *knowledge.task)->messages_to_move << ", writable "
                              << machine.journal->writable() << ", visible "
                              << machine.engine->counts(machine.queue(kind.dead)).visible;
    machine.clock.advance(Seconds(1));
    machine.tick();
    machine.maintain();
  }
  Knowledge missing = knowledge;
  for (int empty = 0; empty < 2;) {
    ++empty;
    for (const std::string& name : {kind.work, kind.dead}) {
      machine.maintain();
      for (const engine::Delivery& delivery : machine.receive(name, 10, Seconds(43'200))) {
        empty = 0;
        const std::string body = machine.body_of(delivery);
        EXPECT_EQ(missing.messages.erase(body), 1U) << "twice, or deleted and back: " << body.substr(0, 20);
        ASSERT_TRUE(machine.erase(name, delivery.receipt_handle));
      }
    }
  }
  EXPECT_TRUE(missing.messages.empty()) << missing.messages.size() << " acknowledged messages are lost";
  machine.tick();
  EXPECT_EQ(machine.engine->totals().messages, 0U);
}

class RandomRun {
 public:
  RandomRun(const Kind& kind, std::uint64_t seed)
      : kind_(kind),
        chance_(seed),
        machine_(std::make_unique<JournalMachine>(DiskImage(), Timestamp(Millis(1'800'000'000'000)), chance_.next())) {
    sqs::TextMap attributes;
    if (kind.is_fifo) attributes.emplace_back("FifoQueue", "true");
    machine_->create(kind.dead, attributes);
    attributes.emplace_back("RedrivePolicy", R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:)" + kind.dead +
                                                 R"(","maxReceiveCount":1})");
    machine_->create(kind.work, attributes);
  }

  void step() {
    if (!machine_->journal->writable()) machine_->maintain();
    switch (chance_.below(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return send();
      case 4:
      case 5:
      case 6:
      case 7:
        return receive(kind_.work);
      case 8:
        return receive(kind_.dead);
      case 9:
        return erase();
      case 10:
        return start_task();
      case 11:
      case 12:
        machine_->clock.advance(Millis(chance_.below(5'000)));
        machine_->tick();
        machine_->maintain();
        return learn_task();
      default:
        if (chance_.below(6) == 0) return restart();
        machine_->journal->request_checkpoint();
        return machine_->maintain();
    }
  }
  void check() { check_image(machine_->files.image(CrashMode::OnlySynced, chance_), machine_->clock.wall(), kind_, knowledge_); }
  int moved_to_dead() const { return moved_to_dead_; }
  std::uint64_t moved_back() const { return moved_back_; }
  int tasks() const { return tasks_; }

 private:
  void send() {
    std::vector<JournalMachine::Message> messages(1 + chance_.below(3));
    for (JournalMachine::Message& message : messages) {
      message.body = "message " + std::to_string(next_++) + " ";
      message.body.append(chance_.below(chance_.below(8) == 0 ? 9'000 : 300), 'x');
      if (!kind_.is_fifo) continue;
      message.group = "g" + std::to_string(chance_.below(4));
      message.deduplication_id = std::to_string(next_);
    }
    if (!machine_->send(kind_.work, messages)) return machine_->maintain();
    for (const auto& message : messages) knowledge_.messages.insert(message.body);
  }
  void receive(const std::string& name) {
    for (const engine::Delivery& delivery : machine_->receive(name, 1 + chance_.below(10), Seconds(chance_.below(3) * 2))) {
      const std::string body = machine_->body_of(delivery);
      EXPECT_TRUE(knowledge_.messages.contains(body)) << "deleted and back: " << body.substr(0, 20);
      moved_to_dead_ += delivery.dead_letter_source ? 1 : 0;
      latest_ = {name, body, delivery.receipt_handle};
    }
  }
  void erase() {
    if (latest_.body.empty()) return;
    if (const auto deleted = machine_->erase(latest_.name, latest_.handle); !deleted) return;  // a FIFO queue's, and expired
    // A message that has moved on counts as deleted where it was: then it lives, and may be received again.
    const auto lives = [&] {
      for (const std::string& name : {kind_.work, kind_.dead}) {
        const auto glimpses = machine_->engine->peek(machine_->queue(name), 0, 1'000);
        machine_->settle(glimpses.seen);
        for (const Engine::Glimpse& glimpse : *glimpses.result) {
          if (machine_->body_of(glimpse.message) == latest_.body) return true;
        }
      }
      return false;
    };
    if (!lives()) knowledge_.messages.erase(latest_.body);
    latest_ = {};
  }
  void start_task() {
    Engine::MoveTaskCommand command;
    command.source = JournalMachine::key(kind_.dead);
    if (chance_.below(2) == 0) command.destination = JournalMachine::key(kind_.work);
    if (chance_.below(2) == 0) command.messages_per_second = static_cast<int>(1 + chance_.below(3));
    const auto started = machine_->engine->start_move_task(command);
    machine_->settle(started.seen);
    if (!started.result) return;  // one is running
    knowledge_.task = *started.result;
    knowledge_.task_moved = 0;
    knowledge_.task_status = sqs::MoveTaskStatus::Running;
    ++tasks_;
  }
  void learn_task() {
    if (!knowledge_.task) return;
    const auto task = task_of(*machine_, kind_, *knowledge_.task);
    ASSERT_TRUE(task.has_value());
    ASSERT_GE(task->messages_moved, knowledge_.task_moved);
    moved_back_ += task->messages_moved - knowledge_.task_moved;
    knowledge_.task_moved = task->messages_moved;
    knowledge_.task_status = task->status;
  }
  void restart() {
    const Timestamp now = machine_->clock.wall();
    machine_ = std::make_unique<JournalMachine>(machine_->files.image(CrashMode::Torn, chance_), now, chance_.next());
    machine_->maintain();
    learn_task();
  }

  struct Received {
    std::string name;
    std::string body;
    std::string handle;
  };

  const Kind kind_;
  SeededRandom chance_;
  std::unique_ptr<JournalMachine> machine_;
  Knowledge knowledge_;
  Received latest_;
  int next_ = 0;
  int moved_to_dead_ = 0;
  std::uint64_t moved_back_ = 0;
  int tasks_ = 0;
};

void run(const Kind& kind) {
  const std::uint64_t seed = test::seed_from_environment(kSeed);
  SCOPED_TRACE("FERRY_SIM_SEED=" + std::to_string(seed));
  RandomRun random_run(kind, seed);
  for (int reply = 0; reply < kReplies; ++reply) {
    SCOPED_TRACE("reply " + std::to_string(reply));
    random_run.step();
    random_run.check();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(random_run.moved_to_dead(), 5);
  EXPECT_GT(random_run.moved_back(), 5U);
  EXPECT_GT(random_run.tasks(), 3);
}

TEST(MovesOnJournal, MessagesOfAStandardQueueAreInOnePlaceInOnlyTheSyncedBytes) {
  run({"work", "dead", false});
}

TEST(MovesOnJournal, MessagesOfAFifoQueueAreInOnePlaceInOnlyTheSyncedBytes) {
  run({"work.fifo", "dead.fifo", true});
}

}  // namespace
}  // namespace ferry
