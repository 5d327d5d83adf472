// The parts below the queue: index, clock, codecs.

#include <map>

#include "base/encoding.h"
#include "base/manual_clock.h"
#include "base/random.h"
#include "engine/engine_clock.h"
#include "engine/message_index.h"
#include "engine_fixture.h"

namespace ferry::engine {
namespace {

// ---- MessageIndex

MessageEntry entry(std::uint32_t tag) {
  MessageEntry made;
  made.location.offset = tag;
  return made;
}

TEST(MessageIndex, DoesWhatAMapDoes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    MessageIndex index;
    std::map<std::uint64_t, std::pair<std::uint32_t, bool>> model;
    std::uint64_t next = random.below(200);
    for (std::uint32_t step = 0; step < 3'000; ++step) {
      const auto pick = [&] {
        auto at = model.lower_bound(random.below(next + 1));
        return at == model.end() ? model.begin() : at;
      };
      const std::uint64_t dice = random.below(10);
      if (dice < 4 || model.empty()) {
        next += 1 + (random.below(20) == 0 ? random.below(300) : 0);
        index.put(next, entry(step));
        model[next] = {step, false};
      } else if (dice == 4) {  // out of order, as replay may
        const std::uint64_t sequence = random.below(next + 1);
        if (index.is_in_line(sequence)) index.take_from_line(sequence);
        index.put(sequence, entry(step));
        model[sequence] = {step, false};
      } else if (dice < 7) {
        const auto at = pick();
        if (at->second.second) index.take_from_line(at->first);
        index.erase(at->first);
        model.erase(at);
      } else if (const auto at = pick(); at->second.second) {
        index.clear_ready(at->first);
        index.take_from_line(at->first);
        at->second.second = false;
      } else {
        index.set_ready(at->first);
        index.put_in_line(at->first);
        at->second.second = true;
      }
      ASSERT_EQ(index.size(), model.size());
      const std::uint64_t from = random.below(next + 2);
      auto item = index.next(from);
      const auto wanted = model.lower_bound(from);
      ASSERT_EQ(item.has_value(), wanted != model.end());
      if (item) {
        ASSERT_EQ(item->sequence, wanted->first);
        ASSERT_EQ(item->entry->location.offset, wanted->second.first);
        ASSERT_EQ(index.is_ready(item->sequence), wanted->second.second);
      }
      // Everything that is ready stands in line here.
      const auto ready = std::find_if(model.begin(), model.end(), [](const auto& one) { return one.second.second; });
      const auto first = index.first_in_line();
      ASSERT_EQ(first.has_value(), ready != model.end());
      if (first) {
        ASSERT_EQ(*first, ready->first);
        ASSERT_TRUE(index.is_in_line(*first));
      }
      ASSERT_EQ(index.find(from) != nullptr, model.contains(from));
    }
    while (auto item = index.next(0)) {
      if (index.is_in_line(item->sequence)) index.take_from_line(item->sequence);
      index.erase(item->sequence);
    }
    EXPECT_EQ(index.size(), 0u);
    EXPECT_EQ(index.ready(), 0u);
    EXPECT_LE(index.bytes(), 4'000u) << "an empty index keeps one chunk at most";
  }
}

TEST(MessageIndex, SwapTakesEverythingAlong) {
  MessageIndex index;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    index.put(i, entry(static_cast<std::uint32_t>(i)));
    index.set_ready(i);
    index.put_in_line(i);
  }
  MessageIndex other;
  other.swap(index);
  EXPECT_EQ(index.size(), 0u);
  EXPECT_EQ(index.bytes(), 0u);
  EXPECT_EQ(index.first_in_line(), std::nullopt);
  EXPECT_EQ(other.size(), 100u);
  EXPECT_EQ(other.ready(), 100u);
  EXPECT_EQ(other.first_in_line(), 1u);
  index.put(101, entry(1));
  EXPECT_EQ(index.size(), 1u);
}

// ---- EngineClock

TEST(EngineClock, FollowsTheSteadyClock) {
  ManualClock clock;
  EngineClock engine_clock(clock);
  const Timestamp start = engine_clock.now();
  EXPECT_EQ(start, clock.wall());
  clock.advance(Seconds(100));
  EXPECT_EQ(engine_clock.now(), start + Seconds(100));
}

TEST(EngineClock, IsLedTowardsTheWallClockSlowlyAndNeverBack) {
  for (const Millis jump : {Millis(-10'000), Millis(10'000)}) {
    ManualClock clock;
    EngineClock engine_clock(clock);
    clock.jump_wall(jump);
    Timestamp last = engine_clock.now();
    const Timestamp start = last;
    for (int i = 0; i < 1'000; ++i) {
      clock.advance(Seconds(2));
      const Timestamp now = engine_clock.now();
      ASSERT_GE(now - last, Millis(1'998));
      ASSERT_LE(now - last, Millis(2'002));
      last = now;
    }
    EXPECT_NEAR(static_cast<double>((last - start).count()), 2'000'000 + (jump.count() < 0 ? -2'000 : 2'000), 10);
    for (int i = 0; i < 10'000; ++i) {
      clock.advance(Seconds(2));
      engine_clock.now();
    }
    EXPECT_NEAR(static_cast<double>((engine_clock.now() - clock.wall()).count()), 0, 2);
  }
}

TEST(EngineClock, StartsAfterTheNewestTimeOfTheLog) {
  ManualClock clock;
  EngineClock engine_clock(clock);
  engine_clock.start_after(clock.wall() - Seconds(5));
  EXPECT_EQ(engine_clock.now(), clock.wall());
  engine_clock.start_after(clock.wall() + Seconds(5));
  EXPECT_EQ(engine_clock.now(), clock.wall() + Seconds(5));
}

// ---- codecs

template <class Record>
std::vector<std::byte> encoded(RecordType type, const Record& record) {
  std::vector<std::byte> bytes(record_bytes(record));
  encode_record(RecordHeader{type, 0x0102030405060708, {11, 22}}, record, bytes);
  return bytes;
}

SentRecord sample_message(const sqs::MessageAttributes& system, const sqs::MessageAttributes& attributes) {
  SentRecord record;
  record.sequence = 9;
  record.visible_from_ms = 33;
  record.principal = "who";
  record.source_address = "where";
  record.md5_of_body = "0123456789abcdef";
  record.md5_of_message_attributes = "fedcba9876543210";
  record.system_attributes = &system;
  record.message_attributes = &attributes;
  record.body = "body";
  return record;
}

const sqs::MessageAttributes kNone;
const sqs::MessageAttributes kTwo = {{"a", {"String", "x", std::nullopt}}, {"b", {"Binary", std::nullopt, std::string("\0", 1)}}};

// The layout is a promise to data folders that exist already: a change of it is a change of version.
TEST(Records, TheLayoutIsTheDocumentedOne) {
  EXPECT_EQ(hex_encode(std::string(reinterpret_cast<const char*>(encoded(RecordType::Purged, PurgedRecord{0x0a0b}).data()), 36)),
            "02040000"
            "0807060504030201"
            "0b00000000000000"
            "1600000000000000"
            "0b0a000000000000");
  const auto sent = encoded(RecordType::Sent, sample_message(kNone, kNone));
  EXPECT_EQ(sent.size(), 28u + 8 + 8 + 16 + 16 + 1 + 16 + (2 + 3) + (2 + 5) + 2 + 2 + 2 + 2 + (4 + 4));
  EXPECT_EQ(encoded(RecordType::Received, ReceivedRecord{"p", "s", {{1, 2, 3}}}).size(), 28u + 3 + 3 + 2 + 20);
  EXPECT_EQ(encoded(RecordType::Deleted, DeletedRecord{{1, 2}}).size(), 28u + 2 + 16);
  EXPECT_EQ(encoded(RecordType::VisibilityChanged, VisibilityChangedRecord{{{1, 2}}}).size(), 28u + 2 + 16);
}

TEST(Records, EveryOneComesBackAsItWas) {
  const sqs::QueueAttributes attributes = *sqs::new_attributes("q", {{"DelaySeconds", "5"}, {"SqsManagedSseEnabled", "false"}});
  QueueCreatedRecord created;
  created.key = {"acc", "reg", "name"};
  created.attributes = attributes;
  created.secret.fill(7);
  const auto created_bytes = encoded(RecordType::QueueCreated, created);
  const auto header = decode_header(created_bytes);
  EXPECT_EQ(header->type, RecordType::QueueCreated);
  EXPECT_EQ(header->queue_id, 0x0102030405060708u);
  EXPECT_EQ(header->at.engine_ms, 11);
  EXPECT_EQ(header->at.wall_ms, 22);
  EXPECT_EQ(decode_queue_created(created_bytes)->key, created.key);
  EXPECT_EQ(decode_queue_created(created_bytes)->attributes, attributes);
  EXPECT_EQ(decode_queue_created(created_bytes)->secret, created.secret);
  EXPECT_EQ(decode_attributes_set(encoded(RecordType::AttributesSet, AttributesSetRecord{attributes, {}}))->attributes,
            attributes);
  EXPECT_EQ(decode_queue_deleted(encoded(RecordType::QueueDeleted, QueueDeletedRecord{created.key}))->key, created.key);
  EXPECT_EQ(decode_purged(encoded(RecordType::Purged, PurgedRecord{5}))->through_sequence, 5u);
  const auto expired = decode_expired(encoded(RecordType::Expired, ExpiredRecord{-6, 7}));
  EXPECT_EQ(expired->through_ms, -6);
  EXPECT_EQ(expired->through_sequence, 7u);
  const auto received_bytes = encoded(RecordType::Received, ReceivedRecord{"p", "s", {{1, 2, 3}, {4, 5, 6}}});
  const auto received = decode_received(received_bytes);
  EXPECT_EQ(received->principal, "p");
  EXPECT_EQ(received->source_address, "s");
  ASSERT_EQ(received->entries.size(), 2u);
  EXPECT_EQ(received->entries[1].sequence, 4u);
  EXPECT_EQ(received->entries[1].visible_from_ms, 5);
  EXPECT_EQ(received->entries[1].receive_count, 6u);
  EXPECT_EQ(decode_deleted(encoded(RecordType::Deleted, DeletedRecord{{8, 9}}))->sequences, (std::vector<std::uint64_t>{8, 9}));
  EXPECT_EQ(decode_visibility_changed(encoded(RecordType::VisibilityChanged, VisibilityChangedRecord{{{1, 2}}}))
                ->entries[0]
                .visible_from_ms,
            2);
  EXPECT_EQ(decode_quarantined(encoded(RecordType::Quarantined, QuarantinedRecord{3}))->sequence, 3u);

  auto sent = encoded(RecordType::Sent, sample_message(kTwo, kTwo));
  for (const RecordType type : {RecordType::Sent, RecordType::Relocated}) {
    EXPECT_EQ(decode_header(sent)->type, type);
    EXPECT_EQ(decode_sent_head(sent)->sequence, 9u);
    EXPECT_EQ(decode_sent_head(sent)->visible_from_ms, 33);
    const auto message = decode_message(sent);
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->queue_id, 0x0102030405060708u);
    EXPECT_EQ(message->enqueued, from_epoch_millis(11));
    EXPECT_EQ(message->sent, from_epoch_millis(22));
    EXPECT_EQ(message->system_attributes, kTwo);
    EXPECT_EQ(message->message_attributes, kTwo);
    EXPECT_EQ(message->md5_of_message_attributes, "fedcba9876543210");
    EXPECT_EQ(message->body, "body");
    mark_relocated(sent, {0x0102030405060708, 9});
  }
}

// Whatever the bytes are, decoding ends with a value or Corrupt; the sanitizers watch.
TEST(Records, CutAndChangedBytesAreRefusedOrHarmless) {
  SeededRandom random(7);
  const std::vector<std::vector<std::byte>> samples = {
      encoded(RecordType::QueueCreated, QueueCreatedRecord{}),
      encoded(RecordType::AttributesSet, AttributesSetRecord{}),
      encoded(RecordType::QueueDeleted, QueueDeletedRecord{{"a", "b", "c"}}),
      encoded(RecordType::Purged, PurgedRecord{1}),
      encoded(RecordType::Expired, ExpiredRecord{1, 2}),
      encoded(RecordType::Sent, sample_message(kTwo, kTwo)),
      encoded(RecordType::Received, ReceivedRecord{"p", "s", {{1, 2, 3}}}),
      encoded(RecordType::Deleted, DeletedRecord{{1}}),
      encoded(RecordType::VisibilityChanged, VisibilityChangedRecord{{{1, 2}}}),
      encoded(RecordType::Quarantined, QuarantinedRecord{1}),
  };
  const auto decode_all = [](std::span<const std::byte> bytes) {
    return decode_queue_created(bytes).has_value() + decode_attributes_set(bytes).has_value() +
           decode_queue_deleted(bytes).has_value() + decode_purged(bytes).has_value() + decode_expired(bytes).has_value() +
           decode_message(bytes).has_value() + decode_received(bytes).has_value() + decode_deleted(bytes).has_value() +
           decode_visibility_changed(bytes).has_value() + decode_quarantined(bytes).has_value() +
           decode_tags_set(bytes).has_value() + decode_moved(bytes).has_value() + decode_move_task_set(bytes).has_value();
  };
  for (const auto& sample : samples) {
    EXPECT_EQ(decode_all(sample), 1);
    for (std::size_t size = 0; size < sample.size(); ++size) EXPECT_EQ(decode_all(std::span(sample).first(size)), 0) << size;
    auto longer = sample;
    longer.push_back(std::byte{0});
    EXPECT_EQ(decode_all(longer), 0);
    auto newer = sample;
    newer[0] = std::byte{kRecordVersion + 1};
    EXPECT_EQ(decode_all(newer), 0);
    for (int i = 0; i < 2'000; ++i) {
      auto changed = sample;
      changed[random.below(changed.size())] = static_cast<std::byte>(random.next());
      EXPECT_LE(decode_all(changed), 1);
    }
  }
}

TEST(Pieces, ComeBackAsTheyWere) {
  const auto head = decode_head_piece(encode_piece(HeadPiece{5, 6}));
  EXPECT_EQ(head->engine_ms, 5);
  EXPECT_EQ(head->next_queue_id, 6u);
  const auto names = decode_deleted_names_piece(encode_piece(DeletedNamesPiece{{{{"a", "r", "n"}, 7}}}));
  EXPECT_EQ(names->entries[0].key, (QueueKey{"a", "r", "n"}));
  EXPECT_EQ(names->entries[0].deleted_ms, 7);
  QueuePiece queue;
  queue.queue_id = 1;
  queue.key = {"a", "r", "n"};
  queue.secret.fill(3);
  queue.created_ms = 2;
  queue.modified_ms = 4;
  queue.purged_ms = 0;
  queue.next_sequence = 9;
  queue.expired = {10, 11};
  const auto queue_bytes = encode_piece(queue);
  EXPECT_EQ(*decode_piece_type(queue_bytes), PieceType::Queue);
  const auto again = decode_queue_piece(queue_bytes);
  EXPECT_EQ(again->key, queue.key);
  EXPECT_EQ(again->secret, queue.secret);
  EXPECT_EQ(again->purged_ms, std::optional<std::int64_t>(0));
  EXPECT_EQ(again->next_sequence, 9u);
  EXPECT_EQ(again->expired.through_sequence, 11u);
  queue.purged_ms.reset();
  EXPECT_EQ(decode_queue_piece(encode_piece(queue))->purged_ms, std::nullopt);
  MessagesPiece messages;
  messages.queue_id = 1;
  messages.entries.push_back({1, {2, 3, 4}, 5, true, 6, 7, 8, {}, false, {}});
  const auto messages_bytes = encode_piece(messages);
  const auto back = decode_messages_piece(messages_bytes);
  EXPECT_EQ(back->entries[0].location, (store::Location{2, 3, 4}));
  EXPECT_EQ(back->entries[0].receive_count, 5u);
  EXPECT_TRUE(back->entries[0].quarantined);
  EXPECT_EQ(back->entries[0].visible_from_ms, 8);
  for (std::size_t size = 0; size < messages_bytes.size(); ++size) {
    EXPECT_FALSE(decode_messages_piece(std::span(messages_bytes).first(size)).has_value());
  }
  messages.entries.resize(kMessagesPerPiece);
  EXPECT_LE(encode_piece(messages).size(), 65'536u);
}

}  // namespace
}  // namespace ferry::engine
