#pragma once
// Checkpoint files: written piece by piece, read back only after the whole file was found to be what was written.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "store/journal/format.h"

namespace ferry::store {

class CheckpointWriter final : public CheckpointSink {
 public:
  /// `between` runs each time some megabyte has been written: what must not wait for a long checkpoint.
  CheckpointWriter(FileSystem& files, std::string path, const Uuid& store, std::uint64_t number, std::function<void()> between);

  /// Creates the file. To be called once, first.
  Result<void> begin();
  Result<void> add_piece(std::span<const std::byte> piece, Position as_of) override;
  /// Writes the rest; the file is durable on return, its name after a sync of the directory.
  Result<void> finish();

  std::uint64_t bytes() const { return written_ + buffer_.size(); }
  Position highest_as_of() const { return highest_as_of_; }
  std::uint64_t number() const { return number_; }

 private:
  Result<void> flush();

  FileSystem& files_;
  std::string path_;
  Uuid store_;
  std::uint64_t number_;
  std::function<void()> between_;
  std::unique_ptr<File> file_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
  std::uint64_t pieces_ = 0;
  Position highest_as_of_;
};

/// Calls `take` for each piece in order, without having looked at those behind it. Corrupt: names the file and the place.
/// With no `take` it only checks. `reached`: the offset up to which the file was found right.
Result<void> read_checkpoint(FileSystem& files, const std::string& path, const Uuid& store, const CheckpointEntry& entry,
                             const std::function<Result<void>(std::span<const std::byte>)>& take,
                             std::uint64_t* reached = nullptr);

}  // namespace ferry::store
