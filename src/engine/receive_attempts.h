#pragma once
// What receives with a ReceiveRequestAttemptId gave, for five minutes. In memory only: after a restart such a retry is a new
// receive. Not thread-safe: it belongs to its queue's mutex.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/identity_hash.h"
#include "sqs/limits.h"

namespace ferry::engine {

struct ReceiveAttempt {
  struct Taken {
    std::uint64_t sequence = 0;
    std::uint32_t receive_count = 0;
  };
  std::int64_t received_ms = 0;      ///< engine time; part of the handles
  std::int64_t visible_from_ms = 0;  ///< what it set
  std::vector<Taken> taken;
};

class ReceiveAttempts {
 public:
  /// Null: unknown, or too long ago.
  ReceiveAttempt* find(const IdentityHash& id, std::int64_t now_ms) {
    forget(now_ms);
    const auto found = attempts_.find(id);
    return found == attempts_.end() ? nullptr : &found->second;
  }
  /// find() has found none. The oldest is forgotten when there are too many.
  void add(const IdentityHash& id, ReceiveAttempt attempt) {
    if (order_.size() == kAttemptsMax) drop_oldest();
    order_.emplace_back(attempt.received_ms, id);
    attempts_.insert_or_assign(id, std::move(attempt));
  }
  void clear() {
    attempts_.clear();
    order_.clear();
  }
  std::uint64_t bytes() const { return order_.size() * kAttemptBytes; }

 private:
  static constexpr std::int64_t kWindowMs = Millis(sqs::kReceiveAttemptWindow).count();
  static constexpr std::size_t kAttemptsMax = 10'000;  // [ours] a bound on the memory: some megabytes a queue
  static constexpr std::uint64_t kAttemptBytes = 16 * 10 + 120;

  void drop_oldest() {
    attempts_.erase(order_.front().second);
    order_.pop_front();
  }
  void forget(std::int64_t now_ms) {
    while (!order_.empty() && now_ms - order_.front().first >= kWindowMs) drop_oldest();
  }

  absl::btree_map<IdentityHash, ReceiveAttempt> attempts_;
  std::deque<std::pair<std::int64_t, IdentityHash>> order_;  // by time; each id once
};

}  // namespace ferry::engine
