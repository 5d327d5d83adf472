#include "worker/backoff.h"

#include <algorithm>

#include "sqs/limits.h"

namespace ferry::worker {

Millis full_jitter(const config::BackoffSettings& settings, int attempt, Random& random) {
  const int doublings = std::clamp(attempt - 1, 0, 30);
  std::int64_t ceiling = settings.max.count();
  if (settings.base.count() <= (ceiling >> doublings)) ceiling = settings.base.count() << doublings;
  return Millis(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(ceiling) + 1)));
}

Seconds retry_visibility(const config::BackoffSettings& settings, int receive_count, Random& random) {
  return std::chrono::ceil<Seconds>(full_jitter(settings, receive_count, random));
}

Seconds clamp_visibility(Seconds wanted, std::chrono::nanoseconds elapsed) {
  const Seconds left = sqs::kVisibilityTimeoutMax - std::chrono::ceil<Seconds>(elapsed) - Seconds(1);
  return std::clamp(wanted, Seconds(0), std::max(left, Seconds(0)));
}

}  // namespace ferry::worker
