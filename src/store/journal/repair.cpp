#include "store/journal/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"

namespace ferry::store {
namespace {

std::uint64_t last_of(const GroupHeader& group) {
  return group.first + group.count - 1;
}

}  // namespace

Repair::Repair(FileSystem& files, Random& random, const Logger& log, RepairOptions options)
    : files_(files), random_(random), log_(log), options_(std::move(options)) {}

Result<void> Repair::recover(Owner&) {
  return fail(ErrorKind::InvalidArgument, "a repair is examined, not recovered");
}
Result<Reservation> Repair::reserve(std::span<const RecordShape>, Purpose) {
  return fail(ErrorKind::Unavailable, "the folder is being repaired");
}
void Repair::read(std::vector<Location> locations, ReadCallback done) {
  done(std::vector<Result<Payload>>(locations.size(), fail(ErrorKind::Unavailable, "the folder is being repaired")));
}

void Repair::found(std::string file, std::optional<std::uint64_t> offset, std::string what, bool is_harmless) {
  findings_.is_needed = findings_.is_needed || !is_harmless;
  findings_.damages.push_back(Damage{std::move(file), offset, std::move(what), is_harmless});
}

Result<void> Repair::examine(RepairOwner& owner) {
  FERRY_CHECK(owner_ == nullptr);
  owner_ = &owner;
  FERRY_TRY_VOID(open_folder());
  FERRY_TRY_VOID(read_control());
  FERRY_TRY(segments_, scan_segments(files_, options_.folder, store_));
  if (!store_) store_ = make_uuid(random_);
  report_segments();
  order_groups();
  FERRY_TRY_VOID(choose_checkpoint());
  note_missing_segments();
  FERRY_TRY_VOID(restore(owner));
  FERRY_TRY_VOID(replay(owner));
  note_uncertain_end();
  FERRY_TRY_VOID(check_bodies(owner));
  FERRY_TRY_VOID(owner.recovered());
  findings_.bodies = bodies_.size();
  window_.reset();
  plan_files();
  return {};
}

Result<void> Repair::open_folder() {
  auto entries = files_.list(options_.folder);
  if (!entries && entries.error().kind == ErrorKind::NotFound)
    return fail(ErrorKind::NotFound, "there is no data folder " + options_.folder);
  if (!entries) return Unexpected(entries.error());
  const bool ours = std::any_of(entries->begin(), entries->end(), [](const FileSystem::Entry& entry) {
    return entry.name == kControlName || parse_segment_name(entry.name) || parse_checkpoint_name(entry.name);
  });
  if (!ours) return fail(ErrorKind::InvalidArgument, "the folder " + options_.folder + " holds no Ferry store");
  auto lock = files_.lock(path(std::string(kLockName)));
  if (!lock && lock.error().kind == ErrorKind::Busy)
    return fail(ErrorKind::Busy, "the data folder " + options_.folder + " is in use by another ferry; stop it first");
  FERRY_TRY(lock_, std::move(lock));
  FERRY_TRY(const auto now, files_.list(options_.folder));
  for (const FileSystem::Entry& entry : now) {
    for (const auto number : {parse_segment_name(entry.name), parse_spare_name(entry.name)})
      highest_segment_ = std::max(highest_segment_, number.value_or(0));
    highest_checkpoint_ = std::max(highest_checkpoint_, parse_checkpoint_name(entry.name).value_or(0));
  }
  return {};
}

Result<void> Repair::read_control() {
  const std::string name(kControlName);
  auto file = files_.open(path(name), {});
  if (!file && file.error().kind == ErrorKind::NotFound) {
    found(name, std::nullopt, "is missing");
    return {};
  }
  if (!file) return Unexpected(file.error());
  std::vector<std::byte> block(kBlockBytes);
  std::vector<std::pair<std::uint64_t, std::string>> damaged;
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{kBlockBytes}}) {
    FERRY_TRY(const std::size_t got, (*file)->read_at(offset, block));
    auto state = got == kBlockBytes ? decode_control(block) : fail(ErrorKind::Corrupt, "is shorter than two blocks");
    if (!state && state.error().kind == ErrorKind::InvalidArgument)
      return fail(ErrorKind::InvalidArgument, path(name) + " " + state.error().message);
    if (!state)
      damaged.emplace_back(offset, state.error().message);
    else if (!control_ || state->sequence > control_->sequence)
      control_ = *state;
  }
  for (const auto& [offset, what] : damaged) found(name, offset, what, control_.has_value());
  if (!control_) return {};
  findings_.format = control_->format;
  store_ = control_->store;
  highest_segment_ = std::max(highest_segment_, control_->segment);
  for (const CheckpointEntry& entry : control_->checkpoints) {
    highest_checkpoint_ = std::max(highest_checkpoint_, entry.number);
    highest_segment_ = std::max(highest_segment_, entry.segment);
  }
  return {};
}

