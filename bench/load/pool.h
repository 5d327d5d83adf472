#pragma once
// Many HTTP connections to one server on one thread, each with at most one request under way. A Job says what each connection
// asks next and looks at the answers; whatever goes wrong ends the program with a message: this is a measuring tool.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace ferry::bench {

using SteadyClock = std::chrono::steady_clock;
using SteadyTime = SteadyClock::time_point;

[[noreturn]] void die(const std::string& what);

/// What a connection does next.
struct Turn {
  std::string request;      ///< the bytes of a whole HTTP request; empty: the connection is done
  SteadyTime not_before{};  ///< it is sent then, or at once
};

class Job {
 public:
  virtual ~Job() = default;
  virtual Turn next(std::size_t connection) = 0;
  /// A 200. `asked` is when the request was written.
  virtual void answered(std::size_t connection, std::string_view body, SteadyTime asked, SteadyTime now) = 0;
  /// Any other answer; ends the program unless a job knows better.
  virtual void refused(std::size_t connection, std::string_view status_and_body);
};

class Connection;

class Pool {
 public:
  struct Address {
    std::string host;  ///< IPv4, in digits
    std::uint16_t port = 0;
  };
  Pool(const Address& address, std::size_t connections);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  std::size_t size() const { return connections_.size(); }
  /// Returns when every connection is done; returns how long it took. The program ends if that is not within `at_most`.
  std::chrono::nanoseconds run(Job& job, std::chrono::seconds at_most = std::chrono::seconds(900));

 private:
  void go_on(std::size_t connection, Job& job);
  void readable(std::size_t connection, Job& job);

  struct Later {
    SteadyTime at;
    std::size_t connection;
    std::string request;
    bool operator<(const Later& other) const { return at > other.at; }  // the earliest on top
  };

  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::priority_queue<Later> later_;
  std::size_t busy_ = 0;
};

}  // namespace ferry::bench
