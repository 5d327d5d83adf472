// The engine over a log that has lost something: what is there comes back, what is not is named, and nothing wrong appears.

#include "engine/engine_repair.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "queues_fixture.h"

namespace ferry::engine {
namespace {

using store::Location;
using store::Position;

// What the repair gives the engine for a store.
class StubStore final : public store::Store {
 public:
  Position at;
  std::vector<Location> retained;
  Result<void> recover(store::Owner&) override { return {}; }
  Result<store::Reservation> reserve(std::span<const store::RecordShape> shapes, store::Purpose) override {
    store::Reservation reservation;
    reservation.first = Position{at.value + 1};
    for (const auto& shape : shapes) {
      memory_.push_back(std::make_unique<std::vector<std::byte>>(shape.payload_bytes));
      reservation.slots.push_back({Location{1000, static_cast<std::uint32_t>(++at.value), shape.payload_bytes}, *memory_.back()});
    }
    reservation.last = at;
    return reservation;
  }
  void publish(store::Reservation&&) override {}
  Position last() const override { return at; }
  Position durable() const override { return at; }
  std::optional<std::vector<store::Payload>> read_now(std::span<const Location>) override { return std::nullopt; }
  void read(std::vector<Location>, ReadCallback) override {}
  void retain(const Location& location) override { retained.push_back(location); }
  void release(std::span<const Location>) override {}
  store::StoreStats stats() const override { return {}; }
  bool writable() const override { return true; }
  Result<void> close() override { return {}; }

 private:
  std::vector<std::unique_ptr<std::vector<std::byte>>> memory_;
};

struct Piece {
  std::vector<std::byte> bytes;
  Position as_of;
};
struct Pieces final : store::CheckpointSink {
  std::vector<Piece> all;
  std::function<void()> after_head;  // while the rest is written
  Result<void> add_piece(std::span<const std::byte> piece, Position as_of) override {
    all.push_back({{piece.begin(), piece.end()}, as_of});
    if (all.size() == 1 && after_head) after_head();
    return {};
  }
};

class EngineRepairTest : public QueuesTest {
 protected:
  struct Record {
    Position position;
    Location location;
    std::vector<std::byte> bytes;
    RecordHeader header;
  };
  struct Tape final : store::Owner {
    std::vector<Record> records;
    Result<void> restore_piece(std::span<const std::byte>) override { return {}; }
    Result<void> replay(Position position, const Location& location, std::span<const std::byte> payload) override {
      records.push_back({position, location, {payload.begin(), payload.end()}, *decode_header(payload)});
      return {};
    }
    Result<void> recovered() override { return {}; }
    void on_durable(Position) override {}
    void on_failed(const Error&) override {}
    Result<Position> write_checkpoint(store::CheckpointSink&) override { return Position{}; }
    void relocate(const Location&, std::span<const std::byte>) override {}
  };

  /// Anew, and queues may be deleted, purged and created again at once.
  void begin_run() {
    options.enforce_deletion_wait = options.enforce_purge_wait = false;
    engine.reset();
    store = std::make_unique<store::SimulatedStore>();
    start();
  }
  /// The run is over; its log is in `records`.
  void end_run() {
    const auto crashed = store->crash();
    Tape tape;
    ASSERT_TRUE(crashed->recover(tape).has_value());
    records = tape.records;
  }
  std::set<std::uint64_t> all_of(RecordType type) {
    std::set<std::uint64_t> positions;
    for (const Record& record : records) {
      if (record.header.type == type) positions.insert(record.position.value);
    }
    return positions;
  }
  /// The n-th record of a type, from 0.
  std::uint64_t nth(RecordType type, std::size_t n) {
    const auto positions = all_of(type);
    EXPECT_LT(n, positions.size());
    return *std::next(positions.begin(), static_cast<std::ptrdiff_t>(n));
  }

