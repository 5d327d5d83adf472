#pragma once
// The memory of groups. Groups lie one behind another in slabs; a slab lives for as long as one of its groups, or a payload
// that was given out of it, does.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/file.h"
#include "store/store.h"

namespace ferry::store {

struct Segment;

using Slab = AlignedBuffer;

/// Slabs of one size that are used again, since fresh memory costs a page fault for each 4 KiB. Thread-safe.
class SlabPool : public std::enable_shared_from_this<SlabPool> {
 public:
  SlabPool(std::size_t slab_bytes, std::size_t idle_max) : slab_bytes_(slab_bytes), idle_max_(idle_max) {}
  /// At least `bytes` large. Shared by its groups and the payloads out of them; goes back to the pool, or away, after the last.
  std::shared_ptr<Slab> take(std::size_t bytes);

 private:
  void give_back(std::unique_ptr<Slab> slab);

  const std::size_t slab_bytes_;
  const std::size_t idle_max_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Slab>> idle_;
};

/// Records that are written together. Guarded by the journal's mutex, but for what its comments say.
struct Group {
  std::shared_ptr<Slab> slab;
  std::byte* base = nullptr;  ///< the contents: slots belong to those who reserved them until they published
  std::shared_ptr<Segment> segment;
  std::uint32_t segment_number = 0;
  std::uint32_t offset = 0;    ///< in the segment
  std::uint32_t capacity = 0;  ///< bytes that it may grow to
  std::uint32_t used = 0;      ///< the header included
  std::uint32_t padded = 0;    ///< set when it is closed
  std::uint32_t count = 0;
  Position first;
  bool closed = false;
  bool written = false;
  std::atomic<std::uint32_t> outstanding{0};  ///< reservations that were not published yet; decremented without the mutex
};

}  // namespace ferry::store
