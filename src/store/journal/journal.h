#pragma once
// The store that comes with the server: one log in segment files of one folder. docs/durability.md says what it promises and
// why that holds, docs/formats.md what its bytes mean.
//
// Where things are: reserve(), publish() and the commit in journal.cpp, recovery in journal_recovery.cpp, reads in
// journal_read.cpp, segments and compaction in journal_maintenance.cpp, checkpoints in journal_checkpoint.cpp.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "store/journal/control_file.h"
#include "store/journal/format.h"
#include "store/journal/group.h"
#include "store/journal/read_buffers.h"
#include "store/journal/read_cache.h"
#include "store/journal/recovery_progress.h"
#include "store/journal/segment.h"
#include "store/store.h"

namespace ferry::store {

struct JournalOptions {
  std::string folder;
  std::uint32_t segment_first_bytes = 4u << 20;  ///< of the first segment; each next one is twice as large …
  std::uint32_t segment_max_bytes = 64u << 20;   ///< … up to this. Both are powers of two, 64 KiB to 1 GiB
  std::uint32_t group_bytes_max = 1u << 20;      ///< a larger single reservation still gets a group of its own
  std::uint64_t pending_bytes_max = 64u << 20;   ///< reserved and not durable yet; beyond: Unavailable
  std::uint64_t cache_bytes = 128u << 20;        ///< recent groups in memory
  std::uint64_t read_cache_bytes = 32u << 20;    ///< what was read from disk
  std::uint64_t reserve_bytes = 8u << 20;        ///< prepared space that Purpose::Growth must leave
  std::uint64_t ballast_bytes = 1u << 20;        ///< given up to write a checkpoint on a full disk; grows with the checkpoints
  std::uint64_t checkpoint_log_bytes =
      64u << 20;                         ///< of log between two checkpoints, or twice the last one's size if that is more
  std::uint32_t spare_segments_max = 2;  ///< free segment files kept for reuse
  enum class Threads { Own, None } threads = Threads::Own;  ///< with None, the caller drives the steps
  enum class DirectAccess { WherePossible, Never } direct_access = DirectAccess::WherePossible;
  /// ReadOnly: recover() gives the owner everything and stops there. Nothing is written, nothing can be reserved or read.
  enum class Access { ReadWrite, ReadOnly } access = Access::ReadWrite;
  /// Told by recover(), before it happens, what the operator must hear whatever the log's level is. Empty: nobody.
  std::function<void(const std::string&)> announce = {};
};

class Journal final : public Store {
 public:
  /// All of them outlive the journal. `random` is used by recover() and by the maintenance thread.
  Journal(FileSystem& files, const Clock& clock, Random& random, const Logger& log, JournalOptions options);
  /// Ends the threads at once; what is not durable then is as after a crash. Call close() first to stop in order.
  ~Journal() override;

  Result<void> recover(Owner& owner) override;
  Result<Reservation> reserve(std::span<const RecordShape> records, Purpose purpose) override;
  void publish(Reservation&& reservation) override;
  Position last() const override { return Position{last_.load(std::memory_order_acquire)}; }
  Position durable() const override { return Position{durable_.load(std::memory_order_acquire)}; }
  using Store::read_now;
  std::optional<std::vector<Payload>> read_now(std::span<const Location> locations) override;
  void read(std::vector<Location> locations, ReadCallback done) override;
  void retain(const Location& location) override;
  void release(std::span<const Location> locations) override;
  StoreStats stats() const override;
  bool writable() const override;
  Result<void> close() override;