  struct Losses {
    std::set<std::uint64_t> records = {};
    std::set<std::string> bodies = {};  // texts whose bytes are damaged
    std::set<std::size_t> pieces = {};  // by index
    const Pieces* pieces_of = nullptr;
    std::uint64_t replay_from = 0;
  };
  /// A repair, and an engine over what it left.
  EngineRepair::Report repair(const Losses& losses) {
    StubStore stub;
    EngineRepair owner(stub, clock, random, log);
    if (losses.pieces_of != nullptr) {
      bool is_lost = false;
      for (std::size_t i = 0; i < losses.pieces_of->all.size(); ++i) {
        const bool lost = losses.pieces.contains(i);
        if (lost && !is_lost) owner.pieces_lost();
        is_lost = lost;
        const Piece& piece = losses.pieces_of->all[i];
        if (!lost) {
          EXPECT_TRUE(owner.restore_piece_as_of(piece.bytes, piece.as_of).has_value());
        }
      }
      if (!losses.pieces.empty()) owner.replay_everything();
    }
    for (const Record& record : records) {
      if (losses.pieces.empty() && record.position.value < losses.replay_from) continue;
      if (losses.records.contains(record.position.value))
        owner.records_lost(record.position, record.position);
      else
        EXPECT_TRUE(owner.replay(record.position, record.location, record.bytes).has_value());
    }
    stub.at = records.back().position;
    const auto bodies = owner.bodies();
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      const auto payload = payload_at(bodies[i]);
      EXPECT_TRUE(owner.is_whole(i, payload));
      if (losses.bodies.contains(std::string(decode_message(payload)->body))) owner.drop(i, payload);
    }
    EXPECT_TRUE(owner.recovered().has_value());
    Pieces left;
    const auto replay_from = owner.write_checkpoint(left);
    EXPECT_TRUE(replay_from.has_value());
    stub_ = std::make_unique<StubStore>();
    stub_->at = stub.at;
    engine = std::make_unique<Engine>(*stub_, clock, random, log, options);
    for (const Piece& piece : left.all) EXPECT_TRUE(engine->restore_piece(piece.bytes).has_value());
    const auto recovered = engine->recovered();
    EXPECT_TRUE(recovered.has_value()) << recovered.error().message;
    EXPECT_EQ(stub_->retained.size(), stub.retained.size());
    return owner.report();
  }
  std::span<const std::byte> payload_at(const Location& location) {
    const auto at =
        std::find_if(records.begin(), records.end(), [&](const Record& record) { return record.location == location; });
    EXPECT_NE(at, records.end());
    return at->bytes;
  }
  /// Bodies, in the order of their numbers; "-" when there is no such queue.
  std::string texts(const std::string& name) {
    const auto queue = engine->find(key(name)).result;
    if (!queue) return "-";
    std::vector<std::string> words;
    const auto glimpses = engine->peek(*queue, 0, 1000).result.value();
    for (const auto& glimpse : glimpses) {
      const auto message = decode_message(payload_at(glimpse.message.location));
      EXPECT_EQ((WrittenAs{message->queue_id, message->sequence}), glimpse.message.written_as);
      words.emplace_back(message->body);
    }
    return joined(words);
  }
  std::vector<Delivery> take_and_delete(const QueueRef& queue, int count) {
    auto taken = receive(queue, count);
    for (const Delivery& one : taken) EXPECT_TRUE(remove(queue, one.receipt_handle).has_value());
    return taken;
  }

