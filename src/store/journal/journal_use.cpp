// What the segments hold and what becomes of them, for people who ask.

#include <algorithm>

#include "store/journal/journal.h"

namespace ferry::store {

// Compaction takes the sparsest segment first, until the others are within what is allowed; what it appends again takes space,
// too.
Journal::Use Journal::use() const {
  const std::lock_guard lock(mutex_);
  Use use;
  const Space now = space();
  use.allowed_bytes = now.allowed;
  use.spares = spares_.size();
  for (const Spare& spare : spares_) use.spare_bytes += spare.bytes;
  use.ballast_bytes = ballast_bytes_;
  std::vector<std::size_t> sparse;
  for (const auto& [number, segment] : segments_) {
    SegmentUse part{number, segment->bytes, segment->live_records, segment->live_bytes, SegmentUse::Fate::InUse};
    if (number < log_segment_) {
      if (segment->live_records == 0) {
        part.fate = is_free(*segment) ? SegmentUse::Fate::Free : SegmentUse::Fate::Empty;
      } else {
        part.fate = SegmentUse::Fate::Kept;
        if (!segment->damaged && is_worth_compacting(*segment)) sparse.push_back(use.segments.size());
      }
    }
    use.segments.push_back(part);
  }
  std::sort(sparse.begin(), sparse.end(), [&](std::size_t a, std::size_t b) {
    const SegmentUse& left = use.segments[a];
    const SegmentUse& right = use.segments[b];
    return left.live_bytes * right.bytes < right.live_bytes * left.bytes;
  });
  std::uint64_t taken = segment_bytes_ - now.empty;
  for (const std::size_t at : sparse) {
    if (taken <= now.allowed) break;
    SegmentUse& part = use.segments[at];
    part.fate = SegmentUse::Fate::Sparse;
    taken -= part.bytes - part.live_bytes;
  }
  return use;
}

}  // namespace ferry::store
