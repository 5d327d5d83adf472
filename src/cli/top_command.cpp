#include "cli/top_command.h"

#include <fmt/format.h>
#include <signal.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/process.h"
#include "cli/client_options.h"
#include "cli/terminal.h"
#include "cli/top_source.h"
#include "cli/top_view.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "top";
constexpr Millis kTick{50};
constexpr Millis kIntervalMin{100};
constexpr Millis kIntervalMax{3'600'000};
constexpr std::chrono::milliseconds kConnectTimeout{2'000};
constexpr std::chrono::milliseconds kReadTimeout{5'000};
constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

constexpr const char* kExamples = R"(
Examples:
  ferry top                             the queues of the server; q ends it, s sorts by the next column
  ferry top orders --sort oldest        queues whose names start with "orders", the oldest message first
  ferry top --worker 127.0.0.1:9464 --worker 127.0.0.1:9465
                                        workers, too: what ferry work --metrics shows
  ferry top --once --json               two looks, an --interval apart, told once
  ferry top | tee queues.log            not a terminal: a line for each queue and worker, each --interval

Any SQS server tells how many messages there are. Ages and rates are ferry serve's, where its /metrics may be read.
Exit codes: 0 ended with q, or told once; 2 wrong usage; with --once also 4 not authorised, 5 not reachable; 130, 143 by a signal.)";

struct Flags {
  ClientOptions client;
  std::string prefix;
  std::vector<std::string> workers;
  std::optional<Millis> interval;
  std::string sort = "visible";
  bool once = false;
  bool json = false;
};

// Looks every interval on a thread of its own, so that keys and signals never wait for a server.
class Watcher {
 public:
  Watcher(TopSource& source, Millis interval) : source_(source), interval_(interval), thread_([this] { run(); }) {}
  /// Waits for the call that is under way.
  ~Watcher() {
    cancel_.store(true);
    {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    }
    thread_.join();
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  struct Seen {
    std::uint64_t number = 0;  ///< of looks; 0: there was none yet
    std::shared_ptr<const Look> before;
    std::shared_ptr<const Look> now;
  };
  Seen seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  void run() {
    while (!cancel_.load()) {
      auto look = std::make_shared<const Look>(source_.look(cancel_));
      std::unique_lock lock(mutex_);
      seen_ = {seen_.number + 1, std::move(seen_.now), std::move(look)};
      changed_.wait_for(lock, interval_, [this] { return cancel_.load(); });
    }
  }

  TopSource& source_;
  const Millis interval_;
  std::atomic<bool> cancel_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Seen seen_;  // guarded by mutex_; the looks in it do not change, and are shared with whoever draws them
  std::thread thread_;
};

class Top {
 public:
  Top(const Flags& flags, const CommandContext& context, const StopFlag& stop)
      : flags_(flags),
        context_(context),
        stop_(stop),
        log_(context.clock, LogLevel::Off, LogFormat::Text, context.err),
        order_(parse_top_order(flags.sort).value_or(TopOrder::Visible)) {}

  int run() {
    if (const auto exit_code = open()) return *exit_code;
    const OutputFormat format = parse_output_format(flags_.client.output).value_or(OutputFormat::Auto);
    const bool json = flags_.json || format == OutputFormat::Json || format == OutputFormat::JsonLines;
    const std::string kind = context_.environment("TERM").value_or("");
    const bool terminal = is_terminal(context_.out) && !kind.empty() && kind != "dumb";
    if (flags_.once) return once(json, terminal);
    if (terminal && is_terminal(context_.in) && !json) return live();
    return lines(json);
  }

 private:
  std::optional<int> open() {
    client::SessionRequest request;
    request.endpoint = {flags_.client.endpoint_url, flags_.client.region, flags_.client.amazon, ""};
    request.profile = flags_.client.profile;
    request.attempts_max = 1;  // the next look is the next attempt
    request.connect_timeout = kConnectTimeout;
    request.read_timeout = kReadTimeout;
    auto session =
        client::Session::open(request, context_.variables != nullptr ? *context_.variables : client::process_environment(),
                              context_.clock, context_.random, log_);
    if (!session) return complain(context_, kName, session.error().message, kExitUsage);
    session_ = std::move(*session);
    for (const std::string& worker : flags_.workers) {
      if (const auto url = worker_url(worker); !url) return complain(context_, kName, url.error().message, kExitUsage);
    }
    client::TransportOptions options;
    options.connect_timeout = kConnectTimeout;
    transport_ = client::make_curl_transport(options);
    source_.emplace(TopSource::Wanted{flags_.prefix, flags_.workers},
                    TopSource::Seams{session_->client(), session_->endpoint(), *transport_, context_.clock});
    return std::nullopt;
  }

  Millis interval() const { return flags_.interval.value_or(Millis(2'000)); }
  std::optional<int> stopped() const {
    if (stop_.requests() > 0) return 128 + stop_.signal();
    return std::nullopt;
  }
  void wait(Millis time) const {
    const SteadyTime until = context_.clock.steady() + time;
    while (context_.clock.steady() < until && !stopped()) sleep_for(std::min<std::chrono::nanoseconds>(kTick, time));
  }
  Colours colours(bool terminal) const {
    return terminal && context_.environment("NO_COLOR").value_or("").empty() ? Colours::Ansi : Colours::None;
  }

  int once(bool json, bool terminal) {
    const Look before = source_->look(never_);
    wait(interval());
    if (const auto exit_code = stopped()) return *exit_code;
    const Look now = source_->look(never_);
    const TopTable table = compare(&before, now, order_);
    std::string text;
    if (json) {
      text = top_json(now, table) + "\n";
    } else if (is_terminal(context_.out)) {
      TopScreen screen;
      screen.columns = terminal_size(context_.out).columns;
      screen.rows = 0;
      screen.colours = colours(terminal);
      screen.order = order_;
      screen.where = session_->endpoint().url;
      for (const std::string& line : screen_lines(now, table, screen)) text += line + "\n";
    } else {
      text = plain_lines(now, table);
    }
    write_text(context_.out, text);
    if (source_->failure()) return complain(context_, kName, *source_->failure(), session_->endpoint().url);
    return kExitDone;
  }

  // Until somebody stops it, or nobody reads any more.
  int lines(bool json) {
    std::optional<Look> before;
    std::string told;
    for (;;) {
      Look now = source_->look(never_);
      if (const auto exit_code = stopped()) return *exit_code;
      if (now.error != told && !now.error.empty()) complain(context_, kName, now.error, 0);
      told = now.error;
      const TopTable table = compare(before ? &*before : nullptr, now, order_);
      if (!write_all(context_.out, json ? top_json(now, table) + "\n" : plain_lines(now, table))) return kExitDone;
      before = std::move(now);
      wait(interval());
      if (const auto exit_code = stopped()) return *exit_code;
    }
  }

  int live() {
    auto opened = Terminal::open({context_.in, context_.out});
    if (!opened) return complain(context_, kName, opened.error().message, kExitFailed);
    Terminal& terminal = **opened;
    const Watcher watcher(*source_, interval());
    const int exit_code = follow(terminal, watcher);
    terminal.end();  // before the watcher's last call is waited for
    return exit_code;
  }

  int follow(Terminal& terminal, const Watcher& watcher) {
    std::uint64_t drawn = 0;
    TerminalSize size;
    bool again = true;
    for (;;) {
      if (const auto exit_code = stopped()) return *exit_code;
      const Watcher::Seen seen = watcher.seen();
      if (again || seen.number != drawn || terminal.size() != size) {
        drawn = seen.number;
        size = terminal.size();
        again = false;
        if (!draw(terminal, seen, size)) return 128 + SIGHUP;
      }
      const Terminal::Key key = terminal.read_key(kTick);
      if (key.kind == Terminal::Key::Kind::Closed) return 128 + SIGHUP;
      if (key.kind == Terminal::Key::Kind::None) continue;
      if (key.code == 'q' || key.code == 'Q') return kExitDone;
      if (key.code == 's') order_ = static_cast<TopOrder>((static_cast<std::size_t>(order_) + 1) % kTopOrders);
      again = true;
    }
  }

  bool draw(Terminal& terminal, const Watcher::Seen& seen, const TerminalSize& size) const {
    if (!seen.now)
      return terminal.draw({fmt::format("ferry top  asking {} …", session_->endpoint().url).substr(0, size.columns)});
    TopScreen screen;
    screen.columns = size.columns;
    screen.rows = size.rows;
    screen.colours = colours(true);
    screen.order = order_;
    screen.where = session_->endpoint().url;
    screen.keys = "s sort, q quit";
    return terminal.draw(screen_lines(*seen.now, compare(seen.before.get(), *seen.now, order_), screen));
  }

  const Flags& flags_;
  const CommandContext& context_;
  const StopFlag& stop_;
  Logger log_;
  TopOrder order_;
  std::unique_ptr<client::Session> session_;
  std::unique_ptr<client::Transport> transport_;
  std::optional<TopSource> source_;
  const std::atomic<bool> never_{false};
};
}  // namespace

int top_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Show queues and workers as they are now: counts, ages, rates, failures.", "ferry top"};
  Flags flags;
  app.add_option("PREFIX", flags.prefix, "only queues whose names start with it");
  app.add_option("--worker", flags.workers, "address of a worker's metrics (ferry work --metrics); may be repeated")
      ->allow_extra_args(false);
  app.add_option_function<std::string>("--interval", duration_into(flags.interval), "between two looks, 100ms to 1h [2s]");
  app.add_option("--sort", flags.sort, "visible, oldest, in, out or name [visible]")
      ->check(CLI::IsMember({"visible", "oldest", "in", "out", "name"}));
  app.add_flag("--once", flags.once, "two looks, an --interval apart, told once");
  app.add_flag("--json", flags.json, "like -o json: an object a line");
  add_client_options(app, flags.client, TranscriptFlag::No);
  app.footer(kExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  if (flags.interval && (*flags.interval < kIntervalMin || *flags.interval > kIntervalMax))
    return complain(context, kName, "--interval must be from 100ms to 1h", kExitUsage);
  if (context.stop != nullptr) return Top(flags, context, *context.stop).run();
  StopFlag stop;
  const SignalWatch watch(kSignals, [&stop](int signal) { stop.request(signal); });
  return Top(flags, context, stop).run();
}

}  // namespace ferry::cli
