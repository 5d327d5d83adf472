#include "store/journal/control_file.h"

#include <algorithm>
#include <array>
#include <optional>

namespace ferry::store {
namespace {
using Block = std::array<std::byte, kBlockBytes>;
constexpr OpenMode kWriteMode{.access = OpenMode::Access::ReadWrite};
}  // namespace

Result<void> ControlFile::create(const ControlState& state) {
  const std::lock_guard lock(mutex_);
  const std::string path = folder_ + "/" + std::string(kControlName);
  const std::string new_path = folder_ + "/" + std::string(kNewControlName);
  FERRY_TRY(auto file, files_.open(new_path, {.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::IfAbsent}));
  FERRY_TRY_VOID(file->truncate(0));
  state_ = state;
  auto block = std::make_unique<Block>();
  for (std::uint64_t slot = 0; slot < 2; ++slot) {
    ++state_.sequence;
    encode_control(state_, *block);
    FERRY_TRY_VOID(file->write_at((state_.sequence % 2) * kBlockBytes, *block));
  }
  FERRY_TRY_VOID(file->sync());
  FERRY_TRY_VOID(files_.rename(new_path, path));
  FERRY_TRY_VOID(files_.sync_directory(folder_));
  FERRY_TRY(file_, files_.open(path, kWriteMode));
  return {};
}

Result<void> ControlFile::load() {
  const std::lock_guard lock(mutex_);
  const std::string path = folder_ + "/" + std::string(kControlName);
  FERRY_TRY(file_, files_.open(path, kWriteMode));
  std::optional<ControlState> newest;
  std::uint32_t oldest_format = kFormatVersion;
  Error reason{ErrorKind::Corrupt, ""};
  auto block = std::make_unique<Block>();
  for (std::uint64_t slot = 0; slot < 2; ++slot) {
    FERRY_TRY(const std::size_t got, file_->read_at(slot * kBlockBytes, *block));
    if (got != kBlockBytes) {
      reason.message = "is shorter than two blocks";
      continue;
    }
    auto state = decode_control(*block);
    if (!state) {
      if (state.error().kind == ErrorKind::InvalidArgument)
        return fail(ErrorKind::InvalidArgument, path + " " + state.error().message);
      reason = state.error();
      continue;
    }
    oldest_format = std::min(oldest_format, state->format);
    if (!newest || state->sequence > newest->sequence) newest = *state;
  }
  if (!newest) return fail(reason.kind, path + " " + reason.message);
  state_ = *newest;
  state_.format = oldest_format;
  return {};
}

Result<void> ControlFile::migrate() {
  const std::lock_guard lock(mutex_);
  FERRY_TRY_VOID(write());
  FERRY_TRY_VOID(write());
  state_.format = kFormatVersion;
  return {};
}

Result<void> ControlFile::write() {
  ++state_.sequence;
  auto block = std::make_unique<Block>();
  encode_control(state_, *block);
  FERRY_TRY_VOID(file_->write_at((state_.sequence % 2) * kBlockBytes, *block));
  return file_->sync();
}

}  // namespace ferry::store
