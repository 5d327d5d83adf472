#pragma once
// Holds answers back until the store is durable up to what they have seen. One gate per event loop; the store's commit
// thread rings each loop that waits at most once per group.

#include <atomic>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "http/server.h"
#include "store/store.h"

namespace ferry::service {

class CommitGate {
 public:
  /// Both outlive the gate.
  CommitGate(http::Loop& loop, const store::Store& store) : loop_(loop), store_(store) {}

  /// Runs `task` when the store is durable up to `position`: at once if it is already. On the loop's thread only.
  void when_durable(store::Position position, std::function<void()> task);

  /// From the store's commit thread: something became durable.
  void ring();

 private:
  struct Held {
    store::Position position;
    std::uint64_t order;  // equal positions leave in the order in which they came
    std::function<void()> task;
    bool operator<(const Held& other) const {
      return position != other.position ? position > other.position : order > other.order;  // smallest on top
    }
  };
  void release();

  http::Loop& loop_;
  const store::Store& store_;
  std::priority_queue<Held> held_;  // the loop's thread only
  std::uint64_t next_order_ = 0;
  std::atomic<bool> waiting_{false};
};

}  // namespace ferry::service
