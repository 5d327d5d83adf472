#include "engine/records.h"

#include <algorithm>
#include <cstring>

#include "engine/bytes.h"
#include "engine/record_fields.h"

namespace ferry::engine {
namespace {

constexpr std::size_t kTypeAt = 1;
constexpr std::size_t kQueueAt = 4;
constexpr std::size_t kSequenceAt = 28;  // behind the header

template <class Sink>
void put(Sink& sink, const RecordHeader& header) {
  sink.integer(kRecordVersion);
  sink.integer(static_cast<std::uint8_t>(header.type));
  sink.integer(std::uint16_t{0});
  sink.integer(header.queue_id);
  sink.integer(header.at.engine_ms);
  sink.integer(header.at.wall_ms);
}

template <class Sink>
void put(Sink& sink, const QueueCreatedRecord& record) {
  put_key(sink, record.key);
  put_attributes(sink, record.attributes);
  put_secret(sink, record.secret);
  put_text_map(sink, record.tags);
}
template <class Sink>
void put(Sink& sink, const AttributesSetRecord& record) {
  put_attributes(sink, record.attributes);
  put_matured(sink, record.matured);
}
template <class Sink>
void put(Sink& sink, const TagsSetRecord& record) {
  put_text_map(sink, record.tags);
}
template <class Sink>
void put(Sink& sink, const MoveTaskSetRecord& record) {
  put_move_task(sink, record.task);
}

// Flags of an entry of a Moved record.
constexpr std::uint8_t kHasGroup = 1;
constexpr std::uint8_t kIsElder = 2;

template <class Sink>
void put(Sink& sink, const MovedRecord& record) {
  sink.integer(record.to_queue_id);
  put_optional_key(sink, record.source);
  put_uuid(sink, record.task);
  sink.integer(record.task_moved);
  sink.integer(static_cast<std::uint16_t>(record.entries.size()));
  for (const auto& entry : record.entries) {
    sink.integer(entry.from_sequence);
    sink.integer(entry.to_sequence);
    put_location(sink, entry.location);
    sink.integer(static_cast<std::uint8_t>((entry.group ? kHasGroup : 0) | (entry.is_elder ? kIsElder : 0)));
    if (entry.group) put_hash(sink, *entry.group);
    sink.integer(entry.receive_count);
    sink.integer(entry.enqueued_ms);
    sink.integer(entry.first_received_ms);
    sink.integer(entry.visible_from_ms);
    put_arrival(sink, entry.arrival);
  }
}
MovedRecord get_moved(ByteReader& in) {
  MovedRecord record;
  record.to_queue_id = in.integer<std::uint64_t>();
  record.source = get_optional_key(in);
  record.task = get_uuid(in);
  record.task_moved = in.integer<std::uint64_t>();
  const auto count = in.integer<std::uint16_t>();
  for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
    auto& entry = record.entries.emplace_back();
    entry.from_sequence = in.integer<std::uint64_t>();
    entry.to_sequence = in.integer<std::uint64_t>();
    entry.location = get_location(in);
    const auto flags = in.integer<std::uint8_t>();
    if (flags > (kHasGroup | kIsElder)) in.fail();
    if ((flags & kHasGroup) != 0) entry.group = get_hash(in);
    entry.is_elder = (flags & kIsElder) != 0;
    entry.receive_count = in.integer<std::uint32_t>();
    entry.enqueued_ms = in.integer<std::int64_t>();
    entry.first_received_ms = in.integer<std::int64_t>();
    entry.visible_from_ms = in.integer<std::int64_t>();
    entry.arrival = get_arrival(in);
  }
  return record;
}
template <class Sink>
void put(Sink& sink, const QueueDeletedRecord& record) {
  put_key(sink, record.key);
}
template <class Sink>
void put(Sink& sink, const PurgedRecord& record) {
  sink.integer(record.through_sequence);
}
template <class Sink>
void put(Sink& sink, const ExpiredRecord& record) {
  sink.integer(record.through_ms);
  sink.integer(record.through_sequence);
}

// Values of an attribute: none, text or bytes.
enum class ValueKind : std::uint8_t { None = 0, Text = 1, Binary = 2 };

template <class Sink>
void put_message_attributes(Sink& sink, const sqs::MessageAttributes& attributes) {
  sink.integer(static_cast<std::uint16_t>(attributes.size()));
  for (const auto& [name, value] : attributes) {
    put_short_text(sink, name);
    put_short_text(sink, value.data_type);
    const auto put_value = [&](ValueKind kind, std::string_view bytes) {
      sink.integer(static_cast<std::uint8_t>(kind));
      sink.integer(static_cast<std::uint32_t>(bytes.size()));
      sink.bytes(bytes);
    };
    if (value.string_value)
      put_value(ValueKind::Text, *value.string_value);
    else if (value.binary_value)
      put_value(ValueKind::Binary, *value.binary_value);
    else
      put_value(ValueKind::None, {});
  }
}

sqs::MessageAttributes get_message_attributes(ByteReader& in) {
  sqs::MessageAttributes attributes;
  const auto count = in.integer<std::uint16_t>();
  for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
    std::string name(get_short_text(in));
    sqs::MessageAttributeValue value;
    value.data_type = get_short_text(in);
    const auto kind = in.integer<std::uint8_t>();
    const std::string_view bytes = in.bytes(in.integer<std::uint32_t>());
    if (kind == static_cast<std::uint8_t>(ValueKind::Text))
      value.string_value = std::string(bytes);
    else if (kind == static_cast<std::uint8_t>(ValueKind::Binary))
      value.binary_value = std::string(bytes);
    else if (kind != static_cast<std::uint8_t>(ValueKind::None) || !bytes.empty())
      in.fail();
    attributes.emplace_back(std::move(name), std::move(value));
  }
  return attributes;
}

