#pragma once
// `ferry queue purge --wait`: until a purge that is under way lets ours begin, and until the queue tells no messages.

#include <cstdint>
#include <functional>
#include <optional>

#include "base/clock.h"
#include "cli/progress.h"
#include "client/client.h"

namespace ferry::cli {

/// Amazon: a purge takes up to 60 s, and another may begin 60 s after the one before.
inline constexpr Seconds kPurgeWaitMax{120};
inline constexpr Millis kPurgeLook{500};

struct PurgeSeams {
  std::function<client::CallResult<sqs::EmptyResponse>()> purge;
  std::function<client::CallResult<std::int64_t>()> left;  ///< messages, visible or not, approximately
  const Clock& clock;
  std::function<void(Millis)> pause;  ///< blocks
  const StopFlag& stop;
  Progress& progress;
};

struct PurgeEnd {
  enum class How {
    Empty,    ///< purged, and the queue tells no messages
    Left,     ///< purged, and after kPurgeWaitMax it still tells `left`
    Failed,   ///< `error`: of the purge (nothing was purged), or of asking how many are left
    Stopped,  ///< we were told to stop
  };
  How how = How::Empty;
  std::int64_t left = 0;
  std::optional<client::CallError> error{};
};
/// Blocks for kPurgeWaitMax before the purge, and as long behind it, at most.
PurgeEnd purge_and_wait(const PurgeSeams& seams);

}  // namespace ferry::cli