  std::vector<Record> records;
  std::unique_ptr<StubStore> stub_;
};

TEST_F(EngineRepairTest, WithoutALossItIsARecovery) {
  const auto queue = create();
  send_many(queue, 5);
  take_and_delete(queue, 2);
  const auto line = create_fifo();
  send_words(line, {"a1", "b1", "a2"});
  end_run();
  const auto report = repair({});
  EXPECT_EQ(texts("q"), "2 3 4");
  EXPECT_EQ(texts("q.fifo"), "a1 b1 a2");
  EXPECT_TRUE(report.lost_messages.empty());
  EXPECT_EQ(report.records_left_out, 0u);
  ASSERT_EQ(report.queues.size(), 2u);
  EXPECT_EQ(report.queues[0].messages, 3u);
  EXPECT_FALSE(report.queues[0].is_new);
}

TEST_F(EngineRepairTest, ALostSendTakesItsMessageAndWhatSpokeOfIt) {
  const auto line = create_fifo();
  send_words(line, {"a1", "b1", "a2"});
  take(line);  // all of them: one record
  end_run();
  const auto report = repair({.records = {nth(RecordType::Sent, 1)}});
  EXPECT_EQ(texts("q.fifo"), "a1 a2");
  EXPECT_EQ(report.lost_records, 1u);
  EXPECT_EQ(report.queues.front().lost_sends, 1u);
  // The others are in flight as they were, and numbers that may have been given out are not given again.
  expect_counts(find("q.fifo"), 0, 2, 0);
  EXPECT_GT(*send_to(find("q.fifo"), "c", "c1").sequence_number, 1'000'000u);
}

TEST_F(EngineRepairTest, RecordsAboutALostMessageAloneAreCounted) {
  const auto queue = create();
  send(queue, "x");
  take_and_delete(queue, 1);
  send(queue, "y");
  end_run();
  const auto report = repair({.records = {nth(RecordType::Sent, 0)}});
  EXPECT_EQ(texts("q"), "y");
  EXPECT_EQ(report.records_left_out, 2u);  // its receive and its deletion
}

TEST_F(EngineRepairTest, ALostDeletionCannotBeKnown) {
  const auto queue = create();
  send_many(queue, 2);
  take_and_delete(queue, 1);
  end_run();
  repair({.records = all_of(RecordType::Deleted)});
  EXPECT_EQ(texts("q"), "0 1");
}

TEST_F(EngineRepairTest, MessagesOfAQueueWhoseCreationIsLostGetANewOne) {
  const auto queue = create("standard");
  send_many(queue, 2);
  send_words(create_fifo("line.fifo"), {"a1", "b1"});
  const auto gone = create("gone");
  send(gone, "deleted");
  EXPECT_TRUE(engine->delete_queue(gone).result.has_value());
  end_run();
  const auto report = repair({.records = all_of(RecordType::QueueCreated)});
  EXPECT_EQ(texts("recovered-queue-1"), "0 1");
  EXPECT_EQ(texts("recovered-queue-2.fifo"), "a1 b1");
  EXPECT_EQ(report.queues.size(), 2u);
  EXPECT_TRUE(report.queues[0].is_new && report.queues[1].is_new);
  // The queue works.
  send(find("recovered-queue-1"), "more");
  EXPECT_EQ(receive(find("recovered-queue-1")).size(), 3u);
}

TEST_F(EngineRepairTest, OfTwoQueuesOfOneNameTheNewerOneIsThere) {
  begin_run();
  const auto old = create();
  send(old, "old");
  EXPECT_TRUE(engine->delete_queue(old).result.has_value());
  send(create(), "new");
  end_run();
  repair({.records = all_of(RecordType::QueueDeleted)});
  EXPECT_EQ(texts("q"), "new");
  EXPECT_EQ(engine->totals().queues, 1u);
}

TEST_F(EngineRepairTest, AMoveThatIsLostOrCannotBeMadeLeavesTheMessage) {
  create("dlq");
  const auto queue = create("q", {redrive("dlq", 1)});
  send(queue, "x");
  receive(queue, 1, Seconds(0));
  receive(queue, 1, Seconds(0));  // moves it
  ASSERT_EQ(engine->counts(find("dlq")).visible, 1u);
  end_run();
  repair({});
  EXPECT_EQ(texts("q") + "|" + texts("dlq"), "|x");
  repair({.records = all_of(RecordType::Moved)});
  EXPECT_EQ(texts("q") + "|" + texts("dlq"), "x|");
  const auto report = repair({.records = {nth(RecordType::QueueCreated, 0)}});
  EXPECT_EQ(texts("q") + "|" + texts("dlq"), "x|-");
  EXPECT_EQ(report.records_left_out, 1u);
}

TEST_F(EngineRepairTest, ACopyStandsForItsMessageWhenTheSendIsLost) {
  const auto queue = create();
  send_many(queue, 3);
  store->compact();
  take_and_delete(queue, 1);
  end_run();
  ASSERT_EQ(all_of(RecordType::Relocated).size(), 3u);
  repair({.records = all_of(RecordType::Sent)});
  EXPECT_EQ(texts("q"), "1 2");
  // It expires like any other.
  clock.advance(Seconds(4 * 24 * 3600 + 1));
  settle();
  EXPECT_EQ(engine->totals().messages, 0u);
}

TEST_F(EngineRepairTest, ACopyOfADeletedMessageStaysDeleted) {
  const auto queue = create();
  send_many(queue, 2);
  store->compact();
  take_and_delete(queue, 2);
  send(queue, "last");
  end_run();
  repair({.records = {nth(RecordType::Sent, 0), nth(RecordType::Sent, 2)}});
  EXPECT_EQ(texts("q"), "");
}

TEST_F(EngineRepairTest, WhatThePiecesContainIsNotUndone) {
  const auto queue = create();
  send(queue, "before");
  Pieces pieces;
  pieces.after_head = [&] {
    send(queue, "between");
    take_and_delete(queue, 2);
  };
  const auto replay_from = engine->write_checkpoint(pieces);
  send(queue, "after");
  end_run();
  repair({.records = all_of(RecordType::Deleted), .pieces_of = &pieces, .replay_from = replay_from->value});
  EXPECT_EQ(texts("q"), "after");
}

TEST_F(EngineRepairTest, ALostPieceOfMessagesIsReadFromTheLog) {
  const auto queue = create();
  const int many = static_cast<int>(kMessagesPerPiece) * 3;
  send_many(queue, many);
  for (int i = 0; i < many / 10; ++i) take_and_delete(queue, 10);
  ASSERT_EQ(engine->totals().messages, 0u);
  send_many(queue, many);
  take_and_delete(queue, 10);
  Pieces pieces;
  const auto replay_from = engine->write_checkpoint(pieces);
  take_and_delete(queue, 5);
  const auto expected = engine->totals().messages;
  end_run();
  for (std::size_t lost = 2; lost < pieces.all.size(); ++lost) {
    const auto report = repair({.pieces = {lost}, .pieces_of = &pieces, .replay_from = replay_from->value});
    EXPECT_TRUE(report.lost_pieces);
    EXPECT_EQ(engine->totals().messages, expected) << "without piece " << lost;
  }
}

TEST_F(EngineRepairTest, ALostPieceOfAQueueIsReadFromTheLogOrMadeAnew) {
  const auto queue = create("named", {{"VisibilityTimeout", "77"}});
  send_many(queue, 3);
  Pieces pieces;
  const auto replay_from = engine->write_checkpoint(pieces);
  send(queue, "3");
  end_run();
  ASSERT_EQ(pieces.all.size(), 3u);  // head, queue, messages
  repair({.pieces = {1, 2}, .pieces_of = &pieces, .replay_from = replay_from->value});
  EXPECT_EQ(texts("named"), "0 1 2 3");
  EXPECT_EQ(attribute(find("named"), "VisibilityTimeout"), "77");
  repair({.records = all_of(RecordType::QueueCreated), .pieces = {1}, .pieces_of = &pieces, .replay_from = replay_from->value});
  EXPECT_EQ(texts("recovered-queue-1"), "0 1 2 3");
}

TEST_F(EngineRepairTest, DeadLettersOutliveTheNamesOfTheirSources) {
  create("dlq");
  const auto queue = create("q", {redrive("dlq", 1)});
  send(queue, "x");
  receive(queue, 1, Seconds(0));
  receive(queue, 1, Seconds(0));  // moves it
  Pieces pieces;
  const auto replay_from = engine->write_checkpoint(pieces);
  end_run();
  repair({.records = all_of(RecordType::Moved), .pieces = {1}, .pieces_of = &pieces, .replay_from = replay_from->value});
  EXPECT_EQ(texts("recovered-queue-1"), "x");  // its piece is lost, the one of its messages is not
}

TEST_F(EngineRepairTest, ADeletedQueueStaysDeletedWhenAPieceIsLost) {
  const auto gone = create("gone");
  send(gone, "x");
  const auto queue = create("q");
  EXPECT_TRUE(engine->delete_queue(gone).result.has_value());
  send_many(queue, static_cast<int>(kMessagesPerPiece) * 2);
  Pieces pieces;
  const auto replay_from = engine->write_checkpoint(pieces);
  end_run();
  const std::size_t first_messages = pieces.all.size() - 2;
  repair({.records = all_of(RecordType::QueueDeleted),
          .pieces = {first_messages},
          .pieces_of = &pieces,
          .replay_from = replay_from->value});
  EXPECT_EQ(texts("gone"), "-");
  EXPECT_EQ(engine->totals().queues, 1u);
}

TEST_F(EngineRepairTest, ADamagedBodyIsDroppedAndNamed) {
  const auto queue = create();
  send(queue, "x");
  const Uuid id = send(queue, "y");
  send(queue, "z");
  end_run();
  const auto report = repair({.bodies = {"y"}});
  EXPECT_EQ(texts("q"), "x z");
  ASSERT_EQ(report.lost_messages.size(), 1u);
  EXPECT_EQ(report.lost_messages[0].queue, key());
  EXPECT_EQ(report.lost_messages[0].sequence, 2u);
  EXPECT_EQ(report.lost_messages[0].message_id, id);
  EXPECT_FALSE(report.lost_messages[0].id_is_certain);
}

TEST_F(EngineRepairTest, AQuarantinedMessageIsKeptOrDropped) {
  const auto queue = create();
  send(queue, "x");
  send(queue, "y");
  const auto taken = receive(queue, 1);
  EXPECT_EQ(engine->quarantine(queue, taken[0].sequence, taken[0].location), std::nullopt);
  end_run();
  repair({});
  EXPECT_EQ(engine->totals().quarantined, 1u);
  EXPECT_EQ(texts("q"), "y");
  const auto report = repair({.bodies = {"x"}});
  EXPECT_EQ(engine->totals().quarantined, 0u);
  EXPECT_EQ(report.lost_messages.size(), 1u);
}

TEST_F(EngineRepairTest, ADamagedRecordOfASendIsNamed) {
  const auto queue = create();
  const Uuid id = send(queue, "x");
  end_run();
  StubStore stub;
  EngineRepair owner(stub, clock, random, log);
  ASSERT_TRUE(owner.replay(records[0].position, records[0].location, records[0].bytes).has_value());
  auto bytes = records[1].bytes;
  bytes.back() ^= std::byte{1};
  owner.damaged_record(records[1].location, bytes);
  ASSERT_EQ(owner.report().lost_messages.size(), 1u);
  EXPECT_EQ(owner.report().lost_messages[0].message_id, id);
  owner.damaged_record(records[1].location, std::span(bytes).first(20));
  EXPECT_EQ(owner.report().lost_messages.size(), 1u);
}

TEST_F(EngineRepairTest, ANewerRecordIsNoDamage) {
  const auto queue = create();
  send(queue, "x");
  end_run();
  StubStore stub;
  EngineRepair owner(stub, clock, random, log);
  auto bytes = records[1].bytes;
  bytes[0] = std::byte{kRecordVersion + 1};
  EXPECT_FALSE(owner.replay(records[1].position, records[1].location, bytes).has_value());
  bytes[0] = std::byte{kRecordVersion};
  bytes[1] = std::byte{200};
  EXPECT_TRUE(owner.replay(records[1].position, records[1].location, bytes).has_value());
  EXPECT_EQ(owner.report().unreadable_records, 1u);
}

// Any records lost, with and without a checkpoint that was written beside other work: the engine that comes of it opens, and no
// message has a body that another one had.
TEST_F(EngineRepairTest, WhateverIsLostTheRestHoldsTogether) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    begin_run();
    SeededRandom chance(seed);
    create("dlq");
    create("dlq.fifo", {{"FifoQueue", "true"}});
    const auto work = [&](int count) {
      for (int i = 0; i < count; ++i) {
        const std::string name = chance.below(2) == 0 ? "q" : "q.fifo";
        const bool is_fifo = name == "q.fifo";
        if (!engine->find(key(name)).result.has_value()) {
          create(name, is_fifo ? sqs::TextMap{{"FifoQueue", "true"}, redrive("dlq.fifo", 2)} : sqs::TextMap{redrive("dlq", 2)});
        }
        const auto queue = find(name);
        switch (chance.below(8)) {
          case 0:
            if (chance.below(6) == 0) {
              EXPECT_TRUE(engine->delete_queue(queue).result.has_value());
            }
            break;
          case 1:
            if (chance.below(6) == 0) {
              EXPECT_TRUE(engine->purge(queue).result.has_value());
            }
            break;
          case 2:
            take_and_delete(queue, 2);
            break;
          case 3:
            receive(queue, 3, Seconds(0));
            break;
          case 4:
            store->compact();
            break;
          default:
            is_fifo ? void(send_to(queue, "g", std::to_string(i))) : void(send(queue, std::to_string(i)));
        }
      }
    };
    work(60);
    Pieces pieces;
    pieces.after_head = [&] { work(20); };
    const auto replay_from = engine->write_checkpoint(pieces);
    work(40);
    end_run();
    for (int i = 0; i < 40; ++i) {
      Losses losses;
      const bool with_checkpoint = chance.below(3) != 0;
      if (with_checkpoint) {
        losses.pieces_of = &pieces;
        losses.replay_from = replay_from->value;
        if (chance.below(2) == 0) losses.pieces.insert(chance.below(pieces.all.size()));
      }
      const std::uint64_t first = 1 + chance.below(records.size());
      for (std::uint64_t at = first; at < first + 1 + chance.below(10); ++at) losses.records.insert(at);
      repair(losses);
      const auto names = engine->list("000000000000", "us-east-1", "", "", 1000).result->names;
      for (const auto& name : names) texts(name);
      ASSERT_FALSE(HasFailure()) << "seed " << seed << " case " << i;
    }
  }
}

}  // namespace
}  // namespace ferry::engine
