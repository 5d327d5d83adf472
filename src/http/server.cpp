#include <fmt/format.h>
#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "http/connection_group.h"
#include "http/event_loop.h"
#include "http/listener.h"
#include "http/server.h"

namespace ferry::http {
namespace {

class EpollServer final : public Server {
 public:
  EpollServer(ServerOptions options, Handler& handler, const Logger& log);
  ~EpollServer() override { stop(std::chrono::nanoseconds(0)); }

  Result<void> bind() override { return listener_.bind(options_.host, options_.port); }
  std::string host() const override { return listener_.host(); }
  std::uint16_t port() const override { return listener_.port(); }
  std::string url() const override;
  std::vector<Loop*> loops() override;
  void start() override;
  void stop(std::chrono::nanoseconds deadline) override;
  ServerStats stats() const override;

 private:
  struct Lane {
    Lane(std::size_t index, const Clock& clock) : loop(index, clock) {}
    EventLoop loop;
    std::unique_ptr<ConnectionGroup> connections;
    std::thread thread;
  };

  static std::vector<std::unique_ptr<Lane>> make_lanes(const ServerOptions& options, const Clock& clock);
  void deal(Descriptor socket, std::string peer);
  void run(Lane& lane);
  void lane_drained();

  const SystemClock system_clock_;
  const ServerOptions options_;
  const Clock& clock_;
  AcceptCounters counters_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  Listener listener_;  // on the first lane's loop
  std::size_t next_lane_ = 0;
  bool started_ = false;

  std::mutex drained_mutex_;
  std::condition_variable drained_changed_;
  std::size_t drained_lanes_ = 0;  // guarded by drained_mutex_
};

std::vector<std::unique_ptr<EpollServer::Lane>> EpollServer::make_lanes(const ServerOptions& options, const Clock& clock) {
  FERRY_CHECK(options.loops >= 1);
  std::vector<std::unique_ptr<Lane>> lanes;
  for (std::size_t i = 0; i < options.loops; ++i) lanes.push_back(std::make_unique<Lane>(i, clock));
  return lanes;
}

EpollServer::EpollServer(ServerOptions options, Handler& handler, const Logger& log)
    : options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : system_clock_),
      lanes_(make_lanes(options_, clock_)),
      listener_(lanes_.front()->loop, log, counters_, options_.limits.connections_max,
                [this](Descriptor socket, std::string peer) { deal(std::move(socket), std::move(peer)); }) {
  for (auto& lane : lanes_) {
    lane->connections =
        std::make_unique<ConnectionGroup>(lane->loop, options_.limits, handler, log, [this] { listener_.connection_closed(); });
  }
}

std::string EpollServer::url() const {
  bool six = host().find(':') != std::string::npos;
  return six ? fmt::format("http://[{}]:{}", host(), port()) : fmt::format("http://{}:{}", host(), port());
}

std::vector<Loop*> EpollServer::loops() {
  std::vector<Loop*> loops;
  for (auto& lane : lanes_) loops.push_back(&lane->loop);
  return loops;
}

void EpollServer::start() {
  FERRY_CHECK(!std::exchange(started_, true));
  lanes_.front()->loop.post([this] { listener_.start(); });
  for (auto& lane : lanes_) lane->thread = std::thread([this, &lane] { run(*lane); });
}

void EpollServer::run(Lane& lane) {
  ::pthread_setname_np(::pthread_self(), fmt::format("http-{}", lane.loop.index()).c_str());
  lane.loop.run([&lane] { lane.connections->turn_end(); });
  lane.connections->close_all();
  lane.connections->turn_end();
}

// On the first lane's thread. In turn, because connections live long and a kernel that wakes whoever sleeps deals unevenly.
void EpollServer::deal(Descriptor socket, std::string peer) {
  Lane& lane = *lanes_[next_lane_];
  next_lane_ = (next_lane_ + 1) % lanes_.size();
  if (lane.loop.is_current()) return lane.connections->adopt(std::move(socket), std::move(peer));
  auto shared = std::make_shared<Descriptor>(std::move(socket));  // a task must be copyable
  lane.loop.post([&lane, shared, peer = std::move(peer)] { lane.connections->adopt(std::move(*shared), peer); });
}

void EpollServer::lane_drained() {
  std::lock_guard lock(drained_mutex_);
  ++drained_lanes_;
  drained_changed_.notify_all();
}

void EpollServer::stop(std::chrono::nanoseconds deadline) {
  if (!std::exchange(started_, false)) return;
  // The first lane first: what it has accepted is dealt before the others are told.
  lanes_.front()->loop.post([this] {
    listener_.stop();
    for (auto& lane : lanes_) {
      lane->loop.post([this, &lane] { lane->connections->begin_drain([this] { lane_drained(); }); });
    }
  });
  {
    std::unique_lock lock(drained_mutex_);
    drained_changed_.wait_for(lock, deadline, [this] { return drained_lanes_ == lanes_.size(); });
  }
  for (auto& lane : lanes_) lane->loop.exit();
  for (auto& lane : lanes_) lane->thread.join();
  listener_.stop();  // again, for the task above may have come too late
}

ServerStats EpollServer::stats() const {
  ServerStats stats;
  stats.connections_open = counters_.open.load();
  stats.connections_accepted = counters_.accepted.load();
  stats.refused = counters_.refused.load();
  for (const auto& lane : lanes_) {
    stats.requests += lane->connections->requests();
    stats.refused += lane->connections->refused();
  }
  return stats;
}

}  // namespace

std::unique_ptr<Server> Server::create(ServerOptions options, Handler& handler, const Logger& log) {
  return std::make_unique<EpollServer>(std::move(options), handler, log);
}

}  // namespace ferry::http
