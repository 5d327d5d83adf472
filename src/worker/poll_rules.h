#pragma once
// When `poll` ends, and what a stop asks for when. Pure: time and counts are arguments.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "worker/queue_port.h"

namespace ferry::worker {

/// Drained: two polls in a row, begun while no handler ran, brought nothing that this run has not refused or failed already.
/// Until empty: then also nothing visible, delayed or in flight but what this run holds or gave back, seen twice, a second apart.
class DrainRule {
 public:
  enum class Goal { NothingToDo, Empty };
  explicit DrainRule(Goal goal) : goal_(goal) {}

  struct Poll {
    bool began_idle = false;
    std::size_t new_messages = 0;
  };
  void polled(Poll poll);
  /// Enough quiet polls; with Goal::Empty the counts have to be looked at.
  bool quiet() const { return quiet_polls_ >= kQuietPolls; }
  bool needs_counts() const { return quiet() && goal_ == Goal::Empty; }
  /// `own` are the messages in flight that this run refused or failed.
  void counted(const QueueCounts& counts, std::int64_t own, SteadyTime now);
  bool drained() const { return quiet() && (goal_ == Goal::NothingToDo || empty_counts_ >= kQuietPolls); }

 private:
  static constexpr int kQuietPolls = 2;
  static constexpr Millis kBetweenCounts{1'000};
  Goal goal_;
  int quiet_polls_ = 0;
  int empty_counts_ = 0;
  std::optional<SteadyTime> last_empty_count_;
};

/// From "stop" to the end. First request: no new polls; the one that is out is waited for, but no longer than a quarter of the
/// drain timeout; handlers go on until the drain timeout is over. Second: handlers are terminated. Third: they are killed. The
/// end time after the drain timeout, or after the second request, what is left is given up.
class StopPlan {
 public:
  StopPlan(Millis drain_timeout, Millis end_time) : drain_timeout_(drain_timeout), end_time_(end_time) {}

  struct Demands {
    bool cancel_poll = false;
    int interrupt = 0;  ///< see InterruptLevel
    bool give_up = false;
  };
  Demands update(int stop_requests, SteadyTime now);

 private:
  Millis drain_timeout_;
  Millis end_time_;
  std::optional<SteadyTime> first_seen_;
  std::optional<SteadyTime> interrupted_;
};

}  // namespace ferry::worker
