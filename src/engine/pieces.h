#pragma once
// The pieces of a checkpoint. The procedure for a new version is that of records.h.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/arrivals.h"
#include "engine/deduplication.h"
#include "engine/records.h"

namespace ferry::engine {

// Version 1 had no groups, tags and moves: Queue and Messages were shorter.
inline constexpr std::uint8_t kPieceVersion = 2;

enum class PieceType : std::uint8_t {
  Head = 1,
  DeletedNames = 2,
  Queue = 3,
  Messages = 4,
  Deduplication = 5,
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
  Matured matured = {};
  sqs::TextMap tags;
  std::vector<QueueKey> dead_letter_sources;
  std::vector<MoveTaskState> move_tasks;
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
    std::optional<IdentityHash> group;
    bool is_elder = false;
    std::optional<Arrival> arrival;
  };
  std::uint64_t queue_id = 0;
  std::vector<Entry> entries;
};
struct DeduplicationPiece {
  std::uint64_t queue_id = 0;
  std::vector<FirstSent> entries;
};
/// 62 KiB, or 58 for deduplication; up to 140 when all messages were moved.
inline constexpr std::size_t kMessagesPerPiece = 1'200;

template <class Piece>
std::vector<std::byte> encode_piece(const Piece& piece);

Result<PieceType> decode_piece_type(std::span<const std::byte> piece);
Result<HeadPiece> decode_head_piece(std::span<const std::byte> piece);
Result<DeletedNamesPiece> decode_deleted_names_piece(std::span<const std::byte> piece);
Result<QueuePiece> decode_queue_piece(std::span<const std::byte> piece);
Result<MessagesPiece> decode_messages_piece(std::span<const std::byte> piece);
Result<DeduplicationPiece> decode_deduplication_piece(std::span<const std::byte> piece);

}  // namespace ferry::engine
