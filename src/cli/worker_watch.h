#pragma once
// What acts on a worker's run from outside: signals, and the service manager. It also sees to it that a run that was told to stop
// ends, whatever hangs.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/notify.h"
#include "base/process.h"
#include "cli/command.h"
#include "worker/background_loop.h"
#include "worker/poll_rules.h"

namespace ferry::cli {

/// What a stop may take besides the drain timeout and the longest kill_grace: after the first of these what could not be settled
/// is left, after the second the process ends as it is, after the third the service manager kills it (TimeoutStopSec).
inline constexpr Millis kSettleMargin{3'500};
inline constexpr Millis kEndMargin{4'500};
inline constexpr Millis kUnitStopMargin{5'000};

/// SIGINT and SIGTERM are requests to stop. SIGHUP, too, when standard error is a terminal, which has been closed then; else it
/// means: read again what may be read again. Create it before any other thread.
class WorkerWatch {
 public:
  /// `context` outlives it. With a flag of the context's own no signal is watched.
  WorkerWatch(const CommandContext& context, std::string_view command);
  ~WorkerWatch();
  WorkerWatch(const WorkerWatch&) = delete;
  WorkerWatch& operator=(const WorkerWatch&) = delete;

  const StopFlag& flag() const { return flag_; }
  const ServiceNotifier& manager() const { return manager_; }
  /// What SIGHUP does, on a thread of this object; nothing: nothing. When it returns the one before is not called any more.
  void on_reload(std::function<void()> reload);
  /// How long the end may take, if the settings say something else than the defaults.
  void set_end(Millis drain_timeout, Millis kill_grace);

 private:
  void heard(int signal);
  Millis look();

  const CommandContext& context_;
  const std::string command_;
  const bool on_terminal_;
  const ServiceNotifier manager_;
  StopFlag own_;
  const StopFlag& flag_;
  std::mutex mutex_;
  std::function<void()> reload_;  // guarded by mutex_, like the next two
  Millis end_max_{0};
  worker::StopPlan plan_;
  std::unique_ptr<worker::BackgroundLoop> last_resort_;  // the signal thread's, from the first request to stop on
  std::unique_ptr<SignalWatch> watch_;                   // last: its thread uses all of the above
};

}  // namespace ferry::cli
