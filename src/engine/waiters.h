#pragma once
// The long polls of one queue, oldest first. Not thread-safe: they belong to their queue's mutex.

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

#include "engine/engine.h"

namespace ferry::engine {

class Waiters {
 public:
  bool empty() const { return order_.empty(); }
  /// At the end; where it is when it is there already.
  void add(const std::shared_ptr<Waiter>& waiter) {
    if (places_.contains(waiter.get())) return;
    places_.emplace(waiter.get(), order_.insert(order_.end(), waiter));
  }
  /// False: it is not there (any more).
  bool remove(const std::shared_ptr<Waiter>& waiter) {
    const auto found = places_.find(waiter.get());
    if (found == places_.end()) return false;
    order_.erase(found->second);
    places_.erase(found);
    return true;
  }
  /// Wakes at most `count`, oldest first; they are registered no longer.
  void wake(std::uint64_t count) {
    for (; count > 0 && !order_.empty(); --count) {
      const std::shared_ptr<Waiter> waiter = std::move(order_.front());
      order_.pop_front();
      places_.erase(waiter.get());
      waiter->wake();
    }
  }

 private:
  std::list<std::shared_ptr<Waiter>> order_;
  std::unordered_map<const Waiter*, std::list<std::shared_ptr<Waiter>>::iterator> places_;
};

}  // namespace ferry::engine
