#pragma once
// A server of the test's own on a free port, and a client that sends raw bytes.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/manual_clock.h"
#include "http/descriptor.h"
#include "http/server.h"

namespace ferry::http::test {

using ExchangePtr = std::shared_ptr<Exchange>;

/// Gives the processor away until `condition` holds; false after ten seconds.
template <class Condition>
bool eventually(Condition condition) {
  SystemClock clock;
  auto end = clock.steady() + std::chrono::seconds(10);
  while (!condition()) {
    if (clock.steady() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Exchanges on their way from the loop's thread to the test's.
class Mailbox {
 public:
  void put(ExchangePtr exchange) {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(exchange));
    changed_.notify_all();
  }
  /// The oldest; null after ten seconds.
  ExchangePtr take() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(10), [this] { return !waiting_.empty(); })) return nullptr;
    auto exchange = std::move(waiting_.front());
    waiting_.pop_front();
    return exchange;
  }
  std::size_t size() {
    std::lock_guard lock(mutex_);
    return waiting_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ExchangePtr> waiting_;
};

/// Runs `task` on the loop and waits for its end.
inline void run_on(Loop& loop, std::function<void()> task) {
  std::promise<void> done;
  loop.post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

inline void respond_on_loop(const ExchangePtr& exchange, Response response) {
  run_on(exchange->loop(), [&] { exchange->respond(std::move(response)); });
}

/// "METHOD target body" of the request.
inline std::string echo_text(const Request& request) {
  return std::string(request.method) + " " + std::string(request.target) + " " + std::string(request.body);
}
inline void echo(const ExchangePtr& exchange) {
  exchange->respond({.status = 200, .body = echo_text(exchange->request())});
}

/// Started at once. With a manual clock all deadlines stand still until advance().
class TestServer {
 public:
  using Function = FunctionHandler::Function;
  explicit TestServer(Function function = echo, ServerOptions options = {})
      : handler_(std::move(function)), log_(system_clock_, LogLevel::Off, LogFormat::Text), server_(make(std::move(options))) {
    auto bound = server_->bind();
    if (!bound) ADD_FAILURE() << bound.error().message;
    server_->start();
  }
  Server& operator*() { return *server_; }
  Server* operator->() { return server_.get(); }
  Loop& loop(std::size_t index = 0) { return *server_->loops().at(index); }

  /// Two full turns of every loop: what has reached the kernel is handled, what is due has run.
  void settle() {
    for (int turn = 0; turn < 2; ++turn) {
      for (Loop* loop : server_->loops()) run_on(*loop, [] {});
    }
  }
  void advance(ManualClock& clock, Millis by) {
    settle();
    clock.advance(by);
    settle();
  }

 private:
  std::unique_ptr<Server> make(ServerOptions options) { return Server::create(std::move(options), handler_, log_); }

  SystemClock system_clock_;
  FunctionHandler handler_;
  Logger log_;
  std::unique_ptr<Server> server_;
};

struct Answer {
  int status = 0;  ///< 0: the connection ended first
  std::string head;
  std::string body;
  bool has(std::string_view line) const { return head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos; }
};

/// A blocking client; every wait ends after ten seconds.
class RawClient {
 public:
  explicit RawClient(Server& server, int receive_buffer_bytes = 0) : RawClient(server.port(), receive_buffer_bytes) {}
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    int on = 1;
    timeval wait{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    ::setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (receive_buffer_bytes > 0) {
      ::setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) ADD_FAILURE() << "connect: " << errno;
  }

  int fd() const { return socket_.get(); }
  /// False when the peer has closed meanwhile.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t count = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  /// Until the peer's kernel has all that was sent.
  bool delivered() {
    return eventually([this] {
      int left = 0;
      return ::ioctl(fd(), SIOCOUTQ, &left) == 0 && left == 0;
    });
  }
  void finish_sending() { ::shutdown(fd(), SHUT_WR); }
  void close() { socket_.reset(); }
  void reset() {
    linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  /// Nothing to read and not closed.
  bool silent() {
    char byte = 0;
    return buffer_.empty() && ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }
  /// Reads one answer; has_body false for answers to HEAD.
  Answer answer(bool has_body = true) {
    Answer answer;
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!fill()) return {};
    }
    answer.head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    std::size_t length = answer.head.find("Content-Length: ");
    std::size_t bytes = !has_body || length == std::string::npos ? 0 : std::stoul(answer.head.substr(length + 16));
    while (buffer_.size() < bytes) {
      if (!fill()) return {};
    }
    answer.body = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    answer.status = std::stoi(answer.head.substr(9, 3));
    return answer;
  }
  Answer ask(std::string_view bytes) {
    send(bytes);
    return answer();
  }
  /// Whether the peer closes, in order or by reset, without another byte.
  bool ended() { return buffer_.empty() && !fill() && errno != EAGAIN; }
  bool fill() {
    char bytes[16384];
    errno = 0;
    ssize_t count = ::recv(fd(), bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

 private:
  Descriptor socket_;
  std::string buffer_;
};

inline std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
inline std::string post(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

}  // namespace ferry::http::test
