#pragma once
// Messages that were moved from another queue. Their payload stays where it was written, under the name it was written with;
// what else is different from it is an Arrival.

#include <absl/container/btree_map.h>

#include <compare>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "base/uuid.h"
#include "engine/engine.h"

namespace ferry::engine {

struct Arrival {
  WrittenAs written_as;
  Uuid message_id;                    ///< of a redriven message; nil: the payload's
  std::int64_t sent_ms = 0;           ///< wall clock, for messages whose enqueue time is new; 0: the payload's
  std::uint32_t source = 0;           ///< of a dead letter: which of its queue's dead-letter sources, from 1; 0: redriven
  std::uint32_t receives_before = 0;  ///< receives elsewhere, which do not count for this queue's maxReceiveCount
};

/// Where the messages are whose payload has another name, for compaction, which meets the payloads. Thread-safe; its lock comes
/// after those of queues.
class MovedPayloads {
 public:
  using Home = WrittenAs;  ///< queue and number of now

  void set(const WrittenAs& payload, const Home& home) {
    const std::lock_guard lock(mutex_);
    homes_.insert_or_assign({payload.queue_id, payload.sequence}, home);
  }
  void erase(const WrittenAs& payload) {
    const std::lock_guard lock(mutex_);
    homes_.erase({payload.queue_id, payload.sequence});
  }
  /// The payload's own name when it was not moved.
  Home home_of(const WrittenAs& payload) {
    const std::lock_guard lock(mutex_);
    const auto found = homes_.find({payload.queue_id, payload.sequence});
    return found == homes_.end() ? payload : found->second;
  }

 private:
  std::mutex mutex_;
  absl::btree_map<std::pair<std::uint64_t, std::uint64_t>, Home> homes_;  // guarded by mutex_
};

}  // namespace ferry::engine
