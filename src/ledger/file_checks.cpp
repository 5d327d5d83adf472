#include "ledger/file_checks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/posix_file.h"

namespace ferry::ledger {
namespace {

// f_type of statfs(2): NFS, SMB, CIFS, SMB2, NCP, AFS, Coda, 9P, Ceph, FUSE, Lustre, GFS2, OCFS2, GPFS.
constexpr std::array<unsigned long, 14> kSharedTypes = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42, 0x564C,
                                                        0x5346414F, 0x73757245, 0x01021997, 0x00C36400, 0x65735546,
                                                        0x0BD00BD0, 0x01161970, 0x7461636F, 0x47504653};

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> check_file(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return fail(ErrorKind::NotFound, fmt::format("there is no ledger {}", path));
    return Unexpected(system_error(errno, "look at", path));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::PermissionDenied, fmt::format("the ledger {} is no plain file (a link, a folder?)", path));
  }
  if (status.st_uid != ::geteuid() && ::geteuid() != 0) {
    return fail(ErrorKind::PermissionDenied, fmt::format("the ledger {} belongs to another user (uid {})", path, status.st_uid));
  }
  if ((status.st_mode & 077) != 0) {
    return fail(ErrorKind::PermissionDenied, fmt::format("others may read or write the ledger {} (mode {:04o}); chmod 600 {}",
                                                         path, status.st_mode & 07777, path));
  }
  return {};
}
}  // namespace

bool is_shared_file_system(long type) {
  const auto bits = static_cast<unsigned long>(type) & 0xFFFFFFFFUL;  // the field is signed on some systems
  return std::find(kSharedTypes.begin(), kSharedTypes.end(), bits) != kSharedTypes.end();
}

Result<void> prepare_ledger_file(const std::string& path, FileCreation creation) {
  const std::string folder = folder_of(path);
  if (creation == FileCreation::IfAbsent) {
    PosixFileSystem files;
    FERRY_TRY_VOID(files.create_directory(folder));
  }
  struct statfs where {};
  if (::statfs(folder.c_str(), &where) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return fail(ErrorKind::NotFound, fmt::format("there is no ledger {}", path));
    return Unexpected(system_error(errno, "look at", folder));
  }
  if (is_shared_file_system(where.f_type)) {
    return fail(
        ErrorKind::InvalidArgument,
        fmt::format("the ledger {} would lie on a network or FUSE file system, where its locks do not hold; put it on a disk "
                    "of this host, or use PostgreSQL for several hosts",
                    path));
  }
  if (creation == FileCreation::IfAbsent) {
    const int created = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (created >= 0) {
      ::close(created);
      PosixFileSystem files;
      FERRY_TRY_VOID(files.sync_directory(folder));
    } else if (errno != EEXIST) {
      return Unexpected(system_error(errno, "create", path));
    }
  }
  return check_file(path);
}

}  // namespace ferry::ledger