void Repair::report_segments() {
  for (const auto& unusable : segments_.unusable) found(unusable.name, std::nullopt, unusable.why);
  for (const auto& [number, segment] : segments_.segments) {
    highest_segment_ = std::max(highest_segment_, number);
    if (!segment.fault.empty()) found(segment.name, std::nullopt, segment.fault);
  }
}

// ---- the log

// Positions rise by place, and each group names the checksum of the header before it. Of two groups that contradict each other
// the one of the older run is what the disk did not replace; of the same run neither can be trusted.
void Repair::order_groups() {
  std::vector<GroupHeader> stale;
  for (const auto& [number, segment] : segments_.segments) {
    broken_.insert(broken_.end(), segment.broken.begin(), segment.broken.end());
    for (const GroupHeader& group : segment.groups) {
      highest_run_ = std::max(highest_run_, group.run);
      bool is_right = true;
      while (is_right && !groups_.empty()) {
        const GroupHeader& before = groups_.back();
        const bool follows = group.first == last_of(before) + 1;
        if (group.first > last_of(before) && !(follows && group.previous_crc != before.header_crc)) break;
        is_right = group.run > before.run;
        if (group.run >= before.run) {
          stale.push_back(before);
          groups_.pop_back();
        }
      }
      if (is_right)
        groups_.push_back(group);
      else
        stale.push_back(group);
    }
  }
  for (const GroupHeader& group : stale) {
    damaged_segments_.push_back(group.segment);
    found(segments_.segments.at(group.segment).name, group.offset, "holds a group that is not the one written there last");
  }
}

std::uint64_t Repair::missing_after(std::uint64_t position) const {
  std::uint64_t missing = 0;
  std::uint64_t expected = position + 1;
  for (const GroupHeader& group : groups_) {
    if (last_of(group) < expected) continue;
    if (group.first > expected) missing += group.first - expected;
    expected = last_of(group) + 1;
  }
  const std::uint64_t watermark = control_ ? control_->watermark : 0;
  return missing + (watermark >= expected ? watermark - expected + 1 : 0);
}

// ---- checkpoints

// Those that the control file names, newest first; without it, all there are.
Result<std::vector<Repair::Start>> Repair::scan_checkpoints() {
  std::vector<Start> starts;
  if (control_) {
    for (const CheckpointEntry& entry : control_->checkpoints) {
      if (entry.number != 0) starts.push_back(Start{entry, true, {}});
    }
  } else {
    FERRY_TRY(const auto entries, files_.list(options_.folder));
    for (const FileSystem::Entry& entry : entries) {
      if (const auto number = parse_checkpoint_name(entry.name)) {
        starts.emplace_back();
        starts.back().entry.number = *number;
      }
    }
    std::reverse(starts.begin(), starts.end());
  }
  for (Start& start : starts) {
    const std::string name = checkpoint_name(start.entry.number);
    auto scan = scan_checkpoint(files_, options_.folder, start.entry.number, *store_, {});
    if (!scan && scan.error().kind == ErrorKind::NotFound) {
      found(name, std::nullopt, "is missing", true);
      continue;
    }
    if (!scan) return Unexpected(scan.error());
    start.scan = *scan;
    if (start.is_named && start.scan.bytes != start.entry.bytes && start.scan.is_whole) start.scan.is_whole = false;
    if (!start.scan.is_whole) found(name, start.scan.damaged_at.value_or(start.scan.bytes), "is damaged", true);
    if (!start.is_named) start.entry.replay_from = start.scan.lowest_as_of;
  }
  return starts;
}

