#pragma once
// The records of the log and the pieces of a checkpoint: every byte that the engine makes durable. docs/formats.md describes
// them.
//
// Records hold outcomes, never commands, and each one sets what it touches to absolute values: replaying a stretch of the log
// over a state that has part of it already gives the state at its end. So the same records may be applied again.
//
// To change a format: raise kRecordVersion (or kPieceVersion), keep decoding the older version for as long as a log or a
// checkpoint written by it may be met, write only the new one, and describe both in docs/formats.md.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/uuid.h"
#include "engine/queue_key.h"
#include "sqs/api.h"
#include "sqs/queue_attributes.h"
#include "sqs/receipt_handle.h"
#include "store/store.h"

namespace ferry::engine {

// ---- for everyone: the body of a message

/// A message as it was sent. Views into the payload, which must outlive them.
struct StoredMessage {
  std::uint64_t queue_id = 0;
  std::uint64_t sequence = 0;
  Uuid message_id;
  Timestamp sent;                              ///< SentTimestamp: the wall clock when it was sent
  Timestamp enqueued;                          ///< engine time of the same moment
  std::string_view sender;                     ///< principal of the SendMessage request
  std::string_view source_address;             ///< where it came from
  std::string_view md5_of_body;                ///< 16 raw bytes
  std::string_view md5_of_message_attributes;  ///< 16 raw bytes; empty without attributes
  sqs::MessageAttributes system_attributes;    ///< AWSTraceHeader
  sqs::MessageAttributes message_attributes;
  std::string_view body;
};

/// Reads the payload at a Delivery's location. Corrupt: it is not a message.
Result<StoredMessage> decode_message(std::span<const std::byte> payload);

// ---- for the engine alone

inline constexpr std::uint8_t kRecordVersion = 1;

enum class RecordType : std::uint8_t {
  QueueCreated = 1,
  AttributesSet = 2,
  QueueDeleted = 3,
  Purged = 4,
  Expired = 5,
  Sent = 6,
  Relocated = 7,  // a Sent payload at a new place; only the type differs
  Received = 8,
  Deleted = 9,
  VisibilityChanged = 10,
  Quarantined = 11,
};

/// A moment on both clocks, in epoch milliseconds.
struct Moment {
  std::int64_t engine_ms = 0;
  std::int64_t wall_ms = 0;
};

/// Starts every record.
struct RecordHeader {
  RecordType type{};
  std::uint64_t queue_id = 0;
  Moment at;
};

struct QueueCreatedRecord {
  QueueKey key;
  sqs::QueueAttributes attributes;
  sqs::ReceiptSecret secret{};
};
struct AttributesSetRecord {
  sqs::QueueAttributes attributes;  ///< all of them, also those that were not changed
};
struct QueueDeletedRecord {
  QueueKey key;
};
struct PurgedRecord {
  std::uint64_t through_sequence = 0;  ///< the last number that was given out
};
/// The messages that were enqueued at or before `through_ms` and have at most number `through_sequence` are gone.
struct ExpiredRecord {
  std::int64_t through_ms = 0;
  std::uint64_t through_sequence = 0;
};
struct SentRecord {
  std::uint64_t sequence = 0;
  Uuid message_id;
  std::int64_t visible_from_ms = 0;
  std::string_view principal;
  std::string_view source_address;
  std::string_view md5_of_body;
  std::string_view md5_of_message_attributes;
  const sqs::MessageAttributes* system_attributes = nullptr;
  const sqs::MessageAttributes* message_attributes = nullptr;
  std::string_view body;
};
/// What replay needs of a Sent or Relocated record.
struct SentHead {
  std::uint64_t sequence = 0;
  std::int64_t visible_from_ms = 0;
};
struct ReceivedRecord {
  struct Entry {
    std::uint64_t sequence = 0;
    std::int64_t visible_from_ms = 0;
    std::uint32_t receive_count = 0;
  };
  std::string_view principal;
  std::string_view source_address;
  std::vector<Entry> entries;
};
struct DeletedRecord {
  std::vector<std::uint64_t> sequences;
};
struct VisibilityChangedRecord {
  struct Entry {
    std::uint64_t sequence = 0;
    std::int64_t visible_from_ms = 0;
  };
  std::vector<Entry> entries;
};
struct QuarantinedRecord {
  std::uint64_t sequence = 0;
};

// Sizes and encodings; `out` has exactly record_bytes().
std::uint32_t record_bytes(const QueueCreatedRecord&);
std::uint32_t record_bytes(const AttributesSetRecord&);
std::uint32_t record_bytes(const QueueDeletedRecord&);
std::uint32_t record_bytes(const PurgedRecord&);
std::uint32_t record_bytes(const ExpiredRecord&);
std::uint32_t record_bytes(const SentRecord&);
std::uint32_t record_bytes(const ReceivedRecord&);
std::uint32_t record_bytes(const DeletedRecord&);
std::uint32_t record_bytes(const VisibilityChangedRecord&);
std::uint32_t record_bytes(const QuarantinedRecord&);
void encode_record(const RecordHeader& header, const QueueCreatedRecord&, std::span<std::byte> out);
void encode_record(const RecordHeader& header, const AttributesSetRecord&, std::span<std::byte> out);
void encode_record(const RecordHeader& header, const QueueDeletedRecord&, std::span<std::byte> out);
void encode_record(const RecordHeader& header, const PurgedRecord&, std::span<std::byte> out);
void encode_record(const RecordHeader& header, const ExpiredRecord&, std::span<std::byte> out);
void encode_record(const RecordHeader& header, const SentRecord&, std::span<std::byte> out);
void encode_record(const RecordHeader& header, const ReceivedRecord&, std::span<std::byte> out);
void encode_record(const RecordHeader& header, const DeletedRecord&, std::span<std::byte> out);
void encode_record(const RecordHeader& header, const VisibilityChangedRecord&, std::span<std::byte> out);
void encode_record(const RecordHeader& header, const QuarantinedRecord&, std::span<std::byte> out);

/// Turns a copy of a Sent or Relocated payload into a Relocated one.
void mark_relocated(std::span<std::byte> payload);

// Corrupt: a version, a type or lengths that cannot be.
Result<RecordHeader> decode_header(std::span<const std::byte> payload);
Result<QueueCreatedRecord> decode_queue_created(std::span<const std::byte> payload);
Result<AttributesSetRecord> decode_attributes_set(std::span<const std::byte> payload);
Result<QueueDeletedRecord> decode_queue_deleted(std::span<const std::byte> payload);
Result<PurgedRecord> decode_purged(std::span<const std::byte> payload);
Result<ExpiredRecord> decode_expired(std::span<const std::byte> payload);
Result<SentHead> decode_sent_head(std::span<const std::byte> payload);
Result<ReceivedRecord> decode_received(std::span<const std::byte> payload);
Result<DeletedRecord> decode_deleted(std::span<const std::byte> payload);
Result<VisibilityChangedRecord> decode_visibility_changed(std::span<const std::byte> payload);
Result<QuarantinedRecord> decode_quarantined(std::span<const std::byte> payload);

// ---- pieces of a checkpoint

inline constexpr std::uint8_t kPieceVersion = 1;

enum class PieceType : std::uint8_t {
  Head = 1,
  DeletedNames = 2,
  Queue = 3,
  Messages = 4,
};

struct HeadPiece {
  std::int64_t engine_ms = 0;
  std::uint64_t next_queue_id = 0;
};
/// Names that may not be taken again yet.
struct DeletedNamesPiece {
  struct Entry {
    QueueKey key;
    std::int64_t deleted_ms = 0;  ///< engine time
  };
  std::vector<Entry> entries;
};
struct QueuePiece {
  std::uint64_t queue_id = 0;
  QueueKey key;
  sqs::QueueAttributes attributes;
  sqs::ReceiptSecret secret{};
  std::int64_t created_ms = 0;            ///< wall clock
  std::int64_t modified_ms = 0;           ///< wall clock
  std::optional<std::int64_t> purged_ms;  ///< engine time of the last purge
  std::uint64_t next_sequence = 1;
  ExpiredRecord expired;
};
struct MessagesPiece {
  struct Entry {
    std::uint64_t sequence = 0;
    store::Location location;
    std::uint32_t receive_count = 0;
    bool quarantined = false;
    std::int64_t enqueued_ms = 0;
    std::int64_t first_received_ms = 0;
    std::int64_t visible_from_ms = 0;
  };
  std::uint64_t queue_id = 0;
  std::vector<Entry> entries;
};
/// 62 KiB.
inline constexpr std::size_t kMessagesPerPiece = 1'200;

std::vector<std::byte> encode_piece(const HeadPiece&);
std::vector<std::byte> encode_piece(const DeletedNamesPiece&);
std::vector<std::byte> encode_piece(const QueuePiece&);
std::vector<std::byte> encode_piece(const MessagesPiece&);

Result<PieceType> decode_piece_type(std::span<const std::byte> piece);
Result<HeadPiece> decode_head_piece(std::span<const std::byte> piece);
Result<DeletedNamesPiece> decode_deleted_names_piece(std::span<const std::byte> piece);
Result<QueuePiece> decode_queue_piece(std::span<const std::byte> piece);
Result<MessagesPiece> decode_messages_piece(std::span<const std::byte> piece);

}  // namespace ferry::engine
