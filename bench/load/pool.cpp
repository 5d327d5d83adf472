#include "pool.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

namespace ferry::bench {

void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, what.c_str());
  std::exit(1);
}

void Job::refused(std::size_t, std::string_view status_and_body) {
  die("an error: " + std::string(status_and_body.substr(0, 600)));
}

class Connection {
 public:
  explicit Connection(const Pool::Address& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(address.port);
    if (::inet_pton(AF_INET, address.host.c_str(), &to.sin_addr) != 1) die("no IPv4 address: " + address.host);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) die("cannot connect");
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    input_.reserve(64 * 1024);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(fd_); }

  int descriptor() const { return fd_; }
  SteadyTime asked() const { return asked_; }

  void ask(std::string_view request) {
    input_.clear();
    asked_ = SteadyClock::now();
    while (!request.empty()) {  // loopback buffers hold any of our requests; a short write is simply repeated
      const ssize_t count = ::send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
      if (count < 0 && errno != EINTR) die("cannot send");
      if (count > 0) request.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  struct Reply {
    bool good;
    std::string_view body;  ///< of a good one; otherwise all of it. Valid until the next ask()
  };
  /// The answer, once it is whole.
  std::optional<Reply> receive() {
    std::array<char, 64 * 1024> piece;
    const ssize_t count = ::recv(fd_, piece.data(), piece.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (count <= 0) die("the server closed a connection");
    input_.append(piece.data(), static_cast<std::size_t>(count));
    const std::size_t head_end = input_.find("\r\n\r\n");
    if (head_end == std::string::npos) return std::nullopt;
    const std::size_t length_at = input_.find("Content-Length: ");
    if (length_at == std::string::npos || length_at > head_end) die("an answer without Content-Length");
    const std::size_t body_at = head_end + 4;
    const auto length = static_cast<std::size_t>(std::strtoul(input_.c_str() + length_at + 16, nullptr, 10));
    if (input_.size() < body_at + length) return std::nullopt;
    if (input_.compare(0, 12, "HTTP/1.1 200") != 0) return Reply{false, input_};
    return Reply{true, std::string_view(input_).substr(body_at, length)};
  }

 private:
  int fd_;
  SteadyTime asked_;
  std::string input_;
};

Pool::Pool(const Address& address, std::size_t connections) : epoll_(::epoll_create1(0)) {
  for (std::size_t i = 0; i < connections; ++i) {
    connections_.push_back(std::make_unique<Connection>(address));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back()->descriptor(), &event);
  }
}

Pool::~Pool() {
  ::close(epoll_);
}

std::chrono::nanoseconds Pool::run(Job& job, std::chrono::seconds at_most) {
  const SteadyTime begun = SteadyClock::now();
  busy_ = connections_.size();
  for (std::size_t i = 0; i < connections_.size(); ++i) go_on(i, job);
  std::array<epoll_event, 128> events;
  while (busy_ > 0) {
    SteadyTime now = SteadyClock::now();
    if (now - begun > at_most) die("not done in time");
    for (; !later_.empty() && later_.top().at <= now; later_.pop())
      connections_[later_.top().connection]->ask(later_.top().request);
    timespec wait{0, 100'000'000};
    if (!later_.empty()) {
      const auto until = std::chrono::duration_cast<std::chrono::nanoseconds>(later_.top().at - now).count();
      wait.tv_nsec = static_cast<long>(std::clamp<std::int64_t>(until, 0, wait.tv_nsec));
    }
    const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
    for (int i = 0; i < count; ++i) readable(events[static_cast<std::size_t>(i)].data.u64, job);
  }
  return SteadyClock::now() - begun;
}

void Pool::go_on(std::size_t connection, Job& job) {
  Turn turn = job.next(connection);
  if (turn.request.empty()) {
    --busy_;
  } else if (turn.not_before > SteadyClock::now()) {
    later_.push({turn.not_before, connection, std::move(turn.request)});
  } else {
    connections_[connection]->ask(turn.request);
  }
}

void Pool::readable(std::size_t connection, Job& job) {
  Connection& of = *connections_[connection];
  const auto reply = of.receive();
  if (!reply) return;
  if (reply->good) {
    job.answered(connection, reply->body, of.asked(), SteadyClock::now());
  } else {
    job.refused(connection, reply->body);
  }
  go_on(connection, job);
}

}  // namespace ferry::bench
