#pragma once
// The names of queues that were deleted less than sixty seconds ago. Not thread-safe: they belong to the directory's mutex.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "base/clock.h"
#include "engine/queue_key.h"
#include "sqs/limits.h"

namespace ferry::engine {

/// Times are engine time in epoch milliseconds and do not fall from one add() to the next, except during recovery.
class DeletedNames {
 public:
  void add(const QueueKey& key, std::int64_t deleted_ms) {
    forget(deleted_ms);
    std::int64_t& latest = names_.try_emplace(key, deleted_ms).first->second;
    latest = std::max(latest, deleted_ms);
    order_.emplace_back(deleted_ms, key);
  }
  /// Whether the name cannot be taken yet.
  bool holds(const QueueKey& key, std::int64_t now_ms) const {
    const auto found = names_.find(key);
    return found != names_.end() && now_ms - found->second < kWaitMs;
  }
  const std::map<QueueKey, std::int64_t>& all() const { return names_; }

 private:
  static constexpr std::int64_t kWaitMs = Millis(sqs::kQueueDeletedRecentlyWait).count();

  void forget(std::int64_t now_ms) {
    while (!order_.empty() && now_ms - order_.front().first >= kWaitMs) {
      const auto found = names_.find(order_.front().second);
      if (found != names_.end() && found->second == order_.front().first) names_.erase(found);
      order_.pop_front();
    }
  }

  std::map<QueueKey, std::int64_t> names_;
  std::deque<std::pair<std::int64_t, QueueKey>> order_;
};

}  // namespace ferry::engine
