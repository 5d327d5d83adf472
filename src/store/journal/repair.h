#pragma once
// Brings back what can be read of a data folder whose start is refused, or that holds damaged bodies: docs/durability.md.
//
// examine() reads everything and writes nothing. It gives the owner the best checkpoint there is and every record that can be
// read, finds the bodies that are not there, and says what it found. apply() then makes a folder that opens: copies of what is
// changed or removed are kept first; two new checkpoints and an empty segment are made; the control file, replaced at once,
// names them alone; what nothing needs any more is removed. Killed before the control file is replaced, the folder is as
// damaged as it was, and killed behind it, it opens or is repaired by another run.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "store/journal/control_file.h"
#include "store/journal/repair_scan.h"
#include "store/repair_owner.h"

namespace ferry::store {

struct RepairOptions {
  std::string folder;
  std::uint32_t segment_bytes = 4u << 20;  ///< of the new segment; a power of two, 64 KiB to 1 GiB
};

/// Something that is not as it was written.
struct Damage {
  std::string file;                     ///< name in the folder
  std::optional<std::uint64_t> offset;  ///< absent: the file as such
  std::string what;                     ///< a clause: what is wrong
  bool is_harmless = false;             ///< nothing is lost by it, and a start does without it
};

/// Records that the log has lost.
struct LostRecords {
  Position first;
  Position last;
  std::string file;
  std::uint64_t offset = 0;   ///< where the first one was expected
  std::uint64_t rescued = 0;  ///< of these, read out of a group that is not whole
};

struct RepairFindings {
  bool is_needed = false;    ///< a start is refused, or a body that is needed is damaged
  std::uint32_t format = 0;  ///< 0: not known
  std::vector<Damage> damages;
  std::vector<LostRecords> lost;
  bool end_is_uncertain = false;  ///< a file is damaged in which more may have been written behind `last`; nobody can know
  bool tail_cut = false;          ///< the log ends in an unfinished group, which nobody was told of
  std::uint64_t checkpoint = 0;   ///< that was used; 0: none
  bool checkpoint_is_whole = true;
  std::uint64_t replayed_records = 0;
  Position last;             ///< the log goes on behind it
  std::uint64_t bodies = 0;  ///< that are needed and whole
  std::uint64_t dropped_bodies = 0;
  std::vector<std::string> kept_copies;  ///< files that apply() changes or removes, or that go unneeded afterwards
  std::vector<std::string> removed;      ///< files that apply() removes
};

/// Stands in for the store while the owner is brought back: takes no records. Not thread-safe.
class Repair final : public Store {
 public:
  /// All of them outlive the repair.
  Repair(FileSystem& files, Random& random, const Logger& log, RepairOptions options);

  /// Call once, first. Takes the lock until this object ends. Blocks: reads every byte of the log.
  /// Busy: a server runs on it. NotFound: there is no such folder. InvalidArgument: no store, or one of a newer format.
  Result<void> examine(RepairOwner& owner);
  const RepairFindings& findings() const { return findings_; }
  /// Behind examine(), once. `copy` is made; it must not exist, or be empty. AlreadyExists. NoSpace and others: the folder is
  /// as it was, or a next run goes on.
  Result<void> apply(const std::string& copy);
  /// Behind apply(), for settle(): what is needed of segments in which something is damaged; if there is none of these, any one
  /// body, so that the new log begins.
  std::vector<Location> to_move() const;

  // Store, for the owner during examine() and apply()
  Result<void> recover(Owner& owner) override;
  Result<Reservation> reserve(std::span<const RecordShape> records, Purpose purpose) override;
  void publish(Reservation&&) override {}
  Position last() const override { return findings_.last; }
  Position durable() const override { return findings_.last; }
  std::optional<std::vector<Payload>> read_now(std::span<const Location>) override { return std::nullopt; }
  void read(std::vector<Location> locations, ReadCallback done) override;
  void retain(const Location& location) override { bodies_.push_back(location); }
  void release(std::span<const Location>) override {}
  StoreStats stats() const override { return {}; }
  bool writable() const override { return false; }
  Result<void> close() override { return {}; }

 private:
  // A stretch of positions without a whole group, between two groups of the log.
  struct Gap {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::string file;
    std::uint64_t offset = 0;
  };
  struct Start {
    CheckpointEntry entry;  // number 0: no checkpoint
    bool is_named = false;  // by the control file
    CheckpointScan scan;
  };

  std::string path(const std::string& name) const { return options_.folder + "/" + name; }
  void found(std::string file, std::optional<std::uint64_t> offset, std::string what, bool is_harmless = false);

  // repair.cpp
  Result<void> open_folder();
  Result<void> read_control();
  void report_segments();
  void order_groups();
  Result<void> choose_checkpoint();
  Result<std::vector<Start>> scan_checkpoints();
  std::uint64_t missing_after(std::uint64_t position) const;
  Result<void> restore(RepairOwner& owner);
  Result<void> replay(RepairOwner& owner);
  Result<void> replay_group(RepairOwner& owner, const GroupHeader& group);
  std::uint64_t contained() const;
  void lose(RepairOwner& owner, std::uint64_t first, std::uint64_t last);
  Result<void> replay_gap(RepairOwner& owner, const Gap& gap);
  Result<std::uint64_t> rescue(RepairOwner& owner, const GroupHeader& group, std::uint64_t& next);
  std::optional<Gap> gap_behind(const GroupHeader* before, std::uint64_t expected, std::uint64_t next_first) const;
  void note_missing_segments();
  void note_torn_tail();
  void note_uncertain_end();
  Result<std::span<const std::byte>> bytes_of(std::uint32_t segment, std::uint64_t offset, std::uint64_t length);
  Result<void> check_bodies(RepairOwner& owner);

  // repair_apply.cpp
  void plan_files();
  std::vector<std::uint32_t> suspects() const;  // segments in which something is damaged and something needed
  Result<void> keep_copies(const std::string& copy);
  Result<void> copy_file(const std::string& from, const std::string& to);
  Result<void> mend_segments();
  Result<void> make_segment(std::uint32_t number, std::uint64_t incarnation);
  Result<std::array<CheckpointEntry, 2>> write_checkpoints();
  bool is_needed_segment(std::uint32_t number) const;

  FileSystem& files_;
  Random& random_;
  const Logger& log_;
  const RepairOptions options_;
  std::unique_ptr<FileLock> lock_;
  RepairOwner* owner_ = nullptr;
  RepairFindings findings_;

  std::optional<ControlState> control_;  // nothing: both slots are lost
  std::optional<Uuid> store_;
  SegmentScan segments_;
  std::vector<GroupHeader> groups_;  // the log, by place; what contradicts it is not in it
  std::vector<GroupHeader> broken_;  // by place
  Start start_;
  bool replays_everything_ = false;
  std::uint64_t highest_run_ = 0;
  std::uint64_t highest_checkpoint_ = 0;
  std::uint32_t highest_segment_ = 0;
  std::vector<std::uint32_t> damaged_segments_;
  std::vector<Location> bodies_;
  std::unique_ptr<FileWindow> window_;  // of the segment below
  std::uint32_t window_segment_ = 0;
};

/// Moves `bodies`, which the owner of `journal` needs, to the end of the log, and writes two checkpoints, so that the segments
/// they were in go. `journal` has recovered, runs without threads, and nobody else uses it.
Result<void> settle(class Journal& journal, Owner& owner, const std::vector<Location>& bodies);

}  // namespace ferry::store
