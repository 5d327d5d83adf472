#pragma once
// A file system in memory that keeps a protocol of every change, can fail at any call, and can say what would be on disk if the
// machine stopped now, or had stopped after any operation before.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/random.h"

namespace ferry::test {

/// Files by path.
using DiskImage = std::map<std::string, std::vector<std::byte>>;

struct DiskOperation {
  enum class Kind { Create, Write, Truncate, Sync, Rename, Remove, SyncDirectory };
  Kind kind;
  std::uint64_t file = 0;  ///< identity, whatever its name is
  std::uint64_t offset = 0;
  std::vector<std::byte> bytes;  ///< of a Write; of a Truncate only the size counts, which is `offset`
  std::string path;
  std::string to;  ///< of a Rename
};

/// What a machine that stops leaves behind.
enum class CrashMode {
  Everything,  ///< all that was written: the process died, the system lived on
  OnlySynced,  ///< what was synced, names included: the system's memory is lost
  Torn,  ///< what was synced, and any of the 512-byte sectors that were not, and the first few, or any, of the names that were
         ///< not
};

/// The state of a disk after a sequence of operations, with what is not on it yet. Cheap to copy. Not thread-safe.
class DiskModel {
 public:
  DiskModel() = default;
  DiskModel(DiskImage image);  // NOLINT: an image is a disk on which everything is synced
  void apply(const DiskOperation& operation);
  /// `random` decides what a torn image holds.
  DiskImage image(CrashMode mode, Random& random) const;
  /// Whether a loss of power could take anything that has a name.
  bool has_unsynced() const;

 private:
  friend class RecordingFileSystem;
  friend class RecordedFile;
  // Shared with copies of the model until one of them changes it.
  using Bytes = std::shared_ptr<std::vector<std::byte>>;
  struct Contents {
    Bytes now = std::make_shared<std::vector<std::byte>>();
    Bytes synced = now;
    std::vector<DiskOperation> unsynced;
  };
  static void write(Bytes& contents, const DiskOperation& operation);
  static void write(std::vector<std::byte>& contents, const DiskOperation& operation);
  std::map<std::uint64_t, Contents> files_;
  std::map<std::string, std::uint64_t> names_;
  std::map<std::string, std::uint64_t> synced_names_;
  std::vector<DiskOperation> unsynced_names_;
  std::uint64_t next_file_ = 1;
};

/// Thread-safe.
class RecordingFileSystem final : public FileSystem {
 public:
  using Kind = DiskOperation::Kind;
  explicit RecordingFileSystem(DiskModel disk = {});

  // Faults. Calls are counted from now on, for each kind alone, 1 being the next one. The failed call changes nothing, except
  // that a Write leaves its first `bytes_written` bytes.
  enum class Times { Once, FromThenOn };
  void fail(Kind kind, std::uint64_t call, ErrorKind error, Times times = Times::Once, std::size_t bytes_written = 0);
  void fail_reads(std::uint64_t call, ErrorKind error);
  void clear_faults();
  /// Whether any call has failed because of fail() or fail_reads().
  bool fault_was_met() const;
  /// Total size of the files beyond which writes fail with NoSpace; 0: none.
  void set_capacity(std::uint64_t bytes);
  /// Without it, opening for direct access is refused, as some file systems do.
  void set_direct_access(bool possible);

  DiskImage image(CrashMode mode, Random& random) const;
  /// The present, for another process on the same machine.
  DiskModel disk() const;
  /// The operations since the start, in order, and the disk they began with.
  std::vector<DiskOperation> operations() const;
  std::size_t operation_count() const;
  const DiskModel& initial() const { return initial_; }
  std::uint64_t total_bytes() const;
  /// Stops keeping the protocol, for long runs; crash images of the present stay possible.
  void stop_protocol();

  Result<std::unique_ptr<File>> open(const std::string& path, const OpenMode& mode) override;
  Result<void> create_directory(const std::string& path) override;
  Result<std::vector<Entry>> list(const std::string& directory) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_directory(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& directory) override;

 private:
  friend class RecordedFile;
  friend class RecordedLock;
  struct Fault {
    std::uint64_t call = 0;
    ErrorKind error = ErrorKind::Io;
    Times times = Times::Once;
    std::size_t bytes_written = 0;
  };
  // All with mutex_ held.
  std::optional<Fault> next_fault(std::size_t slot);
  Result<void> perform(DiskOperation operation);
  std::uint64_t used() const;

  mutable std::mutex mutex_;
  const DiskModel initial_;
  DiskModel disk_;
  std::vector<DiskOperation> operations_;
  std::size_t operation_count_ = 0;
  bool protocol_ = true;
  std::set<std::string> locked_;
  std::map<std::uint64_t, int> holders_;  // of files that are held: how many share it; -1: one alone
  static constexpr std::size_t kReadSlot = 7;
  std::array<std::optional<Fault>, 8> faults_;
  std::array<std::uint64_t, 8> calls_{};
  bool fault_met_ = false;
  std::uint64_t capacity_ = 0;
  bool direct_access_ = true;
};

}  // namespace ferry::test
