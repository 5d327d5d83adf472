// The web endpoint that workers hand requests to while they are measured: answers 200 to every request, on one thread, with as
// little work as it can, so that it is not what limits them.
//
//   ferry_bench_endpoint [--delay MILLISECONDS]
//
// Prints its port, and ends when its standard input does. With --delay every answer is held back for so long. GET /stats tells
// how many requests were answered, and how many were held back at once at most.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "../load/arguments.h"

namespace ferry::bench {
namespace {

constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

struct Visitor {
  std::string input;
  std::uint64_t number = 0;  // descriptors are used again, numbers are not
};

class Endpoint {
 public:
  explicit Endpoint(std::chrono::milliseconds delay)
      : delay_(delay), epoll_(::epoll_create1(0)), listening_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(listening_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("cannot bind");
    if (::listen(listening_, 4096) != 0) die("cannot listen");
    watch(listening_);
    watch(STDIN_FILENO);
  }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  ~Endpoint() {
    for (const auto& [descriptor, visitor] : visitors_) ::close(descriptor);
    ::close(listening_);
    ::close(epoll_);
  }

  int port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

  /// Until standard input ends.
  void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), answer_due());
      for (int i = 0; i < count; ++i) {
        const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
        if (descriptor == STDIN_FILENO) {
          std::array<char, 256> ignored;
          if (::read(STDIN_FILENO, ignored.data(), ignored.size()) <= 0) return;
        } else if (descriptor == listening_) {
          accept_one();
        } else {
          readable(descriptor);
        }
      }
    }
  }

 private:
  struct Held {
    SteadyTime until;
    int descriptor;
    std::uint64_t number;
  };

  void watch(int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) die("cannot watch a descriptor");
  }

  void accept_one() {
    const int descriptor = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) die("cannot accept");
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    visitors_[descriptor].number = ++numbers_;
    watch(descriptor);
  }

  void readable(int descriptor) {
    std::array<char, 64 * 1024> piece;
    const ssize_t count = ::recv(descriptor, piece.data(), piece.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
      ::close(descriptor);
      visitors_.erase(descriptor);
      return;
    }
    Visitor& visitor = visitors_[descriptor];
    visitor.input.append(piece.data(), static_cast<std::size_t>(count));
    for (std::size_t size = whole_request(visitor.input); size > 0; size = whole_request(visitor.input)) {
      const bool asks_for_numbers = visitor.input.starts_with("GET /stats ");
      visitor.input.erase(0, size);
      if (asks_for_numbers) {
        tell_numbers(descriptor);
      } else if (delay_.count() == 0) {
        write(descriptor, kAnswer);
        ++answered_;
      } else {
        held_.push_back({SteadyClock::now() + delay_, descriptor, visitor.number});
        most_held_ = std::max(most_held_, held_.size());
      }
    }
  }

  // The size of the first request in `input`; 0 when it is not whole.
  static std::size_t whole_request(const std::string& input) {
    const std::size_t head_end = input.find("\r\n\r\n");
    if (head_end == std::string::npos) return 0;
    std::size_t body_bytes = 0;
    constexpr std::string_view kName = "\r\ncontent-length:";
    for (std::size_t at = input.find("\r\n"); at < head_end; at = input.find("\r\n", at + 2)) {
      if (::strncasecmp(input.c_str() + at, kName.data(), kName.size()) == 0)
        body_bytes = std::strtoul(input.c_str() + at + kName.size(), nullptr, 10);
    }
    const std::size_t size = head_end + 4 + body_bytes;
    return input.size() >= size ? size : 0;
  }

  void tell_numbers(int descriptor) {
    const std::string body = "{\"answered\":" + std::to_string(answered_) + ",\"held\":" + std::to_string(held_.size()) +
                             ",\"most_held\":" + std::to_string(most_held_) + "}";
    write(descriptor, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  static void write(int descriptor, std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
      if (count < 0 && errno != EINTR) return;  // it has gone; what it asked does not matter any more
      if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  // Milliseconds until the next answer is due, -1 when none is held back.
  int answer_due() {
    const SteadyTime now = SteadyClock::now();
    for (; !held_.empty() && held_.front().until <= now; held_.pop_front()) {
      const auto found = visitors_.find(held_.front().descriptor);
      if (found == visitors_.end() || found->second.number != held_.front().number) continue;
      write(found->first, kAnswer);
      ++answered_;
    }
    if (held_.empty()) return -1;
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(held_.front().until - now).count());
  }

  const std::chrono::milliseconds delay_;
  const int epoll_;
  const int listening_;
  std::map<int, Visitor> visitors_;
  std::deque<Held> held_;  // all for the same time: the first is due first
  std::uint64_t numbers_ = 0, answered_ = 0;
  std::size_t most_held_ = 0;
};

}  // namespace
}  // namespace ferry::bench

int main(int argc, char** argv) {
  using namespace ferry::bench;
  const Arguments arguments(argc, argv, {"--delay"});
  if (!arguments.words().empty()) die("usage: ferry_bench_endpoint [--delay MILLISECONDS]");
  Endpoint endpoint(std::chrono::milliseconds(arguments.count("--delay", 0, {0, 3'600'000})));
  std::printf("%d\n", endpoint.port());
  std::fflush(stdout);
  endpoint.run();
  return 0;
}
