#include "simulation/machine/history_store.h"

#include <utility>

namespace ferry::test {

void HistoryStore::cut(std::uint64_t position) {
  const std::lock_guard lock(mutex_);
  groups_.erase(groups_.upper_bound(position), groups_.end());
}

void HistoryStore::publish(store::Reservation&& reservation) {
  Group group;
  group.last = reservation.last.value;
  for (const store::Slot& slot : reservation.slots)
    group.records.push_back({slot.location, {slot.bytes.begin(), slot.bytes.end()}});
  {
    const std::lock_guard lock(mutex_);
    groups_.insert_or_assign(reservation.first.value, std::move(group));
  }
  inner_->publish(std::move(reservation));
}

std::map<std::uint64_t, HistoryStore::Record> HistoryStore::records(std::uint64_t from, std::uint64_t to) const {
  const std::lock_guard lock(mutex_);
  std::map<std::uint64_t, Record> found;
  for (const auto& [first, group] : groups_) {
    for (std::size_t i = 0; i < group.records.size(); ++i) {
      if (first + i > from && first + i <= to) found.emplace(first + i, group.records[i]);
    }
  }
  return found;
}

bool HistoryStore::is_end(std::uint64_t position) const {
  const std::lock_guard lock(mutex_);
  const auto after = groups_.upper_bound(position);
  return after != groups_.begin() && std::prev(after)->second.last == position;
}

store::Location HistoryStore::latest() const {
  const std::lock_guard lock(mutex_);
  return groups_.empty() ? store::Location() : groups_.rbegin()->second.records.back().location;
}

}  // namespace ferry::test
