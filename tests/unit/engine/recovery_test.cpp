// Crashes, checkpoints, replay over a checkpoint, compaction, damaged input.

#include "engine_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;
using Strings = std::vector<std::string>;

class RecoveryTest : public EngineTest {
 protected:
  void hold_back() { store->set_sync_mode(store::SimulatedStore::SyncMode::OnDemand); }
};

TEST_F(RecoveryTest, LeasesAndCountsSurvive) {
  const QueueRef queue = create("q", {{"VisibilityTimeout", "20"}});
  send_many(queue, 3);
  const auto taken = receive(queue, 2);
  clock.advance(Seconds(5));
  EXPECT_TRUE(change(queue, taken[1].receipt_handle, Seconds(100)).has_value());
  for (const bool with_checkpoint : {false, true}) {
    if (with_checkpoint) {
      ASSERT_TRUE(store->checkpoint().has_value());
    }
    restart();
    expect_counts(find(), 1, 2, 0);
  }
  clock.advance(Seconds(15));
  expect_counts(find(), 2, 1, 0);
  const auto again = receive(find(), 1).front();
  EXPECT_EQ(body_of(again), "0");
  EXPECT_EQ(again.receive_count, 2u);
  EXPECT_EQ(again.first_received, taken[0].first_received);
  EXPECT_TRUE(remove(find(), taken[1].receipt_handle).has_value());  // handles outlive restarts
  expect_counts(find(), 1, 1, 0);
}

TEST_F(RecoveryTest, WhatWasNotDurableNeverHappened) {
  const QueueRef queue = create();
  send(queue, "kept");
  hold_back();
  send(queue, "lost");
  const auto taken = receive(queue, 10);
  EXPECT_EQ(taken.size(), 2u);
  EXPECT_TRUE(remove(queue, taken[0].receipt_handle).has_value());
  restart();
  const auto after = receive(find(), 10);
  EXPECT_EQ(bodies(after), Strings{"kept"});
  EXPECT_EQ(after[0].receive_count, 1u);
}

TEST_F(RecoveryTest, ABatchIsThereWholeOrNotAtAll) {
  const QueueRef queue = create();
  hold_back();
  const auto answer = engine->send(queue, caller, {command("a"), command("b"), command("c")});
  engine.reset();
  auto part = store->crash(store::Position{answer.seen.value - 1});
  store = std::move(part);
  start();
  expect_counts(find(), 0, 0, 0);
}

