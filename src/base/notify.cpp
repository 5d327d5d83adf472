#include "base/notify.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "base/encoding.h"

namespace ferry {
namespace {

// A socket that sends to `address` alone; -1 when that is none.
int connect_to(const std::string& address) {
  sockaddr_un target{};
  target.sun_family = AF_UNIX;
  const bool usable = address.size() > 1 && (address[0] == '/' || address[0] == '@') && address.size() < sizeof(target.sun_path);
  if (!usable) return -1;
  std::memcpy(target.sun_path, address.data(), address.size());
  if (address[0] == '@') target.sun_path[0] = '\0';
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -1;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&target), length) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

std::optional<Millis> watchdog_of(const ServiceNotifier::Environment& environment) {
  const auto micros = parse_integer(environment("WATCHDOG_USEC").value_or(""));
  if (!micros || *micros < 1'000) return std::nullopt;
  const auto pid = environment("WATCHDOG_PID");
  if (pid && parse_integer(*pid) != std::optional<std::int64_t>(::getpid())) return std::nullopt;
  return Millis(*micros / 1'000);
}
}  // namespace

ServiceNotifier::ServiceNotifier(const Environment& environment)
    : descriptor_(connect_to(environment("NOTIFY_SOCKET").value_or(""))) {
  if (descriptor_ >= 0) watchdog_ = watchdog_of(environment);
}

ServiceNotifier::~ServiceNotifier() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ServiceNotifier::send(const std::string& text) const {
  if (descriptor_ < 0) return;
  [[maybe_unused]] const ssize_t sent = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void ServiceNotifier::ready(std::string_view status) const {
  send(fmt::format("READY=1\nSTATUS={}", escape_control(status)));
}

void ServiceNotifier::status(std::string_view text) const {
  send(fmt::format("STATUS={}", escape_control(text)));
}

void ServiceNotifier::stopping(std::string_view status) const {
  send(fmt::format("STOPPING=1\nSTATUS={}", escape_control(status)));
}

void ServiceNotifier::extend_timeout(Millis more) const {
  send(fmt::format("EXTEND_TIMEOUT_USEC={}", std::chrono::duration_cast<std::chrono::microseconds>(more).count()));
}

void ServiceNotifier::alive() const {
  send("WATCHDOG=1");
}

}  // namespace ferry
