#include "store/journal/journal.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"

namespace ferry::store {
namespace {

constexpr std::size_t kSlabBytes = 4u << 20;
constexpr std::size_t kIdleSlabs = 4;
constexpr std::size_t kSlabRestWorthUsing = 64u << 10;
constexpr std::chrono::seconds kMaintenanceInterval{1};

std::atomic_ref<std::uint32_t> word_at(std::byte* record) {
  return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(record));
}

}  // namespace

Journal::Journal(FileSystem& files, const Clock& clock, Random& random, const Logger& log, JournalOptions options)
    : files_(files),
      clock_(clock),
      random_(random),
      log_(log),
      options_(std::move(options)),
      control_(files, options_.folder),
      slab_pool_(std::make_shared<SlabPool>(kSlabBytes, kIdleSlabs)),
      read_cache_(options_.read_cache_bytes) {
  FERRY_CHECK(std::has_single_bit(options_.segment_first_bytes) && std::has_single_bit(options_.segment_max_bytes));
  FERRY_CHECK(options_.segment_first_bytes >= kSegmentBytesSmallest && options_.segment_max_bytes <= kSegmentBytesLargest);
  FERRY_CHECK(options_.segment_first_bytes <= options_.segment_max_bytes && options_.group_bytes_max >= kBlockBytes);
}

Journal::~Journal() {
  stop_threads();
}

// ---- reserve and publish -------------------------------------------------------------------------------------------------

Result<Reservation> Journal::reserve(std::span<const RecordShape> records, Purpose purpose) {
  FERRY_CHECK(!records.empty());
  std::uint64_t bytes = 0;
  std::uint64_t payload_bytes_total = 0;
  std::uint64_t body_bytes = 0;
  std::uint32_t bodies = 0;
  for (const RecordShape& shape : records) {
    bytes += record_bytes(shape.payload_bytes);
    payload_bytes_total += shape.payload_bytes;
    if (!shape.is_body) continue;
    body_bytes += record_bytes(shape.payload_bytes);
    ++bodies;
  }
  Reservation reservation;
  reservation.slots.resize(records.size());
  std::byte* memory = nullptr;
  Location at;
  {
    const std::lock_guard lock(mutex_);
    FERRY_TRY_VOID(admit(bytes, purpose));
    if (gathering_ == nullptr || gathering_->used + bytes > gathering_->capacity) FERRY_TRY_VOID(open_group(bytes));
    Group& group = *gathering_;
    memory = group.base + group.used;
    at = Location{group.segment_number, group.offset + group.used, 0};
    const std::uint64_t last = last_.load(std::memory_order_relaxed);
    if (group.count == 0) group.first = Position{last + 1};
    group.used += static_cast<std::uint32_t>(bytes);
    group.count += static_cast<std::uint32_t>(records.size());
    group.outstanding.fetch_add(1, std::memory_order_relaxed);
    group.segment->live_records += bodies;
    group.segment->live_bytes += body_bytes;
    live_bytes_ += body_bytes;
    pending_bytes_ += bytes;
    stats_.payload_bytes += payload_bytes_total;
    last_.store(last + records.size(), std::memory_order_release);
    reservation.first = Position{last + 1};
    reservation.last = Position{last + records.size()};
    reservation.group = &group;
  }
  // The memory may hold what an earlier group left there. The second word keeps the kind until publish() puts the checksum.
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::uint32_t payload_bytes = records[i].payload_bytes;
    const std::uint64_t size = record_bytes(payload_bytes);
    word_at(memory).store(0, std::memory_order_relaxed);
    const std::uint32_t kind = records[i].is_body ? RecordWord::kBody : 0;
    std::memcpy(memory + 4, &kind, sizeof kind);
    std::memset(memory + kRecordHeaderBytes + payload_bytes, 0, size - kRecordHeaderBytes - payload_bytes);
    at.length = payload_bytes;
    reservation.slots[i] = Slot{at, std::span(memory + kRecordHeaderBytes, payload_bytes)};
    memory += size;
    at.offset += static_cast<std::uint32_t>(size);
  }
  return reservation;
}