  /// What recover() found.
  struct Recovery {
    std::uint64_t run = 0;
    bool created = false;                   ///< the folder was empty
    std::uint32_t format = kFormatVersion;  ///< that the folder had; it has kFormatVersion now
    bool clean_stop = false;                ///< the run before ended with close()
    bool tail_cut = false;                  ///< an unfinished group was cut off …
    std::uint32_t segment = 0;              ///< … here: where the log ends
    std::uint32_t offset = 0;
    std::uint64_t checkpoint = 0;  ///< number of the one that was restored; 0: none
    std::uint64_t replayed_records = 0;
    std::uint64_t replayed_bytes = 0;
    std::uint64_t checkpoint_bytes = 0;
    std::chrono::nanoseconds checkpoint_time{};  ///< to read it, check it and give it to the owner
    std::chrono::nanoseconds replay_time{};      ///< from there to the end of the log, and making sure that it is the end
  };
  const Recovery& recovery() const { return recovery_; }

  /// What a segment holds, and what the maintenance makes of it.
  struct SegmentUse {
    enum class Fate {
      InUse,   ///< the log is written here, or will be
      Kept,    ///< what it holds is needed, and dense enough
      Sparse,  ///< compaction would read it and write again what is needed
      Empty,   ///< nothing of it is needed: it goes with the next checkpoint
      Free,    ///< it goes now
    };
    std::uint32_t number = 0;
    std::uint64_t bytes = 0;
    std::uint64_t live_records = 0;  ///< bodies that are needed
    std::uint64_t live_bytes = 0;    ///< their records' bytes
    Fate fate = Fate::InUse;
  };
  struct Use {
    std::vector<SegmentUse> segments;  ///< by number
    std::uint64_t allowed_bytes = 0;   ///< what segments may take before compaction begins: docs/durability.md, Space
    std::uint64_t spares = 0;
    std::uint64_t spare_bytes = 0;
    std::uint64_t ballast_bytes = 0;
  };
  /// After recover(), for tools.
  Use use() const;

  /// The maintenance writes a checkpoint soon, whether one is due or not, unless the log is empty.
  void request_checkpoint();

  // One round of each thread's work, for JournalOptions::Threads::None. False: there was nothing to do.
  /// Writes and syncs one group.
  bool commit_step();
  /// One of: prepare a segment, publish or write a checkpoint, free segments, compact some.
  bool maintain_step();
  /// Reads one stretch of a read(), and answers it when that was the last.
  bool read_step();

 private:
  // A read(), and what it has found so far; whoever reads its last stretch answers it.
  struct ReadJob {
    std::vector<Location> locations;
    std::vector<std::optional<Result<Payload>>> answers;
    std::atomic<std::size_t> left;
    ReadCallback done;
  };
  // Payloads that lie near each other, by their places; or, without a job, what will be asked for next. One thread's work.
  struct ReadRequest {
    std::shared_ptr<ReadJob> job;  // shared by its stretches
    std::vector<std::size_t> indices;
    std::shared_ptr<Segment> segment;  // pinned; null: there is none
    std::uint32_t ahead_from = 0;
  };
  // Where a group lies: from it a replay can start.
  struct GroupMark {
    std::uint64_t first;
    std::uint32_t segment;
    std::uint32_t offset;
    std::uint32_t previous_crc;
  };
  struct Spare {
    std::uint32_t number;
    std::uint64_t bytes;
  };
  // What recovery has found so far.
  struct Scan {
    bool has_checkpoint = false;
    std::uint64_t replay_from = 0;
    std::uint32_t segment = 0;  // where the next group is expected; 0: the log has no segment yet
    std::uint32_t offset = kBlockBytes;
    std::uint64_t next_position = 1;
    std::uint32_t previous_crc = 0;
    std::optional<GroupHeader> last_group;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> torn;  // segment and offset of headers without a whole group
    std::uint64_t bytes_to_replay = 0;                          // at most: to the end of the last segment
  };
  // The segment whose sparse rest is being moved.
  struct Compaction {
    std::shared_ptr<Segment> segment;  // pinned
    std::shared_ptr<File> file;
    std::unique_ptr<GroupReader> reader;
    std::uint32_t offset = kBlockBytes;
    std::uint32_t gap_at = 0;  // where no group was found; damage if groups follow, else the end
    bool damaged = false;
  };
  struct ComingCheckpoint {
    CheckpointEntry entry;
    Position needs_durable;
  };
  enum class Found { Nothing, Unpublished, Ready, Damaged };

