#pragma once
// Tells the service manager how we are: the datagrams of sd_notify(3), which are a few lines of text to a Unix socket. Written
// here rather than taken from libsystemd, which would be one more library in every process for sixty lines.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace ferry {

/// Thread-safe. Does nothing when there is no service manager. What cannot be sent is lost: a service does not fail because
/// nobody listens. Nothing blocks.
class ServiceNotifier {
 public:
  using Environment = std::function<std::optional<std::string>(const std::string&)>;
  /// NOTIFY_SOCKET (a path, or '@' and a name without a file), WATCHDOG_USEC and WATCHDOG_PID. Anything else in them counts as
  /// not set.
  explicit ServiceNotifier(const Environment& environment);
  ~ServiceNotifier();
  ServiceNotifier(const ServiceNotifier&) = delete;
  ServiceNotifier& operator=(const ServiceNotifier&) = delete;

  bool active() const { return descriptor_ >= 0; }
  /// How long the watchdog waits for a sign of life before it kills us; nothing when it does not watch this process.
  std::optional<Millis> watchdog() const { return watchdog_; }

  void ready(std::string_view status) const;
  /// One line for `systemctl status`.
  void status(std::string_view text) const;
  void stopping(std::string_view status) const;
  /// Whatever was said about the end: it is at least so far away, counted from now.
  void extend_timeout(Millis more) const;
  void alive() const;

 private:
  void send(const std::string& text) const;

  int descriptor_ = -1;
  std::optional<Millis> watchdog_;
};

}  // namespace ferry