Result<void> Repair::choose_checkpoint() {
  FERRY_TRY(const auto starts, scan_checkpoints());
  const auto is_whole = [](const Start& start) { return start.scan.is_whole; };
  const auto newest = std::find_if(starts.begin(), starts.end(), is_whole);
  if (newest != starts.end()) {
    start_ = *newest;
    if (start_.is_named) return {};
    // The newest may never have counted. The one before it is as good when the log behind it is whole.
    const std::uint64_t last = groups_.empty() ? 0 : last_of(groups_.back());
    bool may_be_early = true;
    for (auto at = std::next(newest); at != starts.end(); ++at) {
      if (!at->scan.is_whole) continue;
      const std::uint64_t missing = missing_after(at->entry.replay_from);
      const std::uint64_t present = missing_after(start_.entry.replay_from);
      if (missing < present || (missing == present && may_be_early) || start_.scan.highest_as_of > last) {
        if (at->scan.highest_as_of <= last || missing <= present) start_ = *at;
      }
      may_be_early = false;
    }
    return {};
  }
  const auto best = std::min_element(starts.begin(), starts.end(), [](const Start& a, const Start& b) {
    return std::pair(a.scan.pieces == 0, a.scan.gaps) < std::pair(b.scan.pieces == 0, b.scan.gaps);
  });
  if (best != starts.end()) {
    start_ = *best;
    replays_everything_ = true;
    findings_.is_needed = true;
    for (Damage& damage : findings_.damages) {
      if (parse_checkpoint_name(damage.file)) damage.is_harmless = false;
    }
    return {};
  }
  replays_everything_ = !control_ && !groups_.empty() && groups_.front().first > 1;
  return {};
}

Result<void> Repair::restore(RepairOwner& owner) {
  findings_.checkpoint = start_.entry.number;
  findings_.checkpoint_is_whole = start_.entry.number == 0 || start_.scan.is_whole;
  if (start_.scan.pieces > 0) {
    const CheckpointTaker take{
        [&](std::span<const std::byte> piece, Position as_of) { return owner.restore_piece_as_of(piece, as_of); },
        [&] { owner.pieces_lost(); }};
    FERRY_TRY_VOID(scan_checkpoint(files_, options_.folder, start_.entry.number, *store_, take));
  } else if (start_.entry.number != 0) {
    owner.pieces_lost();
  }
  if (replays_everything_) owner.replay_everything();
  return {};
}

// ---- replay

Result<std::span<const std::byte>> Repair::bytes_of(std::uint32_t segment, std::uint64_t offset, std::uint64_t length) {
  if (window_ == nullptr || window_segment_ != segment) {
    FERRY_TRY(auto file, files_.open(path(segments_.segments.at(segment).name), {}));
    window_ = std::make_unique<FileWindow>(std::move(file));
    window_segment_ = segment;
  }
  return window_->take(offset, length);
}

std::optional<Repair::Gap> Repair::gap_behind(const GroupHeader* before, std::uint64_t expected, std::uint64_t next_first) const {
  if (next_first <= expected) return std::nullopt;
  Gap gap{expected, next_first - 1, {}, kBlockBytes};
  if (before != nullptr) {
    gap.file = segments_.segments.at(before->segment).name;
    gap.offset = before->offset + before->length;
  } else {
    const std::uint32_t first = start_.is_named ? start_.entry.segment : 1;
    const auto at = segments_.segments.find(first);
    gap.file = at == segments_.segments.end() ? segment_name(first) : at->second.name;
    if (start_.is_named) gap.offset = start_.entry.offset;
  }
  return gap;
}

