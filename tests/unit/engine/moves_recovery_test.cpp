// Moves between queues and everything that may come between: compaction, damage, checkpoints at any moment, replay over them.

#include "engine/queue.h"
#include "queues_fixture.h"

namespace ferry::engine {
namespace {

// ---- the names of moved payloads

TEST(MovedPayloads, KnowWhereAMessageIsUntilToldToForget) {
  MovedPayloads moved;
  EXPECT_EQ(moved.home_of({1, 5}), (WrittenAs{1, 5}));
  moved.set({1, 5}, {2, 1});
  moved.set({1, 6}, {2, 2});
  EXPECT_EQ(moved.home_of({1, 5}), (WrittenAs{2, 1}));
  moved.set({1, 5}, {3, 9});  // and on
  EXPECT_EQ(moved.home_of({1, 5}), (WrittenAs{3, 9}));
  moved.erase({1, 5});
  EXPECT_EQ(moved.home_of({1, 5}), (WrittenAs{1, 5}));
  EXPECT_EQ(moved.home_of({1, 6}), (WrittenAs{2, 2}));
}

struct NoOwner final : store::Owner {
  Result<void> restore_piece(std::span<const std::byte>) override { return {}; }
  Result<void> replay(store::Position, const store::Location&, std::span<const std::byte>) override { return {}; }
  Result<void> recovered() override { return {}; }
  void on_durable(store::Position) override {}
  void on_failed(const Error&) override {}
  Result<store::Position> write_checkpoint(store::CheckpointSink&) override { return store::Position{}; }
  void relocate(const store::Location&, std::span<const std::byte>) override {}
};

// Two queues without an engine around them, so that what they share can be seen.
class MovedPayloadsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.recover(owner_).has_value());
    store_.set_sync_mode(store::SimulatedStore::SyncMode::Immediately);
    to_ = make(2, "dlq", {});
    from_ = make(1, "q", {{"RedrivePolicy", R"({"deadLetterTargetArn":"arn:aws:sqs:r:a:dlq","maxReceiveCount":1})"}});
  }
  QueueRef make(std::uint64_t id, const std::string& name, const sqs::TextMap& attributes) {
    return std::make_shared<Queue>(shared_,
                                   Queue::Birth{id, {"a", "r", name}, {}, *sqs::new_attributes(name, attributes), {}, 0, {}});
  }
  /// Sends one message, receives it once and moves it.
  void move_one() {
    static const sqs::MessageAttributes kNone;
    SendCommand command;
    command.body = "x";
    command.message_attributes = command.message_system_attributes = &kNone;
    command.md5_of_body = "0123456789abcdef";
    ASSERT_TRUE(from_->send({}, {command}, SendForm::Single).result.has_value());
    Queue::DeadLetters dead_letters;
    dead_letters.target = to_->key();
    ASSERT_EQ(from_->receive({}, {1, Seconds(0), std::nullopt}, nullptr, dead_letters).result->size(), 1u);
    ASSERT_TRUE(from_->receive({}, {1, Seconds(0), std::nullopt}, nullptr, dead_letters).result->empty());
    Queue::Hold lower(*from_);
    Queue::Hold higher(*to_);
    from_->move_dead_letters(lower, {*to_, &higher}, dead_letters.exhausted);
  }
  Delivery moved() {
    Queue::DeadLetters none;
    return to_->receive({}, {1, Seconds(0), std::nullopt}, nullptr, none).result->front();
  }
  WrittenAs home() { return shared_.moved.home_of({1, 1}); }

  ManualClock clock_;
  SeededRandom random_{1};
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  NoOwner owner_;
  store::SimulatedStore store_;
  Shared shared_{store_, clock_, random_, log_, {}};
  QueueRef to_;
  QueueRef from_;
};

