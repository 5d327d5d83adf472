#pragma once
// A server on 127.0.0.1 that answers what a test tells it, down to the bytes: for faults that no proper server has.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/encoding.h"

namespace ferry::client::test {

class TinyServer {
 public:
  enum class Then { Keep, Close, Hang };
  struct Reply {
    std::string bytes;
    Then then = Then::Keep;
  };
  /// Given the whole request, head and body, and the number of its connection (from 0).
  using Handler = std::function<Reply(const std::string& request, int connection)>;

  explicit TinyServer(Handler handler)
      : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    FERRY_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    FERRY_CHECK(::listen(listener_, 16) == 0);
    socklen_t size = sizeof address;
    FERRY_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~TinyServer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (const int fd : connections_) ::shutdown(fd, SHUT_RDWR);
    }
    stopped_.notify_all();
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& worker : workers_) worker.join();
    for (const int fd : connections_) ::close(fd);
    ::close(listener_);
  }
  TinyServer(const TinyServer&) = delete;
  TinyServer& operator=(const TinyServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return accepted_; }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::lock_guard lock(mutex_);
      connections_.push_back(fd);
      if (stopping_) return;
      workers_.emplace_back([this, fd, number = accepted_++] { serve(fd, number); });
    }
  }

  void serve(int fd, int number) {
    std::string buffer;
    for (;;) {
      const std::string request = read_request(fd, buffer);
      if (request.empty()) return;
      const Reply reply = handler_(request, number);
      for (std::size_t at = 0; at < reply.bytes.size();) {
        const ssize_t sent = ::send(fd, reply.bytes.data() + at, reply.bytes.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) return;
        at += static_cast<std::size_t>(sent);
      }
      if (reply.then == Then::Close) {
        ::shutdown(fd, SHUT_RDWR);
        return;
      }
      if (reply.then == Then::Hang) {
        std::unique_lock lock(mutex_);
        stopped_.wait(lock, [this] { return stopping_; });
        return;
      }
    }
  }

  static std::string read_request(int fd, std::string& buffer) {
    for (;;) {
      const std::size_t end = buffer.find("\r\n\r\n");
      if (end != std::string::npos) {
        std::size_t length = 0;
        const std::size_t at = to_lower(buffer.substr(0, end)).find("content-length:");
        if (at != std::string::npos) length = std::stoul(buffer.substr(at + 15, 20));
        if (buffer.size() >= end + 4 + length) {
          std::string request = buffer.substr(0, end + 4 + length);
          buffer.erase(0, request.size());
          return request;
        }
      }
      char piece[64 * 1024];
      const ssize_t got = ::recv(fd, piece, sizeof piece, 0);
      if (got <= 0) return {};
      buffer.append(piece, static_cast<std::size_t>(got));
    }
  }

  const Handler handler_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_{0};
  std::mutex mutex_;  // guards the next three
  bool stopping_ = false;
  std::vector<int> connections_;
  std::vector<std::thread> workers_;
  std::condition_variable stopped_;
  std::thread acceptor_;
};

inline std::string http_answer(int status, std::string_view body, std::string_view headers = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " Text\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

}  // namespace ferry::client::test
