// Opening a folder. Until the owner has everything, nothing on disk is changed: a refused start leaves all as it was.
//
// Where the log ends. Groups follow one another: each names the checksum of the header before it and the position after the
// last one's. At the first block where the next group is not found, it is looked for at the start of the next segment (the log
// moves on when a group does not fit). If it is not there either, the log ends here or it is damaged here:
//   - Exactly one group is written at a time, and it is synced before the next one is begun. So behind a torn write nothing
//     whole can follow. If a whole group of a higher position follows, in this segment or a later one, this is damage.
//   - The control file knows a position that was durable when it was written. Ending below it is damage, too.
//   - Else it is a torn tail: nobody was told that it is durable. It is cut.

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "store/journal/checkpoint_file.h"
#include "store/journal/journal.h"

namespace ferry::store {
namespace {
// 16 KiB random reads a second of a virtual machine's disk with 1, 2, 4, 8, 16 threads: 8, 13, 28, 34, 43 thousand.
constexpr int kReaders = 32;
}  // namespace

Result<void> Journal::recover(Owner& owner) {
  FERRY_CHECK(owner_ == nullptr);
  scan_ = std::make_unique<Scan>();
  progress_.emplace(clock_, log_);
  FERRY_TRY_VOID(open_folder());
  FERRY_TRY_VOID(open_segments());
  const SteadyTime begun = clock_.steady();
  FERRY_TRY_VOID(restore(owner));
  const SteadyTime restored = clock_.steady();
  FERRY_TRY_VOID(replay(owner));
  FERRY_TRY_VOID(check_log_end());
  recovery_.checkpoint_time = restored - begun;
  recovery_.replay_time = clock_.steady() - restored;
  progress_.reset();
  FERRY_TRY_VOID(owner.recovered());
  if (missing_segment_) {
    return fail(ErrorKind::Corrupt, path(segment_name(missing_location_.segment)) +
                                        " is missing or too short: it holds the message body at offset " +
                                        std::to_string(missing_location_.offset));
  }
  owner_ = &owner;
  if (options_.access == JournalOptions::Access::ReadOnly) {
    log_segment_ = scan_->last_group ? scan_->last_group->segment : 0;
    closing_ = true;
    return {};
  }
  FERRY_TRY_VOID(begin_run());
  scan_.reset();
  if (options_.threads == JournalOptions::Threads::Own) {
    threads_.emplace_back([this] { commit_loop(); });
    threads_.emplace_back([this] { maintain_loop(); });
    for (int i = 0; i < kReaders; ++i) threads_.emplace_back([this] { read_loop(); });
  }
  return {};
}

Result<void> Journal::open_folder() {
  FERRY_TRY_VOID(files_.create_directory(options_.folder));
  FERRY_TRY(const auto before, files_.list(options_.folder));
  bool has_control = false;
  bool has_ours = false;
  std::string foreign;
  for (const FileSystem::Entry& entry : before) {
    has_control = has_control || entry.name == kControlName;
    has_ours = has_ours || parse_segment_name(entry.name) || parse_checkpoint_name(entry.name);
    const bool expected = entry.name == kLockName || entry.name == kNewControlName || entry.name == "lost+found";
    if (!expected && foreign.empty()) foreign = entry.name;
  }
  if (!has_control && has_ours) return fail(ErrorKind::Corrupt, path(kControlName) + " is missing");
  if (!has_control && !foreign.empty()) {
    return fail(ErrorKind::InvalidArgument,
                "the folder " + options_.folder + " is not empty and holds no Ferry store; found " + foreign);
  }
  auto lock = files_.lock(path(kLockName));
  if (!lock && lock.error().kind == ErrorKind::Busy) {
    return fail(ErrorKind::Busy, "the data folder " + options_.folder + " is in use by another ferry");
  }
  FERRY_TRY(lock_, std::move(lock));
  if (options_.direct_access == JournalOptions::DirectAccess::WherePossible) {
    const auto probe =
        files_.open(path(kLockName), {.access = OpenMode::Access::ReadWrite, .caching = OpenMode::Caching::Direct});
    if (!probe && probe.error().kind != ErrorKind::InvalidArgument) return Unexpected(probe.error());
    direct_ = probe.has_value();
  }
  if (!has_control) {
    FERRY_TRY(const auto now, files_.list(options_.folder));  // somebody may have been here before the lock was ours
    has_control = std::any_of(now.begin(), now.end(), [](const FileSystem::Entry& entry) { return entry.name == kControlName; });
  }
  if (!has_control) return create_store();
  FERRY_TRY_VOID(control_.load());
  store_ = control_.state().store;
  recovery_.clean_stop = control_.state().clean_stop;
  return {};
}

Result<void> Journal::create_store() {
  ControlState state;
  state.store = store_ = make_uuid(random_);
  recovery_.created = true;
  return control_.create(state);
}

OpenMode Journal::log_mode() const {
  OpenMode mode{.access = OpenMode::Access::ReadWrite};
  if (direct_) {
    mode.caching = OpenMode::Caching::Direct;
    mode.writes = OpenMode::Writes::Durable;
  }
  return mode;
}

Result<std::shared_ptr<File>> Journal::open_segment_file(std::uint32_t number) {
  FERRY_TRY(auto file, files_.open(path(segment_name(number)), log_mode()));
  return std::shared_ptr<File>(std::move(file));
}

Result<void> Journal::open_segments() {
  FERRY_TRY(const auto entries, files_.list(options_.folder));
  AlignedBuffer block(kBlockBytes);
  for (const FileSystem::Entry& entry : entries) {
    if (const auto spare = parse_spare_name(entry.name)) spares_.push_back(Spare{*spare, entry.bytes});
    if (entry.name == kBallastName) ballast_bytes_ = entry.bytes;
    const auto number = parse_segment_name(entry.name);
    if (!number) continue;
    const std::string file_path = path(entry.name);
    FERRY_TRY(const auto file, open_segment_file(*number));
    FERRY_TRY(const std::size_t got, file->read_at(0, block.span()));
    if (got != kBlockBytes)
      return fail(ErrorKind::Corrupt, file_path + " is too short for a segment: " + std::to_string(entry.bytes) + " bytes");
    auto header = decode_segment_header(block.span());
    if (!header) return fail(header.error().kind, file_path + " " + header.error().message);
    if (header->store != store_) {
      return fail(ErrorKind::Corrupt, file_path + " belongs to another store (" + to_string(header->store) + ")");
    }
    if (header->number != *number) {
      return fail(ErrorKind::Corrupt, file_path + " is segment " + std::to_string(header->number) + " under a wrong name");
    }
    if (header->bytes != entry.bytes || header->bytes > kSegmentBytesLargest || header->bytes % kBlockBytes != 0) {
      return fail(ErrorKind::Corrupt,
                  file_path + " has " + std::to_string(entry.bytes) + " bytes instead of " + std::to_string(header->bytes));
    }
    auto segment = std::make_shared<Segment>(*number, header->incarnation, static_cast<std::uint32_t>(header->bytes));
    segment->end = segment->bytes;
    segment_bytes_ += segment->bytes;
    last_segment_bytes_ = segment->bytes;
    next_segment_number_ = *number + 1;
    segments_.emplace(*number, std::move(segment));
  }
  return {};
}

Result<void> Journal::restore(Owner& owner) {
  const ControlState state = control_.state();
  Error reason{ErrorKind::Corrupt, ""};
  bool any = false;
  for (std::size_t i = 0; i < state.checkpoints.size(); ++i) {
    const CheckpointEntry& entry = state.checkpoints[i];
    if (entry.number == 0) continue;
    any = true;
    next_checkpoint_number_ = std::max(next_checkpoint_number_, entry.number + 1);
    const std::string file = path(checkpoint_name(entry.number));
    const auto whole = read_checkpoint(files_, file, store_, entry, nullptr);
    if (!whole) {
      if (whole.error().kind != ErrorKind::Corrupt) return whole;
      log_.error("a checkpoint is damaged; the one before it is tried", {{"reason", whole.error().message}});
      reason = whole.error();
      continue;
    }
    FERRY_TRY_VOID(read_checkpoint(files_, file, store_, entry, [&](std::span<const std::byte> piece) {
      recovery_.checkpoint_bytes += piece.size();
      progress_->report("checkpoint", recovery_.checkpoint_bytes, entry.bytes);
      return owner.restore_piece(piece);
    }));
    checkpoints_[0] = entry;
    if (i == 0) checkpoints_[1] = state.checkpoints[1];
    if (checkpoints_[1].number != 0) next_checkpoint_number_ = std::max(next_checkpoint_number_, checkpoints_[1].number + 1);
    recovery_.checkpoint = entry.number;
    scan_->has_checkpoint = true;
    scan_->replay_from = entry.replay_from;
    scan_->segment = entry.segment;
    scan_->offset = entry.offset;
    scan_->next_position = entry.group_first;
    scan_->previous_crc = entry.previous_crc;
    return {};
  }
  if (any) return Unexpected(reason);
  if (!segments_.empty() || state.segment != 0) scan_->segment = 1;
  return {};
}

Result<void> Journal::replay(Owner& owner) {
  if (scan_->segment == 0) return {};
  const std::uint32_t newest = std::max(control_.state().segment, segments_.empty() ? 0 : segments_.rbegin()->first);
  for (std::uint32_t number = scan_->segment; number <= newest; ++number) {
    if (!segments_.contains(number)) return fail(ErrorKind::Corrupt, path(segment_name(number)) + " is missing");
  }
  const auto matches = [&](const std::optional<GroupReader::Found>& found) {
    return found && found->header.first == scan_->next_position && found->header.previous_crc == scan_->previous_crc;
  };
  auto segment = segments_.at(scan_->segment);
  for (auto at = segments_.find(scan_->segment); at != segments_.end(); ++at) scan_->bytes_to_replay += at->second->bytes;
  scan_->bytes_to_replay -= scan_->offset;
  FERRY_TRY(auto file, open_segment_file(segment->number));
  auto reader = std::make_unique<GroupReader>(*file, segment->number, segment->incarnation, segment->bytes);
  for (;;) {
    FERRY_TRY(const auto found, reader->at(scan_->offset));
    if (matches(found)) {
      FERRY_TRY_VOID(replay_group(owner, *found));
      continue;
    }
    const auto next = segments_.find(segment->number + 1);
    if (next == segments_.end()) break;
    FERRY_TRY(auto next_file, open_segment_file(next->first));
    auto next_reader = std::make_unique<GroupReader>(*next_file, next->first, next->second->incarnation, next->second->bytes);
    FERRY_TRY(const auto next_found, next_reader->at(kBlockBytes));
    if (!matches(next_found)) break;
    segment->end = scan_->offset;
    segment = next->second;
    scan_->segment = segment->number;
    scan_->offset = kBlockBytes;
    reader = std::move(next_reader);
    file = std::move(next_file);
  }
  for (auto at = segments_.find(scan_->segment); at != segments_.end(); ++at) at->second->end = kBlockBytes;
  segment->end = scan_->offset;
  return {};
}

Result<void> Journal::replay_group(Owner& owner, const GroupReader::Found& found) {
  const GroupHeader& header = found.header;
  const auto records = records_of(header, found.bytes);
  if (!records) {
    return fail(ErrorKind::Corrupt,
                path(segment_name(header.segment)) + " is damaged in the group at offset " + std::to_string(header.offset));
  }
  std::uint64_t position = header.first;
  for (const RecordView& record : *records) {
    if (position >= scan_->replay_from) {
      const Location location{header.segment, record.offset, static_cast<std::uint32_t>(record.payload.size())};
      FERRY_TRY_VOID(owner.replay(Position{position}, location, record.payload));
      ++recovery_.replayed_records;
    }
    ++position;
  }
  marks_.push_back(GroupMark{header.first, header.segment, header.offset, header.previous_crc});
  recovery_.replayed_bytes += header.length;
  progress_->report("log", recovery_.replayed_bytes, scan_->bytes_to_replay);
  scan_->last_group = header;
  scan_->offset = header.offset + header.length;
  scan_->next_position = position;
  scan_->previous_crc = header.header_crc;
  return {};
}

Result<void> Journal::check_log_end() {
  const std::uint64_t last_kept = scan_->next_position - 1;
  const ControlState state = control_.state();
  for (auto at = segments_.lower_bound(std::max(1u, scan_->segment)); at != segments_.end() && scan_->segment != 0; ++at) {
    const Segment& segment = *at->second;
    FERRY_TRY(const auto file, open_segment_file(segment.number));
    GroupReader reader(*file, segment.number, segment.incarnation, segment.bytes);
    const std::uint32_t start = segment.number == scan_->segment ? scan_->offset : kBlockBytes;
    for (std::uint32_t offset = start; offset < segment.bytes; offset += kBlockBytes) {
      FERRY_TRY(const bool header, reader.header_at(offset));
      if (!header) continue;
      FERRY_TRY(const auto found, reader.at(offset));
      if (found && found->header.first >= scan_->next_position) {
        return fail(ErrorKind::Corrupt, path(segment_name(scan_->segment)) + " is damaged at offset " +
                                            std::to_string(scan_->offset) + ": the log ends there after record " +
                                            std::to_string(last_kept) + ", but record " + std::to_string(found->header.first) +
                                            " follows in " + segment_name(segment.number) + " at offset " +
                                            std::to_string(offset));
      }
      scan_->torn.emplace_back(segment.number, offset);
    }
  }
  if (last_kept < state.watermark) {
    return fail(ErrorKind::Corrupt, path(segment_name(std::max(1u, scan_->segment))) + " is damaged at offset " +
                                        std::to_string(scan_->offset) + ": the log ends there after record " +
                                        std::to_string(last_kept) + ", but record " + std::to_string(state.watermark) +
                                        " was durable");
  }
  recovery_.tail_cut = !scan_->torn.empty();
  recovery_.segment = scan_->segment;
  recovery_.offset = scan_->offset;
  last_.store(last_kept);
  durable_.store(last_kept);
  return {};
}

void Journal::retain(const Location& location) {
  const std::lock_guard lock(mutex_);
  const auto segment = find_segment(location.segment);
  const std::uint64_t bytes = record_bytes(location.length);
  if (segment == nullptr || location.offset + bytes > segment->end) {
    if (!missing_segment_) missing_location_ = location;
    missing_segment_ = true;
    return;
  }
  ++segment->live_records;
  segment->live_bytes += bytes;
  live_bytes_ += bytes;
}

// From here on the disk is written. What was kept must be durable before anybody hears of it: the last group may be in the
// system's cache alone. Those before it were synced before it was begun.
Result<void> Journal::begin_run() {
  const ControlState before = control_.state();
  recovery_.run = before.run + 1;
  if (recovery_.tail_cut) {
    log_.warn("the log ends in an unfinished group, which is cut off; nothing in it was acknowledged",
              {{"segment", recovery_.segment}, {"offset", recovery_.offset}, {"last_record", last().value}});
  }
  FERRY_TRY_VOID(check_direct_writes());
  // The names, too: a process that was killed may have left a rename in the system's cache alone.
  FERRY_TRY_VOID(files_.sync_directory(options_.folder));
  FERRY_TRY_VOID(migrate());
  FERRY_TRY_VOID(rewrite_last_group());
  FERRY_TRY_VOID(erase_torn_headers());
  FERRY_TRY_VOID(remove_leftovers());
  FERRY_TRY_VOID(control_.update([&](ControlState& state) {
    state.run = recovery_.run;
    state.watermark = last().value;
    state.clean_stop = false;
    state.checkpoints = checkpoints_;
  }));
  last_header_crc_ = scan_->previous_crc;
  if (scan_->segment != 0) {
    current_ = segments_.at(scan_->segment);
    next_offset_ = scan_->offset;
    log_segment_ = scan_->last_group ? scan_->last_group->segment : 0;
    FERRY_TRY(current_->file, open_segment_file(current_->number));
    for (auto at = segments_.upper_bound(scan_->segment); at != segments_.end(); ++at) {
      FERRY_TRY(at->second->file, open_segment_file(at->first));
      prepared_.push_back(at->second);
      prepared_bytes_ += at->second->bytes - kBlockBytes;
    }
  }
  std::uint32_t smallest = options_.segment_first_bytes;
  if (current_ != nullptr) smallest = std::min(smallest, current_->bytes);
  for (const auto& segment : prepared_) smallest = std::min(smallest, segment->bytes);
  reservation_bytes_max_ = smallest - kBlockBytes;
  log_bytes_ = recovery_.replayed_bytes;
  active_log_bytes_ = log_bytes_;
  active_at_ = clock_.steady();
  for (;;) {
    FERRY_TRY(const bool prepared, prepare_if_needed());
    if (!prepared) break;
  }
  FERRY_TRY_VOID(keep_ballast());
  const bool enough = available() >= options_.reserve_bytes + kBlockBytes && ballast_bytes_ >= options_.ballast_bytes;
  if (!enough) return fail(ErrorKind::NoSpace, "too little disk space in " + options_.folder + " to start");
  return {};
}

// Nothing has to be converted: format 2 is what format 1 had become, under a number that covers records and pieces. The control
// file is written before anything else is, so that an older ferry refuses whatever comes now.
Result<void> Journal::migrate() {
  recovery_.format = control_.state().format;
  if (recovery_.format == kFormatVersion) return {};
  const std::string sentence = "data folder " + options_.folder + " has format " + std::to_string(recovery_.format) +
                               "; it is being brought to " + std::to_string(kFormatVersion) +
                               "; an older ferry cannot open it afterwards";
  if (options_.announce) options_.announce(sentence);
  log_.warn(sentence);
  return control_.migrate();
}

// Some file systems take O_DIRECT when a file is opened, and refuse it at the first write. The lock file is empty again then.
Result<void> Journal::check_direct_writes() {
  if (!direct_) return {};
  constexpr OpenMode kMode{.access = OpenMode::Access::ReadWrite, .caching = OpenMode::Caching::Direct};
  FERRY_TRY(const auto file, files_.open(path(kLockName), kMode));
  AlignedBuffer zeros(kBlockBytes);
  std::memset(zeros.data(), 0, zeros.size());
  const auto written = file->write_at(0, zeros.span());
  const bool is_refused = !written && written.error().kind == ErrorKind::InvalidArgument;
  const bool is_full = !written && written.error().kind == ErrorKind::NoSpace;  // then nothing can be said
  if (!written && !is_refused && !is_full) return written;
  direct_ = !is_refused;
  return file->truncate(0);
}

Result<void> Journal::rewrite_last_group() {
  if (!scan_->last_group) return {};
  const GroupHeader& header = *scan_->last_group;
  FERRY_TRY(const auto file, open_segment_file(header.segment));
  AlignedBuffer group(header.length);
  FERRY_TRY(const std::size_t got, file->read_at(header.offset, group.span()));
  if (got != header.length || !group_is_whole(header, group.span())) {
    return fail(ErrorKind::Corrupt,
                path(segment_name(header.segment)) + " changed while it was read, at offset " + std::to_string(header.offset));
  }
  FERRY_TRY_VOID(file->write_at(header.offset, group.span()));
  return file->sync();
}

// So that no later recovery meets them again.
Result<void> Journal::erase_torn_headers() {
  AlignedBuffer zeros(kBlockBytes);
  std::memset(zeros.data(), 0, zeros.size());
  for (const auto& [number, offset] : scan_->torn) {
    FERRY_TRY(const auto file, open_segment_file(number));
    FERRY_TRY_VOID(file->write_at(offset, zeros.span()));
    FERRY_TRY_VOID(file->sync());
  }
  return {};
}

// What a run left behind that ended while it made something new.
Result<void> Journal::remove_leftovers() {
  FERRY_TRY(const auto entries, files_.list(options_.folder));
  for (const FileSystem::Entry& entry : entries) {
    const auto number = parse_checkpoint_name(entry.name);
    const bool kept = number && (*number == checkpoints_[0].number || *number == checkpoints_[1].number);
    if (entry.name == kPreparingName || entry.name == kNewControlName || (number && !kept))
      FERRY_TRY_VOID(files_.remove(path(entry.name)));
  }
  return {};
}

}  // namespace ferry::store
