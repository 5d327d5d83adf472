#include "store/journal/format.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/digest.h"
#include "base/encoding.h"

namespace ferry::store {
namespace {

constexpr std::uint64_t kGroupMagic = 0x3150524759524546;       // "FERYGRP1"
constexpr std::uint64_t kSegmentMagic = 0x4745535952524546;     // "FERRYSEG"
constexpr std::uint64_t kControlMagic = 0x4C54435952524546;     // "FERRYCTL"
constexpr std::uint64_t kCheckpointMagic = 0x4B48435952524546;  // "FERRYCHK"
constexpr std::uint64_t kTrailerMagic = 0x444E455952524546;     // "FERRYEND"

// Writes fields one after another.
class Writer {
 public:
  explicit Writer(std::span<std::byte> out) : out_(out) {}
  template <class T>
  Writer& put(const T& value) {
    FERRY_CHECK(at_ + sizeof value <= out_.size());
    std::memcpy(out_.data() + at_, &value, sizeof value);
    at_ += sizeof value;
    return *this;
  }
  std::size_t at() const { return at_; }

 private:
  std::span<std::byte> out_;
  std::size_t at_ = 0;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> in) : in_(in) {}
  template <class T>
  T get() {
    FERRY_CHECK(at_ + sizeof(T) <= in_.size());
    T value;
    std::memcpy(&value, in_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

 private:
  std::span<const std::byte> in_;
  std::size_t at_ = 0;
};

// Blocks that carry a version (segment header, control slot) begin alike in every version: magic, version, checksum of the
// rest of the block. So an older server can tell a newer format from damage.
constexpr std::size_t kVersionedHeadBytes = 16;
constexpr std::size_t kVersionAt = 8;

void seal_block(std::span<std::byte> block, std::uint64_t magic) {
  const std::uint32_t crc = crc32c(block.subspan(kVersionedHeadBytes), kFormatVersion);
  Writer(block).put(magic).put(kFormatVersion).put(crc);
}

Result<void> check_block(std::span<const std::byte> block, std::uint64_t magic, std::string_view what) {
  Reader reader(block);
  const auto found_magic = reader.get<std::uint64_t>();
  const auto version = reader.get<std::uint32_t>();
  const auto crc = reader.get<std::uint32_t>();
  if (found_magic != magic) return fail(ErrorKind::Corrupt, fmt::format("holds no {}", what));
  if (crc != crc32c(block.subspan(kVersionedHeadBytes), version))
    return fail(ErrorKind::Corrupt, fmt::format("holds a damaged {}", what));
  if (version > kFormatVersion) {
    return fail(
        ErrorKind::InvalidArgument,
        fmt::format("was written in format {} by a newer ferry; this one knows formats up to {}: open the folder with that ferry "
                    "or a newer one; nothing was changed",
                    version, kFormatVersion));
  }
  if (version == 0) return fail(ErrorKind::Corrupt, fmt::format("holds a {} of format 0, which never was", what));
  return {};
}

std::optional<std::uint64_t> parse_name(std::string_view name, std::string_view before, std::string_view after) {
  if (!name.starts_with(before) || !name.ends_with(after) || name.size() <= before.size() + after.size()) return std::nullopt;
  const std::string_view digits = name.substr(before.size(), name.size() - before.size() - after.size());
  if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  const auto number = parse_integer(digits);
  if (!number || *number <= 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

}  // namespace

std::uint32_t record_crc(std::uint32_t segment, std::uint32_t offset, std::uint32_t word, std::span<const std::byte> payload) {
  const std::uint32_t head[3] = {segment, offset, word};
  return crc32c(payload, crc32c(std::as_bytes(std::span(head))));
}

std::optional<std::span<const std::byte>> check_record(std::span<const std::byte> bytes, const Location& location) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  Reader reader(bytes);
  const auto word = reader.get<std::uint32_t>();
  const auto crc = reader.get<std::uint32_t>();
  if ((word & RecordWord::kPresent) == 0 || (word & RecordWord::kLengthMask) != location.length) return std::nullopt;
  if (bytes.size() - kRecordHeaderBytes < location.length) return std::nullopt;
  const auto payload = bytes.subspan(kRecordHeaderBytes, location.length);
  if (record_crc(location.segment, location.offset, word, payload) != crc) return std::nullopt;
  return payload;
}

void seal_group(GroupHeader& header, std::span<std::byte> group) {
  FERRY_CHECK(group.size() == header.length);
  header.body_crc = crc32c(group.subspan(kGroupHeaderBytes));
  Writer writer(group);
  writer.put(kGroupMagic).put(header.incarnation).put(header.run).put(header.first).put(header.count).put(header.length);
  writer.put(header.segment).put(header.offset).put(header.previous_crc).put(header.body_crc).put(std::uint32_t{0});
  header.header_crc = crc32c(group.first(writer.at()));
  writer.put(header.header_crc);
  FERRY_DCHECK(writer.at() == kGroupHeaderBytes);
}

std::optional<GroupHeader> decode_group_header(std::span<const std::byte> bytes) {
  if (bytes.size() < kGroupHeaderBytes) return std::nullopt;
  Reader reader(bytes);
  if (reader.get<std::uint64_t>() != kGroupMagic) return std::nullopt;
  GroupHeader header;
  header.incarnation = reader.get<std::uint64_t>();
  header.run = reader.get<std::uint64_t>();
  header.first = reader.get<std::uint64_t>();
  header.count = reader.get<std::uint32_t>();
  header.length = reader.get<std::uint32_t>();
  header.segment = reader.get<std::uint32_t>();
  header.offset = reader.get<std::uint32_t>();
  header.previous_crc = reader.get<std::uint32_t>();
  header.body_crc = reader.get<std::uint32_t>();
  reader.get<std::uint32_t>();
  header.header_crc = reader.get<std::uint32_t>();
  if (header.header_crc != crc32c(bytes.first(kGroupHeaderBytes - sizeof header.header_crc))) return std::nullopt;
  if (header.length < kBlockBytes || header.length % kBlockBytes != 0 || header.count == 0) return std::nullopt;
  return header;
}

bool group_is_whole(const GroupHeader& header, std::span<const std::byte> group) {
  return group.size() == header.length && crc32c(group.subspan(kGroupHeaderBytes)) == header.body_crc;
}

std::optional<std::vector<RecordView>> records_of(const GroupHeader& header, std::span<const std::byte> group) {
  std::vector<RecordView> records;
  records.reserve(header.count);
  std::size_t at = kGroupHeaderBytes;
  for (std::uint32_t i = 0; i < header.count; ++i) {
    if (group.size() - at < kRecordHeaderBytes) return std::nullopt;
    std::uint32_t word = 0;
    std::memcpy(&word, group.data() + at, sizeof word);
    const std::uint32_t length = word & RecordWord::kLengthMask;
    const auto offset = static_cast<std::uint32_t>(header.offset + at);
    const auto payload = check_record(group.subspan(at), Location{header.segment, offset, length});
    if (!payload) return std::nullopt;
    records.push_back(RecordView{offset, (word & RecordWord::kBody) != 0, *payload});
    at += std::min<std::size_t>(record_bytes(length), group.size() - at);
  }
  return records;
}

void encode_segment_header(const SegmentHeader& header, std::span<std::byte> block) {
  FERRY_CHECK(block.size() == kBlockBytes);
  std::memset(block.data(), 0, block.size());
  Writer(block.subspan(kVersionedHeadBytes)).put(header.store.bytes).put(header.incarnation).put(header.bytes).put(header.number);
  seal_block(block, kSegmentMagic);
}

Result<SegmentHeader> decode_segment_header(std::span<const std::byte> block) {
  FERRY_CHECK(block.size() == kBlockBytes);
  FERRY_TRY_VOID(check_block(block, kSegmentMagic, "segment header"));
  Reader reader(block.subspan(kVersionedHeadBytes));
  SegmentHeader header;
  header.store.bytes = reader.get<decltype(header.store.bytes)>();
  header.incarnation = reader.get<std::uint64_t>();
  header.bytes = reader.get<std::uint64_t>();
  header.number = reader.get<std::uint32_t>();
  return header;
}

void encode_control(const ControlState& state, std::span<std::byte> slot) {
  FERRY_CHECK(slot.size() == kBlockBytes);
  std::memset(slot.data(), 0, slot.size());
  Writer writer(slot.subspan(kVersionedHeadBytes));
  writer.put(state.store.bytes).put(state.sequence).put(state.run).put(state.watermark).put(state.segment);
  writer.put(std::uint32_t{state.clean_stop ? 1u : 0u});
  for (const CheckpointEntry& entry : state.checkpoints) {
    writer.put(entry.number).put(entry.bytes).put(entry.replay_from).put(entry.group_first);
    writer.put(entry.segment).put(entry.offset).put(entry.previous_crc).put(std::uint32_t{0});
  }
  seal_block(slot, kControlMagic);
}

Result<ControlState> decode_control(std::span<const std::byte> slot) {
  FERRY_CHECK(slot.size() == kBlockBytes);
  FERRY_TRY_VOID(check_block(slot, kControlMagic, "control slot"));
  ControlState state;
  std::memcpy(&state.format, slot.data() + kVersionAt, sizeof state.format);
  Reader reader(slot.subspan(kVersionedHeadBytes));
  state.store.bytes = reader.get<decltype(state.store.bytes)>();
  state.sequence = reader.get<std::uint64_t>();
  state.run = reader.get<std::uint64_t>();
  state.watermark = reader.get<std::uint64_t>();
  state.segment = reader.get<std::uint32_t>();
  state.clean_stop = (reader.get<std::uint32_t>() & 1) != 0;
  for (CheckpointEntry& entry : state.checkpoints) {
    entry.number = reader.get<std::uint64_t>();
    entry.bytes = reader.get<std::uint64_t>();
    entry.replay_from = reader.get<std::uint64_t>();
    entry.group_first = reader.get<std::uint64_t>();
    entry.segment = reader.get<std::uint32_t>();
    entry.offset = reader.get<std::uint32_t>();
    entry.previous_crc = reader.get<std::uint32_t>();
    reader.get<std::uint32_t>();
  }
  return state;
}

void encode_checkpoint_header(const Uuid& store, std::uint64_t number, std::span<std::byte> bytes) {
  FERRY_CHECK(bytes.size() == kCheckpointHeaderBytes);
  std::memset(bytes.data(), 0, bytes.size());
  Writer(bytes.subspan(kVersionedHeadBytes)).put(store.bytes).put(number);
  seal_block(bytes, kCheckpointMagic);
}

bool is_checkpoint_header(std::span<const std::byte> bytes, const Uuid& store, std::uint64_t number) {
  FERRY_CHECK(bytes.size() == kCheckpointHeaderBytes);
  if (!check_block(bytes, kCheckpointMagic, "checkpoint header")) return false;
  Reader reader(bytes.subspan(kVersionedHeadBytes));
  return reader.get<decltype(store.bytes)>() == store.bytes && reader.get<std::uint64_t>() == number;
}

std::uint32_t piece_crc(std::uint64_t checkpoint, std::uint64_t index, std::uint64_t as_of, std::span<const std::byte> piece) {
  const std::uint64_t head[4] = {checkpoint, index, as_of, piece.size()};
  return crc32c(piece, crc32c(std::as_bytes(std::span(head))));
}

void encode_piece_header(const PieceHeader& header, std::span<std::byte> bytes) {
  FERRY_CHECK(bytes.size() == kPieceHeaderBytes);
  Writer(bytes).put(header.length).put(header.crc).put(header.as_of);
}

std::optional<PieceHeader> decode_piece_header(std::span<const std::byte> bytes) {
  FERRY_CHECK(bytes.size() >= kPieceHeaderBytes);
  Reader reader(bytes);
  PieceHeader header;
  header.length = reader.get<std::uint32_t>();
  header.crc = reader.get<std::uint32_t>();
  header.as_of = reader.get<std::uint64_t>();
  if (header.length > kPieceBytesMax) return std::nullopt;
  return header;
}

void encode_checkpoint_trailer(std::uint64_t number, std::uint64_t pieces, std::span<std::byte> bytes) {
  FERRY_CHECK(bytes.size() == kCheckpointTrailerBytes);
  Writer writer(bytes);
  writer.put(std::uint32_t{UINT32_MAX}).put(std::uint32_t{0}).put(kTrailerMagic).put(pieces);
  const std::uint32_t crc = crc32c(std::as_bytes(std::span(&number, 1)), crc32c(bytes.first(writer.at())));
  writer.put(crc).put(std::uint32_t{0});
}

bool is_checkpoint_trailer(std::span<const std::byte> bytes, std::uint64_t number, std::uint64_t pieces) {
  if (bytes.size() != kCheckpointTrailerBytes) return false;
  std::array<std::byte, kCheckpointTrailerBytes> expected{};
  encode_checkpoint_trailer(number, pieces, expected);
  return std::memcmp(expected.data(), bytes.data(), expected.size()) == 0;
}

std::string segment_name(std::uint32_t number) {
  return fmt::format("segment-{:08}.log", number);
}
std::string spare_name(std::uint32_t number) {
  return fmt::format("spare-{:08}.log", number);
}
std::string checkpoint_name(std::uint64_t number) {
  return fmt::format("checkpoint-{:08}", number);
}

std::optional<std::uint32_t> parse_segment_name(std::string_view name) {
  const auto number = parse_name(name, "segment-", ".log");
  if (!number || *number > UINT32_MAX || segment_name(static_cast<std::uint32_t>(*number)) != name) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::optional<std::uint32_t> parse_spare_name(std::string_view name) {
  const auto number = parse_name(name, "spare-", ".log");
  if (!number || *number > UINT32_MAX || spare_name(static_cast<std::uint32_t>(*number)) != name) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::optional<std::uint64_t> parse_checkpoint_name(std::string_view name) {
  const auto number = parse_name(name, "checkpoint-", "");
  if (!number || checkpoint_name(*number) != name) return std::nullopt;
  return *number;
}

}  // namespace ferry::store