  std::string path(std::string_view name) const { return options_.folder + "/" + std::string(name); }
  OpenMode log_mode() const;

  // journal.cpp; `mutex_` is held by the caller of those marked (L)
  Result<void> admit(std::uint64_t bytes, Purpose purpose);  // (L)
  Result<void> open_group(std::uint64_t bytes);              // (L)
  void close_gathering();                                    // (L)
  std::uint64_t available() const;                           // (L)
  Group* take_ready_group();                                 // (L)
  Group* next_unwritten() const;                             // (L)
  Result<void> write_group(Group& group);
  void finish_group(Group& group, const GroupHeader& header);
  void fail_store(const Error& error);
  void wake_maintenance();  // (L)
  void commit_loop();
  std::chrono::nanoseconds idle_time() const;
  void maintain_loop();
  void read_loop();
  void stop_threads();

  // journal_recovery.cpp
  Result<void> open_folder();
  Result<void> create_store();
  Result<void> open_segments();
  Result<void> restore(Owner& owner);
  Result<void> replay(Owner& owner);
  Result<void> replay_group(Owner& owner, const GroupReader::Found& found);
  Result<void> check_log_end();
  Result<void> begin_run();
  Result<void> migrate();
  Result<void> check_direct_writes();
  Result<void> rewrite_last_group();
  Result<void> erase_torn_headers();
  Result<void> remove_leftovers();
  Result<std::shared_ptr<File>> open_segment_file(std::uint32_t number);

  // journal_read.cpp
  Found find_in_memory(const Location& location, Payload* payload) const;  // (L)
  std::shared_ptr<Segment> find_segment(std::uint32_t number) const;       // (L)
  Result<Payload> read_from_disk(const std::shared_ptr<Segment>& segment, const Location& location, std::uint32_t read_to);
  Result<ReadCache::Extent> fetch(const std::shared_ptr<Segment>& segment, std::uint32_t start, std::uint32_t stop, bool forward);
  void read_ahead(std::uint32_t number, std::uint32_t from);
  void fetch_ahead(const ReadRequest& request);
  Result<std::shared_ptr<File>> file_of(const std::shared_ptr<Segment>& segment);
  bool close_oldest_file();
  std::vector<ReadRequest> stretches(const std::shared_ptr<ReadJob>& job) const;  // (L)
  Result<Payload> answer(const ReadRequest& request, const Location& location, std::uint32_t read_to);

  // journal_maintenance.cpp; they answer whether something was done
  Result<bool> prepare_if_needed();
  Result<void> prepare_segment(std::uint32_t bytes);
  Result<bool> reuse_spare(const Spare& spare, const SegmentHeader& header);
  Result<void> fill_new_segment(const SegmentHeader& header);
  Result<bool> publish_checkpoint();
  Result<bool> free_segments();
  Result<bool> shrink_discarded();
  Result<bool> checkpoint_if_due();
  Result<void> write_checkpoint();
  Result<bool> make_room_for_checkpoint();
  Result<bool> compact_some();
  void collect_bodies(std::uint32_t end, std::vector<std::byte>& copies, std::vector<Location>& places);
  static bool is_worth_compacting(const Segment& segment);
  bool start_compaction();  // (L)
  void end_compaction();    // (L)
  Result<bool> trim();
  Result<void> keep_ballast();
  std::uint64_t headroom() const;              // (L)
  bool is_free(const Segment& segment) const;  // (L)
  std::uint64_t covered_below() const;         // (L)
  struct Space {
    std::uint64_t allowed = 0;  ///< 2 × live bytes + 4 segments
    std::uint64_t empty = 0;    ///< sealed segments without a live body
    std::uint64_t blocked = 0;  ///< of these, what only a checkpoint keeps
  };
  void set_throttle(const Space& now);  // (L)
  Space space() const;                  // (L)
  bool maintenance_is_due() const;      // (L)