// A group or deduplication id with its hash, or neither.
template <class Sink>
void put_id(Sink& sink, std::string_view id, const IdentityHash& hash) {
  put_short_text(sink, id);
  if (!id.empty()) put_hash(sink, hash);
}
struct Id {
  std::string_view text;
  std::optional<IdentityHash> hash;
};
Id get_id(ByteReader& in) {
  Id id;
  id.text = get_short_text(in);
  if (!id.text.empty()) id.hash = get_hash(in);
  return id;
}

template <class Sink>
void put(Sink& sink, const SentRecord& record) {
  sink.integer(record.sequence);
  sink.integer(record.visible_from_ms);
  put_uuid(sink, record.message_id);
  FERRY_CHECK(record.md5_of_body.size() == 16);
  FERRY_CHECK(record.md5_of_message_attributes.empty() || record.md5_of_message_attributes.size() == 16);
  sink.bytes(record.md5_of_body);
  sink.integer(static_cast<std::uint8_t>(record.md5_of_message_attributes.size()));
  sink.bytes(record.md5_of_message_attributes);
  put_short_text(sink, record.principal);
  put_short_text(sink, record.source_address);
  put_id(sink, record.message_group_id, record.group);
  put_id(sink, record.message_deduplication_id, record.deduplication);
  put_message_attributes(sink, *record.system_attributes);
  put_message_attributes(sink, *record.message_attributes);
  sink.integer(static_cast<std::uint32_t>(record.body.size()));
  sink.bytes(record.body);
}

// Everything of a message before its attributes.
struct SentFront {
  std::uint64_t sequence = 0;
  std::int64_t visible_from_ms = 0;
  Uuid message_id;
  std::string_view md5_of_body;
  std::string_view md5_of_message_attributes;
  std::string_view principal;
  std::string_view source_address;
  Id group;
  Id deduplication;
};
SentFront get_sent_front(ByteReader& in, std::uint8_t version) {
  SentFront front;
  front.sequence = in.integer<std::uint64_t>();
  front.visible_from_ms = in.integer<std::int64_t>();
  front.message_id = get_uuid(in);
  front.md5_of_body = in.bytes(16);
  const auto attributes_md5_bytes = in.integer<std::uint8_t>();
  if (attributes_md5_bytes != 0 && attributes_md5_bytes != 16) in.fail();
  front.md5_of_message_attributes = in.bytes(attributes_md5_bytes);
  front.principal = get_short_text(in);
  front.source_address = get_short_text(in);
  if (version == 1) return front;
  front.group = get_id(in);
  front.deduplication = get_id(in);
  return front;
}
bool is_message(RecordType type) {
  return type == RecordType::Sent || type == RecordType::Relocated;
}

template <class Sink>
void put(Sink& sink, const ReceivedRecord& record) {
  put_short_text(sink, record.principal);
  put_short_text(sink, record.source_address);
  sink.integer(static_cast<std::uint16_t>(record.entries.size()));
  for (const auto& entry : record.entries) {
    sink.integer(entry.sequence);
    sink.integer(entry.visible_from_ms);
    sink.integer(entry.receive_count);
  }
}
template <class Sink>
void put(Sink& sink, const DeletedRecord& record) {
  sink.integer(static_cast<std::uint16_t>(record.sequences.size()));
  for (const std::uint64_t sequence : record.sequences) sink.integer(sequence);
}
template <class Sink>
void put(Sink& sink, const VisibilityChangedRecord& record) {
  sink.integer(static_cast<std::uint16_t>(record.entries.size()));
  for (const auto& entry : record.entries) {
    sink.integer(entry.sequence);
    sink.integer(entry.visible_from_ms);
  }
}
template <class Sink>
void put(Sink& sink, const QuarantinedRecord& record) {
  sink.integer(record.sequence);
}

