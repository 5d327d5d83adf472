// The half of a repair that writes.

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "base/check.h"
#include "store/journal/checkpoint_file.h"
#include "store/journal/journal.h"
#include "store/journal/repair.h"

namespace ferry::store {
namespace {
constexpr std::size_t kChunkBytes = 1u << 20;
constexpr OpenMode kReadWrite{.access = OpenMode::Access::ReadWrite};
constexpr OpenMode kNew{.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::MustBeNew};
}  // namespace

bool Repair::is_needed_segment(std::uint32_t number) const {
  const auto at = std::lower_bound(bodies_.begin(), bodies_.end(), number,
                                   [](const Location& location, std::uint32_t segment) { return location.segment < segment; });
  return at != bodies_.end() && at->segment == number;
}

std::vector<std::uint32_t> Repair::suspects() const {
  std::set<std::uint32_t> suspects;
  for (const auto& [number, segment] : segments_.segments) {
    const bool damaged = !segment.fault.empty() ||
                         std::find(damaged_segments_.begin(), damaged_segments_.end(), number) != damaged_segments_.end();
    if (damaged && is_needed_segment(number)) suspects.insert(number);
  }
  return {suspects.begin(), suspects.end()};
}

std::vector<Location> Repair::to_move() const {
  const auto from = suspects();
  std::vector<Location> moving;
  std::copy_if(bodies_.begin(), bodies_.end(), std::back_inserter(moving),
               [&](const Location& location) { return std::find(from.begin(), from.end(), location.segment) != from.end(); });
  if (moving.empty() && !bodies_.empty()) moving.push_back(bodies_.back());
  return moving;
}

void Repair::plan_files() {
  std::sort(bodies_.begin(), bodies_.end(),
            [](const Location& a, const Location& b) { return std::pair(a.segment, a.offset) < std::pair(b.segment, b.offset); });
  std::set<std::string> copies;
  std::set<std::string> removed;
  std::set<std::string> mended;
  for (const auto& unusable : segments_.unusable) {
    copies.insert(unusable.name);
    removed.insert(unusable.name);
  }
  const std::vector<std::uint32_t> suspect = suspects();
  for (const auto& [number, segment] : segments_.segments) {
    const bool needed = is_needed_segment(number);
    const bool is_suspect = std::find(suspect.begin(), suspect.end(), number) != suspect.end();
    if (!segment.fault.empty()) {
      copies.insert(segment.name);
      if (needed)
        mended.insert(segment_name(number));
      else
        removed.insert(segment.name);
    } else if (!needed || is_suspect) {
      copies.insert(segment.name);
      if (!needed) removed.insert(segment.name);
    }
  }
  for (const std::string& name : mended) removed.erase(name);
  const auto entries = files_.list(options_.folder);
  for (const FileSystem::Entry& entry : entries ? *entries : std::vector<FileSystem::Entry>()) {
    if (entry.name == kControlName) copies.insert(entry.name);
    if (!parse_checkpoint_name(entry.name)) continue;
    copies.insert(entry.name);
    removed.insert(entry.name);
  }
  findings_.kept_copies = {copies.begin(), copies.end()};
  findings_.removed = {removed.begin(), removed.end()};
}

Result<void> Repair::apply(const std::string& copy) {
  FERRY_CHECK(owner_ != nullptr);
  FERRY_TRY_VOID(keep_copies(copy));
  log_.info("repair: copies are kept", {{"folder", copy}, {"files", findings_.kept_copies.size()}});
  FERRY_TRY_VOID(mend_segments());
  const std::uint32_t number = highest_segment_ + 1;
  FERRY_TRY_VOID(make_segment(number, random_.next()));
  FERRY_TRY(auto checkpoints, write_checkpoints());
  for (CheckpointEntry& entry : checkpoints) {
    entry.group_first = findings_.last.value + 1;
    entry.segment = number;
    entry.offset = kBlockBytes;
    // What the next repair checks the order of the groups with.
    entry.previous_crc = groups_.empty() ? 0 : groups_.back().header_crc;
  }
  FERRY_TRY_VOID(files_.sync_directory(options_.folder));
  ControlState state;
  if (control_) state = *control_;
  state.store = *store_;
  state.run = std::max(state.run, highest_run_);
  state.watermark = findings_.last.value;
  state.clean_stop = false;
  state.segment = number;
  state.checkpoints = checkpoints;
  ControlFile control(files_, options_.folder);
  FERRY_TRY_VOID(control.create(state));
  log_.info("repair: the folder stands on a new checkpoint",
            {{"checkpoint", checkpoints[0].number}, {"segment", number}, {"last_record", findings_.last.value}});
  for (const std::string& name : findings_.removed) {
    const auto gone = files_.remove(path(name));
    if (!gone && gone.error().kind != ErrorKind::NotFound) return gone;
  }
  return files_.sync_directory(options_.folder);
}

Result<void> Repair::keep_copies(const std::string& copy) {
  FERRY_TRY_VOID(files_.create_directory(copy));
  FERRY_TRY(const auto entries, files_.list(copy));
  if (!entries.empty()) return fail(ErrorKind::AlreadyExists, "the folder for the copy, " + copy + ", is not empty");
  for (const std::string& name : findings_.kept_copies) FERRY_TRY_VOID(copy_file(path(name), copy + "/" + name));
  return files_.sync_directory(copy);
}

Result<void> Repair::copy_file(const std::string& from, const std::string& to) {
  FERRY_TRY(const auto source, files_.open(from, {}));
  FERRY_TRY(const auto target, files_.open(to, kNew));
  std::vector<std::byte> chunk(kChunkBytes);
  std::uint64_t at = 0;
  for (;;) {
    FERRY_TRY(const std::size_t got, source->read_at(at, chunk));
    if (got == 0) break;
    const auto bytes = std::span(chunk).first(got);
    // Zeros, of which prepared segments are full, are left as a hole.
    const bool is_zero = std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
    if (!is_zero) FERRY_TRY_VOID(target->write_at(at, bytes));
    at += got;
  }
  FERRY_TRY_VOID(target->truncate(at));
  return target->sync();
}

// Names, sizes and headers, of the segments in which something is needed. A name may be held by another one that moves, too.
Result<void> Repair::mend_segments() {
  std::vector<SegmentFile*> faulty;
  for (auto& [number, segment] : segments_.segments) {
    if (!segment.fault.empty() && is_needed_segment(number)) faulty.push_back(&segment);
  }
  for (SegmentFile* segment : faulty) {
    if (segment->name == segment_name(segment->number)) continue;
    const std::string between = rescued_name(segment->number);
    if (segment->name != between) FERRY_TRY_VOID(files_.rename(path(segment->name), path(between)));
    segment->name = between;
  }
  FERRY_TRY_VOID(files_.sync_directory(options_.folder));
  for (const SegmentFile* segment : faulty) {
    FERRY_TRY(const auto file, files_.open(path(segment->name), kReadWrite));
    FERRY_TRY_VOID(file->truncate(segment->bytes));
    AlignedBuffer block(kBlockBytes);
    encode_segment_header(SegmentHeader{*store_, segment->number, segment->incarnation, segment->bytes}, block.span());
    FERRY_TRY_VOID(file->write_at(0, block.span()));
    FERRY_TRY_VOID(file->sync());
  }
  for (SegmentFile* segment : faulty) {
    const std::string right = segment_name(segment->number);
    if (segment->name != right) FERRY_TRY_VOID(files_.rename(path(segment->name), path(right)));
    segment->name = right;
    log_.info("repair: a segment has its name, size and header again", {{"file", right}});
  }
  return files_.sync_directory(options_.folder);
}

Result<void> Repair::make_segment(std::uint32_t number, std::uint64_t incarnation) {
  const std::string between = path(std::string(kPreparingName));
  FERRY_TRY(const std::uint64_t free, files_.free_bytes(options_.folder));
  if (free < options_.segment_bytes)
    return fail(ErrorKind::NoSpace, "only " + std::to_string(free) + " bytes are free in " + options_.folder);
  {
    OpenMode mode = kReadWrite;
    mode.creation = OpenMode::Creation::IfAbsent;
    FERRY_TRY(const auto file, files_.open(between, mode));
    FERRY_TRY_VOID(file->truncate(0));
    std::vector<std::byte> chunk(std::min<std::size_t>(kChunkBytes, options_.segment_bytes));
    encode_segment_header(SegmentHeader{*store_, number, incarnation, options_.segment_bytes},
                          std::span(chunk).first(kBlockBytes));
    for (std::uint64_t at = 0; at < options_.segment_bytes; at += chunk.size()) {
      FERRY_TRY_VOID(file->write_at(at, chunk));
      if (at == 0) std::memset(chunk.data(), 0, kBlockBytes);
    }
    FERRY_TRY_VOID(file->sync());
  }
  return files_.rename(between, path(segment_name(number)));
}

Result<std::array<CheckpointEntry, 2>> Repair::write_checkpoints() {
  std::array<CheckpointEntry, 2> entries;
  for (std::size_t i = 2; i-- > 0;) {  // the newest one last
    const std::uint64_t number = ++highest_checkpoint_;
    CheckpointWriter writer(files_, path(checkpoint_name(number)), *store_, number, nullptr);
    FERRY_TRY_VOID(writer.begin());
    FERRY_TRY(const Position replay_from, owner_->write_checkpoint(writer));
    FERRY_TRY_VOID(writer.finish());
    entries[i].number = number;
    entries[i].bytes = writer.bytes();
    entries[i].replay_from = replay_from.value;
  }
  return entries;
}

// ---- after the repair

namespace {
constexpr std::uint64_t kMovedAtOnceBytes = 32u << 10;  // what the space that is prepared takes, however small the segments are

void step_until_idle(Journal& journal) {
  while (journal.commit_step() || journal.maintain_step()) {
  }
}
}  // namespace

Result<void> settle(Journal& journal, Owner& owner, const std::vector<Location>& bodies) {
  step_until_idle(journal);
  if (bodies.empty()) return {};
  for (std::size_t from = 0; from < bodies.size();) {
    std::vector<Location> some;
    for (std::uint64_t bytes = 0; from < bodies.size() && bytes < kMovedAtOnceBytes; ++from) {
      some.push_back(bodies[from]);
      bytes += bodies[from].length;
    }
    std::vector<Result<Payload>> read;
    journal.read(some, [&](std::vector<Result<Payload>> payloads) { read = std::move(payloads); });
    while (read.empty() && journal.read_step()) {
    }
    if (read.size() != some.size()) return fail(ErrorKind::Io, "bodies were asked for and not read");
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (!read[i]) return Unexpected(read[i].error());
      owner.relocate(some[i], read[i]->bytes);
    }
    step_until_idle(journal);
  }
  for (int i = 0; i < 2; ++i) {
    journal.request_checkpoint();
    step_until_idle(journal);
  }
  return {};
}

}  // namespace ferry::store
