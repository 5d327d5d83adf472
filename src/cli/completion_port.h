#pragma once
// Where endpoints tell that work which they have accepted is done: a small HTTP server that only this machine reaches.

#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "config/handoff.h"
#include "http/server.h"
#include "worker/completions.h"

namespace ferry::cli {

class CompletionPort {
 public:
  /// Listens from now on. Busy when the port is taken. `random` may be used by any thread; it and `log` outlive the port.
  static Result<std::unique_ptr<CompletionPort>> open(const config::LoopbackAddress& address, Random& random, const Logger& log);
  /// Answers what is under way; then nobody is told anything any more.
  ~CompletionPort();
  CompletionPort(const CompletionPort&) = delete;
  CompletionPort& operator=(const CompletionPort&) = delete;

  worker::Completions& completions() { return *completions_; }
  std::string url() const { return server_->url(); }

 private:
  CompletionPort();
  std::optional<worker::Completions> completions_;
  http::FunctionHandler handler_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace ferry::cli
