#include "http/connection_group.h"

#include <algorithm>

namespace ferry::http {
namespace {
constexpr std::chrono::seconds kSweepInterval{1};
constexpr std::size_t kReadersKept = 64;
}  // namespace

ConnectionGroup::ConnectionGroup(EventLoop& loop, const Limits& limits, Handler& handler, const Logger& log,
                                 std::function<void()> closed)
    : loop_(loop),
      limits_(limits),
      handler_(handler),
      log_(log),
      closed_(std::move(closed)),
      scratch_(std::make_unique_for_overwrite<char[]>(kScratchBytes)) {}

ConnectionGroup::~ConnectionGroup() {
  FERRY_CHECK(connections_.empty());
}

void ConnectionGroup::adopt(Descriptor socket, std::string peer) {
  auto connection = std::make_unique<Connection>(*this, std::move(socket), std::move(peer));
  if (draining_ || !connection->register_with_loop()) {
    closed_();
    return;
  }
  connection->slot = connections_.size();
  connections_.push_back(std::move(connection));
  if (sweeping_) return;
  sweeping_ = true;
  loop_.start_timer(kSweepInterval, [this] { sweep(); });
}

void ConnectionGroup::sweep() {
  for (std::size_t i = connections_.size(); i-- > 0;) {
    if (i < connections_.size()) connections_[i]->check_deadline(loop_.now());
  }
  sweeping_ = !connections_.empty();
  if (sweeping_) loop_.start_timer(kSweepInterval, [this] { sweep(); });
}

void ConnectionGroup::begin_drain(std::function<void()> drained) {
  draining_ = true;
  drained_ = std::move(drained);
  for (std::size_t i = connections_.size(); i-- > 0;) {
    if (i < connections_.size()) connections_[i]->drain();
  }
}

void ConnectionGroup::close_all() {
  while (!connections_.empty()) connections_.back()->close();
}

void ConnectionGroup::turn_end() {
  if (!later_.empty()) {
    std::vector<Connection*> now;
    now.swap(later_);
    for (Connection* connection : now) {
      if (!std::exchange(connection->queued, false)) continue;
      connection->go_on();
    }
    if (!later_.empty()) loop_.post([] {});
  }
  if (drained_ && active_ == 0) {
    close_all();
    std::exchange(drained_, nullptr)();
  }
  removed_.clear();
}

std::unique_ptr<RequestReader> ConnectionGroup::take_reader() {
  if (readers_.empty()) return std::make_unique<RequestReader>();
  auto reader = std::move(readers_.back());
  readers_.pop_back();
  return reader;
}

void ConnectionGroup::give_reader(std::unique_ptr<RequestReader> reader) {
  if (readers_.size() >= kReadersKept) return;
  reader->reset();
  readers_.push_back(std::move(reader));
}

void ConnectionGroup::later(Connection& connection) {
  if (std::exchange(connection.queued, true)) return;
  if (later_.empty()) loop_.post([] {});  // so that the loop does not sleep before
  later_.push_back(&connection);
}

void ConnectionGroup::remove(Connection& connection) {
  if (std::exchange(connection.queued, false)) std::erase(later_, &connection);
  std::size_t slot = connection.slot;
  FERRY_CHECK(slot < connections_.size() && connections_[slot].get() == &connection);
  removed_.push_back(std::move(connections_[slot]));
  if (slot + 1 < connections_.size()) {
    connections_[slot] = std::move(connections_.back());
    connections_[slot]->slot = slot;
  }
  connections_.pop_back();
  closed_();
}

}  // namespace ferry::http
