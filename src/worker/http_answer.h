#pragma once
// What an endpoint's answer means. Pure. docs/worker.md, "Answers", is this table.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "worker/handler.h"

namespace ferry::worker {

struct HttpAnswer {
  int status = 0;
  std::string retry_after{};  ///< the header's value; empty: not sent
  std::string token{};        ///< X-Ferry-Completion-Token; empty: not sent
  std::string content_type{};
  std::string body{};  ///< its beginning
  bool whole = true;   ///< `body` is all of it
};

/// Not for a 202 with a token: that says nothing yet.
HandlerResult classify_answer(const HttpAnswer& answer, Timestamp now);

/// The longest wait that an answer may ask for with Retry-After.
inline constexpr Seconds kHttpRetryAfterMax{3'600};
/// Seconds, or a date (RFC 9110, IMF-fixdate), at most kHttpRetryAfterMax from now; 0 for a date that is over. Nothing for
/// anything else.
std::optional<Seconds> parse_retry_after(std::string_view text, Timestamp now);

}  // namespace ferry::worker
