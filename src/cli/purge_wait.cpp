#include "cli/purge_wait.h"

#include <algorithm>

namespace ferry::cli {
namespace {

constexpr std::string_view kAnotherPurge = "PurgeQueueInProgress";

// Nothing: it is purged.
std::optional<PurgeEnd> purge_in_time(const PurgeSeams& seams) {
  const SteadyTime begun = seams.clock.steady();
  for (;;) {
    const auto purged = seams.purge();
    if (purged) return std::nullopt;
    const bool another = purged.error().code.find(kAnotherPurge) != std::string::npos;
    const auto waited = std::chrono::duration_cast<Seconds>(seams.clock.steady() - begun);
    if (!another || waited >= kPurgeWaitMax) return PurgeEnd{PurgeEnd::How::Failed, 0, purged.error()};
    if (seams.stop.requests() > 0) return PurgeEnd{PurgeEnd::How::Stopped};
    seams.pause(kPurgeLook);
  }
}
}  // namespace

PurgeEnd purge_and_wait(const PurgeSeams& seams) {
  if (auto end = purge_in_time(seams)) return std::move(*end);
  const SteadyTime until = seams.clock.steady() + kPurgeWaitMax;
  std::int64_t most = 0;
  for (;;) {
    const auto left = seams.left();
    if (!left) return {PurgeEnd::How::Failed, 0, left.error()};
    if (*left <= 0) return {PurgeEnd::How::Empty};
    if (seams.stop.requests() > 0) return {PurgeEnd::How::Stopped, *left};
    if (seams.clock.steady() >= until) return {PurgeEnd::How::Left, *left};
    most = std::max(most, *left);
    seams.progress.tell({static_cast<std::uint64_t>(most - *left), static_cast<std::uint64_t>(most)});
    seams.pause(kPurgeLook);
  }
}

}  // namespace ferry::cli
