#include "store/journal/checkpoint_file.h"

#include <algorithm>
#include <utility>

namespace ferry::store {
namespace {

// Read, written and synced in such portions: a commit of the log waits behind the sync that is on its way. One sync of 200 MB
// was seen to hold it up for 90 ms, those of 4 MiB for 30, those of 1 MiB for less than 5.
constexpr std::size_t kBufferBytes = 1u << 20;

// The file front to back through one buffer.
class SequentialReader {
 public:
  SequentialReader(File& file, std::uint64_t file_bytes) : file_(file), left_(file_bytes) {}

  // The next `bytes` bytes; fewer at the end of the file. Valid until the next call.
  Result<std::span<const std::byte>> take(std::size_t bytes) {
    if (buffer_.size() - at_ < bytes) {
      buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
      at_ = 0;
      const std::size_t have = buffer_.size();
      const std::size_t more = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(bytes - have, kBufferBytes), left_));
      buffer_.resize(have + more);
      FERRY_TRY(const std::size_t got, file_.read_at(offset_, std::span(buffer_).subspan(have)));
      buffer_.resize(have + got);
      offset_ += got;
      left_ -= got;
    }
    const std::size_t size = std::min(bytes, buffer_.size() - at_);
    const std::span<const std::byte> result(buffer_.data() + at_, size);
    at_ += size;
    return result;
  }
  std::uint64_t position() const { return offset_ - (buffer_.size() - at_); }

 private:
  File& file_;
  std::uint64_t left_;
  std::uint64_t offset_ = 0;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0;
};

}  // namespace

CheckpointWriter::CheckpointWriter(FileSystem& files, std::string path, const Uuid& store, std::uint64_t number,
                                   std::function<void()> between)
    : files_(files), path_(std::move(path)), store_(store), number_(number), between_(std::move(between)) {}

Result<void> CheckpointWriter::begin() {
  FERRY_TRY(file_, files_.open(path_, {.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::MustBeNew}));
  buffer_.resize(kCheckpointHeaderBytes);
  encode_checkpoint_header(store_, number_, buffer_);
  return {};
}

Result<void> CheckpointWriter::add_piece(std::span<const std::byte> piece, Position as_of) {
  if (piece.size() > kPieceBytesMax) return fail(ErrorKind::InvalidArgument, "a piece of a checkpoint is too large");
  const std::size_t at = buffer_.size();
  buffer_.resize(at + pad_to(kPieceHeaderBytes + piece.size(), 8));
  const PieceHeader header{static_cast<std::uint32_t>(piece.size()), piece_crc(number_, pieces_, as_of.value, piece),
                           as_of.value};
  encode_piece_header(header, std::span(buffer_).subspan(at, kPieceHeaderBytes));
  std::copy(piece.begin(), piece.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(at + kPieceHeaderBytes));
  ++pieces_;
  highest_as_of_ = std::max(highest_as_of_, as_of);
  if (buffer_.size() < kBufferBytes) return {};
  return flush();
}

Result<void> CheckpointWriter::flush() {
  FERRY_TRY_VOID(file_->write_at(written_, buffer_));
  FERRY_TRY_VOID(file_->sync());
  written_ += buffer_.size();
  buffer_.clear();
  if (between_) between_();
  return {};
}

Result<void> CheckpointWriter::finish() {
  const std::size_t at = buffer_.size();
  buffer_.resize(at + kCheckpointTrailerBytes);
  encode_checkpoint_trailer(number_, pieces_, std::span(buffer_).subspan(at));
  FERRY_TRY_VOID(flush());
  file_.reset();
  return {};
}

Result<void> read_checkpoint(FileSystem& files, const std::string& path, const Uuid& store, const CheckpointEntry& entry,
                             const std::function<Result<void>(std::span<const std::byte>)>& take, std::uint64_t* reached) {
  auto opened = files.open(path, {});
  if (!opened && opened.error().kind == ErrorKind::NotFound) return fail(ErrorKind::Corrupt, path + " is missing");
  if (!opened) return Unexpected(std::move(opened).error());
  File& file = **opened;
  FERRY_TRY(const std::uint64_t bytes, file.size());
  const auto damaged = [&](std::uint64_t at) {
    return fail(ErrorKind::Corrupt, path + " is damaged at offset " + std::to_string(at));
  };
  if (bytes != entry.bytes) {
    return fail(ErrorKind::Corrupt, path + " has " + std::to_string(bytes) + " bytes instead of " + std::to_string(entry.bytes));
  }
  SequentialReader reader(file, bytes);
  FERRY_TRY(const auto head, reader.take(kCheckpointHeaderBytes));
  if (head.size() != kCheckpointHeaderBytes || !is_checkpoint_header(head, store, entry.number)) return damaged(0);
  for (std::uint64_t index = 0;; ++index) {
    const std::uint64_t at = reader.position();
    if (reached != nullptr) *reached = at;
    FERRY_TRY(const auto piece_head, reader.take(kPieceHeaderBytes));
    if (piece_head.size() != kPieceHeaderBytes) return damaged(at);
    const auto header = decode_piece_header(piece_head);
    if (!header) {
      std::array<std::byte, kCheckpointTrailerBytes> trailer{};
      std::copy(piece_head.begin(), piece_head.end(), trailer.begin());
      FERRY_TRY(const auto rest, reader.take(kCheckpointTrailerBytes - kPieceHeaderBytes));
      if (rest.size() != kCheckpointTrailerBytes - kPieceHeaderBytes) return damaged(at);
      std::copy(rest.begin(), rest.end(), trailer.begin() + kPieceHeaderBytes);
      if (!is_checkpoint_trailer(trailer, entry.number, index) || reader.position() != bytes) return damaged(at);
      return {};
    }
    FERRY_TRY(const auto padded, reader.take(pad_to(kPieceHeaderBytes + header->length, 8) - kPieceHeaderBytes));
    if (padded.size() < header->length) return damaged(at);
    const auto piece = padded.first(header->length);
    if (piece_crc(entry.number, index, header->as_of, piece) != header->crc) return damaged(at);
    if (take) FERRY_TRY_VOID(take(piece));
  }
}

}  // namespace ferry::store