// From where a start begins to the last one that there is. Older ones may have been given up: bodies tell whether they were
// needed.
void Repair::note_missing_segments() {
  if (!control_ || replays_everything_) return;
  std::uint32_t newest = control_->segment;
  if (!segments_.segments.empty()) newest = std::max(newest, segments_.segments.rbegin()->first);
  const std::uint32_t first = start_.is_named ? start_.entry.segment : 1;
  for (std::uint32_t number = std::max(first, 1u); number <= newest; ++number) {
    if (!segments_.segments.contains(number)) found(segment_name(number), std::nullopt, "is missing");
  }
}

Result<void> Repair::replay(RepairOwner& owner) {
  const bool from_checkpoint = start_.scan.pieces > 0;
  std::uint64_t expected = 1;
  if (from_checkpoint && !replays_everything_)
    expected = start_.is_named ? start_.entry.group_first : start_.entry.replay_from + 1;
  const GroupHeader* before = nullptr;
  for (const GroupHeader& group : groups_) {
    if (last_of(group) >= expected) {
      if (const auto gap = gap_behind(before, expected, group.first)) FERRY_TRY_VOID(replay_gap(owner, *gap));
      FERRY_TRY_VOID(replay_group(owner, group));
      expected = last_of(group) + 1;
    } else if (before != nullptr && group.first != last_of(*before) + 1 && group.segment <= before->segment + 1) {
      found(segments_.segments.at(before->segment).name, before->offset + before->length,
            "is damaged, where the log is needed no more", true);
      damaged_segments_.push_back(before->segment);
      damaged_segments_.push_back(group.segment);
    }
    before = &group;
  }
  const std::uint64_t watermark = control_ ? control_->watermark : 0;
  const std::uint64_t known = std::max(watermark, start_.scan.highest_as_of);
  if (const auto gap = gap_behind(before, expected, known + 1)) {
    FERRY_TRY_VOID(replay_gap(owner, *gap));
  } else {
    note_torn_tail();
  }
  findings_.last = Position{std::max({known, expected - 1, groups_.empty() ? 0 : last_of(groups_.back())})};
  return {};
}

void Repair::note_uncertain_end() {
  const std::uint32_t end = groups_.empty() ? 0 : groups_.back().segment;
  for (const Damage& damage : findings_.damages) {
    const auto number = parse_segment_name(damage.file);
    if (number && *number >= end && !damage.offset && !damage.is_harmless) findings_.end_is_uncertain = true;
  }
}

// As a start sees it: a header, but no whole group, where the log would go on.
void Repair::note_torn_tail() {
  const std::uint64_t next = groups_.empty() ? 1 : last_of(groups_.back()) + 1;
  findings_.tail_cut = std::any_of(broken_.begin(), broken_.end(), [&](const GroupHeader& group) { return group.first == next; });
}

Result<void> Repair::replay_group(RepairOwner& owner, const GroupHeader& group) {
  FERRY_TRY(const auto bytes, bytes_of(group.segment, group.offset, group.length));
  const auto records = group_is_whole(group, bytes) ? records_of(group, bytes) : std::nullopt;
  if (!records) {
    return fail(ErrorKind::Corrupt, segments_.segments.at(group.segment).name + " changed while it was read, at offset " +
                                        std::to_string(group.offset));
  }
  std::uint64_t position = group.first;
  for (const RecordView& record : *records) {
    const Location location{group.segment, record.offset, static_cast<std::uint32_t>(record.payload.size())};
    if (replays_everything_ || position >= start_.entry.replay_from) {
      FERRY_TRY_VOID(owner.replay(Position{position}, location, record.payload));
      ++findings_.replayed_records;
    }
    ++position;
  }
  return {};
}

