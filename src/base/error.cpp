#include "base/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace ferry {
namespace {
ErrorKind kind_of(int errno_value) {
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
      return ErrorKind::NoSpace;
    case ENOENT:
      return ErrorKind::NotFound;
    case EEXIST:
      return ErrorKind::AlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::PermissionDenied;
    case EADDRINUSE:
    case EBUSY:
      return ErrorKind::Busy;
    case EINVAL:
      return ErrorKind::InvalidArgument;
    default:
      return ErrorKind::Io;
  }
}
}  // namespace

Error system_error(int errno_value, std::string_view operation, std::string_view subject) {
  return {kind_of(errno_value),
          fmt::format("cannot {} {}: {}", operation, subject, std::generic_category().message(errno_value))};
}

}  // namespace ferry
