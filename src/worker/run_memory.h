#pragma once
// What one run remembers of messages by their ids, so that it counts each once. Bounded: the oldest are forgotten first.

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace ferry::worker {

/// Not thread-safe.
class RememberedIds {
 public:
  explicit RememberedIds(std::size_t ids_max) : ids_max_(ids_max) {}
  /// False when it was there already.
  bool add(const std::string& id) {
    if (!ids_.insert(id).second) return false;
    order_.push_back(id);
    if (order_.size() > ids_max_) {
      ids_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }
  bool contains(const std::string& id) const { return ids_.contains(id); }
  std::size_t size() const { return ids_.size(); }

 private:
  std::size_t ids_max_;
  std::unordered_set<std::string> ids_;
  std::deque<std::string> order_;
};

/// How often each id was added; of the ids that were added first, the oldest are forgotten. Not thread-safe.
class RememberedCounts {
 public:
  explicit RememberedCounts(std::size_t ids_max) : ids_max_(ids_max) {}
  /// How often it was added by now.
  int add(const std::string& id) {
    const int count = ++counts_[id];
    if (count == 1) order_.push_back(id);
    if (order_.size() > ids_max_) {
      counts_.erase(order_.front());
      order_.pop_front();
    }
    return count;
  }

 private:
  std::size_t ids_max_;
  std::unordered_map<std::string, int> counts_;
  std::deque<std::string> order_;
};

}  // namespace ferry::worker
