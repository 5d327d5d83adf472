// The pieces of a checkpoint (declared in pieces.h).

#include "engine/pieces.h"

#include "engine/bytes.h"
#include "engine/record_fields.h"

namespace ferry::engine {
namespace {

// Flags of a message.
constexpr std::uint8_t kQuarantined = 1;
constexpr std::uint8_t kHasGroup = 2;
constexpr std::uint8_t kIsElder = 4;
constexpr std::uint8_t kHasArrival = 8;
constexpr std::uint8_t kAllFlags = 15;

template <class Sink>
void put(Sink& sink, const HeadPiece& piece) {
  sink.integer(piece.engine_ms);
  sink.integer(piece.next_queue_id);
}

template <class Sink>
void put(Sink& sink, const DeletedNamesPiece& piece) {
  sink.integer(static_cast<std::uint32_t>(piece.entries.size()));
  for (const auto& entry : piece.entries) {
    put_key(sink, entry.key);
    sink.integer(entry.deleted_ms);
  }
}

template <class Sink>
void put(Sink& sink, const QueuePiece& piece) {
  sink.integer(piece.queue_id);
  put_key(sink, piece.key);
  put_attributes(sink, piece.attributes);
  put_secret(sink, piece.secret);
  sink.integer(piece.created_ms);
  sink.integer(piece.modified_ms);
  sink.integer(static_cast<std::uint8_t>(piece.purged_ms.has_value()));
  sink.integer(piece.purged_ms.value_or(0));
  sink.integer(piece.next_sequence);
  sink.integer(piece.expired.through_ms);
  sink.integer(piece.expired.through_sequence);
  put_matured(sink, piece.matured);
  put_text_map(sink, piece.tags);
  sink.integer(static_cast<std::uint32_t>(piece.dead_letter_sources.size()));
  for (const QueueKey& source : piece.dead_letter_sources) put_key(sink, source);
  sink.integer(static_cast<std::uint32_t>(piece.move_tasks.size()));
  for (const MoveTaskState& task : piece.move_tasks) put_move_task(sink, task);
}

template <class Sink>
void put(Sink& sink, const MessagesPiece& piece) {
  sink.integer(piece.queue_id);
  sink.integer(static_cast<std::uint32_t>(piece.entries.size()));
  for (const auto& entry : piece.entries) {
    sink.integer(entry.sequence);
    put_location(sink, entry.location);
    sink.integer(entry.receive_count);
    sink.integer(static_cast<std::uint8_t>((entry.quarantined ? kQuarantined : 0) | (entry.group ? kHasGroup : 0) |
                                           (entry.is_elder ? kIsElder : 0) | (entry.arrival ? kHasArrival : 0)));
    sink.integer(entry.enqueued_ms);
    sink.integer(entry.first_received_ms);
    sink.integer(entry.visible_from_ms);
    if (entry.group) put_hash(sink, *entry.group);
    if (entry.arrival) put_arrival(sink, *entry.arrival);
  }
}

template <class Sink>
void put(Sink& sink, const DeduplicationPiece& piece) {
  sink.integer(piece.queue_id);
  sink.integer(static_cast<std::uint32_t>(piece.entries.size()));
  for (const FirstSent& first : piece.entries) {
    put_hash(sink, first.id);
    sink.integer(first.sent_ms);
    sink.integer(first.sequence);
    put_uuid(sink, first.message_id);
  }
}

constexpr PieceType type_of(const HeadPiece&) {
  return PieceType::Head;
}
constexpr PieceType type_of(const DeletedNamesPiece&) {
  return PieceType::DeletedNames;
}
constexpr PieceType type_of(const QueuePiece&) {
  return PieceType::Queue;
}
constexpr PieceType type_of(const MessagesPiece&) {
  return PieceType::Messages;
}
constexpr PieceType type_of(const DeduplicationPiece&) {
  return PieceType::Deduplication;
}

struct PieceHeader {
  std::uint8_t version = kPieceVersion;
  PieceType type{};
};
PieceHeader get_header(ByteReader& in) {
  PieceHeader header;
  header.version = in.integer<std::uint8_t>();
  const auto type = in.integer<std::uint8_t>();
  const bool known =
      type >= static_cast<std::uint8_t>(PieceType::Head) && type <= static_cast<std::uint8_t>(PieceType::Deduplication);
  if (header.version == 0 || header.version > kPieceVersion || !known) in.fail();
  header.type = static_cast<PieceType>(type);
  return header;
}

// `get` is given the reader behind the header, and the version if it cares.
template <class Get>
auto decode_as(PieceType type, std::span<const std::byte> bytes, Get&& get) {
  ByteReader in(bytes);
  const PieceHeader header = get_header(in);
  if (header.type != type) in.fail();
  return decode_rest(in, header.version, "a piece of a checkpoint", std::forward<Get>(get));
}

}  // namespace

template <class Piece>
std::vector<std::byte> encode_piece(const Piece& piece) {
  ByteCounter counter;
  put(counter, piece);
  std::vector<std::byte> bytes(counter.size() + 2);
  ByteWriter writer(bytes);
  writer.integer(kPieceVersion);
  writer.integer(static_cast<std::uint8_t>(type_of(piece)));
  put(writer, piece);
  FERRY_CHECK(writer.full());
  return bytes;
}
template std::vector<std::byte> encode_piece<HeadPiece>(const HeadPiece&);
template std::vector<std::byte> encode_piece<DeletedNamesPiece>(const DeletedNamesPiece&);
template std::vector<std::byte> encode_piece<QueuePiece>(const QueuePiece&);
template std::vector<std::byte> encode_piece<MessagesPiece>(const MessagesPiece&);
template std::vector<std::byte> encode_piece<DeduplicationPiece>(const DeduplicationPiece&);

Result<PieceType> decode_piece_type(std::span<const std::byte> piece) {
  ByteReader in(piece);
  const PieceHeader header = get_header(in);
  if (!in.ok()) return corrupt("a piece of a checkpoint");
  return header.type;
}

Result<HeadPiece> decode_head_piece(std::span<const std::byte> piece) {
  return decode_as(PieceType::Head, piece, [](ByteReader& in) {
    HeadPiece head;
    head.engine_ms = in.integer<std::int64_t>();
    head.next_queue_id = in.integer<std::uint64_t>();
    return head;
  });
}

Result<DeletedNamesPiece> decode_deleted_names_piece(std::span<const std::byte> piece) {
  return decode_as(PieceType::DeletedNames, piece, [](ByteReader& in) {
    DeletedNamesPiece names;
    const auto count = in.integer<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
      auto& entry = names.entries.emplace_back();
      entry.key = get_key(in);
      entry.deleted_ms = in.integer<std::int64_t>();
    }
    return names;
  });
}