Result<void> Journal::admit(std::uint64_t bytes, Purpose purpose) {
  if (failed_) return fail(ErrorKind::Unavailable, "the store has failed and takes no more records");
  if (closing_) return fail(ErrorKind::Unavailable, "the store is closed");
  const std::uint64_t padded = pad_to(kGroupHeaderBytes + bytes, kBlockBytes);
  if (padded > reservation_bytes_max_) {
    return fail(ErrorKind::InvalidArgument, "records of " + std::to_string(bytes) + " bytes are larger than a segment can hold");
  }
  if (pending_bytes_ + bytes > options_.pending_bytes_max && pending_bytes_ != 0) {
    return fail(ErrorKind::Unavailable, "too many bytes wait for the disk");
  }
  if (purpose == Purpose::Upkeep) return {};
  if (throttled_) return fail(ErrorKind::Unavailable, "compaction is behind; no new messages for the moment");
  if (available() < padded + options_.reserve_bytes) {
    wake_maintenance();
    return fail(ErrorKind::NoSpace, "no prepared disk space is left for new messages");
  }
  return {};
}

std::uint64_t Journal::available() const {
  if (current_ == nullptr) return prepared_bytes_;
  const std::uint64_t next = gathering_ == nullptr ? next_offset_ : gathering_->offset + pad_to(gathering_->used, kBlockBytes);
  return current_->bytes - next + prepared_bytes_;
}

void Journal::close_gathering() {
  if (gathering_ == nullptr) return;
  Group& group = *gathering_;
  group.padded = static_cast<std::uint32_t>(pad_to(group.used, kBlockBytes));
  group.closed = true;
  next_offset_ = group.offset + group.padded;
  slab_used_ += group.padded;
  gathering_ = nullptr;
}

Result<void> Journal::open_group(std::uint64_t bytes) {
  close_gathering();
  const std::uint64_t needed = pad_to(kGroupHeaderBytes + bytes, kBlockBytes);
  if (current_ == nullptr || needed > current_->bytes - next_offset_) {
    if (prepared_.empty()) {
      wake_maintenance();
      return fail(ErrorKind::NoSpace, "no prepared disk space is left");
    }
    current_ = std::move(prepared_.front());
    prepared_.pop_front();
    prepared_bytes_ -= current_->bytes - kBlockBytes;
    next_offset_ = kBlockBytes;
    wake_maintenance();
  }
  const std::uint64_t room = current_->bytes - next_offset_;
  const std::uint64_t wanted = std::min(std::max(needed, pad_to(options_.group_bytes_max, kBlockBytes)), room);
  const std::uint64_t rest = slab_ == nullptr ? 0 : slab_->size() - slab_used_;
  if (rest < std::max<std::uint64_t>(needed, std::min<std::uint64_t>(wanted, kSlabRestWorthUsing))) {
    slab_ = slab_pool_->take(needed);
    slab_used_ = 0;
  }
  auto group = std::make_unique<Group>();
  group->slab = slab_;
  group->base = slab_->data() + slab_used_;
  group->segment = current_;
  group->segment_number = current_->number;
  group->offset = next_offset_;
  group->capacity = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, slab_->size() - slab_used_));
  group->used = kGroupHeaderBytes;
  gathering_ = group.get();
  groups_.push_back(std::move(group));
  return {};
}

void Journal::publish(Reservation&& reservation) {
  FERRY_CHECK(reservation.group != nullptr);
  Group& group = *static_cast<Group*>(std::exchange(reservation.group, nullptr));
  for (const Slot& slot : reservation.slots) {
    std::byte* const record = slot.bytes.data() - kRecordHeaderBytes;
    std::uint32_t kind = 0;
    std::memcpy(&kind, record + 4, sizeof kind);
    const std::uint32_t word = RecordWord::make(slot.location.length, (kind & RecordWord::kBody) != 0);
    const std::uint32_t crc = record_crc(slot.location.segment, slot.location.offset, word, slot.bytes);
    std::memcpy(record + 4, &crc, sizeof crc);
    word_at(record).store(word, std::memory_order_release);
  }
  group.outstanding.fetch_sub(1);
  // The group may be gone from here on. The committer sets the flag before it looks at `outstanding`, we look at it after
  // having counted down: one of the two sees the other.
  if (committer_waits_.load() && committer_waits_.exchange(false)) {
    { const std::lock_guard lock(mutex_); }
    commit_cv_.notify_one();
  }
}

