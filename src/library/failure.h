#pragma once
// Our errors as users are told them.

#include "base/error.h"
#include "client/client.h"
#include "ferry/expected.h"

namespace ferry::library {

Failure failure_of(const Error& error);
Failure failure_of(const client::CallError& error);
/// InvalidArgument.
Failure refusal(std::string message);

/// The other way, for functions of users that run in the ledger's transaction.
Error error_of(const Failure& failure);

}  // namespace ferry::library