TEST_F(RecoveryTest, EngineTimeDoesNotGoBackWithTheWallClock) {
  const QueueRef queue = create();
  clock.advance(Seconds(100));
  send(queue, "x");
  receive(queue, 1, Seconds(10));
  const Timestamp before = engine->now();
  clock.jump_wall(-std::chrono::hours(5));
  EXPECT_GE(engine->now(), before);
  restart();
  EXPECT_GE(engine->now(), before);
  expect_counts(find(), 0, 1, 0);
  clock.advance(Millis(9'980));
  expect_counts(find(), 0, 1, 0);
  clock.advance(Millis(40));
  expect_counts(find(), 1, 0, 0);  // the lease lasted ten seconds (a thousandth more or less), whatever the wall clock said
  ASSERT_TRUE(store->checkpoint().has_value());
  const Timestamp later = engine->now();
  clock.jump_wall(-std::chrono::hours(5));
  restart();
  EXPECT_GE(engine->now(), later);
}

TEST_F(RecoveryTest, AWallClockThatWentOnDuringAStopEndsLeases) {
  const QueueRef queue = create();
  send(queue, "x");
  receive(queue, 1, Seconds(10));
  clock.jump_wall(Seconds(10));
  restart();
  expect_counts(find(), 1, 0, 0);
}

// Everything that can happen between the moment a checkpoint is made and its replay is applied a second time.
TEST_F(RecoveryTest, ReplayOverAYoungerPieceChangesNothing) {
  // Asks for the checkpoint, but hands the engine the whole log again.
  struct Pieces final : store::CheckpointSink {
    std::vector<std::vector<std::byte>> all;
    Result<void> add_piece(std::span<const std::byte> piece, store::Position) override {
      EXPECT_LE(piece.size(), 65'536u);
      all.emplace_back(piece.begin(), piece.end());
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

  options.enforce_deletion_wait = false;
  options.enforce_purge_wait = false;
  restart();
  QueueRef queue = create("q", {{"MessageRetentionPeriod", "60"}});
  send_many(queue, 5);
  clock.advance(Seconds(60));
  expect_counts(queue, 0, 0, 0);  // expired
  send_many(queue, 5);
  engine->purge(queue);
  send_many(queue, 200);
  const auto taken = receive(queue, 10);
  EXPECT_TRUE(remove(queue, taken[0].receipt_handle).has_value());
  EXPECT_TRUE(change(queue, taken[1].receipt_handle, Seconds(0)).has_value());
  EXPECT_TRUE(change(queue, taken[2].receipt_handle, Seconds(500)).has_value());
  receive(queue, 1, Seconds(77));
  engine->quarantine(queue, taken[3].sequence, taken[3].location);
  store->set_reserve_error(store::Purpose::Upkeep, ErrorKind::Unavailable);  // without a record, but hidden all the same
  engine->quarantine(queue, taken[4].sequence, taken[4].location);
  store->set_reserve_error(store::Purpose::Upkeep, std::nullopt);
  send(create("gone"), "x");
  engine->delete_queue(find("gone"));
  send(create("again"), "x");
  engine->delete_queue(find("again"));
  send(create("again", {{"DelaySeconds", "1"}}), "y");
  engine->set_attributes(queue, {{"VisibilityTimeout", "9"}});
  store->compact();
  settle();

  Pieces pieces;
  ASSERT_TRUE(engine->write_checkpoint(pieces).has_value());
  const auto attributes = *engine->get_attributes(queue, {"All"}).result;
  const auto next_handles = receive(find("again"), 1, Seconds(0));
  auto image = store->crash();
  Recorder recorder;
  ASSERT_TRUE(image->recover(recorder).has_value());

  // Every suffix of the log over the same pieces.
  for (std::size_t skip = 0; skip < recorder.log.size(); skip += 7) {
    auto copy = store->crash();
    // recover() gives the store its owner and live bodies; the engine under test is filled by hand.
    struct Handed final : store::Owner {
      Handed(Engine& an_engine, const Pieces& some_pieces, const Recorder& a_recorder, std::size_t to_skip)
          : engine(an_engine), pieces(some_pieces), recorder(a_recorder), skip(to_skip) {}
      Engine& engine;
      const Pieces& pieces;
      const Recorder& recorder;
      std::size_t skip;
      Result<void> restore_piece(std::span<const std::byte>) override { return {}; }
      Result<void> replay(store::Position, const store::Location&, std::span<const std::byte>) override { return {}; }
      Result<void> recovered() override {
        for (const auto& piece : pieces.all) FERRY_TRY_VOID(engine.restore_piece(piece));
        for (std::size_t i = skip; i < recorder.log.size(); ++i) {
          FERRY_TRY_VOID(engine.replay(recorder.log[i].position, recorder.log[i].location, recorder.log[i].payload));
        }
        return engine.recovered();
      }
      void on_durable(store::Position) override {}
      void on_failed(const Error&) override {}
      Result<store::Position> write_checkpoint(store::CheckpointSink&) override { return store::Position{}; }
      void relocate(const store::Location&, std::span<const std::byte>) override {}
    };
    Engine second(*copy, clock, random, log, options);
    Handed handed(second, pieces, recorder, skip);
    ASSERT_TRUE(copy->recover(handed).has_value());
    const QueueRef again = second.find(key()).result.value();
    EXPECT_EQ(*second.get_attributes(again, {"All"}).result, attributes) << skip;
    EXPECT_EQ(second.totals().quarantined, 2u);
    EXPECT_EQ(second.totals().queues, 2u);
    EXPECT_EQ(second.totals().messages, engine->totals().messages);
    EXPECT_EQ(*second.get_attributes(second.find(key("again")).result.value(), {"DelaySeconds"}).result,
              (sqs::TextMap{{"DelaySeconds", "1"}}));
  }
}

TEST_F(RecoveryTest, ACheckpointOfManyMessagesHasSmallPieces) {
  const QueueRef queue = create();
  send_many(queue, 5'000);
  for (int i = 0; i < 100; ++i) {
    for (const auto& delivery : receive(queue)) {
      if (delivery.sequence % 3 != 0) continue;
      EXPECT_TRUE(remove(queue, delivery.receipt_handle).has_value());
    }
  }
  ASSERT_TRUE(store->checkpoint().has_value());
  const auto before = engine->counts(queue);
  const std::size_t bodies_before = store->live_bodies();
  restart();
  EXPECT_LE(store->records_to_replay(), 1u);
  expect_counts(find(), before.visible, before.not_visible, before.delayed);
  EXPECT_EQ(store->live_bodies(), bodies_before);
}

TEST_F(RecoveryTest, WhatHappensAfterACheckpointIsReplayedOverIt) {
  const QueueRef queue = create();
  send_many(queue, 10);
  const auto taken = receive(queue, 3);
  ASSERT_TRUE(store->checkpoint().has_value());
  EXPECT_TRUE(remove(queue, taken[0].receipt_handle).has_value());
  send(queue, "new");
  create("second");
  receive(queue, 2);
  restart();
  expect_counts(find(), 6, 4, 0);
  EXPECT_TRUE(engine->find(key("second")).result.has_value());
  EXPECT_EQ(store->live_bodies(), 10u);
}

TEST_F(RecoveryTest, NumbersOfDeletedQueuesAndMessagesAreNotUsedAgain) {
  options.enforce_deletion_wait = false;
  restart();
  const QueueRef queue = create();
  send(queue, "x");
  const auto first = receive(queue).front();
  EXPECT_TRUE(remove(queue, first.receipt_handle).has_value());
  ASSERT_TRUE(store->checkpoint().has_value());
  restart();
  send(find(), "y");
  EXPECT_TRUE(remove(find(), first.receipt_handle).has_value());  // of the deleted message, not of the new one
  expect_counts(find(), 1, 0, 0);
  EXPECT_GT(receive(find()).front().sequence, first.sequence);
}

TEST_F(RecoveryTest, TheNumberOfADeletedQueueIsNotUsedAgain) {
  const auto id_of = [&](const QueueRef& queue) {
    send(queue, "x");
    return decode_message(store->read_now(receive(queue).front().location)->bytes)->queue_id;
  };
  const std::uint64_t first = id_of(create("first"));
  engine->delete_queue(find("first"));
  settle();
  ASSERT_TRUE(store->checkpoint().has_value());
  restart();
  EXPECT_GT(id_of(create("second")), first);
}

TEST_F(RecoveryTest, CompactionMovesLiveBodiesAndOnlyThose) {
  const QueueRef queue = create();
  send_many(queue, 4);
  const auto taken = receive(queue, 2, Seconds(0));
  EXPECT_TRUE(remove(queue, taken[0].receipt_handle).has_value());
  EXPECT_EQ(store->live_bodies(), 3u);
  const auto before = store->last();
  store->compact();
  EXPECT_EQ(store->last().value, before.value + 3);
  EXPECT_EQ(store->live_bodies(), 3u);
  const auto moved = receive(queue, 10, Seconds(0));
  EXPECT_EQ(bodies(moved), (Strings{"1", "2", "3"}));
  EXPECT_NE(moved[0].location, taken[1].location);
  EXPECT_EQ(moved[0].receive_count, 2u);
  const auto payload = store->read_now(moved[0].location);
  EXPECT_EQ(decode_message(payload->bytes)->sequence, moved[0].sequence);
  restart();
  EXPECT_EQ(bodies(receive(find(), 10, Seconds(0))), (Strings{"1", "2", "3"}));
  ASSERT_TRUE(store->checkpoint().has_value());
  store->compact();
  restart();
  EXPECT_EQ(bodies(receive(find(), 10)), (Strings{"1", "2", "3"}));
}

TEST_F(RecoveryTest, CompactionWithoutRoomLeavesTheBodyWhereItIs) {
  const QueueRef queue = create();
  send(queue, "x");
  store->set_reserve_error(store::Purpose::Upkeep, ErrorKind::NoSpace);
  store->compact();
  store->set_reserve_error(store::Purpose::Upkeep, std::nullopt);
  EXPECT_EQ(bodies(receive(queue)), Strings{"x"});
  EXPECT_EQ(store->live_bodies(), 1u);
}

TEST_F(RecoveryTest, RelocatingWhatIsNoMessageDoesNothing) {
  const auto before = store->last();
  engine->relocate({1, 1, 3}, std::as_bytes(std::span("abc", 3)));
  engine->relocate({1, 1, 0}, {});
  EXPECT_EQ(store->last(), before);
}

TEST_F(RecoveryTest, DamagedRecordsAndPiecesAreRefused) {
  Engine fresh(*store, clock, random, log, options);
  const std::vector<std::byte> junk(40, std::byte{0x5A});
  EXPECT_EQ(fresh.replay(store::Position{1}, {}, junk).error().kind, ErrorKind::Corrupt);
  EXPECT_EQ(fresh.replay(store::Position{1}, {}, {}).error().kind, ErrorKind::Corrupt);
  EXPECT_EQ(fresh.restore_piece(junk).error().kind, ErrorKind::Corrupt);
  EXPECT_EQ(fresh.restore_piece({}).error().kind, ErrorKind::Corrupt);
  MessagesPiece orphan;
  orphan.queue_id = 99;
  EXPECT_EQ(fresh.restore_piece(encode_piece(orphan)).error().kind, ErrorKind::Corrupt);
}

TEST_F(RecoveryTest, AnArrivalFromAQueueThatNothingNamesIsRefused) {
  const QueueRef real = create("real");
  send(real, "x");
  const store::Location location = engine->peek(real, 0, 1).result->front().message.location;
  for (const std::uint32_t source : {1u, 2u}) {
    engine.reset();
    store = store->crash();  // nothing is retained in the new one yet
    Engine fresh(*store, clock, random, log, options);
    QueuePiece queue;
    queue.queue_id = 7;
    queue.key = key("q");
    queue.next_sequence = 2;
    queue.dead_letter_sources = {key("source")};
    MessagesPiece messages;
    messages.queue_id = 7;
    messages.entries.resize(1);
    messages.entries[0].sequence = 1;
    messages.entries[0].location = location;
    messages.entries[0].arrival = Arrival{{7, 1}, {}, 0, source, 0};
    ASSERT_TRUE(fresh.restore_piece(encode_piece(queue)).has_value());
    ASSERT_TRUE(fresh.restore_piece(encode_piece(messages)).has_value());
    EXPECT_EQ(fresh.recovered().has_value(), source == 1);
  }
}

}  // namespace
}  // namespace ferry::engine
