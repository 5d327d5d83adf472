#include "cli/worker_setup.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/digest.h"
#include "base/encoding.h"
#include "base/version.h"
#include "cli/store_tools.h"
#include "cli/worker_handlers.h"
#include "cli/worker_ledger.h"
#include "cli/worker_ports.h"
#include "cli/worker_watch.h"
#include "client/queue_reference.h"
#include "worker/backoff.h"
#include "worker/client_queue_port.h"
#include "worker/http_runner.h"
#include "worker/oversight_setup.h"
#include "worker/process_runner.h"
#include "worker/runner_by_kind.h"

namespace ferry::cli {
namespace {

constexpr Seconds kPollWait{2};  // a poll ends after two polls that bring nothing; any wait asks every part of the service
constexpr config::BackoffSettings kStartBackoff{Millis(500), Millis(30'000)};
constexpr Millis kStopTick{50};

std::string_view name_of(worker::RunMode mode) {
  return mode == worker::RunMode::Poll ? "poll" : "work";
}

// One run: what it is made of lives here, in the order of need.
class Run {
 public:
  Run(const WorkerFlags& flags, worker::RunMode mode, CommandContext& context, WorkerWatch& watch)
      : flags_(flags), mode_(mode), context_(context), watch_(watch), stop_(watch.flag()), name_(name_of(mode)) {}
  ~Run() { watch_.on_reload({}); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  int run() {
    for (const auto step : {&Run::read_handlers, &Run::apply_flags, &Run::open_files, &Run::look_over, &Run::connect,
                            &Run::find_dead_letters, &Run::lock, &Run::open_ledger, &Run::open_ports}) {
      if (const auto exit_code = (this->*step)()) return *exit_code;
    }
    return work();
  }

 private:
  std::optional<int> usage(std::string_view message) const { return complain(context_, name_, message, kExitUsage); }

  std::optional<int> read_handlers() { return cli::read_handlers(flags_, name_, context_, handlers_); }

  std::optional<int> apply_flags() {
    config::WorkerSettings& settings = handoff_.worker;
    if (flags_.concurrency) settings.concurrency = *flags_.concurrency;
    const auto whole = [&](const std::optional<Millis>& value, Seconds& target, Seconds min, Seconds max) {
      if (!value) return true;
      target = std::chrono::duration_cast<Seconds>(*value);
      return target == *value && target >= min && target <= max;
    };
    if (mode_ == worker::RunMode::Poll && !flags_.wait) settings.wait = std::min(settings.wait, kPollWait);
    if (!whole(flags_.visibility, settings.visibility, Seconds(3), Seconds(43'200)))
      return usage("--visibility must be whole seconds from 3s to 12h");
    const Seconds least_wait(mode_ == worker::RunMode::Poll ? 1 : 0);
    if (!whole(flags_.wait, settings.wait, least_wait, Seconds(20))) {
      return usage(fmt::format("--wait must be whole seconds from {} to 20", least_wait.count()));
    }
    settings.wait = std::max(settings.wait, least_wait);
    if (!flags_.metrics.empty()) {
      metrics_address_ = config::parse_loopback(flags_.metrics);
      if (!metrics_address_) {
        return usage(
            fmt::format("--metrics {} must be an address of this machine alone and a port, like 127.0.0.1:9464 (port 0: "
                        "any free one)",
                        escape_control(flags_.metrics)));
      }
    }
    if (flags_.drain_timeout) settings.drain_timeout = *flags_.drain_timeout;
    watch_.set_end(settings.drain_timeout, kill_grace());
    return std::nullopt;
  }

  std::optional<int> open_files() {
    auto transcript = open_transcript(flags_.client, context_);
    if (!transcript) return usage(transcript.error().message);
    transcript_ = std::move(*transcript);
    worker::Verbosity verbosity = worker::Verbosity::Normal;
    if (flags_.client.quiet) verbosity = worker::Verbosity::Quiet;
    if (flags_.client.verbose > 0) verbosity = worker::Verbosity::Verbose;
    reporter_.emplace(verbosity, context_.err, transcript_.get());
    return std::nullopt;
  }

  std::optional<int> look_over() {
    auto oversight = worker::WorkerOversight::open(handoff_, flags_.queue,
                                                   {context_.environment, context_.clock, context_.random, *reporter_});
    if (!oversight) return usage(oversight.error().message);
    oversight_ = std::move(*oversight);
    watch_.on_reload([this] { read_again(); });
    return std::nullopt;
  }

  // On the watch's thread.
  void read_again() {
    if (!oversight_->reload_trust())
      reporter_->note("SIGHUP: no file of allowed senders is named, so there is nothing to read again");
  }

  Millis kill_grace() const {
    return flags_.command.empty() ? handoff_.longest_kill_grace() : handlers_.command.handler->kill_grace;
  }

  // `work` waits for a server that is not there yet; `poll` says so and ends.
  std::optional<int> connect() {
    auto session = Session::open(flags_.client, flags_.queue, context_);
    if (!session) return usage(session.error().message);
    session_ = std::move(*session);
    const auto reference = client::parse_queue_argument(flags_.queue);
    if (!reference) return usage(reference.error().message);
    queue_name_ = reference->name;
    for (int attempt = 1;; ++attempt) {
      auto url = client::resolve_queue(session_->client(), *reference);
      if (url) {
        url_ = std::move(*url);
        return std::nullopt;
      }
      const bool may_pass = worker::classify(url.error()) == worker::Fault::Transient;
      if (mode_ == worker::RunMode::Poll || !may_pass) return cannot_find(url.error());
      if (attempt == 1) {
        reporter_->warn(fmt::format("{}; trying again until it is there", url.error().message));
        watch_.manager().status(fmt::format("waiting for the server: {}", url.error().message));
      }
      const SteadyTime until =
          context_.clock.steady() + worker::full_jitter(kStartBackoff, attempt, context_.random) + kStartBackoff.base;
      while (context_.clock.steady() < until && stop_.requests() == 0) sleep_for(kStopTick);
      if (stop_.requests() > 0) return kExitDone;
    }
  }

  int cannot_find(client::CallError error) const {
    if (worker::classify(error) == worker::Fault::NoQueue) {
      error.message = fmt::format("there is no queue {} at {}", flags_.queue, session_->endpoint().url);
    }
    return complain(context_, name_, error, session_->endpoint().url);
  }

  std::optional<int> find_dead_letters() {
    if (handoff_.on_unmatched != config::OnUnmatched::DeadLetter) return std::nullopt;
    QueueOrExit where = find_queue(*session_, handoff_.dead_letter_queue, context_, name_);
    if (where.exit_code) return where.exit_code;
    if (where.url == url_) return usage("dead_letter_queue is the queue that is worked on");
    dead_letter_url_ = std::move(where.url);
    return std::nullopt;
  }

  std::optional<int> lock() {
    if (mode_ != worker::RunMode::Poll) return std::nullopt;
    const Sha256Digest digest = sha256(url_);
    const std::string name = "poll-" + hex_encode(std::span(digest)).substr(0, 24);
    auto lock = HostLock::acquire(host_lock_path(context_.environment("XDG_RUNTIME_DIR").value_or(""), name));
    if (!lock && lock.error().kind == ErrorKind::Busy) {
      reporter_->warn(fmt::format("another run polls {} on this host already; nothing to do", flags_.queue));
      return kExitDone;
    }
    if (!lock) return complain(context_, name_, lock.error().message, kExitFailed);
    lock_ = std::move(*lock);
    return std::nullopt;
  }

  std::optional<int> open_ports() {
    raise_descriptor_limit();  // a handler takes up to four
    // A poll under a timer would meet the port of the `work` that has the same file: it is asked for by its flag alone.
    const bool by_flag = !flags_.metrics.empty();
    if (!by_flag && mode_ == worker::RunMode::Work) metrics_address_ = handoff_.worker.metrics;
    auto ports = WorkerPorts::open({handoff_.worker.completion, metrics_address_, by_flag ? "--metrics" : "worker.metrics"},
                                   random_, log_);
    if (!ports) return usage(ports.error().message);
    ports_ = std::move(*ports);
    if (ports_->completions() != nullptr) reporter_->step(fmt::format("completions are taken at {}", ports_->completion_url()));
    return std::nullopt;
  }

  worker::WorkerMetrics::About about() const {
    std::vector<std::string> requests = handoff_.request_names();
    if (!flags_.command.empty()) requests = {""};
    return {flags_.queue, kVersion, std::move(requests), static_cast<std::size_t>(handoff_.worker.concurrency)};
  }

  // Opened last of what may be refused: a run that does not come about leaves no ledger behind.
  std::optional<int> open_ledger() {
    auto opened = open_worker_ledger({handoff_.ledger, flags_.ledger, flags_.no_ledger, !flags_.command.empty()}, context_);
    if (opened) {
      ledger_ = std::move(*opened);
      return std::nullopt;
    }
    return complain(context_, name_, fmt::format("the ledger: {}", opened.error().message),
                    exit_code_of_ledger(opened.error().kind));
  }

  worker::WorkerOptions worker_options() const {
    worker::WorkerOptions options;
    options.flow.mode = mode_;
    options.flow.queue = flags_.queue;
    options.flow.oversight = oversight_->get();
    if (ledger_.ledger) {
      options.flow.ledger.ledger = ledger_.ledger.get();
      options.flow.ledger.owner = ledger_.owner;
      options.flow.ledger.queue = queue_name_;
    }
    options.flow.on_unmatched = handoff_.on_unmatched;
    options.flow.backoff = handoff_.backoff;
    options.flow.settings = handoff_.worker;
    options.flow.working_folder = handoff_.folder;
    options.flow.environment = context_.environment;
    options.end_time = kill_grace() + kSettleMargin;
    if (const auto watchdog = watch_.manager().watchdog()) {
      options.life_sign.interval = *watchdog / 4;
      options.life_sign.tell = [this] { watch_.manager().alive(); };
    }
    options.time_max = flags_.time_max;
    if (flags_.messages_max) options.messages_max = static_cast<std::uint64_t>(*flags_.messages_max);
    if (flags_.until_empty) options.goal = worker::DrainRule::Goal::Empty;
    return options;
  }

  int work() {
    worker::WorkerMetrics metrics(about(), context_.clock);
    worker::ClientQueuePort queue(session_->client(), url_, dead_letter_url_);
    worker::MeteredPort port(queue, metrics);
    worker::ProcessRunner programs(context_.clock, *reporter_);
    worker::HttpRunner endpoints(ports_->completions(), context_.clock, *reporter_);
    worker::RunnerByKind by_kind(programs, endpoints);
    worker::MeteredRunner runner(by_kind, metrics);
    worker::Worker worker(worker_options(), *handlers_.router, port, runner, context_.clock, context_.random, *reporter_, stop_);
    const WorkerSight sight(*ports_, metrics, worker);
    if (!ports_->metrics_url().empty()) reporter_->note(fmt::format("metrics are at {}/metrics", ports_->metrics_url()));
    reporter_->note(fmt::format("{}ing {} at {} with {} slots{}", name_, flags_.queue, session_->endpoint().url,
                                handoff_.worker.concurrency,
                                mode_ == worker::RunMode::Work ? "; Ctrl-C lets running handlers finish" : ""));
    watch_.manager().ready(fmt::format("{}ing {} at {}", name_, flags_.queue, session_->endpoint().url));
    const worker::RunSummary summary = worker.run();
    if (const Result<void> closed = oversight_->close(); !closed) complain(context_, name_, closed.error().message, kExitFailed);
    tell(summary);
    if (!flags_.metrics_file.empty()) {
      const auto written = replace_text_file(flags_.metrics_file, metrics.page(worker.status()));
      if (!written) reporter_->warn(fmt::format("metrics: {}", written.error().message));
    }
    if (summary.ledger_error) complain(context_, name_, fmt::format("the ledger: {}", *summary.ledger_error), kExitFailed);
    if (summary.error) complain(context_, name_, *summary.error, session_->endpoint().url);
    return exit_code_of(summary, mode_, stop_.signal());
  }

  void tell(const worker::RunSummary& summary) {
    const worker::Tally& tally = summary.tally;
    reporter_->note(fmt::format(
        "{} handled, {} refused, {} failed, {} interrupted{}", tally.handled, tally.refused, tally.failed, tally.interrupted,
        summary.counts ? fmt::format("; about {} messages waiting, {} in flight, {} delayed", summary.counts->visible,
                                     summary.counts->in_flight, summary.counts->delayed)
                       : std::string()));
    if (mode_ == worker::RunMode::Work) return;
    const OutputFormat format = resolve_format(flags_.client, context_, OutputFormat::Json);
    if (format == OutputFormat::Table) return;  // the line above says it
    JsonWriter json;
    json.begin_object();
    json.key("Handled").number(static_cast<std::int64_t>(tally.handled));
    json.key("Refused").number(static_cast<std::int64_t>(tally.refused));
    json.key("Failed").number(static_cast<std::int64_t>(tally.failed));
    json.key("Interrupted").number(static_cast<std::int64_t>(tally.interrupted));
    json.key("Duplicates").number(static_cast<std::int64_t>(tally.duplicates));
    json.key("Deferred").number(static_cast<std::int64_t>(tally.deferred));
    json.key("Unsettled").number(static_cast<std::int64_t>(summary.unsettled));
    json.key("Drained").boolean(summary.end == worker::RunEnd::Drained);
    if (summary.counts) {
      json.key("ApproximateNumberOfMessages").number(summary.counts->visible);
      json.key("ApproximateNumberOfMessagesNotVisible").number(summary.counts->in_flight);
      json.key("ApproximateNumberOfMessagesDelayed").number(summary.counts->delayed);
    }
    json.end_object();
    write_text(context_.out, json.str() + "\n");
  }

  const WorkerFlags& flags_;
  worker::RunMode mode_;
  CommandContext& context_;
  WorkerWatch& watch_;
  const StopFlag& stop_;
  std::string_view name_;
  WorkerHandlers handlers_;
  config::Handoff& handoff_ = handlers_.handoff;
  std::unique_ptr<worker::Transcript> transcript_;
  std::optional<worker::Reporter> reporter_;
  std::unique_ptr<worker::WorkerOversight> oversight_;
  std::unique_ptr<Session> session_;
  std::string url_;
  std::string queue_name_;
  std::string dead_letter_url_;
  std::unique_ptr<HostLock> lock_;
  WorkerLedger ledger_;
  Logger log_{context_.clock, LogLevel::Off, LogFormat::Text};  // of the ports; what matters is answered to who asks
  worker::SharedRandom random_{context_.random};
  std::optional<config::LoopbackAddress> metrics_address_;
  std::unique_ptr<WorkerPorts> ports_;
};
}  // namespace

std::span<const std::string> split_command(std::span<const std::string> arguments, std::vector<std::string>& command) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] != "--") continue;
    command.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
    return arguments.first(i);
  }
  return arguments;
}

void add_worker_options(CLI::App& app, WorkerFlags& flags) {
  app.add_option("QUEUE", flags.queue, "name, URL or ARN")->required();
  app.add_option("--config", flags.config, "requests and their handlers [./handoff.toml]");
  app.add_option("-j,--concurrency", flags.concurrency, "handlers at a time, 1 to 4096 [worker.concurrency, 4]")
      ->check(CLI::Range(1, config::kConcurrencyMax));
  app.add_option_function<std::string>(
      "--visibility", duration_into(flags.visibility),
      "how long a message stays hidden if this worker dies; extended while it is handled [worker.visibility, 60s]");
  app.add_option_function<std::string>("--drain-timeout", duration_into(flags.drain_timeout),
                                       "how long running handlers may finish after a stop [worker.drain_timeout, 30s]");
  app.add_option_function<std::string>("--timeout", duration_into(flags.timeout), "of a COMMAND [5m]");
  CLI::Option* ledger = app.add_option(
      "--ledger", flags.ledger, "file or postgresql://… with what was done [ledger.path, FERRY_LEDGER; none for a COMMAND]");
  app.add_flag("--no-ledger", flags.no_ledger, "keep no ledger, whatever handoff.toml says")->excludes(ledger);
  app.add_option("--metrics", flags.metrics,
                 "127.0.0.1:PORT, where Prometheus reads /metrics and /health tells how it is [work: worker.metrics]");
  add_client_options(app, flags.client, TranscriptFlag::Yes);
}

int run_worker(const WorkerFlags& flags, worker::RunMode mode, CommandContext& context) {
  WorkerWatch watch(context, name_of(mode));
  return Run(flags, mode, context, watch).run();
}

int exit_code_of(const worker::RunSummary& summary, worker::RunMode mode, int signal) {
  const bool poll = mode == worker::RunMode::Poll;
  const bool trouble = summary.tally.refused + summary.tally.failed + summary.unsettled > 0;
  switch (summary.end) {
    case worker::RunEnd::Failed:
      return summary.error ? exit_code_of(*summary.error) : kExitFailed;
    case worker::RunEnd::Forced:
      return 128 + signal;
    case worker::RunEnd::Stopped:
      return poll ? 128 + signal : kExitDone;
    case worker::RunEnd::LimitReached:
      return trouble ? kExitFailed : kExitWorkLeft;
    case worker::RunEnd::Drained:
      return trouble ? kExitFailed : kExitDone;
  }
  return kExitFailed;
}

}  // namespace ferry::cli
