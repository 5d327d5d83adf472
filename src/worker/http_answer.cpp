#include "worker/http_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/encoding.h"
#include "client/http_date.h"
#include "worker/transcript.h"

namespace ferry::worker {
namespace {

constexpr std::size_t kShownBytesMax = 200;

HandlerEnd end_of(int status) {
  if (status >= 200 && status < 300) return HandlerEnd::Done;
  if (status >= 300 && status < 400) return HandlerEnd::OurFault;
  switch (status) {
    case 400:
    case 410:
    case 413:
    case 415:
    case 422:
      return HandlerEnd::Rejected;
    case 401:
    case 403:
    case 404:
    case 405:
      return HandlerEnd::OurFault;
    case 503:
      return HandlerEnd::Unavailable;
    default:
      return HandlerEnd::Retry;
  }
}

bool may_name_a_time(int status) {
  return status == 408 || status == 425 || status == 429 || status == 503;
}

// Kept as the request's result when it is JSON and says so.
std::string result_in(const HttpAnswer& answer) {
  const std::string type = to_lower(answer.content_type);
  if (!answer.whole || answer.body.size() > kResultBytesMax || !type.starts_with("application/json")) return {};
  boost::system::error_code error;
  (void)boost::json::parse(answer.body, error);
  return error ? std::string() : answer.body;
}
}  // namespace

std::optional<Seconds> parse_retry_after(std::string_view text, Timestamp now) {
  text = trim(text);
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits) {
    const auto seconds = parse_integer(text);  // nothing: more than there are seconds
    return seconds ? std::min(Seconds(*seconds), kHttpRetryAfterMax) : kHttpRetryAfterMax;
  }
  const auto date = client::parse_http_date(text);
  if (!date) return std::nullopt;
  return std::clamp(std::chrono::ceil<Seconds>(*date - now), Seconds(0), kHttpRetryAfterMax);
}

HandlerResult classify_answer(const HttpAnswer& answer, Timestamp now) {
  HandlerResult result;
  result.end = end_of(answer.status);
  result.code = answer.status;
  result.detail = fmt::format("HTTP {}", answer.status);
  if (answer.status >= 300 && answer.status < 400) result.detail += ", a redirect, which is not followed";
  if (may_name_a_time(answer.status)) result.retry_after = parse_retry_after(answer.retry_after, now);
  if (result.end == HandlerEnd::Done) {
    result.result = result_in(answer);
  } else {
    const std::string_view text = trim(answer.body);
    if (!text.empty()) result.detail += fmt::format(": {}", clip(text, kShownBytesMax));
    result.output_tail = clip(text, kOutputTailBytesMax - 3);
  }
  return result;
}

}  // namespace ferry::worker