RecordHeader get_header(ByteReader& in) {
  RecordHeader header;
  header.version = in.integer<std::uint8_t>();
  const auto type = in.integer<std::uint8_t>();
  const auto reserved = in.integer<std::uint16_t>();
  header.type = static_cast<RecordType>(type);
  header.queue_id = in.integer<std::uint64_t>();
  header.at.engine_ms = in.integer<std::int64_t>();
  header.at.wall_ms = in.integer<std::int64_t>();
  const bool known =
      type >= static_cast<std::uint8_t>(RecordType::QueueCreated) && type <= static_cast<std::uint8_t>(RecordType::MoveTaskSet);
  if (header.version == 0 || header.version > kRecordVersion || reserved != 0 || !known) in.fail();
  return header;
}

// Decodes a record of one fixed type with `get`, which is given the reader behind the header, and the version if it cares.
template <class Get>
auto decode_as(RecordType type, std::string_view what, std::span<const std::byte> payload, Get&& get) {
  ByteReader in(payload);
  const RecordHeader header = get_header(in);
  if (header.type != type) in.fail();
  return decode_rest(in, header.version, what, std::forward<Get>(get));
}

}  // namespace

template <class Record>
std::uint32_t record_bytes(const Record& record) {
  ByteCounter counter;
  put(counter, RecordHeader{});
  put(counter, record);
  return static_cast<std::uint32_t>(counter.size());
}

template <class Record>
void encode_record(const RecordHeader& header, const Record& record, std::span<std::byte> out) {
  ByteWriter writer(out);
  put(writer, header);
  put(writer, record);
  FERRY_CHECK(writer.full());
}

#define FERRY_RECORD(Record)                                  \
  template std::uint32_t record_bytes<Record>(const Record&); \
  template void encode_record<Record>(const RecordHeader&, const Record&, std::span<std::byte>);
FERRY_RECORD(QueueCreatedRecord)
FERRY_RECORD(AttributesSetRecord)
FERRY_RECORD(QueueDeletedRecord)
FERRY_RECORD(PurgedRecord)
FERRY_RECORD(ExpiredRecord)
FERRY_RECORD(SentRecord)
FERRY_RECORD(ReceivedRecord)
FERRY_RECORD(DeletedRecord)
FERRY_RECORD(VisibilityChangedRecord)
FERRY_RECORD(QuarantinedRecord)
FERRY_RECORD(TagsSetRecord)
FERRY_RECORD(MovedRecord)
FERRY_RECORD(MoveTaskSetRecord)
#undef FERRY_RECORD

void mark_relocated(std::span<std::byte> payload, const WrittenAs& name) {
  FERRY_CHECK(payload.size() >= kSequenceAt + sizeof name.sequence);
  payload[kTypeAt] = static_cast<std::byte>(RecordType::Relocated);
  std::memcpy(&payload[kQueueAt], &name.queue_id, sizeof name.queue_id);
  std::memcpy(&payload[kSequenceAt], &name.sequence, sizeof name.sequence);
}

Result<RecordHeader> decode_header(std::span<const std::byte> payload) {
  ByteReader in(payload);
  const RecordHeader header = get_header(in);
  if (!in.ok()) return corrupt("the header of a record");
  return header;
}

Result<QueueCreatedRecord> decode_queue_created(std::span<const std::byte> payload) {
  return decode_as(RecordType::QueueCreated, "a queue's creation", payload, [](ByteReader& in, std::uint8_t version) {
    QueueCreatedRecord record;
    record.key = get_key(in);
    record.attributes = get_attributes(in, version);
    record.secret = get_secret(in);
    if (version > 1) record.tags = get_text_map(in);
    return record;
  });
}

Result<AttributesSetRecord> decode_attributes_set(std::span<const std::byte> payload) {
  return decode_as(RecordType::AttributesSet, "a change of attributes", payload, [](ByteReader& in, std::uint8_t version) {
    AttributesSetRecord record{get_attributes(in, version)};
    if (version > 1) record.matured = get_matured(in);
    return record;
  });
}

Result<QueueDeletedRecord> decode_queue_deleted(std::span<const std::byte> payload) {
  return decode_as(RecordType::QueueDeleted, "a queue's deletion", payload,
                   [](ByteReader& in) { return QueueDeletedRecord{get_key(in)}; });
}

