#include "cli/worker_watch.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/client_options.h"
#include "config/handler_spec.h"
#include "config/handoff.h"

namespace ferry::cli {
namespace {
constexpr Millis kTick{50};
}  // namespace

WorkerWatch::WorkerWatch(const CommandContext& context, std::string_view command)
    : context_(context),
      command_(command),
      on_terminal_(is_terminal(context.err)),
      manager_(context.environment),
      flag_(context.stop != nullptr ? *context.stop : own_),
      plan_(Millis(0), Millis(0)) {
  set_end(config::WorkerSettings{}.drain_timeout, config::HandlerSpec{}.kill_grace);
  if (context.stop != nullptr) return;
  constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
  watch_ = std::make_unique<SignalWatch>(kSignals, [this](int signal) { heard(signal); });
}

WorkerWatch::~WorkerWatch() {
  watch_.reset();
}

void WorkerWatch::on_reload(std::function<void()> reload) {
  const std::lock_guard lock(mutex_);
  reload_ = std::move(reload);
}

void WorkerWatch::set_end(Millis drain_timeout, Millis kill_grace) {
  const std::lock_guard lock(mutex_);
  plan_ = worker::StopPlan(drain_timeout, kill_grace + kEndMargin);
  end_max_ = drain_timeout + kill_grace + kUnitStopMargin;
}

void WorkerWatch::heard(int signal) {
  if (signal == SIGHUP && !on_terminal_) {
    const std::lock_guard lock(mutex_);
    if (reload_) reload_();
    return;
  }
  own_.request(signal);
  if (last_resort_) return;
  last_resort_ = std::make_unique<worker::BackgroundLoop>([this] { return look(); });
  const std::lock_guard lock(mutex_);
  manager_.stopping("letting the handlers that run finish");
  manager_.extend_timeout(end_max_);
}

// What hangs then is the system: a disk, a database, a connection that is being opened. What was acknowledged is on disk; what
// was not comes again.
Millis WorkerWatch::look() {
  const std::lock_guard lock(mutex_);
  if (!plan_.update(own_.requests(), context_.clock.steady()).give_up) return kTick;
  complain(context_, command_, "something hangs; ending without it, what is not settled comes again", kExitFailed);
  std::_Exit(128 + own_.signal());
}

}  // namespace ferry::cli
