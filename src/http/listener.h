#pragma once
// The listening socket: binds, accepts, and knows when not to.

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "http/event_loop.h"

namespace ferry::http {

struct AcceptCounters {
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
};

/// Accepting pauses at the limit of connections, until one is closed, and for a moment when the process has run out of
/// descriptors. On its loop's thread unless it says otherwise.
class Listener final : public EventSource {
 public:
  using Accepted = std::function<void(Descriptor socket, std::string peer)>;

  /// All references outlive the listener.
  Listener(EventLoop& loop, const Logger& log, AcceptCounters& counters, std::size_t connections_max, Accepted accepted);
  ~Listener() override;

  /// Binds and listens; on any thread, before start().
  Result<void> bind(const std::string& host, std::uint16_t port);
  const std::string& host() const { return host_; }
  std::uint16_t port() const { return port_; }

  void start();
  void stop();
  void on_events(std::uint32_t events) override;
  /// One connection less; any thread.
  void connection_closed();

 private:
  bool accept_one();
  void out_of_descriptors(int errno_value);
  void refuse_one();
  void pause();
  void resume();
  void warn(std::optional<SteadyTime>& last, std::string_view message, std::string_view detail);

  EventLoop& loop_;
  const Logger& log_;
  AcceptCounters& counters_;
  const std::size_t connections_max_;
  const Accepted accepted_;
  Descriptor socket_;
  Descriptor reserve_;  // given up for a moment to refuse a connection when there is no other descriptor
  std::string host_;
  std::uint16_t port_ = 0;
  bool watching_ = false;
  std::atomic<bool> full_{false};
  std::optional<SteadyTime> warned_full_;
  std::optional<SteadyTime> warned_descriptors_;
};

}  // namespace ferry::http
