#include "http/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace ferry::http {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kDescriptorPause{100};
constexpr std::chrono::seconds kWarnInterval{10};

std::string address_text(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(), text.size());
    return text.data();
  }
  const in6_addr& six = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    ::inet_ntop(AF_INET, six.s6_addr + 12, text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, &six, text.data(), text.size());
  }
  return text.data();
}

std::uint16_t port_of(const sockaddr_storage& address) {
  return ntohs(address.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(address).sin_port
                                            : reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

// No SO_REUSEPORT: two servers of one user would share the port without a word. SO_REUSEADDR only lets a restarted server take
// the port while old connections linger; with listen() at once it does not let two of them have it.
int open_listener(const addrinfo& address, Descriptor& socket) {
  socket = Descriptor(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  int on = 1;
  int off = 0;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ai_family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0) return errno;
  return ::listen(socket.get(), kBacklog) != 0 ? errno : 0;
}

Error bind_error(int errno_value, const std::string& where) {
  if (errno_value == EADDRINUSE) {
    return {ErrorKind::Busy, fmt::format("cannot listen on {}: another program is using this port", where)};
  }
  if (errno_value == EADDRNOTAVAIL) {
    return {ErrorKind::InvalidArgument, fmt::format("cannot listen on {}: this machine does not have that address", where)};
  }
  return system_error(errno_value, "listen on", where);
}

}  // namespace

Listener::Listener(EventLoop& loop, const Logger& log, AcceptCounters& counters, std::size_t connections_max, Accepted accepted)
    : loop_(loop), log_(log), counters_(counters), connections_max_(connections_max), accepted_(std::move(accepted)) {}

Listener::~Listener() = default;

Result<void> Listener::bind(const std::string& host, std::uint16_t port) {
  std::string name = host;
  if (name.size() >= 2 && name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);
  std::string where = name.find(':') != std::string::npos ? fmt::format("[{}]:{}", name, port) : fmt::format("{}:{}", name, port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int status = name.empty() ? EAI_NONAME : ::getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status != 0) {
    return fail(ErrorKind::InvalidArgument, fmt::format("cannot listen on {}: {}", where, ::gai_strerror(status)));
  }
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  int error = EADDRNOTAVAIL;
  for (const addrinfo* address = found; address != nullptr && error == EADDRNOTAVAIL; address = address->ai_next) {
    error = open_listener(*address, socket_);
  }
  if (error != 0) {
    socket_.reset();
    return Unexpected(bind_error(error, where));
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  host_ = address_text(bound);
  port_ = port_of(bound);
  return {};
}

void Listener::start() {
  reserve_ = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  resume();
}

void Listener::stop() {
  pause();
  socket_.reset();
  reserve_.reset();
}

void Listener::pause() {
  if (std::exchange(watching_, false)) loop_.unwatch(socket_.get());
}

void Listener::resume() {
  if (socket_ && !watching_) watching_ = loop_.watch_level(socket_.get(), *this);
}

void Listener::connection_closed() {
  counters_.open.fetch_sub(1);
  if (!full_.load()) return;
  loop_.post([this] {
    full_.store(false);
    resume();
  });
}

void Listener::on_events(std::uint32_t) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (counters_.open.load() >= connections_max_) {
      full_.store(true);
      warn(warned_full_, "http connection limit reached, accepting pauses", std::to_string(connections_max_));
      // A connection that was closed before full_ was seen tells nobody.
      if (counters_.open.load() >= connections_max_) return pause();
      full_.store(false);
    }
    if (!accept_one()) return;
  }
}

bool Listener::accept_one() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  Descriptor socket(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) out_of_descriptors(errno);
    // Anything else but "nobody there" belongs to the one connection that has already failed.
    return errno != EAGAIN && watching_;
  }
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  counters_.open.fetch_add(1);
  counters_.accepted.fetch_add(1, std::memory_order_relaxed);
  accepted_(std::move(socket), address_text(address));
  return true;
}

// The listening socket stays readable, so watching it on would spin. One of those who wait is told no, the rest wait on: most of
// the time descriptors come back before the clients' patience ends.
void Listener::out_of_descriptors(int errno_value) {
  warn(warned_descriptors_, "http cannot accept, accepting pauses", std::generic_category().message(errno_value));
  if (errno_value == EMFILE || errno_value == ENFILE) refuse_one();
  pause();
  loop_.start_timer(kDescriptorPause, [this] {
    if (!reserve_) reserve_ = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!full_.load()) resume();
  });
}

void Listener::refuse_one() {
  if (!reserve_) return;
  reserve_.reset();
  {
    Descriptor socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      static constexpr std::string_view kAnswer =
          "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      counters_.refused.fetch_add(1, std::memory_order_relaxed);
      [[maybe_unused]] auto sent = ::send(socket.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
      ::shutdown(socket.get(), SHUT_WR);
    }
  }
  reserve_ = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

void Listener::warn(std::optional<SteadyTime>& last, std::string_view message, std::string_view detail) {
  if (last && loop_.now() - *last < kWarnInterval) return;
  last = loop_.now();
  log_.warn(message, {{"detail", detail}});
}

}  // namespace ferry::http