// ---- commit --------------------------------------------------------------------------------------------------------------

Group* Journal::next_unwritten() const {
  return written_groups_ < groups_.size() ? groups_[written_groups_].get() : nullptr;
}

Group* Journal::take_ready_group() {
  if (failed_) return nullptr;
  Group* const group = next_unwritten();
  if (group == nullptr) return nullptr;
  if (!group->closed && commit_held_) return nullptr;
  if (!group->closed) close_gathering();
  return group->outstanding.load() == 0 ? group : nullptr;
}

bool Journal::commit_step() {
  Group* group = nullptr;
  {
    const std::lock_guard lock(mutex_);
    group = take_ready_group();
  }
  if (group == nullptr) return false;
  const auto written = write_group(*group);
  if (!written) fail_store(written.error());
  return written.has_value();
}

Result<void> Journal::write_group(Group& group) {
  GroupHeader header;
  std::shared_ptr<File> file;
  bool enters_segment = false;
  {
    const std::lock_guard lock(mutex_);
    file = group.segment->file;
    enters_segment = group.segment_number != log_segment_;
  }
  header.incarnation = group.segment->incarnation;
  header.run = recovery_.run;
  header.first = group.first.value;
  header.count = group.count;
  header.length = group.padded;
  header.segment = group.segment_number;
  header.offset = group.offset;
  header.previous_crc = last_header_crc_;
  std::memset(group.base + group.used, 0, group.padded - group.used);
  seal_group(header, std::span(group.base, group.padded));
  if (enters_segment) {
    FERRY_TRY_VOID(control_.update([&](ControlState& state) {
      state.watermark = durable().value;
      state.segment = std::max(state.segment, group.segment_number);
    }));
  }
  FERRY_TRY_VOID(file->write_at(group.offset, std::span(group.base, group.padded)));
  if (!direct_) FERRY_TRY_VOID(file->sync());
  finish_group(group, header);
  return {};
}

void Journal::finish_group(Group& group, const GroupHeader& header) {
  const Position position{header.first + header.count - 1};
  last_header_crc_ = header.header_crc;
  {
    const std::lock_guard lock(mutex_);
    durable_.store(position.value, std::memory_order_release);
    if (group.segment_number != log_segment_) {
      const auto left = segments_.find(log_segment_);
      if (left != segments_.end()) left->second->file.reset();  // readers open it again
      log_segment_ = group.segment_number;
    }
    group.segment->end = group.offset + group.padded;
    group.written = true;
    ++written_groups_;
    pending_bytes_ -= group.used - kGroupHeaderBytes;
    log_bytes_ += group.padded;
    marks_.push_back(GroupMark{header.first, header.segment, header.offset, header.previous_crc});
    ++stats_.groups;
    ++stats_.syncs;
    stats_.records += header.count;
    stats_.written_bytes += group.padded;
    cached_bytes_ += group.padded;
    while (cached_bytes_ > options_.cache_bytes && written_groups_ > 0) {
      cached_bytes_ -= groups_.front()->padded;
      groups_.pop_front();
      --written_groups_;
    }
    if (!parked_reads_.empty()) {
      std::move(parked_reads_.begin(), parked_reads_.end(), std::back_inserter(reads_));
      parked_reads_.clear();
      read_cv_.notify_all();
    }
    if (maintenance_is_due()) wake_maintenance();
  }
  owner_->on_durable(position);
}

void Journal::fail_store(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    failed_ = true;
    std::move(parked_reads_.begin(), parked_reads_.end(), std::back_inserter(reads_));
    parked_reads_.clear();
    commit_cv_.notify_all();
    maintain_cv_.notify_all();
    read_cv_.notify_all();
  }
  log_.error("the store failed; nothing becomes durable any more", {{"reason", error.message}});
  owner_->on_failed(error);
}

// ---- threads and the end -------------------------------------------------------------------------------------------------

