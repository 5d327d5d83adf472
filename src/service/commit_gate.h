#pragma once
// Holds answers back until the store is durable up to what they have seen. One gate per event loop; the store's commit
// thread rings each loop that waits at most once per group.

#include <atomic>
#include <deque>
#include <memory>

#include "http/server.h"
#include "store/store.h"

namespace ferry::service {

class CommitGate {
 public:
  /// Both outlive the gate.
  CommitGate(http::Loop& loop, const store::Store& store) : loop_(loop), store_(store) {}

  /// Answers `exchange`, which belongs to this loop, when the store is durable up to `position`: at once if it is already.
  /// On the loop's thread only.
  void respond_when_durable(store::Position position, std::shared_ptr<http::Exchange> exchange, http::Response&& response);

  /// From the store's commit thread: something became durable.
  void ring();

 private:
  struct Held {
    store::Position position;
    std::shared_ptr<http::Exchange> exchange;
    http::Response response;
  };
  void release();

  http::Loop& loop_;
  const store::Store& store_;
  std::deque<Held> held_;  // by position, oldest first among equals; the loop's thread only
  std::atomic<bool> waiting_{false};
};

}  // namespace ferry::service
