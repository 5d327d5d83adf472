#include "service/commit_gate.h"

namespace ferry::service {

void CommitGate::when_durable(store::Position position, std::function<void()> task) {
  if (store_.durable() >= position) {
    task();
    return;
  }
  held_.push(Held{position, next_order_++, std::move(task)});
  waiting_.store(true);
  // The group may have become durable between the first look and the store above; then nobody would ring.
  if (store_.durable() >= position && waiting_.exchange(false)) release();
}

void CommitGate::ring() {
  if (waiting_.exchange(false)) {
    loop_.post([this] { release(); });
  }
}

void CommitGate::release() {
  const store::Position durable = store_.durable();
  while (!held_.empty() && held_.top().position <= durable) {
    std::function<void()> task = std::move(const_cast<Held&>(held_.top()).task);  // top() is const only to keep the order
    held_.pop();
    task();
  }
  if (held_.empty()) return;
  waiting_.store(true);
  if (store_.durable() >= held_.top().position && waiting_.exchange(false)) loop_.post([this] { release(); });
}

}  // namespace ferry::service
