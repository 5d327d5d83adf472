// Records and pieces of version 2: their layout, that they come back as they were, and that damage is refused.

#include "base/encoding.h"
#include "engine_fixture.h"

namespace ferry::engine {
namespace {

std::string hex(std::span<const std::byte> bytes) {
  return hex_encode(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}
template <class Record>
std::vector<std::byte> encoded(RecordType type, const Record& record) {
  std::vector<std::byte> bytes(record_bytes(record));
  encode_record(RecordHeader{type, 7, {11, 22}}, record, bytes);
  return bytes;
}
std::string head_of(RecordType type) {
  return "02" + hex(std::vector<std::byte>{static_cast<std::byte>(type)}) + "0000" + "0700000000000000" + "0b00000000000000" +
         "1600000000000000";
}

Uuid uuid(std::uint8_t tag) {
  Uuid made;
  made.bytes.fill(tag);
  return made;
}
const std::string kUuid5 = "05050505050505050505050505050505";
const std::string kZeros16 = "00000000000000000000000000000000";

sqs::QueueAttributes all_attributes() {
  sqs::QueueAttributes attributes;
  attributes.kind = sqs::QueueKind::Fifo;
  attributes.delay = Seconds(1);
  attributes.message_bytes_max = 2'048;
  attributes.retention = Seconds(60);
  attributes.receive_wait_time = Seconds(3);
  attributes.visibility_timeout = Seconds(4);
  attributes.managed_sse = false;
  attributes.kms_master_key_id = "key";
  attributes.kms_data_key_reuse = Seconds(61);
  attributes.policy = "p";
  attributes.redrive_policy = sqs::RedrivePolicy{{"aws", "r", "a", "n"}, 5};
  attributes.redrive_allow_policy = "ra";
  attributes.content_based_deduplication = true;
  attributes.deduplication_scope = sqs::DeduplicationScope::Queue;
  attributes.deduplication_scope_in_force = sqs::DeduplicationScope::MessageGroup;
  attributes.fifo_throughput_limit = sqs::FifoThroughputLimit::PerMessageGroupId;
  return attributes;
}
const std::string kAllAttributes =
    "01000000"
    "00080000"
    "3c000000"
    "03000000"
    "04000000"
    "00"
    "01"                                          // FIFO
    "030000006b6579"                              // key
    "3d000000"                                    // its reuse
    "0100000070"                                  // policy
    "020000007261"                                // redrive allow policy
    "05000000"                                    // maxReceiveCount
    "1100000061726e3a6177733a7371733a723a613a6e"  // arn:aws:sqs:r:a:n
    "01"                                          // content-based
    "00"                                          // scope as told
    "01"                                          // scope in force
    "01";                                         // throughput limit

Arrival sample_arrival() {
  return {{1, 2}, uuid(5), 3, 4, 6};
}
const std::string kArrival = "01000000000000000200000000000000" + kUuid5 + "03000000000000000400000006000000";

MoveTaskState sample_task() {
  MoveTaskState task;
  task.id = uuid(5);
  task.status = sqs::MoveTaskStatus::Failed;
  task.destination = QueueKey{"a", "r", "n"};
  task.messages_per_second = 6;
  task.moved = 7;
  task.to_move = 8;
  task.started = {9, 10};
  task.through_sequence = 12;
  task.failure_reason = "no";
  return task;
}
const std::string kKey =
    "010061010072"
    "01006e";
const std::string kTask = kUuid5 + "04" + "01" + kKey + "06000000" + "0700000000000000" + "0800000000000000" +
                          "0900000000000000" + "0a00000000000000" + "0c00000000000000" + "02006e6f";

void expect_equal(const MoveTaskState& one, const MoveTaskState& other) {
  EXPECT_EQ(one.id, other.id);
  EXPECT_EQ(one.status, other.status);
  EXPECT_EQ(one.destination, other.destination);
  EXPECT_EQ(one.messages_per_second, other.messages_per_second);
  EXPECT_EQ(one.moved, other.moved);
  EXPECT_EQ(one.to_move, other.to_move);
  EXPECT_EQ(one.started.engine_ms, other.started.engine_ms);
  EXPECT_EQ(one.started.wall_ms, other.started.wall_ms);
  EXPECT_EQ(one.through_sequence, other.through_sequence);
  EXPECT_EQ(one.failure_reason, other.failure_reason);
}
void expect_equal(const Arrival& one, const Arrival& other) {
  EXPECT_EQ(one.written_as, other.written_as);
  EXPECT_EQ(one.message_id, other.message_id);
  EXPECT_EQ(one.sent_ms, other.sent_ms);
  EXPECT_EQ(one.source, other.source);
  EXPECT_EQ(one.receives_before, other.receives_before);
}

MovedRecord sample_move() {
  MovedRecord record;
  record.to_queue_id = 8;
  record.source = QueueKey{"a", "r", "n"};
  record.task = uuid(5);
  record.task_moved = 2;
  record.entries.push_back({1, 2, {3, 4, 5}, IdentityHash{6, 7}, true, 8, 9, 10, 11, sample_arrival()});
  record.entries.push_back({1, 2, {3, 4, 5}, std::nullopt, false, 8, -9, 10, 11, sample_arrival()});
  return record;
}

// ---- layout: a promise to data folders that exist

TEST(Formats, RecordsHaveTheDocumentedLayout) {
  QueueCreatedRecord created;
  created.key = {"a", "r", "n"};
  created.attributes = all_attributes();
  created.secret.fill(0xAB);
  created.tags = {{"k", "v"}};
  std::string secret;
  for (int i = 0; i < 32; ++i) secret += "ab";
  const std::string tags =
      "01000000"
      "010000006b"
      "0100000076";
  EXPECT_EQ(hex(encoded(RecordType::QueueCreated, created)),
            head_of(RecordType::QueueCreated) + kKey + kAllAttributes + secret + tags);
  EXPECT_EQ(hex(encoded(RecordType::AttributesSet, AttributesSetRecord{all_attributes(), {13, 14}})),
            head_of(RecordType::AttributesSet) + kAllAttributes + "0d000000000000000e00000000000000");
  EXPECT_EQ(hex(encoded(RecordType::TagsSet, TagsSetRecord{{{"k", "v"}}})), head_of(RecordType::TagsSet) + tags);
  EXPECT_EQ(hex(encoded(RecordType::MoveTaskSet, MoveTaskSetRecord{sample_task()})), head_of(RecordType::MoveTaskSet) + kTask);

  const std::string first =
      "01000000000000000200000000000000"
      "030000000400000005000000";
  const std::string rest =
      "08000000"
      "0900000000000000"
      "0a00000000000000"
      "0b00000000000000";
  EXPECT_EQ(hex(encoded(RecordType::Moved, sample_move())),
            head_of(RecordType::Moved) + "0800000000000000" + "01" + kKey + kUuid5 + "0200000000000000" + "0200" + first + "03" +
                "06000000000000000700000000000000" + rest + kArrival + first + "00" +
                "08000000"
                "f7ffffffffffffff"
                "0a00000000000000"
                "0b00000000000000" +
                kArrival);
  MovedRecord plain;
  EXPECT_EQ(hex(encoded(RecordType::Moved, plain)),
            head_of(RecordType::Moved) + "0000000000000000" + "00" + kZeros16 + "0000000000000000" + "0000");
}

TEST(Formats, AMessageHasTheDocumentedLayout) {
  const sqs::MessageAttributes none;
  SentRecord record;
  record.sequence = 9;
  record.visible_from_ms = 33;
  record.message_id = uuid(5);
  record.md5_of_body = "0123456789abcdef";
  record.message_group_id = "g";
  record.group = {1, 2};
  record.message_deduplication_id = "d";
  record.deduplication = {3, 4};
  record.system_attributes = record.message_attributes = &none;
  record.body = "b";
  const auto bytes = encoded(RecordType::Sent, record);
  EXPECT_EQ(hex(bytes), head_of(RecordType::Sent) + "0900000000000000" + "2100000000000000" + kUuid5 +
                            "30313233343536373839616263646566" + "00" + "0000" + "0000" + "010067" +
                            "01000000000000000200000000000000" + "010064" + "03000000000000000400000000000000" + "0000" + "0000" +
                            "0100000062");
  const auto head = decode_sent_head(bytes);
  EXPECT_EQ(head->group, (IdentityHash{1, 2}));
  EXPECT_EQ(head->deduplication, (IdentityHash{3, 4}));
  EXPECT_EQ(head->message_id, uuid(5));
  EXPECT_EQ(decode_message(bytes)->message_group_id, "g");
  EXPECT_EQ(decode_message(bytes)->message_deduplication_id, "d");
  record.message_group_id = record.message_deduplication_id = "";
  EXPECT_EQ(decode_sent_head(encoded(RecordType::Sent, record))->group, std::nullopt);
  EXPECT_EQ(decode_sent_head(encoded(RecordType::Sent, record))->deduplication, std::nullopt);
}

TEST(Formats, ARelocatedMessageHasItsNewName) {
  const sqs::MessageAttributes none;
  SentRecord record;
  record.sequence = 9;
  record.md5_of_body = "0123456789abcdef";
  record.system_attributes = record.message_attributes = &none;
  auto bytes = encoded(RecordType::Sent, record);
  const auto before = bytes;
  mark_relocated(bytes, {0x0a0b, 0x0c0d});
  EXPECT_EQ(decode_header(bytes)->type, RecordType::Relocated);
  EXPECT_EQ(decode_message(bytes)->queue_id, 0x0a0bu);
  EXPECT_EQ(decode_message(bytes)->sequence, 0x0c0du);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool renamed = i == 1 || (i >= 4 && i < 12) || (i >= 28 && i < 36);
    if (!renamed) {
      EXPECT_EQ(bytes[i], before[i]) << i;
    }
  }
}

QueuePiece sample_queue_piece() {
  QueuePiece piece;
  piece.queue_id = 7;
  piece.key = {"a", "r", "n"};
  piece.attributes = all_attributes();
  piece.secret.fill(0xAB);
  piece.created_ms = 1;
  piece.modified_ms = 2;
  piece.purged_ms = 3;
  piece.next_sequence = 4;
  piece.expired = {5, 6};
  piece.matured = {7, 8};
  piece.tags = {{"k", "v"}};
  piece.dead_letter_sources = {{"a", "r", "n"}};
  piece.move_tasks = {sample_task()};
  return piece;
}
MessagesPiece sample_messages_piece() {
  MessagesPiece piece;
  piece.queue_id = 7;
  piece.entries.push_back({1, {2, 3, 4}, 5, false, 6, 7, 8, std::nullopt, false, std::nullopt});
  piece.entries.push_back({1, {2, 3, 4}, 5, true, 6, 7, 8, IdentityHash{9, 10}, true, sample_arrival()});
  return piece;
}
DeduplicationPiece sample_window_piece() {
  DeduplicationPiece piece;
  piece.queue_id = 7;
  piece.entries.push_back({{1, 2}, 3, 4, uuid(5)});
  return piece;
}

TEST(Formats, PiecesHaveTheDocumentedLayout) {
  std::string secret;
  for (int i = 0; i < 32; ++i) secret += "ab";
  EXPECT_EQ(hex(encode_piece(sample_queue_piece())), "02030700000000000000" + kKey + kAllAttributes + secret +
                                                         "0100000000000000"
                                                         "0200000000000000"
                                                         "01"
                                                         "0300000000000000"
                                                         "0400000000000000"
                                                         "0500000000000000"
                                                         "0600000000000000"
                                                         "0700000000000000"
                                                         "0800000000000000"
                                                         "01000000"
                                                         "010000006b"
                                                         "0100000076"
                                                         "01000000" +
                                                         kKey + "01000000" + kTask);
  const std::string first =
      "0100000000000000"
      "020000000300000004000000"
      "05000000";
  const std::string times = "060000000000000007000000000000000800000000000000";
  EXPECT_EQ(hex(encode_piece(sample_messages_piece())),
            "0204"
            "0700000000000000"
            "02000000" +
                first + "00" + times + first + "0f" + times + "09000000000000000a00000000000000" + kArrival);
  EXPECT_EQ(hex(encode_piece(sample_window_piece())),
            "0205"
            "0700000000000000"
            "01000000"
            "01000000000000000200000000000000"
            "0300000000000000"
            "0400000000000000" +
                kUuid5);
}

// ---- there and back

TEST(Formats, RecordsComeBackAsTheyWere) {
  QueueCreatedRecord created;
  created.attributes = all_attributes();
  created.tags = {{"a", ""}, {"b", "x"}};
  const auto created_again = decode_queue_created(encoded(RecordType::QueueCreated, created));
  EXPECT_EQ(created_again->attributes, created.attributes);
  EXPECT_EQ(created_again->tags, created.tags);
  const auto set = decode_attributes_set(encoded(RecordType::AttributesSet, AttributesSetRecord{all_attributes(), {99, 98}}));
  EXPECT_EQ(set->attributes, all_attributes());
  EXPECT_EQ(set->matured.through_ms, 99);
  EXPECT_EQ(set->matured.through_sequence, 98u);
  EXPECT_EQ(decode_tags_set(encoded(RecordType::TagsSet, TagsSetRecord{created.tags}))->tags, created.tags);
  EXPECT_TRUE(decode_tags_set(encoded(RecordType::TagsSet, TagsSetRecord{}))->tags.empty());

  const MovedRecord move = sample_move();
  const auto again = decode_moved(encoded(RecordType::Moved, move));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->to_queue_id, move.to_queue_id);
  EXPECT_EQ(again->source, move.source);
  EXPECT_EQ(again->task, move.task);
  EXPECT_EQ(again->task_moved, move.task_moved);
  ASSERT_EQ(again->entries.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& one = again->entries[i];
    const auto& other = move.entries[i];
    EXPECT_EQ(one.from_sequence, other.from_sequence);
    EXPECT_EQ(one.to_sequence, other.to_sequence);
    EXPECT_EQ(one.location, other.location);
    EXPECT_EQ(one.group, other.group);
    EXPECT_EQ(one.is_elder, other.is_elder);
    EXPECT_EQ(one.receive_count, other.receive_count);
    EXPECT_EQ(one.enqueued_ms, other.enqueued_ms);
    EXPECT_EQ(one.first_received_ms, other.first_received_ms);
    EXPECT_EQ(one.visible_from_ms, other.visible_from_ms);
    expect_equal(one.arrival, other.arrival);
  }
  EXPECT_EQ(decode_moved(encoded(RecordType::Moved, MovedRecord{}))->source, std::nullopt);

