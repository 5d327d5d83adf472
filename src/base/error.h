#pragma once
// The failure of something outside us: disk, peer, configuration. The SQS errors a client sees are sqs::ApiError.

#include <string>
#include <string_view>

namespace ferry {

/// What a caller can act on. A new kind needs a caller that treats it differently.
enum class ErrorKind {
  InvalidArgument,   ///< what the caller gave is wrong; repeating it cannot help
  NotFound,          ///< the thing named is not there
  AlreadyExists,     ///< the thing named is there already
  PermissionDenied,  ///< the operating system or the peer refuses
  Busy,              ///< somebody else holds it (a data folder, a port)
  NoSpace,           ///< the disk or a bounded buffer is full; may pass
  Io,                ///< the operating system failed; never retried silently
  Corrupt,           ///< bytes are not what was written
  Unavailable,       ///< a peer could not be reached, or answers that it cannot serve now
  Timeout,           ///< no answer in time; whether it happened is unknown
  Cancelled,         ///< we were told to stop
};

/// `message` is a sentence for people: what was attempted, on what, and why it failed.
struct Error {
  ErrorKind kind;
  std::string message;
};

/// An Error for `errno_value` of an operation on `subject`: "cannot OPERATION SUBJECT: strerror".
Error system_error(int errno_value, std::string_view operation, std::string_view subject);

}  // namespace ferry
