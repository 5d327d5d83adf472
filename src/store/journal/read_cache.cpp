#include "store/journal/read_cache.h"

namespace ferry::store {
namespace {
constexpr std::uint32_t kNearBytes = 64 * 1024;
}

std::optional<ReadCache::Extent> ReadCache::find(std::uint32_t segment, std::uint32_t offset, std::uint32_t bytes) {
  const std::lock_guard lock(mutex_);
  auto at = extents_.upper_bound(Key{segment, offset});
  if (at == extents_.begin()) return std::nullopt;
  --at;
  Extent& extent = at->second;
  if (at->first.first != segment || offset + std::uint64_t{bytes} > extent.end()) return std::nullopt;
  Extent found = extent;
  found.wants_next = extent.wants_next && offset - extent.start >= extent.bytes / 2;
  if (found.wants_next) extent.wants_next = false;
  return found;
}

bool ReadCache::follows(std::uint32_t segment, std::uint32_t offset) const {
  const std::lock_guard lock(mutex_);
  const auto near_before = [&](auto at, std::uint32_t place) {
    if (at == extents_.begin()) return extents_.end();
    --at;
    return at->first.first == segment && at->second.end() + kNearBytes >= place ? at : extents_.end();
  };
  const auto before = near_before(extents_.upper_bound(Key{segment, offset}), offset);
  if (before == extents_.end()) return false;
  return before->second.is_forward || near_before(before, before->second.start) != extents_.end();
}

void ReadCache::insert(std::uint32_t segment, Extent extent) {
  const std::lock_guard lock(mutex_);
  const Key key{segment, extent.start};
  const std::uint64_t bytes = extent.bytes;
  const auto [at, is_new] = extents_.try_emplace(key, extent);
  if (is_new) {
    order_.push_back(key);
  } else {
    bytes_ -= at->second.bytes;
    at->second = std::move(extent);
  }
  bytes_ += bytes;
  while (bytes_ > bytes_max_ && !order_.empty()) {
    const auto oldest = extents_.find(order_.front());
    bytes_ -= oldest->second.bytes;
    extents_.erase(oldest);
    order_.pop_front();
  }
}

std::uint64_t ReadCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace ferry::store
