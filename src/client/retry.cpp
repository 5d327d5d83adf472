#include "client/retry.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"

namespace ferry::client {
namespace {
using std::chrono::milliseconds;

constexpr milliseconds kTransientBase{100};
constexpr milliseconds kThrottledBase{500};
constexpr milliseconds kDelayMax{20'000};

// https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html, and what SQS itself says. OverLimit is none: it is
// a state of the queue that does not pass by waiting a little.
constexpr std::array<std::string_view, 15> kThrottling = {"RequestThrottled",
                                                          "RequestThrottledException",
                                                          "Throttling",
                                                          "ThrottlingException",
                                                          "ThrottledException",
                                                          "TooManyRequests",
                                                          "TooManyRequestsException",
                                                          "RequestLimitExceeded",
                                                          "BandwidthLimitExceeded",
                                                          "LimitExceededException",
                                                          "ProvisionedThroughputExceededException",
                                                          "TransactionInProgressException",
                                                          "PriorRequestNotComplete",
                                                          "EC2ThrottledException",
                                                          "SlowDown"};
constexpr std::array<std::string_view, 4> kTransient = {"RequestTimeout", "RequestTimeoutException", "InternalError",
                                                        "InternalFailure"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}
}  // namespace

RetryClass classify_answer(int http_status, std::string_view error_code, std::string_view error_shape) {
  if (http_status == 429 || contains(kThrottling, error_code) || contains(kThrottling, error_shape)) return RetryClass::Throttled;
  if (http_status >= 500 || contains(kTransient, error_code) || contains(kTransient, error_shape)) return RetryClass::Transient;
  return RetryClass::Never;
}

RetryClass classify_failure(CallError::Kind kind) {
  return kind == CallError::Kind::NotReachable || kind == CallError::Kind::Unknown ? RetryClass::Transient : RetryClass::Never;
}

milliseconds retry_delay(RetryClass kind, int attempt, std::optional<std::chrono::seconds> retry_after, Random& random) {
  const milliseconds base = kind == RetryClass::Throttled ? kThrottledBase : kTransientBase;
  const milliseconds ceiling = std::min(kDelayMax, base * (std::int64_t{1} << std::clamp(attempt - 1, 0, 20)));
  const milliseconds jitter(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(ceiling.count()) + 1)));
  if (!retry_after) return jitter;
  return std::min<milliseconds>(*retry_after, kDelayMax) + jitter;
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value) {
  const auto number = parse_integer(trim(value));
  if (!number || *number < 0) return std::nullopt;
  return std::chrono::seconds(std::min<std::int64_t>(*number, 86'400));
}

}  // namespace ferry::client
