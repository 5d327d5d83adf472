#pragma once
// The bytes of the journal on disk, as docs/formats.md describes them: encoding, decoding, checksums. Knows no files.
//
// A change of any of them: raise kFormatVersion, keep decoding of the versions before it, refuse newer ones, and say in
// docs/formats.md what a server of either version does with a folder of the other.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"
#include "store/store.h"

namespace ferry::store {

static_assert(std::endian::native == std::endian::little, "numbers are stored as they lie in memory: little-endian");

/// Of the whole folder, records and pieces included: docs/formats.md has the table. The control file carries it.
constexpr std::uint32_t kFormatVersion = 2;
constexpr std::uint32_t kBlockBytes = 4096;
constexpr std::uint32_t kGroupHeaderBytes = 64;
constexpr std::uint32_t kRecordHeaderBytes = 8;
constexpr std::uint32_t kSegmentBytesSmallest = 64 * 1024;
constexpr std::uint32_t kSegmentBytesLargest = 1u << 30;

constexpr std::uint64_t pad_to(std::uint64_t bytes, std::uint64_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

/// Bytes that a record of this payload takes inside a group.
constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes) {
  return pad_to(kRecordHeaderBytes + payload_bytes, 8);
}

// ---- records -------------------------------------------------------------------------------------------------------------

/// First word of a record: the payload's length and two flags. 0: not published yet.
struct RecordWord {
  static constexpr std::uint32_t kPresent = 1u << 31;
  static constexpr std::uint32_t kBody = 1u << 30;
  static constexpr std::uint32_t kLengthMask = kBody - 1;
  static constexpr std::uint32_t make(std::uint32_t payload_bytes, bool is_body) {
    return kPresent | (is_body ? kBody : 0) | payload_bytes;
  }
};

/// Checksum of a record: its place, its word and its payload, so that a record read from another place never passes.
std::uint32_t record_crc(std::uint32_t segment, std::uint32_t offset, std::uint32_t word, std::span<const std::byte> payload);

/// The payload of the record at the start of `bytes` if that is whole and lies at `location`.
std::optional<std::span<const std::byte>> check_record(std::span<const std::byte> bytes, const Location& location);

// ---- groups --------------------------------------------------------------------------------------------------------------

struct GroupHeader {
  std::uint64_t incarnation = 0;  ///< of the segment
  std::uint64_t run = 0;
  std::uint64_t first = 0;   ///< position of the first record
  std::uint32_t count = 0;   ///< records
  std::uint32_t length = 0;  ///< bytes with this header and the padding, a multiple of kBlockBytes
  std::uint32_t segment = 0;
  std::uint32_t offset = 0;        ///< of this header in the segment
  std::uint32_t previous_crc = 0;  ///< header_crc of the group before; 0 for the first of all
  std::uint32_t body_crc = 0;      ///< of everything after the header, padding included
  std::uint32_t header_crc = 0;    ///< of the header
};

/// Writes the header with its checksums into the first kGroupHeaderBytes of `group`, whose size is `header.length`.
/// Sets body_crc and header_crc.
void seal_group(GroupHeader& header, std::span<std::byte> group);
/// Nothing when these bytes are no whole group header.
std::optional<GroupHeader> decode_group_header(std::span<const std::byte> bytes);
/// Whether `group`, header.length bytes, is what seal_group() made.
bool group_is_whole(const GroupHeader& header, std::span<const std::byte> group);

struct RecordView {
  std::uint32_t offset = 0;  ///< in the segment
  bool is_body = false;
  std::span<const std::byte> payload;
};
/// The records of a whole group; nothing when one of them is not what was written.
std::optional<std::vector<RecordView>> records_of(const GroupHeader& header, std::span<const std::byte> group);

// ---- segments ------------------------------------------------------------------------------------------------------------

struct SegmentHeader {
  Uuid store;
  std::uint32_t number = 0;
  std::uint64_t incarnation = 0;  ///< random, new at each use of the file
  std::uint64_t bytes = 0;        ///< of the file
};

/// kBlockBytes.
void encode_segment_header(const SegmentHeader& header, std::span<std::byte> block);
/// InvalidArgument: a newer format. Corrupt: no segment header.
Result<SegmentHeader> decode_segment_header(std::span<const std::byte> block);

// ---- control -------------------------------------------------------------------------------------------------------------

/// A published checkpoint and the group at which a replay over it starts.
struct CheckpointEntry {
  std::uint64_t number = 0;  ///< 0: none
  std::uint64_t bytes = 0;   ///< of the file
  std::uint64_t replay_from = 0;
  std::uint64_t group_first = 0;  ///< position of the first record of the group
  std::uint32_t segment = 0;
  std::uint32_t offset = 0;
  std::uint32_t previous_crc = 0;
};

struct ControlState {
  std::uint32_t format = kFormatVersion;  ///< as it was read; what is written is always of kFormatVersion
  Uuid store;
  std::uint64_t sequence = 0;  ///< of this slot; the higher one counts
  std::uint64_t run = 0;
  std::uint64_t watermark = 0;  ///< positions up to here were durable when this was written
  bool clean_stop = false;
  std::uint32_t segment = 0;                     ///< the newest one that the log has entered; 0: none
  std::array<CheckpointEntry, 2> checkpoints{};  ///< newest first
};

void encode_control(const ControlState& state, std::span<std::byte> slot);
/// InvalidArgument: a newer format. Corrupt: no control slot.
Result<ControlState> decode_control(std::span<const std::byte> slot);

// ---- checkpoints ---------------------------------------------------------------------------------------------------------

constexpr std::uint32_t kCheckpointHeaderBytes = 64;
constexpr std::uint32_t kPieceHeaderBytes = 16;
constexpr std::uint32_t kCheckpointTrailerBytes = 32;
constexpr std::uint32_t kPieceBytesMax = 64u << 20;

void encode_checkpoint_header(const Uuid& store, std::uint64_t number, std::span<std::byte> bytes);
bool is_checkpoint_header(std::span<const std::byte> bytes, const Uuid& store, std::uint64_t number);

struct PieceHeader {
  std::uint32_t length = 0;
  std::uint32_t crc = 0;
  std::uint64_t as_of = 0;
};
/// `index` counts the pieces of a checkpoint from 0; a piece in another place does not pass.
std::uint32_t piece_crc(std::uint64_t checkpoint, std::uint64_t index, std::uint64_t as_of, std::span<const std::byte> piece);
void encode_piece_header(const PieceHeader& header, std::span<std::byte> bytes);
/// Nothing stands for the trailer.
std::optional<PieceHeader> decode_piece_header(std::span<const std::byte> bytes);
void encode_checkpoint_trailer(std::uint64_t number, std::uint64_t pieces, std::span<std::byte> bytes);
bool is_checkpoint_trailer(std::span<const std::byte> bytes, std::uint64_t number, std::uint64_t pieces);

// ---- names ---------------------------------------------------------------------------------------------------------------

constexpr std::string_view kLockName = "lock";
constexpr std::string_view kControlName = "control";
constexpr std::string_view kNewControlName = "control.new";
constexpr std::string_view kPreparingName = "preparing";
constexpr std::string_view kBallastName = "ballast";
std::string segment_name(std::uint32_t number);
std::string spare_name(std::uint32_t number);
std::string checkpoint_name(std::uint64_t number);
std::optional<std::uint32_t> parse_segment_name(std::string_view name);
std::optional<std::uint32_t> parse_spare_name(std::string_view name);
std::optional<std::uint64_t> parse_checkpoint_name(std::string_view name);

}  // namespace ferry::store
