#pragma once
// Running one handler for one message: what it is given, what comes of it, and the seam behind which it runs.

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/handoff.h"
#include "ledger/ledger.h"
#include "sqs/api.h"

namespace ferry::worker {

/// What became of one attempt. docs/worker.md says which exit codes and HTTP answers are which.
enum class HandlerEnd {
  Done,         ///< it has done its work
  Retry,        ///< worth another attempt later
  Unavailable,  ///< the same, because something it needs is not there; a breaker counts these
  Rejected,     ///< this message will never do
  OurFault,     ///< the deployment is wrong, not the message; no attempt
  NotStarted,   ///< an endpoint that could not be reached: nothing of the request was sent; no attempt
  TimedOut,     ///< stopped at its deadline; another attempt later
  Crashed,      ///< killed by a signal that was not ours; another attempt later
  Unknown,      ///< an endpoint that went away after the request was sent; another attempt later
  Interrupted,  ///< stopped because the worker stops; no attempt
};
/// "done", "retry", "our-fault", …: for records.
std::string_view name_of(HandlerEnd end);
/// Whether it counts among the attempts that a message has.
bool is_attempt(HandlerEnd end);

struct HandlerResult {
  HandlerEnd end = HandlerEnd::Done;
  std::string detail{};                  ///< "exit 3", "killed by signal 9", "HTTP 503", …
  std::optional<Seconds> retry_after{};  ///< when it asks to be tried again; used when `end` is worth another attempt
  std::string result{};                  ///< JSON that it gave; at most kResultBytesMax; empty when it gave none
  std::string output_tail{};             ///< the end of what it wrote to stdout and stderr, at most kOutputTailBytesMax
  std::optional<int> code{};             ///< exit code or HTTP status
  /// Done: runs in the ledger's transaction that records it, perhaps several times (ledger::Settlement). When it fails the
  /// attempt has failed.
  std::function<Result<void>(ledger::Transaction&)> with{};
};
inline constexpr std::size_t kResultBytesMax = 64 * 1024;
inline constexpr std::size_t kOutputTailBytesMax = 2 * 1024;
/// The longest wait that a handler may ask for: SQS hides no message for longer.
inline constexpr Seconds kRetryAfterMax{43'200};

/// W3C Trace Context.
struct TraceContext {
  std::string parent;   ///< traceparent
  std::string state{};  ///< may be empty
};

/// What `spec` and `message` point to outlives the run: until `done` is called.
struct HandlerCall {
  const config::HandlerSpec* spec = nullptr;
  const sqs::Message* message = nullptr;
  std::string request{};                ///< empty for a COMMAND
  std::string parameter{};              ///< what was asked for; empty for a COMMAND
  std::string queue{};                  ///< as people call it
  std::string label{};                  ///< how its output lines are marked
  std::string idempotency_key{};        ///< the same in every attempt
  std::string signed_by{};              ///< the sender whose signature was checked; empty: it is unsigned, or nobody checks
  std::int64_t fence = 0;               ///< of the ledger's claim; 0: there is no ledger, nor is there an attempt's number
  std::int64_t attempt = 0;             ///< counted from 1
  std::optional<TraceContext> trace{};  ///< for what it does: the sender's trace, a span of this attempt's own
  Timestamp deadline{};                 ///< for it to know; what counts is spec->timeout from the start
  std::string envelope{};               ///< what HandlerInput::Envelope and Line ask for
  std::vector<std::string> argv{};      ///< of a program, like the next two
  std::vector<std::string> environment{};
  std::string working_folder{};

  /// What it reads: body, envelope or nothing.
  std::string_view input() const;
};

/// How urgently handlers are asked to end. 0: not; 1: SIGTERM, then kill_grace, then SIGKILL; 2: SIGKILL.
using InterruptLevel = std::atomic<int>;

/// Thread-safe. The destructor interrupts what runs and returns when every `done` has been called.
class HandlerRunner {
 public:
  virtual ~HandlerRunner() = default;
  /// Once for each call, on any thread, possibly before start() returns; must not block. Nothing of the handler is left then.
  using Done = std::function<void(HandlerResult)>;
  /// Begins a handler and returns at once.
  virtual void start(HandlerCall call, Done done) = 0;
  /// For what runs and for what is started later. Returns at once.
  virtual void interrupt(int level) = 0;
};

}  // namespace ferry::worker
