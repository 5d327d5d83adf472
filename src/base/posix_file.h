#pragma once

#include <memory>
#include <mutex>

#include "base/file.h"

namespace ferry {

/// The machine's file systems.
class PosixFileSystem final : public FileSystem {
 public:
  PosixFileSystem();
  ~PosixFileSystem() override;
  Result<std::unique_ptr<File>> open(const std::string& path, const OpenMode& mode) override;
  Result<void> create_directory(const std::string& path) override;
  Result<std::vector<Entry>> list(const std::string& directory) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_directory(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& directory) override;

 private:
  struct Folder;
  std::mutex folder_mutex_;
  std::unique_ptr<Folder> folder_;  // guarded by folder_mutex_
};

}  // namespace ferry
