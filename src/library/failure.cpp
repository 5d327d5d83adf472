#include "library/failure.h"

#include "worker/queue_port.h"

namespace ferry {

std::string_view name_of(FailureKind kind) noexcept {
  switch (kind) {
    case FailureKind::InvalidArgument:
      return "invalid argument";
    case FailureKind::NotFound:
      return "not found";
    case FailureKind::NotAuthorised:
      return "not authorised";
    case FailureKind::NotReachable:
      return "not reachable";
    case FailureKind::Unavailable:
      return "unavailable";
    case FailureKind::Unknown:
      return "unknown";
    case FailureKind::ReceiptLost:
      return "receipt lost";
    case FailureKind::Refused:
      return "refused";
    case FailureKind::System:
      return "system";
    case FailureKind::Cancelled:
      return "cancelled";
  }
  return "";
}

namespace library {
namespace {

FailureKind kind_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::InvalidArgument:
      return FailureKind::InvalidArgument;
    case ErrorKind::NotFound:
      return FailureKind::NotFound;
    case ErrorKind::PermissionDenied:
      return FailureKind::NotAuthorised;
    case ErrorKind::AlreadyExists:
      return FailureKind::Refused;
    case ErrorKind::Busy:
    case ErrorKind::NoSpace:
      return FailureKind::Unavailable;
    case ErrorKind::Unavailable:
      return FailureKind::NotReachable;
    case ErrorKind::Timeout:
      return FailureKind::Unknown;
    case ErrorKind::Cancelled:
      return FailureKind::Cancelled;
    case ErrorKind::Io:
    case ErrorKind::Corrupt:
      break;
  }
  return FailureKind::System;
}

FailureKind kind_of(const client::CallError& error) {
  using Kind = client::CallError::Kind;
  if (error.kind == Kind::NotReachable) return FailureKind::NotReachable;
  if (error.kind == Kind::Unknown || error.kind == Kind::BadAnswer) return FailureKind::Unknown;
  switch (worker::classify(error)) {
    case worker::Fault::NoQueue:
      return FailureKind::NotFound;
    case worker::Fault::NotAuthorised:
      return FailureKind::NotAuthorised;
    case worker::Fault::Lost:
      return FailureKind::ReceiptLost;
    case worker::Fault::Transient:
      return FailureKind::Unavailable;
    case worker::Fault::Cancelled:
      return FailureKind::Cancelled;
    case worker::Fault::Rejected:
      break;
  }
  return FailureKind::Refused;
}
}  // namespace

Failure failure_of(const Error& error) {
  return {kind_of(error.kind), error.message, {}};
}

Failure failure_of(const client::CallError& error) {
  return {kind_of(error), error.message, error.code};
}

Failure refusal(std::string message) {
  return {FailureKind::InvalidArgument, std::move(message), {}};
}

Error error_of(const Failure& failure) {
  return {ErrorKind::InvalidArgument, failure.message};
}

}  // namespace library
}  // namespace ferry
