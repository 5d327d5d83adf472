#pragma once
// The connections of one loop, and what they share: the buffer they read into, the buffer they write from, the readers between
// requests, the sweep that looks at their deadlines.

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "http/connection.h"
#include "http/response_writer.h"

namespace ferry::http {

/// Everything happens on the loop's thread unless it says otherwise.
class ConnectionGroup {
 public:
  /// All references outlive the group. `closed` is called for every connection that ends.
  ConnectionGroup(EventLoop& loop, const Limits& limits, Handler& handler, const Logger& log, std::function<void()> closed);
  ~ConnectionGroup();

  void adopt(Descriptor socket, std::string peer);
  /// From now on answers close. `drained` is called once, when no exchange is pending and no answer unsent; all is closed then.
  void begin_drain(std::function<void()> drained);
  void close_all();
  void turn_end();

  /// Any thread.
  std::uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  // For the connections.
  static constexpr std::size_t kScratchBytes = 64UL * 1024;
  EventLoop& loop() { return loop_; }
  const Limits& limits() const { return limits_; }
  Handler& handler() { return handler_; }
  const Logger& log() const { return log_; }
  char* scratch() { return scratch_.get(); }
  std::string& out() { return out_; }
  std::string_view date() { return date_.at(loop_.clock().wall()); }
  bool draining() const { return draining_; }
  std::unique_ptr<RequestReader> take_reader();
  void give_reader(std::unique_ptr<RequestReader> reader);
  void count_request() { requests_.store(requests() + 1, std::memory_order_relaxed); }
  void count_refused() { refused_.store(refused() + 1, std::memory_order_relaxed); }
  void count_active(int change) { active_ += change; }
  /// Calls connection.go_on() in the next turn.
  void later(Connection& connection);
  /// The connection is freed at the end of the turn: events of it may still be on their way to it.
  void remove(Connection& connection);

 private:
  void sweep();

  EventLoop& loop_;
  const Limits& limits_;
  Handler& handler_;
  const Logger& log_;
  const std::function<void()> closed_;
  std::unique_ptr<char[]> scratch_;
  std::string out_;
  DateCache date_;
  std::vector<std::unique_ptr<RequestReader>> readers_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> removed_;
  std::vector<Connection*> later_;
  int active_ = 0;  // exchanges pending and answers unsent
  bool sweeping_ = false;
  bool draining_ = false;
  std::function<void()> drained_;
  // Written by the loop's thread alone, so adding needs no locked instruction.
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace ferry::http
