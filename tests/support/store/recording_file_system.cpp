#include "support/store/recording_file_system.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace ferry::test {
namespace {
constexpr std::size_t kSectorBytes = 512;

std::string name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::NoSpace:
      return "No space left on device";
    case ErrorKind::Io:
      return "Input/output error";
    default:
      return "injected";
  }
}
}  // namespace

DiskModel::DiskModel(DiskImage image) {
  for (auto& [path, bytes] : image) {
    const auto contents = std::make_shared<std::vector<std::byte>>(std::move(bytes));
    files_[next_file_] = Contents{contents, contents, {}};
    names_[path] = synced_names_[path] = next_file_++;
  }
}

void DiskModel::write(Bytes& contents, const DiskOperation& operation) {
  if (contents.use_count() > 1) contents = std::make_shared<std::vector<std::byte>>(*contents);
  write(*contents, operation);
}

void DiskModel::write(std::vector<std::byte>& contents, const DiskOperation& operation) {
  if (operation.kind == DiskOperation::Kind::Truncate) {
    contents.resize(operation.offset);
    return;
  }
  contents.resize(std::max<std::size_t>(contents.size(), operation.offset + operation.bytes.size()));
  std::copy(operation.bytes.begin(), operation.bytes.end(), contents.begin() + static_cast<std::ptrdiff_t>(operation.offset));
}

namespace {
void change_names(std::map<std::string, std::uint64_t>& names, const DiskOperation& operation) {
  if (operation.kind == DiskOperation::Kind::Create) names[operation.path] = operation.file;
  if (operation.kind == DiskOperation::Kind::Remove) names.erase(operation.path);
  if (operation.kind == DiskOperation::Kind::Rename) {
    const auto from = names.find(operation.path);
    if (from == names.end()) return;
    const std::uint64_t file = from->second;
    names.erase(from);
    names[operation.to] = file;
  }
}
}  // namespace

void DiskModel::apply(const DiskOperation& operation) {
  using Kind = DiskOperation::Kind;
  switch (operation.kind) {
    case Kind::Write:
    case Kind::Truncate: {
      Contents& file = files_.at(operation.file);
      write(file.now, operation);
      file.unsynced.push_back(operation);
      break;
    }
    case Kind::Sync: {
      Contents& file = files_.at(operation.file);
      for (const DiskOperation& change : file.unsynced) write(file.synced, change);
      file.unsynced.clear();
      break;
    }
    case Kind::Create:
      files_[operation.file];
      next_file_ = std::max(next_file_, operation.file + 1);
      [[fallthrough]];
    case Kind::Rename:
    case Kind::Remove:
      change_names(names_, operation);
      unsynced_names_.push_back(operation);
      break;
    case Kind::SyncDirectory:
      synced_names_ = names_;
      unsynced_names_.clear();
      break;
  }
}

