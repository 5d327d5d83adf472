#pragma once
// The request that an endpoint gets for a message: its headers, and the signature over them. Pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/handler_spec.h"
#include "worker/handler.h"

namespace ferry::worker {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// Names, values and ": " CR LF of all headers that come from a message. nginx and others take 8 KiB in one line and few take
/// more than 16 KiB in all.
inline constexpr std::size_t kMessageHeaderBytesMax = 8 * 1024;

inline constexpr std::string_view kCompletionTokenHeader = "X-Ferry-Completion-Token";

/// Where the endpoint can tell that work which it has accepted is done; empty: nowhere.
struct CompletionOffer {
  std::string token;
  std::string url;
};

/// InvalidArgument, a sentence about the message, when it cannot be told in headers: names that differ only in case or are no
/// header names, or more than kMessageHeaderBytesMax. Never cut.
Result<HttpHeaders> build_headers(const HandlerCall& call, const CompletionOffer& offer, Timestamp now);

/// Visible ASCII but '%' as it is, every other byte as %XX.
std::string header_encode(std::string_view text);

/// What is signed: "ferry-v1", the Unix seconds, the SHA-256 of the body in hex, then each header whose name starts with
/// X-Aws-Sqsd- or is Idempotency-Key or X-Ferry-Signed-By, as "name:value" with the name in lower case, sorted; a line break
/// after each of these.
struct SignedParts {
  std::int64_t seconds = 0;
  std::string_view body;
};
std::string string_to_sign(const HttpHeaders& headers, SignedParts parts);

}  // namespace ferry::worker
