#pragma once
// A disk that lets something happen in the middle of somebody else's work on it, and that can be late with what it shows.

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/file.h"

namespace ferry::test {

/// Calls `before_call` before each call, with its ordinal from 1. Not thread-safe.
class WatchedFiles final : public FileSystem {
 public:
  explicit WatchedFiles(FileSystem& files) : files_(files) {}
  std::function<void(int call)> before_call;
  /// May change what was read at this offset of the file at `path`.
  std::function<void(const std::string& path, std::uint64_t offset, std::span<std::byte> bytes)> after_read;
  int calls() const { return calls_; }

  Result<std::unique_ptr<File>> open(const std::string& path, const OpenMode& mode) override {
    tell();
    FERRY_TRY(auto file, files_.open(path, mode));
    return std::unique_ptr<File>(std::make_unique<Watched>(*this, std::move(file), path));
  }
  Result<void> create_directory(const std::string& path) override { return files_.create_directory(path); }
  Result<std::vector<Entry>> list(const std::string& directory) override {
    tell();
    return files_.list(directory);
  }
  Result<void> rename(const std::string& from, const std::string& to) override { return files_.rename(from, to); }
  Result<void> remove(const std::string& path) override { return files_.remove(path); }
  Result<void> sync_directory(const std::string& directory) override { return files_.sync_directory(directory); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return files_.lock(path); }
  Result<std::uint64_t> free_bytes(const std::string& directory) override { return files_.free_bytes(directory); }

 private:
  class Watched final : public File {
   public:
    Watched(WatchedFiles& files, std::unique_ptr<File> file, std::string path)
        : files_(files), file_(std::move(file)), path_(std::move(path)) {}
    Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
      return file_->write_at(offset, bytes);
    }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
      files_.tell();
      auto got = file_->read_at(offset, bytes);
      if (got && files_.after_read) files_.after_read(path_, offset, bytes.first(*got));
      return got;
    }
    Result<void> sync() override { return file_->sync(); }
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<void> truncate(std::uint64_t bytes) override { return file_->truncate(bytes); }
    Result<void> hold(Hold hold) override {
      files_.tell();
      return file_->hold(hold);
    }

   private:
    WatchedFiles& files_;
    const std::unique_ptr<File> file_;
    const std::string path_;
  };
  void tell() {
    ++calls_;
    if (before_call) before_call(calls_);
  }

  FileSystem& files_;
  int calls_ = 0;
};

}  // namespace ferry::test
