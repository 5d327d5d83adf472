#pragma once
// Appends to a chain of the audit trail. One process writes one chain at a time, under a lock; several processes of a host that
// share a folder each have a chain of their own in it.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "audit/chain.h"
#include "audit/record.h"
#include "base/clock.h"
#include "base/ed25519.h"
#include "base/file.h"
#include "base/random.h"
#include "base/result.h"

namespace ferry::audit {

enum class Sync {
  EachGroup,  ///< what gathered while the group before was being written is one write and one sync
  Interval,   ///< written at once, synced once in an interval
};

struct WriterOptions {
  std::string folder;
  Sync sync = Sync::EachGroup;
  Millis sync_interval{1'000};
  std::uint64_t file_bytes_max = 64ULL * 1024 * 1024;  ///< a new file before this is exceeded, and on each new day (UTC)
  std::size_t pending_bytes_max = 8ULL * 1024 * 1024;  ///< append() waits when so much is not written yet
  std::optional<Ed25519Secret> key;                    ///< signs the chain's own lines
  std::uint64_t checkpoint_lines = 1'000;              ///< with a key: a signed checkpoint after so many lines
  std::string checkpoint_folder;  ///< with a key: signed lines are also appended to CHAIN.jsonl there, best on another machine
};

/// Thread-safe.
class Writer {
 public:
  /// Takes the first chain of the folder that nobody writes to, and goes on with it: checks its last line, writes a repair record
  /// behind a torn one, else says that a new process goes on. Blocks for the disk; durable on return. Busy: kChainsMax processes
  /// write in this folder. Corrupt: its end is no audit trail; nothing was changed. Everything outlives the writer.
  static Result<std::unique_ptr<Writer>> open(WriterOptions options, FileSystem& files, const Clock& clock, Random& random);
  /// Writes what is pending, but not that the chain is closed: close() does.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// The entry has its place in the chain, but may not be durable. Blocks only while too much is pending. After a failed write
  /// or sync every call answers that failure: nothing is tried again, and what is not on record should not go on.
  Result<std::uint64_t> append(const Entry& entry);
  /// Blocks until everything that was appended before is durable.
  Result<void> flush();
  /// Writes that the writer has ended in order, and flushes. Nothing can be appended afterwards.
  Result<void> close();

  const std::string& chain() const { return chain_; }  ///< its id, a UUID

 private:
  struct Chunk {
    std::string path;
    bool creates = false;
    std::string bytes;
  };
  Writer(WriterOptions options, FileSystem& files, const Clock& clock)
      : options_(std::move(options)), files_(files), clock_(clock) {}
  static Result<std::unique_ptr<Writer>> open_chain(int number, std::unique_ptr<FileLock> lock, WriterOptions options,
                                                    FileSystem& files, const Clock& clock, Random& random);
  Result<void> find_end(const std::vector<ChainFile>& found, Random& random);
  Result<void> open_checkpoints();
  void begin_file(std::string_view event);
  void place(const Entry& entry);
  bool rotation_is_due(std::size_t line_bytes, const std::string& day) const;
  void add_line(std::string_view line);
  void add_own(std::string_view event, std::vector<Field> fields = {});
  void add_bytes(std::string_view bytes);
  Unexpected<Error> failure() const;
  void run();
  bool wait_for_work(std::unique_lock<std::mutex>& lock);
  Result<void> write_group(const std::deque<Chunk>& group);
  Result<void> sync_group();

  WriterOptions options_;
  FileSystem& files_;
  const Clock& clock_;
  std::unique_ptr<FileLock> lock_;
  int number_ = 0;
  std::string chain_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::uint64_t last_seq_ = 0;
  std::uint64_t last_entry_seq_ = 0;
  std::string last_hash_ = std::string(kFirstPrev);
  std::uint64_t unsigned_lines_ = 0;  // since the last signed one
  std::string path_;                  // of the file that the next line goes to
  std::uint64_t file_bytes_ = 0;      // of it, pending bytes included
  std::string day_;                   // of its latest line
  bool only_own_lines_ = true;        // the file has no entry yet
  std::deque<Chunk> pending_;
  std::size_t pending_bytes_ = 0;
  std::string pending_checkpoints_;
  std::uint64_t durable_seq_ = 0;
  std::uint64_t flush_seq_ = 0;  // somebody waits for this one
  std::optional<Error> failure_;
  bool closed_ = false;
  bool stopping_ = false;

  // The writing thread's alone, after open().
  std::unique_ptr<File> file_;
  std::uint64_t written_bytes_ = 0;
  bool unsynced_ = false;
  SteadyTime unsynced_since_;
  std::string unsynced_checkpoints_;
  std::unique_ptr<File> checkpoint_file_;
  std::uint64_t checkpoint_bytes_ = 0;
  std::thread thread_;
};

}  // namespace ferry::audit
