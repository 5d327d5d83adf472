#pragma once
/// @file
/// The receiving end of a hand-off: C++ functions that carry out requests, with the promises of `ferry work`.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ferry/connection.h"
#include "ferry/expected.h"
#include "ferry/handler.h"

namespace ferry {

/// How urgent it is for people.
enum class EventLevel {
  Step,     ///< Every move.
  Note,     ///< Results.
  Warning,  ///< Refusals, failures, what somebody should look at.
};
/// Something that happened in a worker, as a line for people; control characters are escaped.
struct Event {
  EventLevel level = EventLevel::Note;  ///< How urgent it is.
  std::string_view text{};              ///< Valid during the call.
};

/// What happens to a message that is refused: no handler is for it, two are, its parameter is not allowed, its sender is not
/// believed, or its handler says Outcome::reject().
enum class OnRefused {
  Keep,        ///< It stays in the queue, seen again after a pause.
  DeadLetter,  ///< A copy goes to WorkerOptions::dead_letter_queue, then it is deleted.
  Delete,      ///< It is deleted, and its body told. Never what waits for a person, nor two requests with one key.
};

/// What happens to requests without a signature, with WorkerOptions::allowed_senders.
enum class OnUnsigned {
  Refuse,  ///< They are refused.
  Allow,   ///< They are carried out, whoever sent them: only while senders are being changed over.
};

/// When run() returns by itself.
enum class RunUntil {
  Stopped,  ///< Never: only after stop(), or when the queue or the ledger is lost for good.
  Drained,  ///< When two long polls in a row brought nothing new: for schedulers. Each message is tried once.
};

/// Everything but the handlers.
struct WorkerOptions {
  std::string queue;                                ///< Name, URL or ARN.
  Connection connection{};                          ///< Whose server.
  RunUntil until = RunUntil::Stopped;               ///< When run() returns by itself.
  int concurrency = 4;                              ///< Handlers at a time, 1 to 4096: as many threads.
  std::chrono::seconds visibility{60};              ///< How long a message stays hidden if this process dies: 3 s to 12 h.
  std::chrono::seconds wait{20};                    ///< Of one long poll: 0 to 20 s; 1 s at least with RunUntil::Drained.
  std::chrono::milliseconds drain_timeout{30'000};  ///< How long running handlers may finish after a stop: 0 to 24 h.
  std::chrono::milliseconds backoff_base{5'000};    ///< A failed message is seen again after anything up to this, 1 s to 1 h,
  std::chrono::milliseconds backoff_max{900'000};   ///< or up to this, for the first is doubled with each attempt: 1 s to 12 h.

  /// Where it is recorded what was done, so that it is not done again: a file of this machine, made when it is not there, or
  /// postgresql://HOST/DATABASE for workers of several machines. Empty: nowhere, and a crash between a handler's work and the
  /// deletion of its message runs it twice.
  std::string ledger{};
  std::chrono::hours ledger_retention{24 * 30};  ///< How long records are kept after their outcome: 1 h to 3650 days.
  OnRefused on_refused = OnRefused::Keep;        ///< What happens to messages that are refused.
  std::string dead_letter_queue{};               ///< Name, URL or ARN; with OnRefused::DeadLetter and only then.

  /// A file that says whose signed requests are carried out (docs/signing.md). Empty: all are believed.
  std::string allowed_senders{};
  OnUnsigned on_unsigned = OnUnsigned::Refuse;  ///< With allowed_senders: what happens to unsigned requests.
  /// A folder for the hash-chained record of each request's life (docs/audit.md), made when it is not there. Empty: none is kept.
  std::string audit_folder{};
  /// Signals that do what stop() does while run() runs, such as SIGINT and SIGTERM; they interrupt nothing else meanwhile. The
  /// program must have started no other thread before run(), or those must have blocked these signals.
  std::vector<int> stop_signals{};
  /// Told what happens. Called on threads of the worker, one call at a time; must not block for long nor call the worker. What it
  /// throws is ignored.
  std::function<void(const Event& event)> on_event{};
};

/// How a run ended.
enum class RunEnd {
  Drained,      ///< RunUntil::Drained: nothing was left to do.
  Stopped,      ///< stop(), and everything that ran has finished.
  Interrupted,  ///< stop(), and handlers that did not finish in time were cancelled; their messages went back.
};
/// What a run has done. Messages, each counted once.
struct RunReport {
  RunEnd end = RunEnd::Drained;   ///< How it ended.
  std::uint64_t handled = 0;      ///< Done and deleted.
  std::uint64_t refused = 0;      ///< See OnRefused.
  std::uint64_t failed = 0;       ///< To be tried again.
  std::uint64_t interrupted = 0;  ///< Cancelled by a stop; no attempt was counted.
  std::uint64_t duplicates = 0;   ///< Came again after they were done, or while they were in hand; not run.
  std::uint64_t deferred = 0;     ///< Another worker has them, or they are not due; they went back.
  std::uint64_t unsettled = 0;    ///< Deletions and returns that the service did not take: they will be seen again.
};

/// Receives requests and has them carried out. A message is deleted only after its handler has answered Outcome::done() and,
/// with a ledger, that is on record.
class Worker {
 public:
  /// Opens nothing yet.
  explicit Worker(WorkerOptions options);
  /// Not while run() runs.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Requests with this name go to `handler`: messages with an attribute of this name, or those of `options.match`. Before run().
  /// What is wrong with it, run() tells.
  Worker& on(std::string request, Handler handler, HandlerOptions options = {});
  /// Every message goes to `handler`, whatever its attributes are. Not together with on().
  Worker& on_any(Handler handler, HandlerOptions options = {});

  /// Receives, runs handlers and settles messages until it is stopped or `until` is reached. Blocks; once. Fails with
  /// InvalidArgument, all that is wrong in one line each, before anything is opened or received; with the failures of opening
  /// files, ledger and queue; and when queue or ledger are lost for good. A server that cannot be reached is waited for, at the
  /// start only with RunUntil::Stopped.
  Expected<RunReport> run();
  /// No more polls; running handlers finish, for `drain_timeout` at most. The second call cancels them. From any thread, handler
  /// or signal handler; before run(), too. Does not wait.
  void stop() noexcept;
  /// What was counted so far, as a page in the Prometheus text format; docs/operations.md lists the series. Empty before run()
  /// has reached the queue; afterwards the last numbers stay. From any thread, handlers' too; does not block.
  std::string metrics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ferry
