#include "worker/poll_rules.h"

namespace ferry::worker {

void DrainRule::polled(Poll poll) {
  if (poll.new_messages > 0) {
    quiet_polls_ = 0;
    empty_counts_ = 0;
  } else if (poll.began_idle) {
    ++quiet_polls_;
  }
}

void DrainRule::counted(const QueueCounts& counts, std::int64_t own, SteadyTime now) {
  if (counts.visible + counts.delayed + counts.in_flight > own) {
    empty_counts_ = 0;
    return;
  }
  if (empty_counts_ > 0 && now - *last_empty_count_ < kBetweenCounts) return;
  ++empty_counts_;
  last_empty_count_ = now;
}

StopPlan::Demands StopPlan::update(int stop_requests, SteadyTime now) {
  if (stop_requests == 0) return {};
  if (!first_seen_) first_seen_ = now;
  Demands demands;
  const auto waited = now - *first_seen_;
  demands.cancel_poll = stop_requests > 1 || waited >= drain_timeout_ / 4;
  if (stop_requests > 1 || waited >= drain_timeout_) demands.interrupt = 1;
  if (stop_requests > 2) demands.interrupt = 2;
  if (demands.interrupt > 0 && !interrupted_) interrupted_ = stop_requests > 1 ? now : *first_seen_ + drain_timeout_;
  demands.give_up = interrupted_ && now - *interrupted_ >= end_time_;
  return demands;
}

}  // namespace ferry::worker
