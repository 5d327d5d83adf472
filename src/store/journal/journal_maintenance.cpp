// What happens beside the commits: segments are prepared ahead, checkpoints written (journal_checkpoint.cpp), space is given
// back, sparse segments are compacted. One thread does all of it, in this order of urgency, in small rounds.

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "store/journal/journal.h"

namespace ferry::store {
namespace {
constexpr std::chrono::seconds kSpaceRetryInterval{1};
constexpr std::chrono::seconds kIdleBeforeTrim{1};
// Of files that are given up, so much in so long: a file system that tells the device of freed blocks (ext4 with "discard") does
// so with the next commit of its own journal, and every sync waits behind that. 64 MiB at once were seen to hold one up for
// 20 ms, 8 MiB for less than 4.
constexpr std::uint64_t kShrinkBytes = 8u << 20;
constexpr std::chrono::milliseconds kShrinkPause{10};
constexpr std::size_t kZeroChunkBytes = 256u << 10;  // small enough not to hold up a group's write behind it
constexpr std::uint32_t kCompactionChunkBytes = 256u << 10;
constexpr std::uint64_t kSegmentsAllowed = 4;
constexpr std::uint64_t kFarBehindFactor = 2;
constexpr std::uint64_t kFarBehindSegments = 16;
}  // namespace

bool Journal::maintain_step() {
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return false;
  }
  using Step = Result<bool> (Journal::*)();
  for (const Step step : {&Journal::prepare_if_needed, &Journal::publish_checkpoint, &Journal::free_segments,
                          &Journal::shrink_discarded, &Journal::checkpoint_if_due, &Journal::compact_some, &Journal::trim}) {
    const auto done = (this->*step)();
    if (!done) {
      fail_store(done.error());
      return false;
    }
    if (*done) return true;
  }
  return false;
}

bool Journal::maintenance_is_due() const {
  const std::uint64_t interval = std::max(options_.checkpoint_log_bytes, 2 * checkpoints_[0].bytes);
  return coming_checkpoint_waits_ || compacting_ || log_bytes_ - log_bytes_at_checkpoint_ >= interval ||
         available() < options_.reserve_bytes + headroom();
}

// ---- segments ------------------------------------------------------------------------------------------------------------

// Prepared space beyond the reserve below which the next segment is made: one of the present size, two while they still grow.
std::uint64_t Journal::headroom() const {
  const std::uint64_t in_use = current_ != nullptr ? current_->bytes : options_.segment_first_bytes;
  const std::uint64_t growth = options_.segment_max_bytes - std::min<std::uint64_t>(in_use, options_.segment_max_bytes);
  return in_use + std::min(in_use, growth) - 2 * kBlockBytes;  // headers count for nothing
}

Result<bool> Journal::prepare_if_needed() {
  std::uint32_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    if (available() >= options_.reserve_bytes + headroom()) return false;
    bytes =
        last_segment_bytes_ == 0 ? options_.segment_first_bytes : std::min(2 * last_segment_bytes_, options_.segment_max_bytes);
    bytes = std::max(bytes, last_segment_bytes_);
  }
  if (space_retry_at_ && clock_.steady() < *space_retry_at_) return false;
  auto prepared = prepare_segment(bytes);
  // A disk that has no room for this one may have room for a smaller one; sizes grow again from there.
  while (!prepared && prepared.error().kind == ErrorKind::NoSpace && bytes > options_.segment_first_bytes) {
    bytes /= 2;
    prepared = prepare_segment(bytes);
  }
  if (prepared) {
    if (space_retry_at_) log_.info("disk space is back; new messages are taken again");
    space_retry_at_.reset();
    return true;
  }
  if (prepared.error().kind != ErrorKind::NoSpace) return Unexpected(prepared.error());
  if (!space_retry_at_) {
    log_.warn("no disk space for the next segment; new messages are refused when the reserve is reached",
              {{"reason", prepared.error().message}});
  }
  space_retry_at_ = clock_.steady() + kSpaceRetryInterval;
  return false;
}

