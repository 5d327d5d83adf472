#pragma once
// The HTTP/1.1 server side: connections, limits, deadlines; bytes and headers in, bytes out. It knows no SQS.
//
// One event loop per thread. One listening socket, whose connections are dealt out to the loops in turn. A connection belongs to
// one loop for life; everything about it happens on that loop's thread. One request at a time per connection; the next is parsed
// when the answer of the one before is on its way.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"

namespace ferry::http {

struct Limits {
  std::size_t request_line_bytes_max = 8UL * 1024;  ///< 414 beyond
  std::size_t header_bytes_max = 16UL * 1024;       ///< 431 beyond; lines with their CR LF, request line not included
  std::size_t header_count_max = 100;               ///< 431 beyond
  std::size_t body_bytes_max = 8UL * 1024 * 1024;   ///< 413 beyond
  std::size_t connections_max = 10'000;             ///< per server; accepting pauses at the limit
  // Deadlines are looked at once a second: they end up to a second late, never early.
  std::chrono::seconds header_deadline{10};      ///< from the first byte of a request to the end of its headers; 408 beyond
  std::chrono::seconds body_grace{5};            ///< after which a body must come at body_bytes_per_second_min; 408 beyond
  std::size_t body_bytes_per_second_min = 1024;  ///< 0: any rate will do
  std::chrono::seconds write_stall_max{20};      ///< no progress in writing an answer
  std::chrono::seconds idle_max{60};             ///< between two requests
};

struct Header {
  std::string_view name;   ///< as sent
  std::string_view value;  ///< without surrounding white space
};

/// Readable bytes behind every Request::body, zeroed; parsers that read ahead need no copy.
constexpr std::size_t kBodyPadding = 64;

/// Views into memory of the exchange: valid as long as that is kept, and until it is answered.
struct Request {
  std::string_view method;
  std::string_view target;  ///< path and query as sent; of an absolute URI what follows the host
  std::string_view path;    ///< before '?', as sent (not decoded)
  std::string_view query;   ///< after '?', as sent
  std::vector<Header> headers;
  std::string_view body;  ///< chunks already joined
  std::string_view peer;  ///< address of the peer without its port

  /// Value of the first header of that name (case-insensitive); empty when there is none.
  std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type{};  ///< not sent when empty
  /// Beyond Content-Type, Content-Length, Date, Connection. Control characters in values are sent as spaces.
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  bool close = false;  ///< close the connection after this answer
};

/// One thread's event loop.
class Loop {
 public:
  virtual ~Loop() = default;
  /// Runs `task` on the loop's thread. Thread-safe. Tasks posted after the loop has stopped are dropped.
  virtual void post(std::function<void()> task) = 0;
  /// 0 … loops-1.
  virtual std::size_t index() const = 0;
  /// Whether the caller is on the loop's thread. Thread-safe.
  virtual bool is_current() const = 0;

  using TimerId = std::uint64_t;
  /// Runs `task` on this loop after `delay`. Only on the loop's thread; so is cancel_timer(), which is safe for timers that ran.
  virtual TimerId start_timer(std::chrono::nanoseconds delay, std::function<void()> task) = 0;
  virtual void cancel_timer(TimerId id) = 0;
};

/// A request that waits for its answer. Lives on its loop's thread; may be kept (shared) while the answer is prepared, also
/// beyond the connection, but not beyond the server. When the last owner lets go without respond(), the connection is closed
/// unanswered (at once on the loop's thread, within a second elsewhere).
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;
  virtual Loop& loop() = 0;
  /// Sends the answer. Once at most, on the loop's thread; dropped when the connection is gone. May be called within handle().
  virtual void respond(Response&& response) = 0;
  /// `gone` runs on the loop's thread, once, if the peer closes or resets, or a stopping server gives up, before respond();
  /// replaces the one set before. Released when it has run and when the answer is given, so it may own the exchange.
  /// A peer that closed only its sending side counts as gone, too; an answer given nevertheless is sent.
  virtual void on_gone(std::function<void()> gone) = 0;
};

class Handler {
 public:
  virtual ~Handler() = default;
  /// On the loop's thread. Must not block.
  virtual void handle(const std::shared_ptr<Exchange>& exchange) = 0;
};

/// A handler that is a function.
class FunctionHandler final : public Handler {
 public:
  using Function = std::function<void(const std::shared_ptr<Exchange>&)>;
  explicit FunctionHandler(Function function) : function_(std::move(function)) {}
  void handle(const std::shared_ptr<Exchange>& exchange) override { function_(exchange); }

 private:
  Function function_;
};

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< an address (IPv6 with or without brackets), or a name that resolves to one
  std::uint16_t port = 0;          ///< 0: any free one
  std::size_t loops = 1;           ///< threads; at least 1
  Limits limits{};
  /// Of deadlines, timers and the Date header; outlives the server. Null: the machine's. After moving a ManualClock, post() an
  /// empty task so that the loop looks at it.
  const Clock* clock = nullptr;
};

struct ServerStats {
  std::uint64_t connections_open = 0;
  std::uint64_t connections_accepted = 0;
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;  ///< answered by the parser or the limits, or for want of descriptors, not by the handler
};

class Server {
 public:
  /// `handler` and `log` outlive the server.
  static std::unique_ptr<Server> create(ServerOptions options, Handler& handler, const Logger& log);
  /// Stops at once when stop() was not called.
  virtual ~Server() = default;

  /// Binds; Busy when the port is taken. The address is known afterwards; nothing is accepted before start(), but the kernel lets
  /// clients connect and wait.
  virtual Result<void> bind() = 0;
  virtual std::string host() const = 0;  ///< the address that was bound, in digits
  virtual std::uint16_t port() const = 0;
  virtual std::string url() const = 0;  ///< http://HOST:PORT, without a slash at the end
  virtual std::vector<Loop*> loops() = 0;
  /// Starts the threads and accepts. Once, after bind().
  virtual void start() = 0;
  /// Stops accepting, closes idle connections, answers what is running with "Connection: close"; returns when every exchange
  /// is answered or `deadline` from now, whichever comes first, and then closes everything. Tasks and timers run until then,
  /// afterwards they are dropped. Blocks. Not on a loop's thread. Nothing happens the second time.
  virtual void stop(std::chrono::nanoseconds deadline) = 0;
  virtual ServerStats stats() const = 0;
};

}  // namespace ferry::http