  for (const auto status : {sqs::MoveTaskStatus::Running, sqs::MoveTaskStatus::Completed, sqs::MoveTaskStatus::Cancelled,
                            sqs::MoveTaskStatus::Failed}) {
    MoveTaskState task = sample_task();
    task.status = status;
    if (status == sqs::MoveTaskStatus::Running) task.destination.reset();
    expect_equal(decode_move_task_set(encoded(RecordType::MoveTaskSet, MoveTaskSetRecord{task}))->task, task);
  }
}

TEST(Formats, PiecesComeBackAsTheyWere) {
  const QueuePiece queue = sample_queue_piece();
  const auto again = decode_queue_piece(encode_piece(queue));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->attributes, queue.attributes);
  EXPECT_EQ(again->matured.through_ms, 7);
  EXPECT_EQ(again->matured.through_sequence, 8u);
  EXPECT_EQ(again->tags, queue.tags);
  EXPECT_EQ(again->dead_letter_sources, queue.dead_letter_sources);
  ASSERT_EQ(again->move_tasks.size(), 1u);
  expect_equal(again->move_tasks[0], queue.move_tasks[0]);

  const auto messages = decode_messages_piece(encode_piece(sample_messages_piece()));
  ASSERT_EQ(messages->entries.size(), 2u);
  EXPECT_EQ(messages->entries[0].group, std::nullopt);
  EXPECT_FALSE(messages->entries[0].quarantined || messages->entries[0].is_elder || messages->entries[0].arrival);
  EXPECT_EQ(messages->entries[1].group, (IdentityHash{9, 10}));
  EXPECT_TRUE(messages->entries[1].quarantined && messages->entries[1].is_elder);
  expect_equal(*messages->entries[1].arrival, sample_arrival());

