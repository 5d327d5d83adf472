#include "engine/records.h"

#include <algorithm>

#include "engine/bytes.h"
#include "engine/record_fields.h"

namespace ferry::engine {
namespace {

constexpr std::size_t kTypeAt = 1;

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
}
template <class Sink>
void put(Sink& sink, const AttributesSetRecord& record) {
  put_attributes(sink, record.attributes);
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

template <class Sink>
void put(Sink& sink, const SentRecord& record) {
  sink.integer(record.sequence);
  sink.integer(record.visible_from_ms);
  sink.bytes(std::string_view(reinterpret_cast<const char*>(record.message_id.bytes.data()), record.message_id.bytes.size()));
  FERRY_CHECK(record.md5_of_body.size() == 16);
  FERRY_CHECK(record.md5_of_message_attributes.empty() || record.md5_of_message_attributes.size() == 16);
  sink.bytes(record.md5_of_body);
  sink.integer(static_cast<std::uint8_t>(record.md5_of_message_attributes.size()));
  sink.bytes(record.md5_of_message_attributes);
  put_short_text(sink, record.principal);
  put_short_text(sink, record.source_address);
  put_message_attributes(sink, *record.system_attributes);
  put_message_attributes(sink, *record.message_attributes);
  sink.integer(static_cast<std::uint32_t>(record.body.size()));
  sink.bytes(record.body);
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

template <class Record>
std::uint32_t bytes_of(const Record& record) {
  ByteCounter counter;
  put(counter, RecordHeader{});
  put(counter, record);
  return static_cast<std::uint32_t>(counter.size());
}

template <class Record>
void encode(const RecordHeader& header, const Record& record, std::span<std::byte> out) {
  ByteWriter writer(out);
  put(writer, header);
  put(writer, record);
  FERRY_CHECK(writer.full());
}

RecordHeader get_header(ByteReader& in) {
  const auto version = in.integer<std::uint8_t>();
  const auto type = in.integer<std::uint8_t>();
  const auto reserved = in.integer<std::uint16_t>();
  RecordHeader header;
  header.type = static_cast<RecordType>(type);
  header.queue_id = in.integer<std::uint64_t>();
  header.at.engine_ms = in.integer<std::int64_t>();
  header.at.wall_ms = in.integer<std::int64_t>();
  const bool known =
      type >= static_cast<std::uint8_t>(RecordType::QueueCreated) && type <= static_cast<std::uint8_t>(RecordType::Quarantined);
  if (version != kRecordVersion || reserved != 0 || !known) in.fail();
  return header;
}

// Decodes a record of one fixed type with `get`, which is given the reader behind the header.
template <class Get>
auto decode_as(RecordType type, std::string_view what, std::span<const std::byte> payload, Get&& get)
    -> Result<decltype(get(std::declval<ByteReader&>()))> {
  ByteReader in(payload);
  if (get_header(in).type != type) in.fail();
  auto record = get(in);
  if (!in.finished()) return corrupt(what);
  return record;
}

}  // namespace

std::uint32_t record_bytes(const QueueCreatedRecord& record) {
  return bytes_of(record);
}
std::uint32_t record_bytes(const AttributesSetRecord& record) {
  return bytes_of(record);
}
std::uint32_t record_bytes(const QueueDeletedRecord& record) {
  return bytes_of(record);
}
std::uint32_t record_bytes(const PurgedRecord& record) {
  return bytes_of(record);
}
std::uint32_t record_bytes(const ExpiredRecord& record) {
  return bytes_of(record);
}
std::uint32_t record_bytes(const SentRecord& record) {
  return bytes_of(record);
}
std::uint32_t record_bytes(const ReceivedRecord& record) {
  return bytes_of(record);
}
std::uint32_t record_bytes(const DeletedRecord& record) {
  return bytes_of(record);
}
std::uint32_t record_bytes(const VisibilityChangedRecord& record) {
  return bytes_of(record);
}
std::uint32_t record_bytes(const QuarantinedRecord& record) {
  return bytes_of(record);
}

void encode_record(const RecordHeader& header, const QueueCreatedRecord& record, std::span<std::byte> out) {
  encode(header, record, out);
}
void encode_record(const RecordHeader& header, const AttributesSetRecord& record, std::span<std::byte> out) {
  encode(header, record, out);
}
void encode_record(const RecordHeader& header, const QueueDeletedRecord& record, std::span<std::byte> out) {
  encode(header, record, out);
}
void encode_record(const RecordHeader& header, const PurgedRecord& record, std::span<std::byte> out) {
  encode(header, record, out);
}
void encode_record(const RecordHeader& header, const ExpiredRecord& record, std::span<std::byte> out) {
  encode(header, record, out);
}
void encode_record(const RecordHeader& header, const SentRecord& record, std::span<std::byte> out) {
  encode(header, record, out);
}
void encode_record(const RecordHeader& header, const ReceivedRecord& record, std::span<std::byte> out) {
  encode(header, record, out);
}
void encode_record(const RecordHeader& header, const DeletedRecord& record, std::span<std::byte> out) {
  encode(header, record, out);
}
void encode_record(const RecordHeader& header, const VisibilityChangedRecord& record, std::span<std::byte> out) {
  encode(header, record, out);
}
void encode_record(const RecordHeader& header, const QuarantinedRecord& record, std::span<std::byte> out) {
  encode(header, record, out);
}

void mark_relocated(std::span<std::byte> payload) {
  FERRY_CHECK(payload.size() > kTypeAt);
  payload[kTypeAt] = static_cast<std::byte>(RecordType::Relocated);
}

Result<RecordHeader> decode_header(std::span<const std::byte> payload) {
  ByteReader in(payload);
  const RecordHeader header = get_header(in);
  if (!in.ok()) return corrupt("the header of a record");
  return header;
}

Result<QueueCreatedRecord> decode_queue_created(std::span<const std::byte> payload) {
  return decode_as(RecordType::QueueCreated, "a queue's creation", payload, [](ByteReader& in) {
    QueueCreatedRecord record;
    record.key = get_key(in);
    record.attributes = get_attributes(in);
    record.secret = get_secret(in);
    return record;
  });
}

Result<AttributesSetRecord> decode_attributes_set(std::span<const std::byte> payload) {
  return decode_as(RecordType::AttributesSet, "a change of attributes", payload,
                   [](ByteReader& in) { return AttributesSetRecord{get_attributes(in)}; });
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
  const RecordType type = get_header(in).type;
  SentHead head;
  head.sequence = in.integer<std::uint64_t>();
  head.visible_from_ms = in.integer<std::int64_t>();
  if (!in.ok() || (type != RecordType::Sent && type != RecordType::Relocated)) return corrupt("a message");
  return head;
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

Result<StoredMessage> decode_message(std::span<const std::byte> payload) {
  ByteReader in(payload);
  const RecordHeader header = get_header(in);
  if (header.type != RecordType::Sent && header.type != RecordType::Relocated) in.fail();
  StoredMessage message;
  message.queue_id = header.queue_id;
  message.sent = from_epoch_millis(header.at.wall_ms);
  message.enqueued = from_epoch_millis(header.at.engine_ms);
  message.sequence = in.integer<std::uint64_t>();
  in.integer<std::int64_t>();  // visible from
  const std::string_view id = in.bytes(message.message_id.bytes.size());
  std::copy(id.begin(), id.end(), message.message_id.bytes.begin());
  message.md5_of_body = in.bytes(16);
  const auto attributes_md5_bytes = in.integer<std::uint8_t>();
  if (attributes_md5_bytes != 0 && attributes_md5_bytes != 16) in.fail();
  message.md5_of_message_attributes = in.bytes(attributes_md5_bytes);
  message.sender = get_short_text(in);
  message.source_address = get_short_text(in);
  message.system_attributes = get_message_attributes(in);
  message.message_attributes = get_message_attributes(in);
  message.body = in.bytes(in.integer<std::uint32_t>());
  if (!in.finished()) return corrupt("a message");
  return message;
}

}  // namespace ferry::engine