TEST_F(MovedPayloadsTest, AreForgottenWithTheMessage) {
  struct Case {
    const char* name;
    std::function<void()> happens;
  };
  const Case cases[] = {
      {"deleted", [&] { EXPECT_TRUE(to_->delete_messages({moved().receipt_handle}).result->front().has_value()); }},
      {"quarantined",
       [&] {
         const Delivery at = moved();
         EXPECT_EQ(to_->quarantine(at.sequence, at.location), std::nullopt);
       }},
      {"purged",
       [&] {
         EXPECT_TRUE(to_->purge().result.has_value());
         to_->tick();
       }},
      {"expired",
       [&] {
         clock_.advance(Seconds(345'600));
         to_->tick();
       }},
      {"its queue deleted",
       [&] {
         {
           Queue::Hold hold(*to_);
           EXPECT_TRUE(to_->remove(hold).value());
         }
         to_->tick();
       }},
      {"relocated",
       [&] {
         const Delivery at = moved();
         const auto payload = store_.read_now(at.location);
         to_->relocate(at.location, at.written_as, at.sequence, payload->bytes);
       }},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    to_ = make(2, "dlq", {});
    from_ = make(1, "q", {{"RedrivePolicy", R"({"deadLetterTargetArn":"arn:aws:sqs:r:a:dlq","maxReceiveCount":1})"}});
    move_one();
    EXPECT_EQ(home(), (WrittenAs{2, 1}));
    one.happens();
    EXPECT_EQ(home(), (WrittenAs{1, 1}));
  }
}

TEST_F(MovedPayloadsTest, ARelocatedCopyHasTheNewName) {
  move_one();
  const Delivery before = moved();
  EXPECT_EQ(before.written_as, (WrittenAs{1, 1}));
  const auto payload = store_.read_now(before.location);
  to_->relocate(before.location, before.written_as, before.sequence, payload->bytes);
  const Delivery after = moved();
  EXPECT_NE(after.location, before.location);
  EXPECT_EQ(after.written_as, (WrittenAs{2, 1}));
  const auto copy = store_.read_now(after.location);
  EXPECT_EQ(decode_message(copy->bytes)->queue_id, 2u);
  EXPECT_EQ(decode_message(copy->bytes)->sequence, 1u);
  EXPECT_EQ(after.dead_letter_source, "arn:aws:sqs:r:a:q");  // what else is known of it stays
}

// ---- compaction and damage, through the engine

class MovesRecoveryTest : public QueuesTest {
 protected:
  void create_pairs() {
    create("end");
    create("dlq", {redrive("end", 1)});
    create("q", {redrive("dlq", 1)});
    create_fifo("dlq.fifo");
    create_fifo("q.fifo", {redrive("dlq.fifo", 1)});
  }
  void kill(const std::string& name) {
    const QueueRef queue = find(name);
    receive(queue, 10, Seconds(0));
    receive(queue, 10, Seconds(0));
  }
  static std::string text(const Uuid& id) { return to_string(id); }
  /// Everything of every queue that can be told, and nothing of where the bodies lie.
  std::string picture(Engine& of) {
    std::string all;
    for (const char* name : {"end", "dlq", "q", "dlq.fifo", "q.fifo"}) {
      const QueueRef queue = of.find(key(name)).result.value();
      all += std::string(name) + ":";
      const auto glimpses = of.peek(queue, 0, 1'000);
      for (const auto& glimpse : *glimpses.result) {
        const Delivery& message = glimpse.message;
        all += " [" + std::to_string(message.sequence) + " state " + std::to_string(static_cast<int>(glimpse.state)) + " count " +
               std::to_string(message.receive_count) + " first " + std::to_string(to_epoch_millis(message.first_received)) +
               " from " + message.dead_letter_source.value_or("-") + " id " +
               (message.message_id ? text(*message.message_id) : "-") + " sent " +
               (message.sent ? std::to_string(to_epoch_millis(*message.sent)) : "-") + " as " +
               std::to_string(message.written_as.queue_id) + "." + std::to_string(message.written_as.sequence) + "]";
      }
      const auto tasks = of.move_tasks(key(name), 10);
      for (const auto& task : *tasks.result) {
        all += " {" + text(task.id) + " " + std::string(name_of(task.status)) + " " + std::to_string(task.messages_moved) +
               " of " + std::to_string(task.messages_to_move) + " " + task.failure_reason + "}";
      }
      const auto attributes = of.get_attributes(queue, {"All"});
      for (const auto& [attribute_name, value] : *attributes.result) all += " " + attribute_name + "=" + value;
      all += "\n";
    }
    return all + std::to_string(of.totals().messages) + " messages, " + std::to_string(of.totals().quarantined) + " quarantined";
  }
};

TEST_F(MovesRecoveryTest, CompactionFindsMovedMessages) {
  create_pairs();
  send_words(find("q"), {"a1", "b1", "c1"});
  kill("q");
  EXPECT_EQ(shown(find("dlq")), "a1 b1 c1");
  kill("dlq");  // moved twice
  EXPECT_EQ(shown(find("end")), "a1 b1 c1");
  options.enforce_deletion_wait = false;
  engine->delete_queue(find("q"));  // the one that they were written for
  settle();
  for (int round = 0; round < 3; ++round) {
    const auto before = peek_all(find("end"));
    store->compact();
    const auto after = peek_all(find("end"));
    ASSERT_EQ(after.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NE(after[i].message.location, before[i].message.location);
      EXPECT_EQ(after[i].message.sequence, before[i].message.sequence);
      EXPECT_EQ(after[i].message.dead_letter_source, before[i].message.dead_letter_source);
      const auto payload = store->read_now(after[i].message.location);
      EXPECT_EQ(decode_message(payload->bytes)->queue_id, after[i].message.written_as.queue_id);
      EXPECT_EQ(decode_message(payload->bytes)->sequence, after[i].message.written_as.sequence);
      EXPECT_EQ(after[i].message.written_as.sequence, after[i].message.sequence);  // its name of now
    }
    EXPECT_EQ(shown(find("end")), "a1 b1 c1");
    EXPECT_EQ(store->live_bodies(), 3u);
    restart_both_ways();
    EXPECT_EQ(shown(find("end")), "a1 b1 c1");
    EXPECT_EQ(store->live_bodies(), 3u);
  }
  engine->purge(find("end"));
  settle();
  EXPECT_EQ(store->live_bodies(), 0u);
}

TEST_F(MovesRecoveryTest, CompactionAfterARestartFindsMovedMessages) {
  create_pairs();
  send_words(find("q.fifo"), {"a1", "a2", "b1"});
  kill("q.fifo");
  restart_both_ways();
  store->compact();
  EXPECT_EQ(shown(find("dlq.fifo")), "a1 a2 b1");
  EXPECT_EQ(store->live_bodies(), 3u);
  const auto taken = take(find("dlq.fifo"), 10, Seconds(0));
  EXPECT_EQ(taken[0].written_as.sequence, taken[0].sequence);
  EXPECT_TRUE(taken[0].deduplication_id_is_message_id);
}

TEST_F(MovesRecoveryTest, AMovedMessageOfARelocatedOneIsFound) {
  create_pairs();
  send_words(find("q"), {"a1"});
  store->compact();  // then moved
  kill("q");
  store->compact();
  kill("dlq");
  restart();
  EXPECT_EQ(shown(find("end")), "a1");
  store->compact();
  restart_both_ways();
  EXPECT_EQ(shown(find("end")), "a1");
  EXPECT_EQ(store->live_bodies(), 1u);
}

TEST_F(MovesRecoveryTest, AMovedMessageMayBeQuarantined) {
  create_pairs();
  send_words(find("q"), {"a1", "b1"});
  kill("q");
  const auto damaged = peek_all(find("dlq")).front().message;
  EXPECT_EQ(engine->quarantine(find("dlq"), damaged.sequence, damaged.location), std::nullopt);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(shown(find("dlq")), "b1");
    EXPECT_EQ(engine->totals().quarantined, 1u);
    EXPECT_EQ(store->live_bodies(), 2u);
    store->compact();
    restart_both_ways();
  }
  clock.advance(Seconds(345'600));
  settle();
  EXPECT_EQ(store->live_bodies(), 1u);  // retention does not take it
  engine->purge(find("dlq"));
  settle();
  EXPECT_EQ(store->live_bodies(), 0u);
  EXPECT_EQ(engine->totals().quarantined, 0u);
}

TEST_F(MovesRecoveryTest, AQuarantinedHeadLetsItsGroupGoOn) {
  create_pairs();
  send_words(find("q.fifo"), {"a1", "a2"});
  const auto waiters = wait(find("dlq.fifo"), 1);
  const auto taken = take(fifo(), 1).front();
  const auto sleepers = wait(fifo(), 1);
  EXPECT_EQ(engine->quarantine(fifo(), taken.sequence, taken.location), std::nullopt);
  EXPECT_EQ(woken(sleepers), 1);
  EXPECT_EQ(given(fifo()), "a2");
  EXPECT_EQ(woken(waiters), 0);
}

TEST_F(MovesRecoveryTest, QuarantineFollowsACompactedMove) {
  create_pairs();
  send_words(find("q"), {"a1"});
  kill("q");
  const auto before = peek_all(find("dlq")).front().message;
  store->compact();
  const auto place = engine->quarantine(find("dlq"), before.sequence, before.location);
  ASSERT_TRUE(place.has_value());
  EXPECT_NE(place->location, before.location);
  EXPECT_EQ(place->written_as.sequence, before.sequence);
  EXPECT_EQ(engine->totals().quarantined, 0u);
}

// ---- a checkpoint at any moment

// Takes the pieces of a checkpoint; before piece number `at` comes, something happens.
struct Pieces final : store::CheckpointSink {
  std::vector<std::vector<std::byte>> all;
  std::size_t at = SIZE_MAX;
  std::function<void()> happens;
  Result<void> add_piece(std::span<const std::byte> piece, store::Position) override {
    all.emplace_back(piece.begin(), piece.end());
    if (all.size() == at) happens();
    return {};
  }
};
struct Recorder final : store::Owner {
  struct Entry {
    store::Position position;
    store::Location location;
    std::vector<std::byte> payload;
  };
  std::vector<Entry> log;
  Result<void> restore_piece(std::span<const std::byte>) override { return {}; }
  Result<void> replay(store::Position p, const store::Location& l, std::span<const std::byte> b) override {
    log.push_back({p, l, {b.begin(), b.end()}});
    return {};
  }
  Result<void> recovered() override { return {}; }
  void on_durable(store::Position) override {}
  void on_failed(const Error&) override {}
  Result<store::Position> write_checkpoint(store::CheckpointSink&) override { return store::Position{}; }
  void relocate(const store::Location&, std::span<const std::byte>) override {}
};
// recover() gives the store its owner and live bodies; the engine is filled by hand.
struct Handed final : store::Owner {
  Handed(Engine& an_engine, const Pieces& some_pieces, const Recorder& a_recorder, store::Position replay_from)
      : engine(an_engine), pieces(some_pieces), recorder(a_recorder), from(replay_from) {}
  Engine& engine;
  const Pieces& pieces;
  const Recorder& recorder;
  store::Position from;
  Result<void> restore_piece(std::span<const std::byte>) override { return {}; }
  Result<void> replay(store::Position, const store::Location&, std::span<const std::byte>) override { return {}; }
  Result<void> recovered() override {
    for (const auto& piece : pieces.all) FERRY_TRY_VOID(engine.restore_piece(piece));
    for (const auto& entry : recorder.log) {
      if (entry.position >= from) FERRY_TRY_VOID(engine.replay(entry.position, entry.location, entry.payload));
    }
    return engine.recovered();
  }
  void on_durable(store::Position) override {}
  void on_failed(const Error&) override {}
  Result<store::Position> write_checkpoint(store::CheckpointSink&) override { return store::Position{}; }
  void relocate(const store::Location&, std::span<const std::byte>) override {}
};

TEST_F(MovesRecoveryTest, ACheckpointBetweenAnyTwoStepsGivesTheSame) {
  // What happens, one step after the other; the names are for messages of failures.
  struct Step {
    const char* name;
    std::function<void()> happens;
  };
  std::optional<Delivery> held;
  const std::vector<Step> steps = {
      {"sends",
       [&] {
         send_words(find("q"), {"a1", "b1", "c1"});
         send_words(fifo(), {"a1", "a2", "b1"});
       }},
      {"receives", [&] { EXPECT_EQ(receive(find("q"), 10, Seconds(0)).size() + receive(fifo(), 10, Seconds(0)).size(), 6u); }},
      {"first moves", [&] { EXPECT_TRUE(receive(find("q")).empty()); }},
      {"moves of a FIFO queue", [&] { EXPECT_TRUE(receive(fifo()).empty()); }},
      {"compaction", [&] { store->compact(); }},
      {"a receive in the target", [&] { held = receive(find("dlq"), 1, Seconds(0)).front(); }},
      {"second move", [&] { EXPECT_EQ(receive(find("dlq"), 1, Seconds(500)).size(), 1u); }},
      {"a later send", [&] { send_words(find("q"), {"d1"}); }},
      {"tags and redrive",
       [&] {
         EXPECT_TRUE(engine->tag_queue(find("q"), {{"k", "v"}}).result.has_value());
         EXPECT_TRUE(engine->set_attributes(find("dlq"), {{"RedrivePolicy", ""}}).result.has_value());
       }},
      {"a task",
       [&] {
         EXPECT_TRUE(engine->start_move_task({key("dlq.fifo"), std::nullopt, 1}).result.has_value());
       }},
      {"its first move", [&] { tick(); }},
      {"its second move",
       [&] {
         clock.advance(Seconds(2));
         tick();
       }},
      {"quarantine of a moved one",
       [&] {
         const auto end = peek_all(find("end")).front().message;
         engine->quarantine(find("end"), end.sequence, end.location);
       }},
      {"deletion of a moved one",
       [&] {
         clock.advance(Seconds(500));
         const auto taken = receive(find("dlq"), 1).front();
         EXPECT_TRUE(remove(find("dlq"), taken.receipt_handle).has_value());
       }},
      {"a purge", [&] { EXPECT_TRUE(engine->purge(fifo()).result.has_value()); }},
      {"sends after it", [&] { send_words(fifo(), {"z1"}); }},
      {"compaction again", [&] { store->compact(); }},
      {"the rest", [&] { settle(); }},
  };
  options.enforce_purge_wait = false;
  // A step either comes before the checkpoint, or between two of its pieces, or after it.
  std::size_t pieces_max = 1;
  for (std::size_t before = 0; before < steps.size(); ++before) {
    for (std::size_t at = 1; at <= pieces_max; at += at < 4 ? 1 : 2) {
      SCOPED_TRACE(std::string(steps[before].name) + " between pieces, at " + std::to_string(at));
      store = std::make_unique<store::SimulatedStore>();
      start();
      create_pairs();
      for (std::size_t i = 0; i < before; ++i) steps[i].happens();
      Pieces pieces;
      pieces.at = at;
      bool happened = false;
      pieces.happens = [&] {
        happened = true;
        steps[before].happens();
      };
      const auto from = engine->write_checkpoint(pieces);
      ASSERT_TRUE(from.has_value());
      pieces_max = std::max(pieces_max, pieces.all.size());
      for (std::size_t i = happened ? before + 1 : before; i < steps.size(); ++i) steps[i].happens();
      const std::string wanted = picture(*engine);

      auto image = store->crash();
      Recorder recorder;
      ASSERT_TRUE(image->recover(recorder).has_value());
      for (const std::uint64_t begin : {from->value, from->value + 1, std::uint64_t{0}}) {
        auto copy = store->crash();
        Engine second(*copy, clock, random, log, options);
        Handed handed(second, pieces, recorder, store::Position{begin});
        ASSERT_TRUE(copy->recover(handed).has_value());
        ASSERT_EQ(picture(second), wanted) << "replay from " << begin;
        EXPECT_EQ(copy->live_bodies(), store->live_bodies());
      }
    }
  }
  EXPECT_GE(pieces_max, 8u);
}

// Without room for its record a quarantine is in the pieces alone.
TEST_F(MovesRecoveryTest, ReplayOfAMoveOverAQuarantinedMessageChangesNothing) {
  create_pairs();
  send_words(find("q"), {"a1", "b1"});
  kill("q");
  const auto damaged = peek_all(find("dlq")).front().message;
  store->set_reserve_error(store::Purpose::Upkeep, ErrorKind::Unavailable);
  engine->quarantine(find("dlq"), damaged.sequence, damaged.location);
  store->set_reserve_error(store::Purpose::Upkeep, std::nullopt);
  Pieces pieces;
  ASSERT_TRUE(engine->write_checkpoint(pieces).has_value());
  const std::string wanted = picture(*engine);
  auto image = store->crash();
  Recorder recorder;
  ASSERT_TRUE(image->recover(recorder).has_value());
  auto copy = store->crash();
  Engine second(*copy, clock, random, log, options);
  Handed handed(second, pieces, recorder, store::Position{0});
  ASSERT_TRUE(copy->recover(handed).has_value());
  EXPECT_EQ(picture(second), wanted);
  EXPECT_EQ(second.totals().quarantined, 1u);
  EXPECT_EQ(copy->live_bodies(), 2u);
}

}  // namespace
}  // namespace ferry::engine