  const auto window_bytes = encode_piece(sample_window_piece());
  EXPECT_EQ(*decode_piece_type(window_bytes), PieceType::Deduplication);
  const auto window = decode_deduplication_piece(window_bytes);
  ASSERT_EQ(window->entries.size(), 1u);
  EXPECT_EQ(window->queue_id, 7u);
  EXPECT_EQ(window->entries[0].id, (IdentityHash{1, 2}));
  EXPECT_EQ(window->entries[0].sent_ms, 3);
  EXPECT_EQ(window->entries[0].sequence, 4u);
  EXPECT_EQ(window->entries[0].message_id, uuid(5));
}

TEST(Formats, PiecesAreSmall) {
  MessagesPiece messages;
  messages.entries.resize(kMessagesPerPiece);
  for (auto& entry : messages.entries) entry.arrival = sample_arrival();
  for (auto& entry : messages.entries) entry.group = IdentityHash{1, 2};
  EXPECT_LE(encode_piece(messages).size(), 140u * 1'024);
  DeduplicationPiece window;
  window.entries.resize(kMessagesPerPiece);
  EXPECT_LE(encode_piece(window).size(), 65'536u);
}

// ---- damage

TEST(Formats, CutAndChangedRecordsAreRefusedOrHarmless) {
  SeededRandom random(11);
  QueueCreatedRecord created;
  created.attributes = all_attributes();
  created.tags = {{"k", "v"}};
  const std::vector<std::vector<std::byte>> samples = {
      encoded(RecordType::QueueCreated, created),
      encoded(RecordType::AttributesSet, AttributesSetRecord{all_attributes(), {1, 2}}),
      encoded(RecordType::TagsSet, TagsSetRecord{{{"k", "v"}, {"l", ""}}}),
      encoded(RecordType::Moved, sample_move()),
      encoded(RecordType::MoveTaskSet, MoveTaskSetRecord{sample_task()}),
  };
  const auto decoded = [](std::span<const std::byte> bytes) {
    return decode_queue_created(bytes).has_value() + decode_attributes_set(bytes).has_value() +
           decode_tags_set(bytes).has_value() + decode_moved(bytes).has_value() + decode_move_task_set(bytes).has_value();
  };
  for (const auto& sample : samples) {
    EXPECT_EQ(decoded(sample), 1);
    for (std::size_t size = 0; size < sample.size(); ++size) EXPECT_EQ(decoded(std::span(sample).first(size)), 0) << size;
    auto longer = sample;
    longer.push_back(std::byte{0});
    EXPECT_EQ(decoded(longer), 0);
    for (const int version : {0, kRecordVersion + 1, 255}) {
      auto other = sample;
      other[0] = static_cast<std::byte>(version);
      EXPECT_EQ(decoded(other), 0);
    }
    for (int i = 0; i < 2'000; ++i) {
      auto changed = sample;
      changed[random.below(changed.size())] = static_cast<std::byte>(random.next());
      EXPECT_LE(decoded(changed), 1);
    }
  }
}

TEST(Formats, ValuesThatCannotBeAreRefused) {
  const auto with = [](std::vector<std::byte> bytes, std::size_t at, int value) {
    bytes[at] = static_cast<std::byte>(value);
    return bytes;
  };
  const auto set = encoded(RecordType::AttributesSet, AttributesSetRecord{all_attributes(), {}});
  const std::size_t kind = 28 + 21;
  EXPECT_TRUE(decode_attributes_set(with(set, kind, 0)).has_value());
  EXPECT_FALSE(decode_attributes_set(with(set, kind, 2)).has_value());
  const std::size_t end = set.size() - 16;
  for (const std::size_t from_end : {1u, 2u, 3u}) EXPECT_FALSE(decode_attributes_set(with(set, end - from_end, 2)).has_value());
  const std::size_t arn = end - 4 - 17;
  EXPECT_FALSE(decode_attributes_set(with(set, arn, 'x')).has_value());  // no ARN
  const auto task = encoded(RecordType::MoveTaskSet, MoveTaskSetRecord{sample_task()});
  EXPECT_FALSE(decode_move_task_set(with(task, 28 + 16, 5)).has_value());  // no such state
  const auto moved = encoded(RecordType::Moved, sample_move());
  const std::size_t flags = 28 + 8 + 1 + 9 + 16 + 8 + 2 + 16 + 12;
  EXPECT_EQ(moved[flags], std::byte{3});
  EXPECT_FALSE(decode_moved(with(moved, flags, 7)).has_value());
  const auto messages = encode_piece(sample_messages_piece());
  EXPECT_FALSE(decode_messages_piece(with(messages, 2 + 8 + 4 + 24, 16)).has_value());
}

TEST(Formats, CutAndChangedPiecesAreRefusedOrHarmless) {
  SeededRandom random(12);
  const std::vector<std::vector<std::byte>> samples = {encode_piece(sample_queue_piece()), encode_piece(sample_messages_piece()),
                                                       encode_piece(sample_window_piece())};
  const auto decoded = [](std::span<const std::byte> bytes) {
    return decode_queue_piece(bytes).has_value() + decode_messages_piece(bytes).has_value() +
           decode_deduplication_piece(bytes).has_value();
  };
  for (const auto& sample : samples) {
    EXPECT_EQ(decoded(sample), 1);
    for (std::size_t size = 0; size < sample.size(); ++size) EXPECT_EQ(decoded(std::span(sample).first(size)), 0) << size;
    auto longer = sample;
    longer.push_back(std::byte{0});
    EXPECT_EQ(decoded(longer), 0);
    auto newer = sample;
    newer[0] = std::byte{kPieceVersion + 1};
    EXPECT_EQ(decoded(newer), 0);
    for (int i = 0; i < 2'000; ++i) {
      auto changed = sample;
      changed[random.below(changed.size())] = static_cast<std::byte>(random.next());
      EXPECT_LE(decoded(changed), 1);
    }
  }
}

}  // namespace
}  // namespace ferry::engine
