#include "service/commit_gate.h"

#include <utility>

namespace ferry::service {

void CommitGate::respond_when_durable(store::Position position, std::shared_ptr<http::Exchange> exchange,
                                      http::Response&& response) {
  if (store_.durable() >= position) {
    exchange->respond(std::move(response));
    return;
  }
  // Most answers come in the order of their positions: the walk back from the end is short.
  auto place = held_.end();
  while (place != held_.begin() && std::prev(place)->position > position) --place;
  held_.insert(place, Held{position, std::move(exchange), std::move(response)});
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
  while (!held_.empty() && held_.front().position <= durable) {
    Held leaving = std::move(held_.front());
    held_.pop_front();
    leaving.exchange->respond(
        std::move(leaving.response));  // which may handle the connection's next request, and hold its answer
  }
  if (held_.empty()) return;
  waiting_.store(true);
  if (store_.durable() >= held_.front().position && waiting_.exchange(false)) loop_.post([this] { release(); });
}

}  // namespace ferry::service
