#include "store/journal/segment.h"

#include <algorithm>

namespace ferry::store {
namespace {
constexpr std::uint32_t kWindowBytes = 1u << 20;
}

Result<std::span<const std::byte>> GroupReader::window(std::uint32_t offset, std::uint32_t length) {
  length = std::min(length, bytes_ - offset);
  if (offset < start_ || offset + length > start_ + filled_) {
    const std::uint32_t want = std::min(std::max(length, kWindowBytes), bytes_ - offset);
    if (buffer_.size() < want) buffer_ = AlignedBuffer(std::max(want, std::min(kWindowBytes, bytes_)));
    start_ = offset;
    filled_ = 0;
    FERRY_TRY(const std::size_t got, file_.read_at(offset, buffer_.span().first(want)));
    filled_ = static_cast<std::uint32_t>(got);
  }
  const std::uint32_t skip = offset - start_;
  return std::span<const std::byte>(buffer_.data() + skip, std::min(length, filled_ - std::min(filled_, skip)));
}

Result<std::optional<GroupReader::Found>> GroupReader::at(std::uint32_t offset) {
  if (offset >= bytes_) return std::optional<Found>();
  FERRY_TRY(const auto head, window(offset, kBlockBytes));
  const auto header = decode_group_header(head);
  if (!header || header->incarnation != incarnation_ || header->segment != segment_ || header->offset != offset ||
      header->length > bytes_ - offset) {
    return std::optional<Found>();
  }
  FERRY_TRY(const auto group, window(offset, header->length));
  if (!group_is_whole(*header, group)) return std::optional<Found>();
  return std::optional<Found>(Found{*header, group});
}

Result<bool> GroupReader::header_at(std::uint32_t offset) {
  if (offset >= bytes_) return false;
  FERRY_TRY(const auto head, window(offset, kBlockBytes));
  const auto header = decode_group_header(head);
  return header && header->incarnation == incarnation_;
}

}  // namespace ferry::store