void Journal::wake_maintenance() {
  if (maintenance_wanted_) return;
  maintenance_wanted_ = true;
  maintain_cv_.notify_one();
}

void Journal::commit_loop() {
  for (;;) {
    Group* group = nullptr;
    {
      std::unique_lock lock(mutex_);
      for (;;) {
        committer_waits_.store(true);
        group = take_ready_group();
        if (group != nullptr || failed_ || (stopping_ && (!closing_ || next_unwritten() == nullptr))) break;
        commit_cv_.wait(lock);
      }
      committer_waits_.store(false);
    }
    if (group == nullptr) return;
    const auto written = write_group(*group);
    if (!written) return fail_store(written.error());
  }
}

std::chrono::nanoseconds Journal::idle_time() const {
  if (discarded_.empty()) return kMaintenanceInterval;
  return std::clamp<std::chrono::nanoseconds>(shrink_until_ - clock_.steady(), std::chrono::milliseconds(1),
                                              kMaintenanceInterval);
}

void Journal::maintain_loop() {
  for (;;) {
    while (maintain_step()) {
      const std::lock_guard lock(mutex_);
      if (stopping_ || failed_) return;
    }
    std::unique_lock lock(mutex_);
    if (!maintenance_wanted_ && !stopping_ && !failed_) maintain_cv_.wait_for(lock, idle_time());
    maintenance_wanted_ = false;
    if (stopping_ || failed_) return;
  }
}

void Journal::read_loop() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      read_cv_.wait(lock, [this] { return stopping_ || !reads_.empty(); });
      if (reads_.empty()) return;
    }
    read_step();
  }
}

void Journal::stop_threads() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    commit_cv_.notify_all();
    maintain_cv_.notify_all();
    read_cv_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  {
    const std::lock_guard lock(mutex_);
    std::move(parked_reads_.begin(), parked_reads_.end(), std::back_inserter(reads_));
    parked_reads_.clear();
  }
  while (read_step()) {  // what came while the readers were leaving
  }
}

Result<void> Journal::close() {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return fail(ErrorKind::Unavailable, "the store was closed already");
    closing_ = true;
  }
  if (threads_.empty() && owner_ != nullptr) {
    while (commit_step() || read_step()) {
    }
  }
  stop_threads();
  if (owner_ == nullptr) return {};
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return fail(ErrorKind::Unavailable, "the store had failed before it was closed");
  }
  if (durable() != last()) return fail(ErrorKind::Unavailable, "records were reserved and never published");
  FERRY_TRY_VOID(control_.update([&](ControlState& state) {
    state.watermark = durable().value;
    state.clean_stop = true;
  }));
  lock_.reset();
  return {};
}

// ---- looking at it -------------------------------------------------------------------------------------------------------

StoreStats Journal::stats() const {
  const std::lock_guard lock(mutex_);
  StoreStats stats = stats_;
  stats.disk_bytes = segment_bytes_ + ballast_bytes_ + ControlFile::kFileBytes;
  for (const CheckpointEntry& checkpoint : checkpoints_) stats.disk_bytes += checkpoint.bytes;
  for (const Spare& spare : spares_) stats.disk_bytes += spare.bytes;
  stats.live_body_bytes = live_bytes_;
  stats.segments = segments_.size();
  stats.sync_method = direct_ ? "O_DIRECT|O_DSYNC" : "pwrite+fdatasync";
  return stats;
}

bool Journal::writable() const {
  const std::lock_guard lock(mutex_);
  return owner_ != nullptr && !failed_ && !closing_ && !throttled_ && pending_bytes_ < options_.pending_bytes_max &&
         available() >= options_.reserve_bytes + kBlockBytes;
}

void Journal::release(std::span<const Location> locations) {
  const std::lock_guard lock(mutex_);
  const Position position = last();
  for (const Location& location : locations) {
    const auto segment = find_segment(location.segment);
    FERRY_CHECK(segment != nullptr && segment->live_records > 0);
    const std::uint64_t bytes = record_bytes(location.length);
    --segment->live_records;
    segment->live_bytes -= bytes;
    segment->emptied_by = position;
    live_bytes_ -= bytes;
  }
}

}  // namespace ferry::store
