#pragma once
// The file seam: everything the store does to the disk goes through these two classes, so that tests can keep a protocol of
// it, make it fail at any call, and build the disk as it would be after a crash. posix_file.h has the real one.
//
// Errors: NotFound, AlreadyExists, PermissionDenied, Busy, NoSpace (ENOSPC, EDQUOT, or no descriptor is left), InvalidArgument
// (the file system refuses the mode), Io for the rest. Every function blocks for the disk. All functions are thread-safe.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace ferry {

struct OpenMode {
  enum class Access { Read, ReadWrite };
  enum class Creation { MustExist, MustBeNew, IfAbsent };  ///< what is created is readable for its owner alone (0600)
  /// Direct: past the operating system's cache. Offsets, lengths and memory must be multiples of 4 KiB.
  enum class Caching { System, Direct };
  /// Durable: a write that has returned is on disk (O_DSYNC).
  enum class Writes { UntilSync, Durable };

  Access access = Access::Read;
  Creation creation = Creation::MustExist;
  Caching caching = Caching::System;
  Writes writes = Writes::UntilSync;
};

class File {
 public:
  virtual ~File() = default;
  /// All of `bytes`, or an error: then any part of them may have been written.
  virtual Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// Number of bytes read; fewer than asked for only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) = 0;
  /// Everything written so far is on disk (fdatasync). After an error it must not be called again: see docs/durability.md.
  virtual Result<void> sync() = 0;
  virtual Result<std::uint64_t> size() = 0;
  /// Shortens, or extends with zeros.
  virtual Result<void> truncate(std::uint64_t bytes) = 0;
  /// Shared: who has the file open wants its contents to stay what they are, whatever becomes of its name. Alone: they are
  /// about to become others'. Many may hold it as Shared, one as Alone, never both; between processes too, and only by
  /// agreement. Held until the file is closed. Busy: held by somebody else in a way that forbids it; does not wait.
  enum class Hold { Shared, Alone };
  virtual Result<void> hold(Hold hold) = 0;
};

/// Held for as long as the object lives; ends with the process at the latest.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  struct Entry {
    std::string name;
    std::uint64_t bytes = 0;  ///< of a regular file
  };

  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, const OpenMode& mode) = 0;
  /// With its parents; nothing happens when it is there. What is created is for its owner alone (0700), and durable.
  virtual Result<void> create_directory(const std::string& path) = 0;
  /// Names in it, sorted, without "." and "..".
  virtual Result<std::vector<Entry>> list(const std::string& directory) = 0;
  /// Replaces what is at `to`. Durable after sync_directory().
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  /// A file, or an empty folder. Durable after sync_directory().
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> sync_directory(const std::string& directory) = 0;
  /// Takes the lock on this file, which is created if absent. Busy: somebody else has it, in this process or another.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  /// Bytes that this user can still write where `directory` lies.
  virtual Result<std::uint64_t> free_bytes(const std::string& directory) = 0;
};

/// Memory at a multiple of 4 KiB, as direct access needs it; not initialised.
class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 4096;
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes);
  std::byte* data() { return memory_.get(); }
  const std::byte* data() const { return memory_.get(); }
  std::size_t size() const { return bytes_; }
  std::span<std::byte> span() { return {memory_.get(), bytes_}; }
  std::span<const std::byte> span() const { return {memory_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte[], Free> memory_;
  std::size_t bytes_ = 0;
};

}  // namespace ferry
