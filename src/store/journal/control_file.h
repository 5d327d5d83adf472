#pragma once
// The control file: two blocks that are written in turn, so that a torn write leaves the other one.

#include <memory>
#include <mutex>
#include <string>

#include "base/file.h"
#include "store/journal/format.h"

namespace ferry::store {

/// Thread-safe. The lock is held across the write: it exists to put the few writes of this file in order.
class ControlFile {
 public:
  ControlFile(FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  /// Makes the file with `state`; durable on return, and never there in part.
  Result<void> create(const ControlState& state);
  /// Corrupt: neither block is whole. InvalidArgument: a newer format. state().format is that of the older block.
  Result<void> load();
  /// load() has found an older format: writes both blocks anew in the present one, each durable before the next is begun, so
  /// that no older ferry opens the folder from then on. To be called when every other byte is as the present format says.
  Result<void> migrate();
  /// Changes the state through `edit` and makes it durable. After an error nothing may be written any more.
  template <class Edit>
  Result<void> update(Edit edit) {
    const std::lock_guard lock(mutex_);
    edit(state_);
    return write();
  }
  ControlState state() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }
  static constexpr std::uint64_t kFileBytes = 2 * kBlockBytes;

 private:
  Result<void> write();

  FileSystem& files_;
  std::string folder_;
  mutable std::mutex mutex_;
  std::unique_ptr<File> file_;
  ControlState state_;
};

}  // namespace ferry::store
