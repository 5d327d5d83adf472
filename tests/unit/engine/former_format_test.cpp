// What version 1 of records and pieces wrote is read, and what is written from then on is version 2.

#include "former_format.h"

#include "base/encoding.h"
#include "queues_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;

std::vector<std::byte> bytes_of(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

// A server of the former version: it wrote the bytes of former_format.h.
struct FormerServer final : store::Owner {
  explicit FormerServer(store::SimulatedStore& a_store) : store(a_store) {}
  void write(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      const auto bytes = bytes_of(former_format::kLog[i]);
      const auto type = static_cast<RecordType>(bytes[1]);
      const bool is_body = type == RecordType::Sent || type == RecordType::Relocated;
      const store::RecordShape shape{static_cast<std::uint32_t>(bytes.size()), is_body};
      auto reservation = store.reserve({&shape, 1}, store::Purpose::Upkeep);
      ASSERT_TRUE(reservation.has_value());
      // The pieces name these places.
      ASSERT_EQ(reservation->slots.front().location,
                (store::Location{1, static_cast<std::uint32_t>(i + 1), shape.payload_bytes}));
      std::copy(bytes.begin(), bytes.end(), reservation->slots.front().bytes.begin());
      store.publish(std::move(*reservation));
    }
  }
  store::SimulatedStore& store;

  Result<void> restore_piece(std::span<const std::byte>) override { return {}; }
  Result<void> replay(store::Position, const store::Location&, std::span<const std::byte>) override { return {}; }
  Result<void> recovered() override { return {}; }
  void on_durable(store::Position) override {}
  void on_failed(const Error&) override {}
  Result<store::Position> write_checkpoint(store::CheckpointSink& sink) override {
    for (const auto& piece : former_format::kPieces)
      FERRY_TRY_VOID(sink.add_piece(bytes_of(piece.hex), store::Position{piece.as_of}));
    return store::Position{former_format::kReplayFrom};
  }
  void relocate(const store::Location&, std::span<const std::byte>) override {}
};

class FormerFormatTest : public QueuesTest, public testing::WithParamInterface<bool> {
 protected:
  /// The engine over the folder of the former version, with or without its checkpoint.
  void take_over(bool with_checkpoint) {
    engine.reset();
    store = std::make_unique<store::SimulatedStore>();
    FormerServer former(*store);
    ASSERT_TRUE(store->recover(former).has_value());
    store->set_sync_mode(store::SimulatedStore::SyncMode::Immediately);
    former.write(0, former_format::kRecordsBeforeCheckpoint);
    if (with_checkpoint) {
      ASSERT_TRUE(store->checkpoint().has_value());
    }
    former.write(former_format::kRecordsBeforeCheckpoint, std::size(former_format::kLog));
    store = store->crash();
    EXPECT_EQ(store->records_to_replay(),
              std::size(former_format::kLog) - (with_checkpoint ? former_format::kReplayFrom - 1 : 0));
    clock.advance(Seconds(80));
    start();
  }
  QueueRef old() { return find("old"); }
  void expect_all_there() {
    expect_counts(old(), 1, 2, 1);
    EXPECT_EQ(shown(old()), "zero one two five");
    EXPECT_EQ(engine->totals().queues, 1u);
    EXPECT_EQ(engine->totals().messages, 4u);
    EXPECT_EQ(engine->totals().quarantined, 1u);
    EXPECT_EQ(store->live_bodies(), 5u);
    const sqs::TextMap attributes = {{"ApproximateNumberOfMessages", "1"},
                                     {"ApproximateNumberOfMessagesDelayed", "1"},
                                     {"ApproximateNumberOfMessagesNotVisible", "2"},
                                     {"CreatedTimestamp", "1700000000"},
                                     {"DelaySeconds", "0"},
                                     {"LastModifiedTimestamp", "1700000060"},
                                     {"MaximumMessageSize", "1048576"},
                                     {"MessageRetentionPeriod", "345600"},
                                     {"QueueArn", arn("old")},
                                     {"ReceiveMessageWaitTimeSeconds", "0"},
                                     {"SqsManagedSseEnabled", "true"},
                                     {"VisibilityTimeout", "20"}};
    EXPECT_EQ(*engine->get_attributes(old(), {"All"}).result, attributes);
    EXPECT_TRUE(engine->queue_tags(old()).result->empty());
  }
};
INSTANTIATE_TEST_SUITE_P(Checkpoint, FormerFormatTest, testing::Bool());

TEST_P(FormerFormatTest, TheQueueComesBackAsItWas) {
  take_over(GetParam());
  expect_all_there();
  EXPECT_EQ(code_of(engine->create_queue(key("gone"), {}).result), ErrorCode::QueueDeletedRecently);
  EXPECT_EQ(code_of(engine->purge(old()).result), ErrorCode::PurgeQueueInProgress);
}

