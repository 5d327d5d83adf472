// What is told about queues to who watches them.

#include <algorithm>

#include "engine/engine_state.h"

namespace ferry::engine {

QueueOverview Queue::overview() {
  QueueOverview now{.key = key_, .counts = counts()};
  const Hold hold(*this);
  const std::uint64_t present = index_.size() + quarantined_.size();
  now.arrivals = next_sequence_ - first_arrival_;
  const std::uint64_t ever = now.arrivals + present_at_start_;
  now.departures = ever > present ? ever - present : 0;
  if (const auto first = oldest()) now.oldest = from_epoch_millis(first->entry->enqueued_ms());
  return now;
}

std::vector<QueueOverview> Engine::overviews(std::size_t max) {
  std::vector<QueueRef> queues;
  {
    const std::shared_lock lock(state_->mutex);
    queues.reserve(std::min(max, state_->queues.size()));
    for (const auto& [key, queue] : state_->queues) {
      if (queues.size() == max) break;
      queues.push_back(queue);
    }
  }
  std::vector<QueueOverview> all;
  all.reserve(queues.size());
  for (const QueueRef& queue : queues) all.push_back(queue->overview());
  return all;
}

}  // namespace ferry::engine
