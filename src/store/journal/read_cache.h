#pragma once
// Stretches of segments that were read from disk, kept for their neighbours: first in, first out.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "store/store.h"

namespace ferry::store {

/// Thread-safe.
class ReadCache {
 public:
  explicit ReadCache(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  struct Extent {
    std::shared_ptr<const std::byte> buffer;  // shared with the payloads that were given out of it
    std::uint32_t start = 0;                  // in the segment
    std::uint32_t bytes = 0;
    bool is_forward = false;  // read because follows() said so, or ahead of the reads
    bool wants_next = false;  // told by find() once: what is behind it will soon be asked for
    std::uint32_t end() const { return start + bytes; }
    std::span<const std::byte> span() const { return {buffer.get(), bytes}; }
  };
  /// The extent that holds [offset, offset + bytes) whole.
  std::optional<Extent> find(std::uint32_t segment, std::uint32_t offset, std::uint32_t bytes);
  /// Whether the reads go forward: shortly before `offset` there is an extent that was read forward, or one that has another
  /// shortly before it. One alone may be there by chance.
  bool follows(std::uint32_t segment, std::uint32_t offset) const;
  void insert(std::uint32_t segment, Extent extent);
  /// The bytes that are kept now.
  std::uint64_t bytes() const;

 private:
  using Key = std::pair<std::uint32_t, std::uint32_t>;
  mutable std::mutex mutex_;
  const std::uint64_t bytes_max_;
  std::map<Key, Extent> extents_;  // by segment and start
  std::deque<Key> order_;
  std::uint64_t bytes_ = 0;
};

}  // namespace ferry::store