Result<void> Journal::prepare_segment(std::uint32_t bytes) {
  std::optional<Spare> spare;
  SegmentHeader header;
  header.store = store_;
  header.bytes = bytes;
  {
    const std::lock_guard lock(mutex_);
    header.number = next_segment_number_;
    const auto fits = std::find_if(spares_.begin(), spares_.end(), [&](const Spare& s) { return s.bytes == bytes; });
    if (fits != spares_.end()) {
      spare = *fits;
      spares_.erase(fits);
    }
  }
  header.incarnation = random_.next();
  std::string ready = path(kPreparingName);
  bool reused = false;
  if (spare) {
    const auto answer = reuse_spare(*spare, header);
    if (!answer) {
      const std::lock_guard lock(mutex_);
      spares_.push_back(*spare);  // for the next time: no descriptor may be left for the moment
      return Unexpected(answer.error());
    }
    reused = *answer;
    if (reused) ready = path(spare_name(spare->number));
  }
  if (!reused) FERRY_TRY_VOID(fill_new_segment(header));
  const auto renamed = files_.rename(ready, path(segment_name(header.number)));
  if (!renamed && renamed.error().kind == ErrorKind::NoSpace) FERRY_TRY_VOID(files_.remove(ready));  // the directory is full
  if (!renamed) return renamed;
  FERRY_TRY_VOID(files_.sync_directory(options_.folder));
  auto segment = std::make_shared<Segment>(header.number, header.incarnation, bytes);
  FERRY_TRY(segment->file, open_segment_file(header.number));
  const std::lock_guard lock(mutex_);
  ++next_segment_number_;
  last_segment_bytes_ = bytes;
  segment_bytes_ += bytes;
  segments_.emplace(header.number, segment);
  prepared_.push_back(std::move(segment));
  prepared_bytes_ += bytes - kBlockBytes;
  return {};
}

// False: somebody reads what the file held (snapshot.h). Then it only loses its name.
Result<bool> Journal::reuse_spare(const Spare& spare, const SegmentHeader& header) {
  const std::string file_path = path(spare_name(spare.number));
  FERRY_TRY(const auto file, files_.open(file_path, log_mode()));
  if (const auto held = file->hold(File::Hold::Alone); !held) {
    if (held.error().kind != ErrorKind::Busy) return Unexpected(held.error());
    FERRY_TRY_VOID(files_.remove(file_path));
    return false;
  }
  // Its blocks hold groups of another incarnation: they count for nothing once the new header is on disk.
  AlignedBuffer block(kBlockBytes);
  encode_segment_header(header, block.span());
  FERRY_TRY_VOID(file->write_at(0, block.span()));
  FERRY_TRY_VOID(file->sync());
  return true;
}

// Zeros are written, not only allocated: writing into allocated but unwritten blocks costs a journal commit of the file system
// with each sync.
Result<void> Journal::fill_new_segment(const SegmentHeader& header) {
  const std::string file_path = path(kPreparingName);
  FERRY_TRY(const std::uint64_t free, files_.free_bytes(options_.folder));
  if (free < header.bytes)
    return fail(ErrorKind::NoSpace, "only " + std::to_string(free) + " bytes are free in " + options_.folder);
  OpenMode mode{.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::MustBeNew};
  if (direct_) mode.caching = OpenMode::Caching::Direct;
  const auto write = [&]() -> Result<void> {
    FERRY_TRY(const auto file, files_.open(file_path, mode));
    AlignedBuffer chunk(std::min<std::size_t>(kZeroChunkBytes, header.bytes));
    std::memset(chunk.data(), 0, chunk.size());
    encode_segment_header(header, chunk.span().first(kBlockBytes));
    for (std::uint64_t at = 0; at < header.bytes; at += chunk.size()) {
      FERRY_TRY_VOID(file->write_at(at, chunk.span()));
      if (at == 0) std::memset(chunk.data(), 0, kBlockBytes);
    }
    return file->sync();
  };
  auto written = write();
  if (!written && written.error().kind == ErrorKind::NoSpace) {
    const auto removed = files_.remove(file_path);  // NotFound: there was no space, or no inode, for the file itself
    if (!removed && removed.error().kind != ErrorKind::NotFound) return removed;
  }
  return written;
}

std::uint64_t Journal::covered_below() const {
  if (checkpoints_[0].number == 0) return 0;
  if (checkpoints_[1].number == 0) return checkpoints_[0].segment;
  return std::min(checkpoints_[0].segment, checkpoints_[1].segment);
}

bool Journal::is_free(const Segment& segment) const {
  return segment.number < log_segment_ && segment.live_records == 0 && segment.emptied_by <= durable() && segment.pins == 0 &&
         segment.number < covered_below();
}