TEST_P(FormerFormatTest, TheMessagesAreWhole) {
  take_over(GetParam());
  const auto zero = peek_all(old()).front().message;
  EXPECT_EQ(zero.sequence, 3u);
  EXPECT_EQ(zero.receive_count, 2u);
  EXPECT_EQ(zero.first_received, from_epoch_millis(1'700'000'060'000));
  EXPECT_EQ(zero.dead_letter_source, std::nullopt);
  const auto payload = store->read_now(zero.location);
  const auto message = decode_message(payload->bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->queue_id, zero.written_as.queue_id);
  EXPECT_EQ(message->sequence, 3u);
  EXPECT_EQ(to_string(message->message_id).substr(0, 8), "b6fcb92e");
  EXPECT_EQ(message->sent, from_epoch_millis(1'700'000'060'000));
  EXPECT_EQ(message->sender, "AKIAEXAMPLE");
  EXPECT_EQ(message->source_address, "127.0.0.1");
  EXPECT_EQ(message->md5_of_body, std::string(16, 'a'));
  EXPECT_EQ(message->md5_of_message_attributes, std::string(16, 'b'));
  EXPECT_EQ(message->message_group_id, "");
  EXPECT_EQ(message->message_deduplication_id, "");
  EXPECT_EQ(message->system_attributes, (sqs::MessageAttributes{{"AWSTraceHeader", {"String", "Root=1", std::nullopt}}}));
  EXPECT_EQ(message->message_attributes, (sqs::MessageAttributes{{"Kind", {"String", "x", std::nullopt}},
                                                                 {"Raw", {"Binary", std::nullopt, std::string("\0\xff", 2)}}}));
  EXPECT_EQ(message->body, "zero");
}

TEST_P(FormerFormatTest, TimesAndHandlesGoOn) {
  take_over(GetParam());
  EXPECT_TRUE(remove(old(), std::string(former_format::kHandleOfOne)).has_value());
  expect_counts(old(), 1, 1, 1);
  clock.advance(Millis(19'999));
  expect_counts(old(), 1, 1, 1);
  clock.advance(Millis(1));
  expect_counts(old(), 2, 0, 1);
  clock.advance(Seconds(60));
  expect_counts(old(), 3, 0, 0);
  EXPECT_EQ(given(old()), "zero two five");
  send(old(), "six");
  EXPECT_EQ(receive(old()).front().sequence, 9u);
}

TEST_P(FormerFormatTest, WhatIsWrittenAfterIsReadTogetherWithIt) {
  take_over(GetParam());
  send_to(old(), "tenant", "six");
  ASSERT_TRUE(engine->tag_queue(old(), {{"k", "v"}}).result.has_value());
  restart();  // the former records and the new ones
  EXPECT_EQ(shown(old()), "zero one two five six");
  EXPECT_EQ(engine->queue_tags(old()).result->size(), 1u);
  ASSERT_TRUE(store->checkpoint().has_value());
  restart();  // the former bodies alone
  EXPECT_EQ(shown(old()), "zero one two five six");
  EXPECT_EQ(engine->totals().quarantined, 1u);
  EXPECT_EQ(attribute(old(), "LastModifiedTimestamp"), "1700000060");
}

TEST_P(FormerFormatTest, AMessageOfItIsCompactedAndMoved) {
  take_over(GetParam());
  store->compact();
  expect_all_there();
  restart_both_ways();
  expect_all_there();
  create("dlq");
  ASSERT_TRUE(engine->set_attributes(old(), {redrive("dlq", 1)}).result.has_value());
  EXPECT_EQ(given(old(), 1, Seconds(0)), "five");
  EXPECT_EQ(given(old(), 1), "");
  EXPECT_EQ(shown(find("dlq")), "five");
  for (int round = 0; round < 2; ++round) {
    store->compact();
    restart_both_ways();
    EXPECT_EQ(shown(find("dlq")), "five");
    EXPECT_EQ(shown(old()), "zero one two");
  }
  const auto moved = peek_all(find("dlq")).front().message;
  const auto payload = store->read_now(moved.location);
  EXPECT_EQ(payload->bytes[0], std::byte{1});  // a copy keeps the version that it was written with
  EXPECT_EQ(decode_message(payload->bytes)->sequence, moved.sequence);
}

// Cut or lengthened bytes of the former version are refused like those of the present one.
TEST(FormerFormat, CutBytesAreRefused) {
  const auto decodes = [](std::span<const std::byte> bytes) {
    return decode_queue_created(bytes).has_value() || decode_attributes_set(bytes).has_value() ||
           decode_queue_deleted(bytes).has_value() || decode_purged(bytes).has_value() || decode_expired(bytes).has_value() ||
           decode_message(bytes).has_value() || decode_received(bytes).has_value() || decode_deleted(bytes).has_value() ||
           decode_visibility_changed(bytes).has_value() || decode_quarantined(bytes).has_value();
  };
  for (const std::string_view hex : former_format::kLog) {
    auto bytes = bytes_of(hex);
    EXPECT_TRUE(decodes(bytes));
    for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decodes(std::span(bytes).first(size)));
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(decodes(bytes));
    bytes.pop_back();
    bytes[0] = std::byte{0};
    EXPECT_FALSE(decodes(bytes));
  }
  for (const auto& piece : former_format::kPieces) {
    const auto bytes = bytes_of(piece.hex);
    const auto whole = [](std::span<const std::byte> some) {
      return decode_head_piece(some).has_value() || decode_queue_piece(some).has_value() ||
             decode_messages_piece(some).has_value();
    };
    EXPECT_TRUE(whole(bytes));
    for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(whole(std::span(bytes).first(size)));
  }
}

}  // namespace
}  // namespace ferry::engine