  FileSystem& files_;
  const Clock& clock_;
  Random& random_;
  const Logger& log_;
  const JournalOptions options_;
  std::unique_ptr<FileLock> lock_;
  ControlFile control_;
  Recovery recovery_;
  Owner* owner_ = nullptr;
  Uuid store_;
  bool direct_ = false;
  std::uint32_t reservation_bytes_max_ = 0;   // padded group; what the smallest segment in use holds
  std::unique_ptr<Scan> scan_;                // during recover() only
  std::optional<RecoveryProgress> progress_;  // the same

  std::atomic<std::uint64_t> last_{0};
  std::atomic<std::uint64_t> durable_{0};

  mutable std::mutex mutex_;  // guards everything down to the next comment; never held across I/O or a call of the owner
  std::shared_ptr<SlabPool> slab_pool_;
  std::shared_ptr<Slab> slab_;
  std::size_t slab_used_ = 0;
  std::deque<std::unique_ptr<Group>>
      groups_;  // by place: written ones (the cache), then those to be written, the gathering one last
  std::size_t written_groups_ = 0;
  std::uint64_t cached_bytes_ = 0;
  Group* gathering_ = nullptr;
  std::uint64_t pending_bytes_ = 0;
  std::map<std::uint32_t, std::shared_ptr<Segment>> segments_;  // shared with groups and readers
  std::shared_ptr<Segment> current_;                            // of the gathering group
  std::uint32_t next_offset_ = kBlockBytes;                     // of the next group in it
  std::deque<std::shared_ptr<Segment>> prepared_;
  std::uint64_t prepared_bytes_ = 0;
  std::uint32_t last_segment_bytes_ = 0;  // of the newest one prepared
  std::uint32_t next_segment_number_ = 1;
  std::uint32_t log_segment_ = 0;  // of the last written group
  std::uint64_t segment_bytes_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::deque<std::shared_ptr<Segment>> opened_;  // sealed ones whose file is open, oldest first
  std::deque<GroupMark> marks_;
  std::array<CheckpointEntry, 2> checkpoints_{};  // kept, newest first
  std::uint64_t log_bytes_ = 0;                   // written by this run, or replayed
  std::uint64_t log_bytes_at_checkpoint_ = 0;
  std::deque<ReadRequest> reads_;
  std::deque<ReadRequest> parked_reads_;  // of records that are not published yet
  std::vector<Spare> spares_;
  std::uint64_t ballast_bytes_ = 0;
  bool failed_ = false;
  bool closing_ = false;   // no more reservations
  bool stopping_ = false;  // the threads end
  bool throttled_ = false;
  bool maintenance_wanted_ = false;
  bool coming_checkpoint_waits_ = false;
  bool compacting_ = false;
  bool commit_held_ = false;  // no group is closed, for a moment
  bool checkpoint_requested_ = false;
  bool missing_segment_ = false;
  Location missing_location_;
  StoreStats stats_;
  std::condition_variable commit_cv_;
  std::condition_variable maintain_cv_;
  std::condition_variable read_cv_;

  std::atomic<bool> committer_waits_{false};

  // Of the committer alone.
  std::uint32_t last_header_crc_ = 0;

  // Of the maintenance alone.
  std::optional<ComingCheckpoint> coming_checkpoint_;
  std::unique_ptr<Compaction> compaction_;
  std::uint64_t next_checkpoint_number_ = 1;
  std::optional<SteadyTime> space_retry_at_;       // the disk was full
  std::optional<SteadyTime> checkpoint_retry_at_;  // the disk was full for a checkpoint
  std::deque<std::string> discarded_;              // names of files to be given up, in small steps
  SteadyTime shrink_until_{};                      // until then …
  std::uint64_t shrink_bytes_ = 0;                 // … so much of them may go
  SteadyTime active_at_{};                         // when the log was last seen to grow
  std::uint64_t active_log_bytes_ = 0;

  ReadBuffers read_buffers_;
  ReadCache read_cache_;
  std::vector<std::thread> threads_;
};

}  // namespace ferry::store
