#include "engine/schedule.h"

namespace ferry::engine {

void Schedule::want(const std::shared_ptr<Queue>& queue, ScheduleEntry& entry, std::int64_t due_ms) {
  if (due_ms >= entry.due_ms.load()) return;
  const std::lock_guard lock(mutex_);
  const std::int64_t before = entry.due_ms.load();
  if (due_ms >= before) return;
  if (before != kNever) due_.erase({before, &entry});
  due_.emplace(std::pair{due_ms, &entry}, queue);
  entry.due_ms = due_ms;
  if (due_ms >= promised_ms_) return;
  promised_ms_ = due_ms;
  if (ring_) ring_();
}

std::vector<std::shared_ptr<Queue>> Schedule::begin_turn(std::int64_t now_ms, std::size_t max) {
  std::vector<std::shared_ptr<Queue>> turn;
  const std::lock_guard lock(mutex_);
  promised_ms_ = std::numeric_limits<std::int64_t>::min();
  while (!due_.empty() && due_.begin()->first.first <= now_ms && turn.size() < max) {
    auto node = due_.extract(due_.begin());
    node.key().second->due_ms = kNever;
    turn.push_back(std::move(node.mapped()));
  }
  return turn;
}

std::int64_t Schedule::finish_turn() {
  const std::lock_guard lock(mutex_);
  promised_ms_ = due_.empty() ? kNever : due_.begin()->first.first;
  return promised_ms_;
}

void Schedule::clear() {
  decltype(due_) queues;
  const std::lock_guard lock(mutex_);
  queues.swap(due_);
  for (auto& [key, queue] : queues) key.second->due_ms = kNever;
}

}  // namespace ferry::engine
