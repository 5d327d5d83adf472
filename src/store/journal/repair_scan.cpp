#include "store/journal/repair_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/encoding.h"

namespace ferry::store {
namespace {

constexpr std::uint64_t kWindowBytes = 1u << 20;
constexpr std::uint32_t kSearchedPieceBytesMax = 1u << 20;  // a checkpoint's pieces are far smaller
constexpr std::uint64_t kPiecesMissingMax = 4;              // behind a damaged one, for finding the next

std::optional<std::uint32_t> parse_rescued_name(const std::string& name) {
  constexpr std::string_view kPrefix = "rescued-";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  return parse_segment_name("segment-" + name.substr(kPrefix.size()));
}

// A file with the name of a segment, before it is known whose it is.
struct Candidate {
  std::string name;
  std::uint32_t named = 0;
  bool has_segment_name = false;
  std::uint64_t file_bytes = 0;
  std::optional<SegmentHeader> header;
  std::string header_fault;
};

Result<std::vector<Candidate>> list_candidates(FileSystem& files, const std::string& folder) {
  FERRY_TRY(const auto entries, files.list(folder));
  std::vector<Candidate> candidates;
  std::vector<std::byte> block(kBlockBytes);
  for (const FileSystem::Entry& entry : entries) {
    const auto named = parse_segment_name(entry.name);
    const auto rescued = parse_rescued_name(entry.name);
    if (!named && !rescued) continue;
    Candidate candidate;
    candidate.name = entry.name;
    candidate.named = named ? *named : *rescued;
    candidate.has_segment_name = named.has_value();
    candidate.file_bytes = entry.bytes;
    FERRY_TRY(const auto file, files.open(folder + "/" + entry.name, {}));
    FERRY_TRY(const std::size_t got, file->read_at(0, block));
    if (got != kBlockBytes) {
      candidate.header_fault = fmt::format("is too short for a segment: {} bytes", entry.bytes);
    } else {
      auto header = decode_segment_header(block);
      if (!header && header.error().kind == ErrorKind::InvalidArgument)
        return fail(ErrorKind::InvalidArgument, folder + "/" + entry.name + " " + header.error().message);
      if (header && header->bytes >= kBlockBytes && header->bytes <= kSegmentBytesLargest && header->bytes % kBlockBytes == 0) {
        candidate.header = *header;
      } else {
        candidate.header_fault = header ? "holds a segment header that cannot be" : header.error().message;
      }
    }
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

std::optional<Uuid> store_of_most(const std::vector<Candidate>& candidates) {
  std::vector<std::pair<Uuid, int>> counts;
  for (const Candidate& candidate : candidates) {
    if (!candidate.header) continue;
    const auto found =
        std::find_if(counts.begin(), counts.end(), [&](const auto& c) { return c.first == candidate.header->store; });
    if (found != counts.end())
      ++found->second;
    else
      counts.emplace_back(candidate.header->store, 1);
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? std::nullopt : std::optional(most->first);
}

// Number and incarnation of a segment whose header is lost, by its groups. Groups of a former use carry a former number.
Result<bool> guess_identity(FileWindow& window, const Candidate& candidate, SegmentFile& segment) {
  std::map<std::pair<std::uint32_t, std::uint64_t>, int> counts;
  for (std::uint64_t offset = kBlockBytes; offset + kBlockBytes <= candidate.file_bytes; offset += kBlockBytes) {
    FERRY_TRY(const auto block, window.take(offset, kBlockBytes));
    const auto header = decode_group_header(block);
    if (header && header->offset == offset) ++counts[{header->segment, header->incarnation}];
  }
  int most = 0;
  bool by_name = false;
  for (const auto& [identity, count] : counts) {
    const bool named = identity.first == candidate.named;
    if (by_name && !named) continue;
    if (count <= most && by_name == named) continue;
    most = count;
    by_name = named;
    segment.number = identity.first;
    segment.incarnation = identity.second;
  }
  return most > 0;
}

Result<void> find_groups(FileWindow& window, std::uint64_t file_bytes, SegmentFile& segment) {
  const std::uint64_t end = std::min<std::uint64_t>(file_bytes, segment.bytes);
  for (std::uint64_t offset = kBlockBytes; offset + kBlockBytes <= end;) {
    FERRY_TRY(const auto block, window.take(offset, kBlockBytes));
    const auto header = decode_group_header(block);
    const bool ours = header && header->incarnation == segment.incarnation && header->segment == segment.number &&
                      header->offset == offset && header->length <= segment.bytes - offset;
    if (!ours) {
      offset += kBlockBytes;
      continue;
    }
    FERRY_TRY(const auto group, window.take(offset, header->length));
    if (group_is_whole(*header, group) && records_of(*header, group)) {
      segment.groups.push_back(*header);
      offset += header->length;
    } else {
      segment.broken.push_back(*header);
      offset += kBlockBytes;
    }
  }
  return {};
}

std::string fault_of(const Candidate& candidate, const SegmentFile& segment) {
  if (!candidate.header) return candidate.header_fault;
  if (candidate.has_segment_name && candidate.named != segment.number)
    return fmt::format("is segment {} under a wrong name", segment.number);
  if (!candidate.has_segment_name) return fmt::format("is segment {} of a repair that was not finished", segment.number);
  if (candidate.file_bytes != segment.bytes)
    return fmt::format("has {} bytes instead of {}", candidate.file_bytes, segment.bytes);
  return {};
}

// Of two files for one segment the better one stays.
bool is_better(const SegmentFile& a, const SegmentFile& b) {
  if (a.groups.size() != b.groups.size()) return a.groups.size() > b.groups.size();
  return a.fault.empty() && !b.fault.empty();
}

void keep_one(SegmentScan& scan, SegmentFile&& segment) {
  const auto [at, is_new] = scan.segments.try_emplace(segment.number);
  if (!is_new && is_better(segment, at->second)) std::swap(at->second, segment);
  if (is_new) {
    at->second = std::move(segment);
    return;
  }
  std::string why = segment.fault.empty() ? fmt::format("holds segment {} a second time", segment.number) : segment.fault;
  scan.unusable.push_back({segment.name, std::move(why)});
}

}  // namespace

Result<std::span<const std::byte>> FileWindow::take(std::uint64_t offset, std::uint64_t length) {
  if (offset < start_ || offset + length > start_ + filled_) {
    buffer_.resize(std::max(length, kWindowBytes));
    start_ = offset;
    filled_ = 0;
    FERRY_TRY(filled_, file_->read_at(offset, buffer_));
  }
  const std::uint64_t skip = std::min(offset - start_, filled_);
  return std::span<const std::byte>(buffer_).subspan(skip, std::min(length, filled_ - skip));
}

std::string rescued_name(std::uint32_t number) {
  return "rescued-" + segment_name(number).substr(std::string_view("segment-").size());
}

Result<SegmentScan> scan_segments(FileSystem& files, const std::string& folder, std::optional<Uuid>& store) {
  FERRY_TRY(const auto candidates, list_candidates(files, folder));
  if (!store) store = store_of_most(candidates);
  SegmentScan scan;
  for (const Candidate& candidate : candidates) {
    if (candidate.header && candidate.header->store != store) {
      scan.unusable.push_back({candidate.name, "belongs to another store (" + to_string(candidate.header->store) + ")"});
      continue;
    }
    SegmentFile segment;
    segment.name = candidate.name;
    FERRY_TRY(auto file, files.open(folder + "/" + candidate.name, {}));
    FileWindow window(std::move(file));
    if (candidate.header) {
      segment.number = candidate.header->number;
      segment.incarnation = candidate.header->incarnation;
      segment.bytes = candidate.header->bytes;
    } else {
      segment.bytes = std::min<std::uint64_t>(candidate.file_bytes / kBlockBytes * kBlockBytes, kSegmentBytesLargest);
      FERRY_TRY(const bool known, guess_identity(window, candidate, segment));
      if (!known) {
        scan.unusable.push_back({candidate.name, candidate.header_fault});
        continue;
      }
    }
    FERRY_TRY_VOID(find_groups(window, candidate.file_bytes, segment));
    segment.fault = fault_of(candidate, segment);
    keep_one(scan, std::move(segment));
  }
  return scan;
}

std::vector<SalvagedRecord> salvage_records(const GroupHeader& header, std::span<const std::byte> group) {
  std::vector<SalvagedRecord> records;
  std::size_t certain = 0;
  std::size_t at = kGroupHeaderBytes;
  bool damaged = false;
  for (std::uint32_t i = 0; i < header.count; ++i) {
    if (at + kRecordHeaderBytes > group.size()) break;
    std::uint32_t word = 0;
    std::memcpy(&word, group.data() + at, sizeof word);
    const std::uint32_t length = word & RecordWord::kLengthMask;
    if ((word & RecordWord::kPresent) == 0 || length > group.size() - at - kRecordHeaderBytes) break;
    SalvagedRecord record;
    record.index = i;
    record.offset = static_cast<std::uint32_t>(header.offset + at);
    record.payload = group.subspan(at + kRecordHeaderBytes, length);
    record.is_whole = check_record(group.subspan(at), Location{header.segment, record.offset, length}).has_value();
    records.push_back(record);
    damaged = damaged || !record.is_whole;
    if (!damaged) certain = records.size();
    at += record_bytes(length);
    if (at > group.size()) break;
  }
  const bool led_to_the_end =
      records.size() == header.count && at <= group.size() && group.size() - at < kBlockBytes &&
      std::all_of(group.begin() + static_cast<std::ptrdiff_t>(at), group.end(), [](std::byte b) { return b == std::byte{0}; });
  if (led_to_the_end) return records;
  // The first damaged one may still be named by its bytes; what its length leads to may be anything.
  records.resize(std::min(records.size(), certain + 1));
  return records;
}

// ---- checkpoints

namespace {

struct Piece {
  std::uint64_t at = 0;  // of its header
  PieceHeader header;
  std::uint64_t next() const { return at + pad_to(kPieceHeaderBytes + header.length, 8); }
};

// The piece of that index at this place, if it is what was written.
Result<std::optional<Piece>> piece_at(FileWindow& window, std::uint64_t file_bytes, std::uint64_t number, std::uint64_t at,
                                      std::uint64_t index, std::uint32_t bytes_max) {
  if (at + kPieceHeaderBytes > file_bytes) return std::optional<Piece>();
  FERRY_TRY(const auto head, window.take(at, kPieceHeaderBytes));
  if (head.size() < kPieceHeaderBytes) return std::optional<Piece>();
  const auto header = decode_piece_header(head);
  if (!header || header->length > bytes_max || at + kPieceHeaderBytes + header->length > file_bytes)
    return std::optional<Piece>();
  FERRY_TRY(const auto both, window.take(at, kPieceHeaderBytes + header->length));
  if (both.size() != kPieceHeaderBytes + header->length) return std::optional<Piece>();
  if (piece_crc(number, index, header->as_of, both.subspan(kPieceHeaderBytes)) != header->crc) return std::optional<Piece>();
  return std::optional<Piece>(Piece{at, *header});
}

}  // namespace

Result<CheckpointScan> scan_checkpoint(FileSystem& files, const std::string& folder, std::uint64_t number, const Uuid& store,
                                       const CheckpointTaker& take) {
  FERRY_TRY(auto file, files.open(folder + "/" + checkpoint_name(number), {}));
  CheckpointScan scan;
  scan.number = number;
  FERRY_TRY(scan.bytes, file->size());
  FileWindow window(std::move(file));
  FERRY_TRY(const auto head, window.take(0, kCheckpointHeaderBytes));
  const bool has_header = head.size() == kCheckpointHeaderBytes && is_checkpoint_header(head, store, number);
  if (!has_header) scan.damaged_at = 0;
  std::uint64_t at = kCheckpointHeaderBytes;
  for (std::uint64_t index = 0; at < scan.bytes;) {
    FERRY_TRY(auto piece, piece_at(window, scan.bytes, number, at, index, kPieceBytesMax));
    if (!piece) {
      FERRY_TRY(const auto end, window.take(at, kCheckpointTrailerBytes));
      if (is_checkpoint_trailer(end, number, index) && at + kCheckpointTrailerBytes == scan.bytes) {
        scan.is_whole = !scan.damaged_at;
        return scan;
      }
      if (!scan.damaged_at) scan.damaged_at = at;
      ++scan.gaps;
      if (take.gap) take.gap();
      // The next readable one, wherever it is.
      for (at += 8; at < scan.bytes && !piece; at += piece ? 0 : 8) {
        for (std::uint64_t skipped = 0; skipped <= kPiecesMissingMax && !piece; ++skipped) {
          FERRY_TRY(piece, piece_at(window, scan.bytes, number, at, index + skipped, kSearchedPieceBytesMax));
          if (piece) index += skipped;
        }
      }
      if (!piece) return scan;
    }
    if (take.piece) {
      FERRY_TRY(const auto bytes, window.take(piece->at + kPieceHeaderBytes, piece->header.length));
      FERRY_TRY_VOID(take.piece(bytes, Position{piece->header.as_of}));
    }
    scan.lowest_as_of = scan.pieces == 0 ? piece->header.as_of : std::min(scan.lowest_as_of, piece->header.as_of);
    scan.highest_as_of = std::max(scan.highest_as_of, piece->header.as_of);
    ++scan.pieces;
    ++index;
    at = piece->next();
  }
  if (!scan.damaged_at) scan.damaged_at = scan.bytes;
  ++scan.gaps;
  if (take.gap) take.gap();
  return scan;
}

}  // namespace ferry::store
