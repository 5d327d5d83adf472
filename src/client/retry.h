#pragma once
// What is tried again, and when. As AWS SDKs do it: every action, sends too, although an attempt whose answer was lost may have
// happened. A send can therefore arrive twice, with two message ids; whoever must not do things twice deduplicates.

#include <chrono>
#include <optional>
#include <string_view>

#include "base/random.h"
#include "client/client.h"

namespace ferry::client {

enum class RetryClass {
  Never,      ///< the same request would get the same answer
  Transient,  ///< no connection, no whole answer, a fault of the service
  Throttled,  ///< the service asks for fewer requests
};

/// `error_shape` is the name of the JSON shape; either of the two names may be empty.
RetryClass classify_answer(int http_status, std::string_view error_code, std::string_view error_shape);
RetryClass classify_failure(CallError::Kind kind);

/// Full jitter: uniform between 0 and 100 ms (throttled: 500 ms) doubled with each attempt, at most 20 s; with Retry-After that
/// comes on top of it, of which at most 20 s are waited. `attempt` counts from 1.
std::chrono::milliseconds retry_delay(RetryClass kind, int attempt, std::optional<std::chrono::seconds> retry_after,
                                      Random& random);

/// The seconds of a Retry-After header; nothing when it holds something else (dates are not understood).
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value);

}  // namespace ferry::client