Result<PurgedRecord> decode_purged(std::span<const std::byte> payload) {
  return decode_as(RecordType::Purged, "a purge", payload,
                   [](ByteReader& in) { return PurgedRecord{in.integer<std::uint64_t>()}; });
}

Result<ExpiredRecord> decode_expired(std::span<const std::byte> payload) {
  return decode_as(RecordType::Expired, "an expiry", payload, [](ByteReader& in) {
    ExpiredRecord record;
    record.through_ms = in.integer<std::int64_t>();
    record.through_sequence = in.integer<std::uint64_t>();
    return record;
  });
}

Result<SentHead> decode_sent_head(std::span<const std::byte> payload) {
  ByteReader in(payload);
  const RecordHeader header = get_header(in);
  const SentFront front = get_sent_front(in, header.version);
  if (!in.ok() || !is_message(header.type)) return corrupt("a message");
  return SentHead{front.sequence, front.visible_from_ms, front.message_id, front.group.hash, front.deduplication.hash};
}

Result<ReceivedRecord> decode_received(std::span<const std::byte> payload) {
  return decode_as(RecordType::Received, "a receive", payload, [](ByteReader& in) {
    ReceivedRecord record;
    record.principal = get_short_text(in);
    record.source_address = get_short_text(in);
    const auto count = in.integer<std::uint16_t>();
    for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
      auto& entry = record.entries.emplace_back();
      entry.sequence = in.integer<std::uint64_t>();
      entry.visible_from_ms = in.integer<std::int64_t>();
      entry.receive_count = in.integer<std::uint32_t>();
    }
    return record;
  });
}

Result<DeletedRecord> decode_deleted(std::span<const std::byte> payload) {
  return decode_as(RecordType::Deleted, "a deletion of messages", payload, [](ByteReader& in) {
    DeletedRecord record;
    const auto count = in.integer<std::uint16_t>();
    for (std::uint16_t i = 0; i < count && in.ok(); ++i) record.sequences.push_back(in.integer<std::uint64_t>());
    return record;
  });
}

Result<VisibilityChangedRecord> decode_visibility_changed(std::span<const std::byte> payload) {
  return decode_as(RecordType::VisibilityChanged, "a change of visibility", payload, [](ByteReader& in) {
    VisibilityChangedRecord record;
    const auto count = in.integer<std::uint16_t>();
    for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
      auto& entry = record.entries.emplace_back();
      entry.sequence = in.integer<std::uint64_t>();
      entry.visible_from_ms = in.integer<std::int64_t>();
    }
    return record;
  });
}

Result<QuarantinedRecord> decode_quarantined(std::span<const std::byte> payload) {
  return decode_as(RecordType::Quarantined, "a quarantine", payload,
                   [](ByteReader& in) { return QuarantinedRecord{in.integer<std::uint64_t>()}; });
}

Result<TagsSetRecord> decode_tags_set(std::span<const std::byte> payload) {
  return decode_as(RecordType::TagsSet, "a change of tags", payload,
                   [](ByteReader& in) { return TagsSetRecord{get_text_map(in)}; });
}

Result<MovedRecord> decode_moved(std::span<const std::byte> payload) {
  return decode_as(RecordType::Moved, "a move of messages", payload, [](ByteReader& in) { return get_moved(in); });
}

Result<MoveTaskSetRecord> decode_move_task_set(std::span<const std::byte> payload) {
  return decode_as(RecordType::MoveTaskSet, "a move task", payload,
                   [](ByteReader& in) { return MoveTaskSetRecord{get_move_task(in)}; });
}

Result<StoredMessage> decode_message(std::span<const std::byte> payload) {
  ByteReader in(payload);
  const RecordHeader header = get_header(in);
  if (!is_message(header.type)) in.fail();
  const SentFront front = get_sent_front(in, header.version);
  StoredMessage message;
  message.queue_id = header.queue_id;
  message.sent = from_epoch_millis(header.at.wall_ms);
  message.enqueued = from_epoch_millis(header.at.engine_ms);
  message.sequence = front.sequence;
  message.message_id = front.message_id;
  message.md5_of_body = front.md5_of_body;
  message.md5_of_message_attributes = front.md5_of_message_attributes;
  message.sender = front.principal;
  message.source_address = front.source_address;
  message.message_group_id = front.group.text;
  message.message_deduplication_id = front.deduplication.text;
  message.system_attributes = get_message_attributes(in);
  message.message_attributes = get_message_attributes(in);
  message.body = in.bytes(in.integer<std::uint32_t>());
  if (!in.finished()) return corrupt("a message");
  return message;
}

}  // namespace ferry::engine
