#pragma once
// The records of the log: with the pieces of a checkpoint (pieces.h) every byte that the engine makes durable. docs/formats.md
// describes them.
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
#include "engine/arrivals.h"
#include "engine/identity_hash.h"
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
  std::string_view message_group_id;           ///< empty: none
  std::string_view message_deduplication_id;   ///< empty: none; what content-based deduplication made of the body, else
  sqs::MessageAttributes system_attributes;    ///< AWSTraceHeader
  sqs::MessageAttributes message_attributes;
  std::string_view body;
};

/// Reads the payload at a Delivery's location. Corrupt: it is not a message.
Result<StoredMessage> decode_message(std::span<const std::byte> payload);

// ---- for the engine alone

// Version 1 had no groups, tags and moves: QueueCreated, AttributesSet and Sent were shorter.
inline constexpr std::uint8_t kRecordVersion = 2;

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
  TagsSet = 12,
  Moved = 13,
  MoveTaskSet = 14,
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
  std::uint8_t version = kRecordVersion;
};

struct QueueCreatedRecord {
  QueueKey key;
  sqs::QueueAttributes attributes;
  sqs::ReceiptSecret secret{};
  sqs::TextMap tags;
};
/// The messages of a FIFO queue that are delayed no longer, whatever its delay is now: enqueued at or before `through_ms`, with
/// at most number `through_sequence`.
struct Matured {
  std::int64_t through_ms = 0;
  std::uint64_t through_sequence = 0;
};
struct AttributesSetRecord {
  sqs::QueueAttributes attributes;  ///< all of them, also those that were not changed
  Matured matured = {};
};
struct TagsSetRecord {
  sqs::TextMap tags;  ///< all of them
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
  std::string_view message_group_id;          ///< empty: none
  IdentityHash group;                         ///< of it
  std::string_view message_deduplication_id;  ///< empty: none
  IdentityHash deduplication;                 ///< of it, and of the group when the queue's scope is messageGroup
  const sqs::MessageAttributes* system_attributes = nullptr;
  const sqs::MessageAttributes* message_attributes = nullptr;
  std::string_view body;
};
/// What replay needs of a Sent or Relocated record.
struct SentHead {
  std::uint64_t sequence = 0;
  std::int64_t visible_from_ms = 0;
  Uuid message_id;
  std::optional<IdentityHash> group;
  std::optional<IdentityHash> deduplication;
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

/// Messages that left the header's queue for another one, or for its own end: dead letters, or those of a move task.
struct MovedRecord {
  struct Entry {
    std::uint64_t from_sequence = 0;
    std::uint64_t to_sequence = 0;
    store::Location location;
    std::optional<IdentityHash> group;
    bool is_elder = false;
    std::uint32_t receive_count = 0;
    std::int64_t enqueued_ms = 0;
    std::int64_t first_received_ms = 0;
    std::int64_t visible_from_ms = 0;
    Arrival arrival;  ///< but for its source, which depends on the queue's list of them
  };
  std::uint64_t to_queue_id = 0;
  std::optional<QueueKey> source;  ///< of dead letters: the header's queue
  Uuid task;                       ///< nil: none
  std::uint64_t task_moved = 0;    ///< by that task in all, these included
  std::vector<Entry> entries;
};
/// A move task of the header's queue.
struct MoveTaskState {
  Uuid id;
  sqs::MoveTaskStatus status{};
  std::optional<QueueKey> destination;
  std::uint32_t messages_per_second = 0;  ///< 0: as fast as it goes
  std::uint64_t moved = 0;
  std::uint64_t to_move = 0;
  Moment started;
  std::uint64_t through_sequence = 0;  ///< the last number that was given out when it started
  std::string failure_reason;
};
struct MoveTaskSetRecord {
  MoveTaskState task;
};

// Sizes and encodings, of the records above; `out` has exactly record_bytes().
template <class Record>
std::uint32_t record_bytes(const Record& record);
template <class Record>
void encode_record(const RecordHeader& header, const Record& record, std::span<std::byte> out);

/// Turns a copy of a Sent or Relocated payload into a Relocated one, under the name that its message has now.
void mark_relocated(std::span<std::byte> payload, const WrittenAs& name);

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
Result<TagsSetRecord> decode_tags_set(std::span<const std::byte> payload);
Result<MovedRecord> decode_moved(std::span<const std::byte> payload);
Result<MoveTaskSetRecord> decode_move_task_set(std::span<const std::byte> payload);

}  // namespace ferry::engine