DiskImage DiskModel::image(CrashMode mode, Random& random) const {
  DiskImage image;
  if (mode == CrashMode::Everything) {
    for (const auto& [path, file] : names_) image[path] = *files_.at(file).now;
    return image;
  }
  auto names = synced_names_;
  if (mode == CrashMode::Torn) {
    // A journaling file system keeps the first few; any of them may be all that another one keeps.
    const bool in_order = random.below(2) == 0;
    const std::size_t survivors = random.below(unsynced_names_.size() + 1);
    for (std::size_t i = 0; i < unsynced_names_.size(); ++i) {
      if (in_order ? i < survivors : random.below(2) == 0) change_names(names, unsynced_names_[i]);
    }
  }
  for (const auto& [path, file] : names) {
    const Contents& contents = files_.at(file);
    std::vector<std::byte> bytes = *contents.synced;
    if (mode == CrashMode::Torn) {
      for (const DiskOperation& change : contents.unsynced) {
        if (change.kind == DiskOperation::Kind::Truncate) {
          if (random.below(2) == 0) write(bytes, change);
          continue;
        }
        // All sectors, none, or any of them: the extremes are as likely as what lies between.
        const std::uint64_t fate = random.below(4);
        for (std::size_t at = 0; at < change.bytes.size(); at += kSectorBytes) {
          if (fate == 0 || (fate != 1 && random.below(2) == 0)) continue;
          const std::size_t size = std::min(kSectorBytes, change.bytes.size() - at);
          DiskOperation sector{DiskOperation::Kind::Write, file, change.offset + at, {}, {}, {}};
          sector.bytes.assign(change.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                              change.bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
          write(bytes, sector);
        }
      }
    }
    image[path] = std::move(bytes);
  }
  return image;
}

bool DiskModel::has_unsynced() const {
  if (!unsynced_names_.empty()) return true;
  return std::any_of(names_.begin(), names_.end(), [&](const auto& name) { return !files_.at(name.second).unsynced.empty(); });
}

class RecordedFile final : public File {
 public:
  RecordedFile(RecordingFileSystem& files, std::uint64_t file, std::string path, const OpenMode& mode)
      : files_(files), file_(file), path_(std::move(path)), mode_(mode) {}
  ~RecordedFile() override {
    const std::lock_guard lock(files_.mutex_);
    let_go();
  }

  Result<void> hold(Hold hold) override {
    const std::lock_guard lock(files_.mutex_);
    let_go();
    int& holders = files_.holders_[file_];
    if (holders < 0 || (hold == Hold::Alone && holders > 0)) return ferry::fail(ErrorKind::Busy, "cannot hold " + path_);
    held_ = hold;
    holders = hold == Hold::Alone ? -1 : holders + 1;
    return {};
  }

  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    check_alignment(offset, bytes.data(), bytes.size());
    FERRY_CHECK(mode_.access == OpenMode::Access::ReadWrite);
    const std::lock_guard lock(files_.mutex_);
    DiskOperation operation{DiskOperation::Kind::Write, file_, offset, {bytes.begin(), bytes.end()}, path_, {}};
    FERRY_TRY_VOID(files_.perform(std::move(operation)));
    if (mode_.writes == OpenMode::Writes::UntilSync) return {};
    return files_.perform(DiskOperation{DiskOperation::Kind::Sync, file_, 0, {}, path_, {}});
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
    check_alignment(offset, bytes.data(), bytes.size());
    const std::lock_guard lock(files_.mutex_);
    if (const auto fault = files_.next_fault(RecordingFileSystem::kReadSlot)) {
      return ferry::fail(fault->error, "cannot read " + path_ + ": " + name_of(fault->error));
    }
    const auto& contents = *files_.disk_.files_.at(file_).now;
    if (offset >= contents.size()) return std::size_t{0};
    const std::size_t size = std::min<std::size_t>(bytes.size(), contents.size() - offset);
    std::copy_n(contents.begin() + static_cast<std::ptrdiff_t>(offset), size, bytes.begin());
    return size;
  }

  Result<void> sync() override {
    const std::lock_guard lock(files_.mutex_);
    return files_.perform(DiskOperation{DiskOperation::Kind::Sync, file_, 0, {}, path_, {}});
  }

  Result<std::uint64_t> size() override {
    const std::lock_guard lock(files_.mutex_);
    return std::uint64_t{files_.disk_.files_.at(file_).now->size()};
  }

  Result<void> truncate(std::uint64_t bytes) override {
    const std::lock_guard lock(files_.mutex_);
    return files_.perform(DiskOperation{DiskOperation::Kind::Truncate, file_, bytes, {}, path_, {}});
  }

 private:
  void let_go() {
    if (held_) files_.holders_[file_] += *held_ == Hold::Alone ? 1 : -1;
    held_.reset();
  }
  void check_alignment(std::uint64_t offset, const std::byte* memory, std::size_t size) const {
    if (mode_.caching != OpenMode::Caching::Direct) return;
    FERRY_CHECK(offset % AlignedBuffer::kAlignment == 0 && size % AlignedBuffer::kAlignment == 0);
    FERRY_CHECK(reinterpret_cast<std::uintptr_t>(memory) % AlignedBuffer::kAlignment == 0);
  }

  RecordingFileSystem& files_;
  const std::uint64_t file_;
  const std::string path_;
  const OpenMode mode_;
  std::optional<Hold> held_;
};

class RecordedLock final : public FileLock {
 public:
  RecordedLock(RecordingFileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  ~RecordedLock() override {
    const std::lock_guard lock(files_.mutex_);
    files_.locked_.erase(path_);
  }

 private:
  RecordingFileSystem& files_;
  const std::string path_;
};

RecordingFileSystem::RecordingFileSystem(DiskModel disk) : initial_(std::move(disk)), disk_(initial_) {}

void RecordingFileSystem::fail(Kind kind, std::uint64_t call, ErrorKind error, Times times, std::size_t bytes_written) {
  const std::lock_guard lock(mutex_);
  calls_[static_cast<std::size_t>(kind)] = 0;
  faults_[static_cast<std::size_t>(kind)] = Fault{call, error, times, bytes_written};
}

void RecordingFileSystem::fail_reads(std::uint64_t call, ErrorKind error) {
  const std::lock_guard lock(mutex_);
  calls_[kReadSlot] = 0;
  faults_[kReadSlot] = Fault{call, error, Times::Once, 0};
}

void RecordingFileSystem::clear_faults() {
  const std::lock_guard lock(mutex_);
  faults_ = {};
}

bool RecordingFileSystem::fault_was_met() const {
  const std::lock_guard lock(mutex_);
  return fault_met_;
}

void RecordingFileSystem::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void RecordingFileSystem::set_direct_access(bool possible) {
  const std::lock_guard lock(mutex_);
  direct_access_ = possible;
}

void RecordingFileSystem::stop_protocol() {
  const std::lock_guard lock(mutex_);
  protocol_ = false;
  operations_.clear();
}

DiskImage RecordingFileSystem::image(CrashMode mode, Random& random) const {
  const std::lock_guard lock(mutex_);
  return disk_.image(mode, random);
}

DiskModel RecordingFileSystem::disk() const {
  const std::lock_guard lock(mutex_);
  return disk_;
}

std::vector<DiskOperation> RecordingFileSystem::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

std::size_t RecordingFileSystem::operation_count() const {
  const std::lock_guard lock(mutex_);
  return operation_count_;
}

std::uint64_t RecordingFileSystem::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, file] : disk_.names_) bytes += disk_.files_.at(file).now->size();
  return bytes;
}

