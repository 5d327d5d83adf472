#pragma once
// What a worker listens on, for this machine alone: where endpoints tell that work which they have accepted is done, and where
// its metrics are read. One listener when both name the same port.

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "config/handoff.h"
#include "http/server.h"
#include "worker/completions.h"
#include "worker/worker.h"
#include "worker/worker_metrics.h"

namespace ferry::cli {

/// An HTTP server on a loopback address whose paths belong to several.
class LocalPort {
 public:
  /// On the server's thread; must not block.
  using Answer = std::function<http::Response(const http::Request& request)>;
  /// Binds: the URL is known then, and nothing is answered yet. Busy when the port is taken. `log` outlives the port.
  static Result<std::unique_ptr<LocalPort>> open(const config::LoopbackAddress& address, const Logger& log);
  /// Answers what is under way; then nothing is called any more.
  ~LocalPort();
  LocalPort(const LocalPort&) = delete;
  LocalPort& operator=(const LocalPort&) = delete;

  /// What paths that begin with `prefix` are answered. Before start(); what nobody answers is 404.
  void route(std::string prefix, Answer answer) { routes_.emplace_back(std::move(prefix), std::move(answer)); }
  void start() { server_->start(); }
  std::string url() const { return server_->url(); }

 private:
  LocalPort();
  http::Response answer(const http::Request& request) const;

  std::vector<std::pair<std::string, Answer>> routes_;
  http::FunctionHandler handler_;
  std::unique_ptr<http::Server> server_;
};

class WorkerPorts {
 public:
  struct Wanted {
    std::optional<config::LoopbackAddress> completion;
    std::optional<config::LoopbackAddress> metrics;
    std::string_view metrics_setting = "worker.metrics";  ///< what errors call it
  };
  /// Listens from now on. Errors are sentences that name the setting. `random` may be used by any thread; it and `log` outlive
  /// the ports.
  static Result<std::unique_ptr<WorkerPorts>> open(const Wanted& wanted, Random& random, const Logger& log);
  WorkerPorts(const WorkerPorts&) = delete;
  WorkerPorts& operator=(const WorkerPorts&) = delete;

  /// Null when they are not wanted.
  worker::Completions* completions() { return completions_ ? &*completions_ : nullptr; }
  /// Empty when there are none.
  const std::string& completion_url() const { return completion_url_; }
  const std::string& metrics_url() const { return metrics_url_; }

  /// What GET /metrics and GET /health tell.
  struct Shown {
    std::string page;
    std::string trouble;  ///< why the worker takes no messages now; empty: it does
  };
  using Show = std::function<Shown()>;
  /// Until then, and after a call with nothing, both say 503. When it returns the function before is called no more. Thread-safe.
  void show(Show show);

 private:
  WorkerPorts() = default;
  http::Response metrics_answer(const http::Request& request);

  std::mutex mutex_;
  Show show_;  // guarded by mutex_
  std::optional<worker::Completions> completions_;
  std::string completion_url_;
  std::string metrics_url_;
  std::unique_ptr<LocalPort> first_;  // last: their threads use all of the above
  std::unique_ptr<LocalPort> second_;
};

/// Shows a worker's metrics for as long as it lives.
class WorkerSight {
 public:
  /// Everything outlives it.
  WorkerSight(WorkerPorts& ports, const worker::WorkerMetrics& metrics, const worker::Worker& worker);
  ~WorkerSight() { ports_.show({}); }
  WorkerSight(const WorkerSight&) = delete;
  WorkerSight& operator=(const WorkerSight&) = delete;

 private:
  WorkerPorts& ports_;
};
/// Why a worker takes no messages now; empty: it does.
std::string trouble_of(const worker::WorkerStatus& status);

/// Replaces the file at `path`: who reads it meets the old text or all of the new one. Readable by everybody that the umask lets.
/// A sentence when it cannot be written; then the old file is as it was.
Result<void> replace_text_file(const std::string& path, const std::string& text);

}  // namespace ferry::cli
