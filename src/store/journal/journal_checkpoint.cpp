// Checkpoints of the owner's index, and the room that is kept for them on a full disk.

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "store/journal/checkpoint_file.h"
#include "store/journal/journal.h"

namespace ferry::store {
namespace {
constexpr std::chrono::seconds kCheckpointRetryInterval{1};
constexpr std::size_t kZeroChunkBytes = 256u << 10;
}  // namespace

void Journal::request_checkpoint() {
  const std::lock_guard lock(mutex_);
  checkpoint_requested_ = true;
  wake_maintenance();
}

Result<bool> Journal::checkpoint_if_due() {
  if (coming_checkpoint_) return false;
  if (checkpoint_retry_at_ && clock_.steady() < *checkpoint_retry_at_) return false;
  {
    const std::lock_guard lock(mutex_);
    if (marks_.empty()) return false;
    const std::uint64_t interval = std::max(options_.checkpoint_log_bytes, 2 * checkpoints_[0].bytes);
    const Space now = space();
    const bool short_of_space = space_retry_at_.has_value() || segment_bytes_ > now.allowed;
    const bool due = log_bytes_ - log_bytes_at_checkpoint_ >= interval || (short_of_space && now.blocked > 0);
    if (!due && !checkpoint_requested_) return false;
    checkpoint_requested_ = false;
    log_bytes_at_checkpoint_ = log_bytes_;
  }
  checkpoint_retry_at_.reset();
  auto written = write_checkpoint();
  if (!written && written.error().kind == ErrorKind::NoSpace) {
    FERRY_TRY(const bool room, make_room_for_checkpoint());
    if (room) written = write_checkpoint();
  }
  if (written) return true;
  if (written.error().kind != ErrorKind::NoSpace) return Unexpected(written.error());
  log_.warn("no disk space for a checkpoint; it is tried again later");
  checkpoint_retry_at_ = clock_.steady() + kCheckpointRetryInterval;
  const std::lock_guard lock(mutex_);
  log_bytes_at_checkpoint_ = checkpoints_[0].number == 0 ? 0 : log_bytes_at_checkpoint_;
  return false;
}

Result<void> Journal::write_checkpoint() {
  const std::uint64_t number = next_checkpoint_number_++;
  const std::string file_path = path(checkpoint_name(number));
  std::optional<Error> broken;
  // A checkpoint of millions of messages takes a while; the log must not run out of prepared space meanwhile.
  CheckpointWriter writer(files_, file_path, store_, number, [&] {
    for (bool more = true; more && !broken;) {
      const auto prepared = prepare_if_needed();
      if (!prepared) broken = prepared.error();
      more = prepared && *prepared;
    }
  });
  const auto write = [&]() -> Result<Position> {
    FERRY_TRY_VOID(writer.begin());
    FERRY_TRY(const Position replay_from, owner_->write_checkpoint(writer));
    FERRY_TRY_VOID(writer.finish());
    FERRY_TRY_VOID(files_.sync_directory(options_.folder));
    return replay_from;
  };
  const auto replay_from = write();
  if (broken) return Unexpected(*broken);
  if (!replay_from) {
    const auto removed = files_.remove(file_path);
    if (!removed && removed.error().kind != ErrorKind::NotFound) return removed;
    return Unexpected(replay_from.error());
  }
  ComingCheckpoint coming;
  coming.entry.number = number;
  coming.entry.bytes = writer.bytes();
  coming.entry.replay_from = replay_from->value;
  // All that had happened, not only the highest as_of: what the owner left out of its pieces (a queue that was deleted while
  // they were written, messages that were) was left out because of records that no piece tells of.
  coming.needs_durable = last();
  coming_checkpoint_ = coming;
  const std::lock_guard lock(mutex_);
  coming_checkpoint_waits_ = true;
  return {};
}

Result<bool> Journal::publish_checkpoint() {
  if (!coming_checkpoint_) return false;
  CheckpointEntry entry = coming_checkpoint_->entry;
  CheckpointEntry dropped;
  std::array<CheckpointEntry, 2> kept{};
  {
    const std::lock_guard lock(mutex_);
    if (durable() < coming_checkpoint_->needs_durable) return false;
    FERRY_CHECK(!marks_.empty());
    auto mark = std::upper_bound(marks_.begin(), marks_.end(), entry.replay_from,
                                 [](std::uint64_t position, const GroupMark& m) { return position < m.first; });
    if (mark != marks_.begin()) --mark;
    entry.group_first = mark->first;
    entry.segment = mark->segment;
    entry.offset = mark->offset;
    entry.previous_crc = mark->previous_crc;
    dropped = checkpoints_[1];
    kept = {entry, checkpoints_[0]};
  }
  FERRY_TRY_VOID(control_.update([&](ControlState& state) {
    state.checkpoints = kept;
    state.watermark = durable().value;
  }));
  // Only the newest checkpoint is looked at by a start that finds it whole.
  if (dropped.number != 0) discarded_.push_back(checkpoint_name(dropped.number));
  coming_checkpoint_.reset();
  const std::lock_guard lock(mutex_);
  checkpoints_ = kept;
  coming_checkpoint_waits_ = false;
  ++stats_.checkpoints;
  // Replays start at the marks of the kept checkpoints; with a single one, at the beginning of the log or at its own.
  const std::uint64_t needed = kept[1].number != 0 ? std::min(kept[0].group_first, kept[1].group_first) : kept[0].group_first;
  while (!marks_.empty() && marks_.front().first < needed) marks_.pop_front();
  return true;
}

// Free files are given up first, then the ballast, which is there for this.
Result<bool> Journal::make_room_for_checkpoint() {
  std::vector<Spare> spares;
  bool ballast = false;
  {
    const std::lock_guard lock(mutex_);
    spares = std::exchange(spares_, {});
    if (spares.empty() && discarded_.empty()) ballast = std::exchange(ballast_bytes_, 0) != 0;
  }
  const bool files_given_up = !spares.empty() || !discarded_.empty();
  for (const Spare& spare : spares) discarded_.push_back(spare_name(spare.number));
  for (; !discarded_.empty(); discarded_.pop_front()) {
    const auto removed = files_.remove(path(discarded_.front()));
    if (!removed && removed.error().kind != ErrorKind::NotFound) return Unexpected(removed.error());
  }
  if (ballast) FERRY_TRY_VOID(files_.remove(path(kBallastName)));
  return files_given_up || ballast;
}

Result<void> Journal::keep_ballast() {
  std::uint64_t wanted = 0;
  std::uint64_t have = 0;
  {
    const std::lock_guard lock(mutex_);
    wanted = std::max(options_.ballast_bytes, pad_to(2 * checkpoints_[0].bytes, kBlockBytes));
    have = ballast_bytes_;
  }
  if (have >= wanted) return {};
  const auto write = [&]() -> Result<void> {
    FERRY_TRY(const std::uint64_t free, files_.free_bytes(options_.folder));
    if (free < wanted - have) return fail(ErrorKind::NoSpace, "no space for the ballast");
    FERRY_TRY(const auto file,
              files_.open(path(kBallastName), {.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::IfAbsent}));
    const std::vector<std::byte> zeros(kZeroChunkBytes);
    for (std::uint64_t at = have; at < wanted;) {
      const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), wanted - at));
      FERRY_TRY_VOID(file->write_at(at, std::span(zeros).first(size)));
      at += size;
      const std::lock_guard lock(mutex_);
      ballast_bytes_ = at;
    }
    return file->sync();
  };
  const auto written = write();
  if (!written && written.error().kind != ErrorKind::NoSpace) return written;
  return {};
}

}  // namespace ferry::store