Result<QueuePiece> decode_queue_piece(std::span<const std::byte> piece) {
  return decode_as(PieceType::Queue, piece, [](ByteReader& in, std::uint8_t version) {
    QueuePiece queue;
    queue.queue_id = in.integer<std::uint64_t>();
    queue.key = get_key(in);
    queue.attributes = get_attributes(in, version);
    queue.secret = get_secret(in);
    queue.created_ms = in.integer<std::int64_t>();
    queue.modified_ms = in.integer<std::int64_t>();
    const bool purged = in.integer<std::uint8_t>() != 0;
    const auto purged_ms = in.integer<std::int64_t>();
    if (purged) queue.purged_ms = purged_ms;
    queue.next_sequence = in.integer<std::uint64_t>();
    queue.expired.through_ms = in.integer<std::int64_t>();
    queue.expired.through_sequence = in.integer<std::uint64_t>();
    if (version == 1) return queue;
    queue.matured = get_matured(in);
    queue.tags = get_text_map(in);
    const auto sources = in.integer<std::uint32_t>();
    for (std::uint32_t i = 0; i < sources && in.ok(); ++i) queue.dead_letter_sources.push_back(get_key(in));
    const auto tasks = in.integer<std::uint32_t>();
    for (std::uint32_t i = 0; i < tasks && in.ok(); ++i) queue.move_tasks.push_back(get_move_task(in));
    return queue;
  });
}

Result<MessagesPiece> decode_messages_piece(std::span<const std::byte> piece) {
  return decode_as(PieceType::Messages, piece, [](ByteReader& in) {
    MessagesPiece messages;
    messages.queue_id = in.integer<std::uint64_t>();
    const auto count = in.integer<std::uint32_t>();
    if (count <= in.left()) messages.entries.reserve(count);
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
      auto& entry = messages.entries.emplace_back();
      entry.sequence = in.integer<std::uint64_t>();
      entry.location = get_location(in);
      entry.receive_count = in.integer<std::uint32_t>();
      const auto flags = in.integer<std::uint8_t>();
      if ((flags & ~kAllFlags) != 0) in.fail();
      entry.quarantined = (flags & kQuarantined) != 0;
      entry.is_elder = (flags & kIsElder) != 0;
      entry.enqueued_ms = in.integer<std::int64_t>();
      entry.first_received_ms = in.integer<std::int64_t>();
      entry.visible_from_ms = in.integer<std::int64_t>();
      if ((flags & kHasGroup) != 0) entry.group = get_hash(in);
      if ((flags & kHasArrival) != 0) entry.arrival = get_arrival(in);
    }
    return messages;
  });
}

Result<DeduplicationPiece> decode_deduplication_piece(std::span<const std::byte> piece) {
  return decode_as(PieceType::Deduplication, piece, [](ByteReader& in) {
    DeduplicationPiece window;
    window.queue_id = in.integer<std::uint64_t>();
    const auto count = in.integer<std::uint32_t>();
    if (count <= in.left()) window.entries.reserve(count);
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
      auto& first = window.entries.emplace_back();
      first.id = get_hash(in);
      first.sent_ms = in.integer<std::int64_t>();
      first.sequence = in.integer<std::uint64_t>();
      first.message_id = get_uuid(in);
    }
    return window;
  });
}

}  // namespace ferry::engine
