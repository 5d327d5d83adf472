#pragma once
// When which queue wants a turn of Engine::tick(). Ordered by time, so that a tick looks at due queues only.

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace ferry::engine {

class Queue;

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// A queue's place in the schedule; a member of the queue.
struct ScheduleEntry {
  std::atomic<std::int64_t> due_ms{kNever};
};

/// Thread-safe.
class Schedule {
 public:
  /// Called under locks when a due time comes up that is earlier than what finish_turn() told. Set once, before use.
  void set_bell(std::function<void()> ring) { ring_ = std::move(ring); }

  /// `queue` gets a turn at `due_ms` or earlier.
  void want(const std::shared_ptr<Queue>& queue, ScheduleEntry& entry, std::int64_t due_ms);

  /// Takes out up to `max` queues that are due. Until finish_turn() no bell is needed.
  std::vector<std::shared_ptr<Queue>> begin_turn(std::int64_t now_ms, std::size_t max);
  /// When the next turn is due; kNever: when the bell rings.
  std::int64_t finish_turn();
  /// Forgets all queues.
  void clear();

 private:
  std::mutex mutex_;
  std::function<void()> ring_;
  std::map<std::pair<std::int64_t, ScheduleEntry*>, std::shared_ptr<Queue>> due_;  // guarded by mutex_
  std::int64_t promised_ms_ = kNever;                                              // guarded by mutex_
};

}  // namespace ferry::engine