Result<bool> Journal::free_segments() {
  std::vector<std::shared_ptr<Segment>> freed;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = segments_.begin(); at != segments_.end() && at->first < log_segment_;) {
      if (!is_free(*at->second)) {
        ++at;
        continue;
      }
      Segment& segment = *at->second;
      segment_bytes_ -= segment.bytes;
      segment.file.reset();
      std::erase(opened_, at->second);
      freed.push_back(std::move(at->second));
      at = segments_.erase(at);
    }
  }
  if (freed.empty()) return false;
  for (const auto& segment : freed) {
    FERRY_TRY_VOID(files_.rename(path(segment_name(segment->number)), path(spare_name(segment->number))));
  }
  // Before a header is written again or a file is cut: a crash must not bring the old name back with it.
  FERRY_TRY_VOID(files_.sync_directory(options_.folder));
  const std::lock_guard lock(mutex_);
  for (const auto& segment : freed) {
    const bool keep = spares_.size() < options_.spare_segments_max &&
                      segment->bytes == std::min(last_segment_bytes_, options_.segment_max_bytes);
    if (keep) {
      spares_.push_back(Spare{segment->number, segment->bytes});
    } else {
      discarded_.push_back(spare_name(segment->number));
    }
  }
  if (space_retry_at_) space_retry_at_ = clock_.steady();
  return true;
}

Result<bool> Journal::shrink_discarded() {
  if (discarded_.empty()) return false;
  const SteadyTime now = clock_.steady();
  if (now >= shrink_until_) {
    shrink_until_ = now + kShrinkPause;
    shrink_bytes_ = kShrinkBytes;
  }
  if (shrink_bytes_ == 0) return false;
  const std::string file_path = path(discarded_.front());
  const auto file = files_.open(file_path, {.access = OpenMode::Access::ReadWrite});
  if (!file && file.error().kind == ErrorKind::NoSpace) return false;  // no descriptor is left for the moment
  if (!file && file.error().kind != ErrorKind::NotFound) return Unexpected(file.error());
  std::uint64_t bytes = 0;
  if (file) {
    const auto held = (*file)->hold(File::Hold::Alone);
    if (!held && held.error().kind != ErrorKind::Busy) return Unexpected(held.error());
    FERRY_TRY(bytes, (*file)->size());
    // Somebody reads what it held (snapshot.h): it only loses its name.
    const std::uint64_t cut = held ? std::min(bytes, shrink_bytes_) : bytes;
    bytes -= cut;
    shrink_bytes_ -= std::min(cut, shrink_bytes_);
    if (bytes != 0) {
      FERRY_TRY_VOID((*file)->truncate(bytes));
    } else {
      FERRY_TRY_VOID(files_.remove(file_path));
    }
  }
  if (bytes == 0) discarded_.pop_front();
  if (space_retry_at_) space_retry_at_ = now;
  return true;
}

Journal::Space Journal::space() const {
  Space space;
  space.allowed = 2 * live_bytes_ + kSegmentsAllowed * last_segment_bytes_;
  for (const auto& [number, segment] : segments_) {
    if (number >= log_segment_) break;
    if (segment->live_records != 0) continue;
    space.empty += segment->bytes;
    if (number >= covered_below() && segment->emptied_by <= durable()) space.blocked += segment->bytes;
  }
  return space;
}

// ---- compaction ----------------------------------------------------------------------------------------------------------

// So much more than allowed that compaction cannot be left to catch up beside new messages.
void Journal::set_throttle(const Space& now) {
  throttled_ = segment_bytes_ > kFarBehindFactor * now.allowed + kFarBehindSegments * last_segment_bytes_;
}

bool Journal::is_worth_compacting(const Segment& segment) {
  return segment.live_bytes * 4 <= std::uint64_t{segment.bytes} * 3;
}

bool Journal::start_compaction() {
  const Space now = space();
  set_throttle(now);
  if (segment_bytes_ - now.empty <= now.allowed) return false;
  std::shared_ptr<Segment> sparsest;
  for (const auto& [number, segment] : segments_) {
    if (number >= log_segment_) break;
    if (segment->live_records == 0 || segment->damaged || segment->compact_after_bytes > log_bytes_) continue;
    if (!is_worth_compacting(*segment)) continue;
    if (sparsest == nullptr || segment->live_bytes * sparsest->bytes < sparsest->live_bytes * segment->bytes) sparsest = segment;
  }
  if (sparsest == nullptr) return false;
  compaction_ = std::make_unique<Compaction>();
  compaction_->segment = std::move(sparsest);
  ++compaction_->segment->pins;
  compacting_ = true;
  return true;
}

