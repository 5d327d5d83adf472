// The pieces of a checkpoint (declared in records.h).

#include "engine/bytes.h"
#include "engine/record_fields.h"
#include "engine/records.h"

namespace ferry::engine {
namespace {

constexpr std::uint8_t kQuarantinedFlag = 1;

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
}

template <class Sink>
void put(Sink& sink, const MessagesPiece& piece) {
  sink.integer(piece.queue_id);
  sink.integer(static_cast<std::uint32_t>(piece.entries.size()));
  for (const auto& entry : piece.entries) {
    sink.integer(entry.sequence);
    sink.integer(entry.location.segment);
    sink.integer(entry.location.offset);
    sink.integer(entry.location.length);
    sink.integer(entry.receive_count);
    sink.integer(entry.quarantined ? kQuarantinedFlag : std::uint8_t{0});
    sink.integer(entry.enqueued_ms);
    sink.integer(entry.first_received_ms);
    sink.integer(entry.visible_from_ms);
  }
}

template <class Piece>
std::vector<std::byte> encode(PieceType type, const Piece& piece) {
  ByteCounter counter;
  put(counter, piece);
  std::vector<std::byte> bytes(counter.size() + 2);
  ByteWriter writer(bytes);
  writer.integer(kPieceVersion);
  writer.integer(static_cast<std::uint8_t>(type));
  put(writer, piece);
  FERRY_CHECK(writer.full());
  return bytes;
}

PieceType get_type(ByteReader& in) {
  const auto version = in.integer<std::uint8_t>();
  const auto type = in.integer<std::uint8_t>();
  const bool known = type >= static_cast<std::uint8_t>(PieceType::Head) && type <= static_cast<std::uint8_t>(PieceType::Messages);
  if (version != kPieceVersion || !known) in.fail();
  return static_cast<PieceType>(type);
}

template <class Get>
auto decode_as(PieceType type, std::span<const std::byte> bytes, Get&& get)
    -> Result<decltype(get(std::declval<ByteReader&>()))> {
  ByteReader in(bytes);
  if (get_type(in) != type) in.fail();
  auto piece = get(in);
  if (!in.finished()) return corrupt("a piece of a checkpoint");
  return piece;
}

}  // namespace

std::vector<std::byte> encode_piece(const HeadPiece& piece) {
  return encode(PieceType::Head, piece);
}
std::vector<std::byte> encode_piece(const DeletedNamesPiece& piece) {
  return encode(PieceType::DeletedNames, piece);
}
std::vector<std::byte> encode_piece(const QueuePiece& piece) {
  return encode(PieceType::Queue, piece);
}
std::vector<std::byte> encode_piece(const MessagesPiece& piece) {
  return encode(PieceType::Messages, piece);
}

Result<PieceType> decode_piece_type(std::span<const std::byte> piece) {
  ByteReader in(piece);
  const PieceType type = get_type(in);
  if (!in.ok()) return corrupt("a piece of a checkpoint");
  return type;
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
  return decode_as(PieceType::Queue, piece, [](ByteReader& in) {
    QueuePiece queue;
    queue.queue_id = in.integer<std::uint64_t>();
    queue.key = get_key(in);
    queue.attributes = get_attributes(in);
    queue.secret = get_secret(in);
    queue.created_ms = in.integer<std::int64_t>();
    queue.modified_ms = in.integer<std::int64_t>();
    const bool purged = in.integer<std::uint8_t>() != 0;
    const auto purged_ms = in.integer<std::int64_t>();
    if (purged) queue.purged_ms = purged_ms;
    queue.next_sequence = in.integer<std::uint64_t>();
    queue.expired.through_ms = in.integer<std::int64_t>();
    queue.expired.through_sequence = in.integer<std::uint64_t>();
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
      entry.location.segment = in.integer<std::uint32_t>();
      entry.location.offset = in.integer<std::uint32_t>();
      entry.location.length = in.integer<std::uint32_t>();
      entry.receive_count = in.integer<std::uint32_t>();
      const auto flags = in.integer<std::uint8_t>();
      if ((flags & ~kQuarantinedFlag) != 0) in.fail();
      entry.quarantined = flags != 0;
      entry.enqueued_ms = in.integer<std::int64_t>();
      entry.first_received_ms = in.integer<std::int64_t>();
      entry.visible_from_ms = in.integer<std::int64_t>();
    }
    return messages;
  });
}

}  // namespace ferry::engine
