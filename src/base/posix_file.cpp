#include "base/posix_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace ferry {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }

 private:
  int value_;
};

int open_retrying(const char* path, int flags, mode_t permissions) {
  int descriptor = -1;
  do {
    descriptor = ::open(path, flags | O_CLOEXEC, permissions);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

// Too many open files is like a full disk: it refuses what is new, and passes.
Error open_error(int errno_value, const std::string& path) {
  Error error = system_error(errno_value, "open", path);
  if (errno_value == EMFILE || errno_value == ENFILE) error.kind = ErrorKind::NoSpace;
  return error;
}

// Does not wait. EWOULDBLOCK: somebody else's lock forbids it.
int lock_descriptor(int descriptor, int operation) {
  int status = 0;
  do {
    status = ::flock(descriptor, operation | LOCK_NB);
  } while (status != 0 && errno == EINTR);
  return status == 0 ? 0 : errno;
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Unexpected(system_error(errno, "write to", path_));
      if (written == 0) return Unexpected(system_error(EIO, "write to", path_));
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      offset += static_cast<std::uint64_t>(written);
    }
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
    std::size_t total = 0;
    while (total < bytes.size()) {
      const ssize_t got =
          ::pread(descriptor_.get(), bytes.data() + total, bytes.size() - total, static_cast<off_t>(offset + total));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Unexpected(system_error(errno, "read", path_));
      if (got == 0) break;
      total += static_cast<std::size_t>(got);
    }
    return total;
  }

  Result<void> sync() override {
    // Not repeated on EINTR: whether the first one reported and forgot an error cannot be known.
    if (::fdatasync(descriptor_.get()) != 0) return Unexpected(system_error(errno, "sync", path_));
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat status {};
    if (::fstat(descriptor_.get(), &status) != 0) return Unexpected(system_error(errno, "look at", path_));
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<void> truncate(std::uint64_t bytes) override {
    if (::ftruncate(descriptor_.get(), static_cast<off_t>(bytes)) != 0) return Unexpected(system_error(errno, "resize", path_));
    return {};
  }

  Result<void> hold(Hold hold) override {
    const int error = lock_descriptor(descriptor_.get(), hold == Hold::Shared ? LOCK_SH : LOCK_EX);
    if (error == EWOULDBLOCK) return fail(ErrorKind::Busy, "cannot hold " + path_ + ": another process does");
    if (error != 0) return Unexpected(system_error(error, "hold", path_));
    return {};
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  Descriptor descriptor_;  // closing it gives the lock back
};

// Some file systems take O_DIRECT when a file is opened and refuse it at the first access.
bool direct_access_works(int descriptor) {
  AlignedBuffer block(AlignedBuffer::kAlignment);
  ssize_t got = 0;
  do {
    got = ::pread(descriptor, block.data(), block.size(), 0);
  } while (got < 0 && errno == EINTR);
  return got >= 0 || errno != EINVAL;
}

}  // namespace

struct PosixFileSystem::Folder {
  Folder(int the_descriptor, dev_t the_device, ino_t the_inode)
      : descriptor(the_descriptor), device(the_device), inode(the_inode) {}
  ~Folder() { ::close(descriptor); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const int descriptor;
  const dev_t device;
  const ino_t inode;
};

PosixFileSystem::PosixFileSystem() = default;
PosixFileSystem::~PosixFileSystem() = default;

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, const OpenMode& mode) {
  int flags = mode.access == OpenMode::Access::Read ? O_RDONLY : O_RDWR;
  if (mode.creation != OpenMode::Creation::MustExist) flags |= O_CREAT;
  if (mode.creation == OpenMode::Creation::MustBeNew) flags |= O_EXCL;
  if (mode.writes == OpenMode::Writes::Durable) flags |= O_DSYNC;
  if (mode.caching == OpenMode::Caching::Direct) flags |= O_DIRECT;
  Descriptor descriptor(open_retrying(path.c_str(), flags, S_IRUSR | S_IWUSR));
  if (descriptor.get() < 0) return Unexpected(open_error(errno, path));
  if (mode.caching == OpenMode::Caching::Direct && !direct_access_works(descriptor.get())) {
    return Unexpected(system_error(EINVAL, "open for direct access", path));
  }
  return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(descriptor), path));
}

Result<void> PosixFileSystem::create_directory(const std::string& path) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), S_IRWXU) == 0) {
      const std::size_t slash = part.rfind('/', part.size() - 2);
      const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : part.substr(0, slash);
      FERRY_TRY_VOID(sync_directory(parent));  // or a power loss takes the folder with all that is in it
      continue;
    }
    if (errno == EEXIST) continue;
    struct stat status {};
    const int error = errno;
    if (::stat(part.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return Unexpected(system_error(error, "create", part));
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return Unexpected(system_error(errno, "create", path));
  if (!S_ISDIR(status.st_mode)) return Unexpected(system_error(ENOTDIR, "create", path));
  return {};
}

Result<std::vector<FileSystem::Entry>> PosixFileSystem::list(const std::string& directory) {
  DIR* const stream = ::opendir(directory.c_str());
  if (stream == nullptr) return Unexpected(system_error(errno, "list", directory));
  std::vector<Entry> entries;
  errno = 0;
  for (dirent* entry = ::readdir(stream); entry != nullptr; errno = 0, entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status {};
    if (::fstatat(::dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
    entries.push_back(Entry{name, S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0});
  }
  const int error = errno;
  ::closedir(stream);
  if (error != 0) return Unexpected(system_error(error, "list", directory));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

Result<void> PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return Unexpected(system_error(errno, "rename", from + " to " + to));
  return {};
}

Result<void> PosixFileSystem::remove(const std::string& path) {
  if (::remove(path.c_str()) != 0) return Unexpected(system_error(errno, "remove", path));
  return {};
}

// The folder that was synced last stays open: what was renamed must become durable also when no descriptor is left.
Result<void> PosixFileSystem::sync_directory(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return Unexpected(system_error(errno, "sync", directory));
  const std::lock_guard lock(folder_mutex_);
  if (folder_ == nullptr || folder_->device != status.st_dev || folder_->inode != status.st_ino) {
    const int descriptor = open_retrying(directory.c_str(), O_RDONLY | O_DIRECTORY, 0);
    if (descriptor < 0) return Unexpected(open_error(errno, directory));
    folder_ = std::make_unique<Folder>(descriptor, status.st_dev, status.st_ino);
  }
  if (::fsync(folder_->descriptor) != 0) return Unexpected(system_error(errno, "sync", directory));
  return {};
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
  Descriptor descriptor(open_retrying(path.c_str(), O_RDWR | O_CREAT, S_IRUSR | S_IWUSR));
  if (descriptor.get() < 0) return Unexpected(open_error(errno, path));
  const int error = lock_descriptor(descriptor.get(), LOCK_EX);
  if (error == EWOULDBLOCK) return fail(ErrorKind::Busy, "cannot lock " + path + ": another process holds it");
  if (error != 0) return Unexpected(system_error(error, "lock", path));
  return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(std::move(descriptor)));
}

Result<std::uint64_t> PosixFileSystem::free_bytes(const std::string& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0) return Unexpected(system_error(errno, "look at", directory));
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace ferry