// What the checkpoint contains is not lost.
std::uint64_t Repair::contained() const {
  return !replays_everything_ && start_.scan.pieces > 0 ? start_.entry.replay_from : 0;
}

void Repair::lose(RepairOwner& owner, std::uint64_t first, std::uint64_t last) {
  first = std::max(first, contained() + 1);
  if (first <= last) owner.records_lost(Position{first}, Position{last});
}

Result<void> Repair::replay_gap(RepairOwner& owner, const Gap& gap) {
  const bool below = replays_everything_ && start_.scan.pieces > 0 && gap.last <= start_.scan.lowest_as_of;
  std::uint64_t next = gap.first;
  LostRecords lost{Position{gap.first}, Position{gap.last}, gap.file, gap.offset, 0};
  for (const GroupHeader& group : broken_) {
    if (group.first < next || last_of(group) > gap.last) continue;
    FERRY_TRY(const std::uint64_t rescued, rescue(owner, group, next));
    lost.rescued += rescued;
  }
  lose(owner, next, gap.last);
  if (below) return {};
  found(gap.file, gap.offset, fmt::format("is damaged: record {} should be there", gap.first));
  for (const auto& [number, segment] : segments_.segments) {
    if (segment.name == gap.file) damaged_segments_.push_back(number);
  }
  lost.first.value = std::max(lost.first.value, contained() + 1);
  if (lost.first <= lost.last) findings_.lost.push_back(std::move(lost));
  return {};
}

Result<std::uint64_t> Repair::rescue(RepairOwner& owner, const GroupHeader& group, std::uint64_t& next) {
  damaged_segments_.push_back(group.segment);
  FERRY_TRY(const auto bytes, bytes_of(group.segment, group.offset, group.length));
  std::uint64_t rescued = 0;
  if (bytes.size() != group.length) return rescued;
  for (const SalvagedRecord& record : salvage_records(group, bytes)) {
    const Location location{group.segment, record.offset, static_cast<std::uint32_t>(record.payload.size())};
    if (!record.is_whole) {
      owner.damaged_record(location, record.payload);
      continue;
    }
    const std::uint64_t position = group.first + record.index;
    lose(owner, next, position - 1);
    if (replays_everything_ || position >= start_.entry.replay_from) {
      FERRY_TRY_VOID(owner.replay(Position{position}, location, record.payload));
      ++rescued;
    }
    next = position + 1;
  }
  return rescued;
}

// ---- bodies

Result<void> Repair::check_bodies(RepairOwner& owner) {
  const std::vector<Location> wanted = owner.bodies();
  std::vector<std::size_t> order(wanted.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(wanted[a].segment, wanted[a].offset) < std::pair(wanted[b].segment, wanted[b].offset);
  });
  for (const std::size_t index : order) {
    const Location& location = wanted[index];
    highest_segment_ = std::max(highest_segment_, location.segment);
    if (!segments_.segments.contains(location.segment)) {
      const std::string name = segment_name(location.segment);
      const bool told = std::any_of(findings_.damages.begin(), findings_.damages.end(),
                                    [&](const Damage& damage) { return damage.file == name && !damage.offset; });
      if (!told) found(name, std::nullopt, "is missing");
      owner.drop(index, {});
      ++findings_.dropped_bodies;
      continue;
    }
    const std::uint64_t bytes_wanted = kRecordHeaderBytes + std::uint64_t{location.length};
    FERRY_TRY(const auto bytes, bytes_of(location.segment, location.offset, bytes_wanted));
    const auto payload = check_record(bytes, location);
    if (payload && owner.is_whole(index, *payload)) continue;
    found(segments_.segments.at(location.segment).name, location.offset, "holds a damaged message body");
    damaged_segments_.push_back(location.segment);
    owner.drop(index, bytes.subspan(std::min<std::size_t>(kRecordHeaderBytes, bytes.size())));
    ++findings_.dropped_bodies;
  }
  return {};
}

}  // namespace ferry::store
