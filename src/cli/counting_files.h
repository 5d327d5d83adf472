#pragma once
// A file system that tells how many bytes were read from it so far: progress of work that has no word for it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"

namespace ferry::cli {

/// Everything goes to `inner`. Not thread-safe in `told`, which is called after each read.
class CountingFiles final : public FileSystem {
 public:
  /// Bytes read so far, of all files.
  using Told = std::function<void(std::uint64_t bytes)>;
  /// `inner` outlives it, and it outlives its files.
  CountingFiles(FileSystem& inner, Told told) : inner_(inner), told_(std::move(told)) {}

  Result<std::unique_ptr<File>> open(const std::string& path, const OpenMode& mode) override;
  Result<void> create_directory(const std::string& path) override { return inner_.create_directory(path); }
  Result<std::vector<Entry>> list(const std::string& directory) override { return inner_.list(directory); }
  Result<void> rename(const std::string& from, const std::string& to) override { return inner_.rename(from, to); }
  Result<void> remove(const std::string& path) override { return inner_.remove(path); }
  Result<void> sync_directory(const std::string& directory) override { return inner_.sync_directory(directory); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return inner_.lock(path); }
  Result<std::uint64_t> free_bytes(const std::string& directory) override { return inner_.free_bytes(directory); }

 private:
  class CountedFile;
  void count(std::size_t bytes);

  FileSystem& inner_;
  const Told told_;
  std::uint64_t bytes_ = 0;
};

}  // namespace ferry::cli