std::uint64_t RecordingFileSystem::total_bytes() const {
  const std::lock_guard lock(mutex_);
  return used();
}

std::optional<RecordingFileSystem::Fault> RecordingFileSystem::next_fault(std::size_t slot) {
  const std::uint64_t call = ++calls_[slot];
  const auto& fault = faults_[slot];
  if (!fault || call < fault->call || (call > fault->call && fault->times == Times::Once)) return std::nullopt;
  fault_met_ = true;
  return fault;
}

Result<void> RecordingFileSystem::perform(DiskOperation operation) {
  const auto failed = [&](ErrorKind kind) { return ferry::fail(kind, "cannot change " + operation.path + ": " + name_of(kind)); };
  const auto fault = next_fault(static_cast<std::size_t>(operation.kind));
  std::optional<ErrorKind> error;
  if (fault) {
    if (operation.kind != Kind::Write || fault->bytes_written == 0) return failed(fault->error);
    operation.bytes.resize(std::min(operation.bytes.size(), fault->bytes_written));
    error = fault->error;
  }
  if (operation.kind == Kind::Write && capacity_ != 0) {
    const std::uint64_t size = disk_.files_.at(operation.file).now->size();
    const std::uint64_t end = operation.offset + operation.bytes.size();
    if (end > size && used() + end - size > capacity_) return failed(ErrorKind::NoSpace);
  }
  disk_.apply(operation);
  ++operation_count_;
  const std::string path = operation.path;
  if (protocol_) operations_.push_back(std::move(operation));
  if (error) return ferry::fail(*error, "cannot write to " + path + ": " + name_of(*error));
  return {};
}

Result<std::unique_ptr<File>> RecordingFileSystem::open(const std::string& path, const OpenMode& mode) {
  const std::lock_guard lock(mutex_);
  if (mode.caching == OpenMode::Caching::Direct && !direct_access_) {
    return ferry::fail(ErrorKind::InvalidArgument, "cannot open " + path + " for direct access");
  }
  const auto found = disk_.names_.find(path);
  if (found == disk_.names_.end() && mode.creation == OpenMode::Creation::MustExist) {
    return ferry::fail(ErrorKind::NotFound, "cannot open " + path + ": No such file or directory");
  }
  if (found != disk_.names_.end() && mode.creation == OpenMode::Creation::MustBeNew) {
    return ferry::fail(ErrorKind::AlreadyExists, "cannot open " + path + ": File exists");
  }
  if (found == disk_.names_.end()) FERRY_TRY_VOID(perform(DiskOperation{Kind::Create, disk_.next_file_, 0, {}, path, {}}));
  return std::unique_ptr<File>(std::make_unique<RecordedFile>(*this, disk_.names_.at(path), path, mode));
}

Result<void> RecordingFileSystem::create_directory(const std::string&) {
  return {};
}

Result<std::vector<FileSystem::Entry>> RecordingFileSystem::list(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> entries;
  const std::string prefix = directory + "/";
  for (const auto& [path, file] : disk_.names_) {
    if (path.starts_with(prefix)) entries.push_back(Entry{path.substr(prefix.size()), disk_.files_.at(file).now->size()});
  }
  return entries;
}

Result<void> RecordingFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (!disk_.names_.contains(from)) return ferry::fail(ErrorKind::NotFound, "cannot rename " + from);
  return perform(DiskOperation{Kind::Rename, 0, 0, {}, from, to});
}

Result<void> RecordingFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!disk_.names_.contains(path)) return ferry::fail(ErrorKind::NotFound, "cannot remove " + path);
  return perform(DiskOperation{Kind::Remove, 0, 0, {}, path, {}});
}

Result<void> RecordingFileSystem::sync_directory(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  return perform(DiskOperation{Kind::SyncDirectory, 0, 0, {}, directory, {}});
}

Result<std::unique_ptr<FileLock>> RecordingFileSystem::lock(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!locked_.insert(path).second) return ferry::fail(ErrorKind::Busy, "cannot lock " + path);
  if (!disk_.names_.contains(path)) FERRY_TRY_VOID(perform(DiskOperation{Kind::Create, disk_.next_file_, 0, {}, path, {}}));
  return std::unique_ptr<FileLock>(std::make_unique<RecordedLock>(*this, path));
}

Result<std::uint64_t> RecordingFileSystem::free_bytes(const std::string&) {
  const std::lock_guard lock(mutex_);
  if (capacity_ == 0) return std::uint64_t{1} << 40;
  return capacity_ - std::min(capacity_, used());
}

}  // namespace ferry::test
