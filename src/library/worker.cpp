#include "ferry/worker.h"

#include <fmt/format.h>

#include <filesystem>
#include <mutex>

#include "base/process.h"
#include "base/version.h"
#include "ledger/open_ledger.h"
#include "library/core.h"
#include "library/failure.h"
#include "library/task.h"
#include "library/worker_plan.h"
#include "worker/backoff.h"
#include "worker/client_queue_port.h"
#include "worker/oversight_setup.h"
#include "worker/worker.h"
#include "worker/worker_metrics.h"

namespace ferry {
namespace {

constexpr config::BackoffSettings kStartBackoff{Millis(500), Millis(30'000)};
constexpr Millis kStopTick{50};

EventLevel level_of(worker::Verbosity least) {
  switch (least) {
    case worker::Verbosity::Verbose:
      return EventLevel::Step;
    case worker::Verbosity::Normal:
      return EventLevel::Note;
    case worker::Verbosity::Quiet:
      break;
  }
  return EventLevel::Warning;
}

// Brings lines to the user's function, one at a time.
class Teller {
 public:
  explicit Teller(const std::function<void(const Event&)>& on_event) : on_event_(on_event) {}

  void tell(worker::Verbosity least, std::string_view text) {
    if (!on_event_) return;
    const std::lock_guard lock(mutex_);
    try {
      on_event_({level_of(least), text});
    } catch (...) {  // NOLINT(bugprone-empty-catch): as promised; who is told events cannot end the work
    }
  }

 private:
  const std::function<void(const Event&)>& on_event_;
  std::mutex mutex_;
};

// What Worker::metrics() shows: the numbers of the run that is on, or of the one that was. Thread-safe.
class Sight {
 public:
  std::string page() const {
    const std::lock_guard lock(mutex_);
    return show_ ? show_() : last_;
  }
  void begin(std::function<std::string()> show) {
    const std::lock_guard lock(mutex_);
    show_ = std::move(show);
  }
  void end() {
    const std::lock_guard lock(mutex_);
    last_ = show_();
    show_ = {};
  }

 private:
  mutable std::mutex mutex_;
  std::function<std::string()> show_;  // guarded by mutex_, like the next one
  std::string last_;
};

// Shows for as long as it lives.
class Shown {
 public:
  Shown(Sight& sight, std::function<std::string()> show) : sight_(sight) { sight.begin(std::move(show)); }
  ~Shown() { sight_.end(); }
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;

 private:
  Sight& sight_;
};

// The parts of one run, in the order of need.
class Run {
 public:
  Run(const WorkerOptions& options, const std::vector<library::Registration>& registrations, const StopFlag& stop, Sight& sight)
      : options_(options), registrations_(registrations), stop_(stop), sight_(sight) {}

  Expected<RunReport> run() {
    auto plan = library::make_plan(options_, registrations_);
    if (!plan) return std::move(plan).error();
    plan_ = std::move(*plan);
    for (const auto step : {&Run::connect, &Run::find_dead_letters, &Run::look_over, &Run::open_ledger}) {
      if (const Expected<void> done = (this->*step)(); !done) return done.error();
      if (stop_.requests() > 0) return RunReport{RunEnd::Stopped, 0, 0, 0, 0, 0, 0, 0};
    }
    return work();
  }

 private:
  Expected<void> connect() {
    auto core = library::Core::open(options_.connection, options_.queue);
    if (!core) return std::move(core).error();
    core_ = std::move(*core);
    for (int attempt = 1; stop_.requests() == 0; ++attempt) {
      auto found = core_->find_queue(options_.queue);
      if (found) {
        queue_ = std::move(*found);
        return {};
      }
      const FailureKind kind = found.error().kind;
      const bool may_pass = kind == FailureKind::NotReachable || kind == FailureKind::Unavailable || kind == FailureKind::Unknown;
      if (options_.until == RunUntil::Drained || !may_pass) return std::move(found).error();
      if (attempt == 1) reporter_.warn(fmt::format("{}; trying again until it is there", found.error().message));
      wait_for(kStartBackoff.base + worker::full_jitter(kStartBackoff, attempt, core_->random()));
    }
    return {};
  }

  void wait_for(Millis duration) const {
    const SteadyTime until = core_->clock().steady() + duration;
    while (core_->clock().steady() < until && stop_.requests() == 0) sleep_for(kStopTick);
  }

  Expected<void> find_dead_letters() {
    if (options_.dead_letter_queue.empty()) return {};
    auto found = core_->find_queue(options_.dead_letter_queue);
    if (!found) return std::move(found).error();
    if (found->url == queue_.url) return library::refusal("dead_letter_queue is the queue that is worked on");
    dead_letter_url_ = std::move(found->url);
    return {};
  }

  Expected<void> look_over() {
    auto oversight = worker::WorkerOversight::open(
        plan_.handoff, options_.queue,
        {[](const std::string&) { return std::nullopt; }, core_->clock(), core_->random(), reporter_});
    if (!oversight) return library::failure_of(oversight.error());
    oversight_ = std::move(*oversight);
    return {};
  }

  Expected<void> open_ledger() {
    if (options_.ledger.empty()) return {};
    ledger::OpenOptions open;
    open.ledger.retention = options_.ledger_retention;
    const std::string place =
        ledger::is_server_address(options_.ledger) ? options_.ledger : std::filesystem::absolute(options_.ledger).string();
    auto opened = ledger::open_ledger(place, open, core_->clock());
    if (!opened) {
      Failure failure = library::failure_of(opened.error());
      failure.message = fmt::format("the ledger: {}", failure.message);
      return failure;
    }
    ledger_ = std::move(*opened);
    return {};
  }

  worker::WorkerOptions worker_options() {
    worker::WorkerOptions made;
    made.flow.mode = options_.until == RunUntil::Drained ? worker::RunMode::Poll : worker::RunMode::Work;
    made.flow.queue = options_.queue;
    made.flow.oversight = oversight_->get();
    made.flow.on_unmatched = plan_.handoff.on_unmatched;
    made.flow.backoff = plan_.handoff.backoff;
    made.flow.settings = plan_.handoff.worker;
    if (ledger_) {
      made.flow.ledger.ledger = ledger_.get();
      made.flow.ledger.owner = ledger::make_owner(core_->random());
      made.flow.ledger.queue = queue_.name;
    }
    return made;
  }

  std::vector<std::string> request_names() const {
    std::vector<std::string> names;
    for (const library::Registration& one : registrations_) names.push_back(one.request);
    return names;
  }

  Expected<RunReport> work() {
    std::map<std::string, worker::HandlerFunction> functions;
    for (const library::Registration& one : registrations_) {
      functions[one.request] = library::function_for(one.handler, [this](std::string_view text) { reporter_.warn(text); });
    }
    const worker::Router router = plan_.takes_every_message ? worker::Router(plan_.every_message) : worker::Router(plan_.handoff);
    worker::WorkerMetrics metrics({options_.queue, kVersion, request_names(), static_cast<std::size_t>(options_.concurrency)},
                                  core_->clock());
    worker::ClientQueuePort queue(core_->client(), queue_.url, dead_letter_url_);
    worker::MeteredPort port(queue, metrics);
    worker::FunctionRunner inner(std::move(functions), static_cast<std::size_t>(options_.concurrency), core_->clock());
    worker::MeteredRunner runner(inner, metrics);
    worker::Worker worker(worker_options(), router, port, runner, core_->clock(), core_->random(), reporter_, stop_);
    const Shown shown(sight_, [&] { return metrics.page(worker.status()); });
    reporter_.note(fmt::format("working {} at {} with {} slots", options_.queue, core_->endpoint().url, options_.concurrency));
    const worker::RunSummary summary = worker.run();
    if (const Result<void> closed = oversight_->close(); !closed) return library::failure_of(closed.error());
    if (summary.ledger_error) return Failure{FailureKind::System, fmt::format("the ledger: {}", *summary.ledger_error), {}};
    if (summary.error) return library::failure_of(*summary.error);
    return report_of(summary);
  }

  static RunReport report_of(const worker::RunSummary& summary) {
    RunReport report;
    report.end = RunEnd::Stopped;
    if (summary.end == worker::RunEnd::Drained) report.end = RunEnd::Drained;
    if (summary.end == worker::RunEnd::Forced) report.end = RunEnd::Interrupted;
    report.handled = summary.tally.handled;
    report.refused = summary.tally.refused;
    report.failed = summary.tally.failed;
    report.interrupted = summary.tally.interrupted;
    report.duplicates = summary.tally.duplicates;
    report.deferred = summary.tally.deferred;
    report.unsettled = summary.unsettled;
    return report;
  }

  const WorkerOptions& options_;
  const std::vector<library::Registration>& registrations_;
  const StopFlag& stop_;
  Sight& sight_;
  Teller teller_{options_.on_event};
  worker::Reporter reporter_{options_.on_event ? worker::Reporter::Sink([this](worker::Verbosity least, std::string_view text) {
    teller_.tell(least, text);
  })
                                               : worker::Reporter::Sink()};
  library::Plan plan_;
  std::shared_ptr<library::Core> core_;  // alone
  library::Core::FoundQueue queue_;
  std::string dead_letter_url_;
  std::unique_ptr<worker::WorkerOversight> oversight_;
  std::unique_ptr<ledger::Ledger> ledger_;
};
}  // namespace

struct Worker::State {
  WorkerOptions options;
  std::vector<library::Registration> registrations{};
  StopFlag stop{};
  std::atomic<bool> begun{false};
  Sight sight{};
};

Worker::Worker(WorkerOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
}
Worker::~Worker() = default;

Worker& Worker::on(std::string request, Handler handler, HandlerOptions options) {
  if (request.empty()) request = " ";  // no name either, and not the one that stands for every message
  state_->registrations.push_back({std::move(request), std::move(handler), std::move(options)});
  return *this;
}

Worker& Worker::on_any(Handler handler, HandlerOptions options) {
  state_->registrations.push_back({{}, std::move(handler), std::move(options)});
  return *this;
}

Expected<RunReport> Worker::run() {
  if (state_->begun.exchange(true)) return library::refusal("this worker has run before; make another one");
  std::optional<SignalWatch> watch;  // first: threads inherit the mask
  if (!state_->options.stop_signals.empty())
    watch.emplace(std::span<const int>(state_->options.stop_signals), [this](int signal) { state_->stop.request(signal); });
  return Run(state_->options, state_->registrations, state_->stop, state_->sight).run();
}

void Worker::stop() noexcept {
  state_->stop.request(1);
}

std::string Worker::metrics() const {
  return state_->sight.page();
}

}  // namespace ferry