void Journal::end_compaction() {
  Segment& segment = *compaction_->segment;
  --segment.pins;
  segment.damaged = compaction_->damaged;
  segment.compact_after_bytes = log_bytes_ + segment.bytes;
  compacting_ = false;
  compaction_.reset();
}

Result<bool> Journal::compact_some() {
  {
    const std::lock_guard lock(mutex_);
    if (compaction_ == nullptr && !start_compaction()) return false;
    // Copies go through the log like everything else: not faster than it takes them, not into the last of the space.
    if (pending_bytes_ > options_.pending_bytes_max / 4 || available() < options_.reserve_bytes / 2 + reservation_bytes_max_)
      return false;
  }
  Compaction& work = *compaction_;
  if (work.reader == nullptr) {
    auto file = file_of(work.segment);
    if (!file && file.error().kind == ErrorKind::NoSpace) return false;  // no descriptor is left for the moment
    FERRY_TRY(work.file, std::move(file));
    work.reader = std::make_unique<GroupReader>(*work.file, work.segment->number, work.segment->incarnation, work.segment->bytes);
  }
  std::uint32_t end = 0;
  bool empty = false;
  {
    const std::lock_guard lock(mutex_);
    end = work.segment->end;
    empty = work.segment->live_records == 0;
  }
  if (work.offset >= end || empty) {
    const std::lock_guard lock(mutex_);
    end_compaction();
    return true;
  }
  std::vector<std::byte> copies;
  std::vector<Location> places;
  const std::uint32_t from = work.offset;
  collect_bodies(end, copies, places);
  {
    const std::lock_guard lock(mutex_);
    stats_.compacted_bytes += work.offset - from;
    commit_held_ = true;
  }
  std::size_t at = 0;
  for (const Location& place : places) {
    owner_->relocate(place, std::span(copies).subspan(at, place.length));
    at += place.length;
  }
  const std::lock_guard lock(mutex_);
  commit_held_ = false;
  commit_cv_.notify_one();
  return true;
}

// Bodies of the next groups, about kCompactionChunkBytes of log. They are offered together while no new group is begun to be
// written: so that records from many small groups gather in one, or compaction would gain nothing.
void Journal::collect_bodies(std::uint32_t end, std::vector<std::byte>& copies, std::vector<Location>& places) {
  Compaction& work = *compaction_;
  const std::uint32_t stop = std::min<std::uint64_t>(end, std::uint64_t{work.offset} + kCompactionChunkBytes);
  while (work.offset < stop) {
    const auto found = work.reader->at(work.offset);
    const auto records = found && *found ? records_of((*found)->header, (*found)->bytes) : std::nullopt;
    if (!records) {
      if (work.gap_at == 0) work.gap_at = work.offset;
      work.offset += kBlockBytes;
      continue;
    }
    if (work.gap_at != 0 && !work.damaged) {
      work.damaged = true;
      log_.error("a segment is damaged; what is needed of it stays where it is",
                 {{"segment", work.segment->number}, {"offset", work.gap_at}});
    }
    for (const RecordView& record : *records) {
      if (!record.is_body) continue;
      places.push_back(Location{work.segment->number, record.offset, static_cast<std::uint32_t>(record.payload.size())});
      copies.insert(copies.end(), record.payload.begin(), record.payload.end());
    }
    work.offset += (*found)->header.length;
  }
}

// A drained backlog gives its space back, when nothing is being written that would need it again at once.
Result<bool> Journal::trim() {
  std::optional<Spare> surplus;
  {
    const std::lock_guard lock(mutex_);
    const Space now = space();
    set_throttle(now);
    std::uint64_t total = segment_bytes_;
    for (const Spare& spare : spares_) total += spare.bytes;
    const SteadyTime steady = clock_.steady();
    if (log_bytes_ != active_log_bytes_) {
      active_log_bytes_ = log_bytes_;
      active_at_ = steady;
    }
    const bool idle = steady - active_at_ >= kIdleBeforeTrim;
    const bool odd_size = !spares_.empty() && spares_.back().bytes != last_segment_bytes_;
    if (spares_.size() > options_.spare_segments_max || odd_size || (idle && !spares_.empty() && total > now.allowed)) {
      surplus = spares_.back();
      spares_.pop_back();
    }
  }
  if (surplus) {
    discarded_.push_back(spare_name(surplus->number));
    return true;
  }
  FERRY_TRY_VOID(keep_ballast());
  return false;
}

}  // namespace ferry::store
