#pragma once
// Timers of one loop: a binary heap whose entries know their place, so that cancelling frees the entry at once. A long poll
// starts and cancels a timer for 20 seconds; entries that were only marked would pile up.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace ferry::http {

/// Not thread-safe.
class TimerQueue {
 public:
  using Id = std::uint64_t;  ///< never 0

  Id add(SteadyTime due, std::function<void()> task);
  /// Nothing happens for an id that ran or was cancelled.
  void cancel(Id id);
  std::size_t size() const { return heap_.size(); }
  std::optional<SteadyTime> next_due() const;
  /// Removes and returns the earliest task with due ≤ now, equal ones in the order of add(); an empty function when there is
  /// none.
  std::function<void()> take_due(SteadyTime now);

 private:
  struct Slot {
    std::function<void()> task;
    SteadyTime due{};
    std::uint64_t sequence = 0;
    std::uint32_t generation = 1;
    std::uint32_t place = 0;
  };

  bool earlier(std::uint32_t left, std::uint32_t right) const;
  void put(std::uint32_t slot, std::size_t place);
  void sift_up(std::size_t place);
  void sift_down(std::size_t place);
  std::function<void()> remove(std::size_t place);

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> heap_;  ///< slot numbers
  std::uint64_t sequence_ = 0;
};

}  // namespace ferry::http
