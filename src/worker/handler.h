#pragma once
// Running one handler for one message: a process of its own, or in tests anything else.

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/process.h"
#include "config/handoff.h"
#include "sqs/api.h"
#include "worker/transcript.h"

namespace ferry::worker {

enum class HandlerEnd {
  Done,         ///< exit 0
  Retry,        ///< worth another attempt later
  Rejected,     ///< exit 64 or 65: this message will never do
  OurFault,     ///< exit 77, 78, 126, 127, or it could not be started: the deployment is wrong, not the message
  TimedOut,     ///< stopped at its deadline; another attempt later
  Crashed,      ///< killed by a signal that was not ours; another attempt later
  Interrupted,  ///< stopped because the worker stops; no attempt
};
struct HandlerResult {
  HandlerEnd end = HandlerEnd::Done;
  std::string detail;  ///< "exit 3", "killed by signal 9", …
};
/// What an exit status means (docs/worker.md, "Exit codes").
HandlerResult classify_exit(const ExitStatus& status);

struct HandlerCall {
  const config::HandlerSpec* spec = nullptr;
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::string working_folder;
  std::string label;  ///< how its output lines are marked
  std::string_view input;
};

/// How urgently handlers are asked to end. 0: not; 1: SIGTERM, then kill_grace, then SIGKILL; 2: SIGKILL.
using InterruptLevel = std::atomic<int>;

/// Thread-safe; run() blocks until the handler has ended, and nothing of it is left then.
class HandlerRunner {
 public:
  virtual ~HandlerRunner() = default;
  virtual HandlerResult run(const HandlerCall& call, const InterruptLevel& interrupt) = 0;
};

/// Handlers are processes. Their output goes to the reporter line by line, capped.
class ProcessRunner final : public HandlerRunner {
 public:
  ProcessRunner(const Clock& clock, Reporter& reporter) : clock_(clock), reporter_(reporter) {}
  HandlerResult run(const HandlerCall& call, const InterruptLevel& interrupt) override;

 private:
  const Clock& clock_;
  Reporter& reporter_;
};

inline constexpr std::size_t kOutputLineBytesMax = 4 * 1024;
inline constexpr std::size_t kOutputBytesMax = 64 * 1024;  // of one stream of one run; the rest is read and dropped

/// Cuts a stream into lines and hands them on; a line over the bound is cut in pieces, what is over the total is dropped and
/// said.
class LineFramer {
 public:
  using Sink = std::function<void(std::string_view line)>;
  explicit LineFramer(Sink sink) : sink_(std::move(sink)) {}
  void feed(std::string_view bytes);
  /// The last line, which may have no end.
  void finish();

 private:
  void emit(std::string_view line);
  Sink sink_;
  std::string line_;
  std::size_t emitted_bytes_ = 0;
  bool capped_ = false;
};

struct EnvironmentInput {
  const config::HandlerSpec* spec = nullptr;
  const config::WorkerSettings* settings = nullptr;
  const sqs::Message* message = nullptr;
  std::string request;
  std::string queue;
  Timestamp deadline;
  std::function<std::optional<std::string>(const std::string&)> own;  ///< the worker's environment, for pass_environment and HOME
};
/// "NAME=VALUE" each, sorted: PATH, HOME, LANG, constants, passed names, and the FERRY_… names of docs/worker.md. Nothing else.
std::vector<std::string> build_environment(const EnvironmentInput& input);

/// A system attribute, or nothing.
std::optional<std::string> system_attribute(const sqs::Message& message, std::string_view name);
/// ApproximateReceiveCount; 1 when it is not told.
int receive_count(const sqs::Message& message);

}  // namespace ferry::worker
