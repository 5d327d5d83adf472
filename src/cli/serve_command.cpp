#include "cli/serve_command.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>

#include "access/keys.h"
#include "base/notify.h"
#include "base/posix_file.h"
#include "base/version.h"
#include "cli/serve_options.h"
#include "engine/engine.h"
#include "http/server.h"
#include "service/service.h"
#include "service/ticker.h"
#include "store/journal/journal.h"

namespace ferry::cli {
namespace {

constexpr std::chrono::seconds kStopDeadline{30};  // for answers that wait for the disk; long polls are ended at once
constexpr std::chrono::seconds kStopMargin{30};    // to close the store after that

constexpr const char* kExamples = R"(
Examples:
  ferry serve                                     loopback, port 9324, no signatures asked for
  ferry serve --listen 127.0.0.1:0 --ready-file r any free port; its URL is written to the file r
  ferry serve --listen 0.0.0.0:9324 --keys keys.toml
                                                  reachable: every request must be signed (docs/security.md)

Stop it with SIGTERM or Ctrl-C: waiting polls are answered, the store is closed, exit 0.)";

// Signals are taken by one thread that waits for them; every other thread has them blocked.
sigset_t block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

int wait_for_stop(const sigset_t& signals) {
  for (;;) {
    int number = 0;
    if (sigwait(&signals, &number) == 0 && number != SIGHUP) return number;
  }
}

// The store must always be able to open its files: connections get what the limit of descriptors leaves.
constexpr rlim_t kStoreDescriptors = 400;  // its open segments, spares, checkpoints, and the few of everything else

std::size_t connections_within_limit(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= wanted + kStoreDescriptors) return wanted;
  return limit.rlim_cur > 2 * kStoreDescriptors ? limit.rlim_cur - kStoreDescriptors : std::max<rlim_t>(limit.rlim_cur / 4, 8);
}

// A second signal during the shutdown ends the process at once: nothing acknowledged depends on a clean stop.
void exit_on_next_signal(const sigset_t& signals) {
  std::thread([signals] { std::_Exit(128 + wait_for_stop(signals)); }).detach();  // lives as long as the process, owns nothing
}

std::string banner(const ServeOptions& options, const std::string& url) {
  const bool keyed = !options.keys.empty();
  return fmt::format(
      "ferry {}  SQS-compatible queue server\n\n"
      "  API      {}\n"
      "  Data     {}   (every reply waits for the disk)\n"
      "  Access   {}\n\n"
      "  Point any AWS SDK or tool here:\n"
      "    export AWS_ENDPOINT_URL_SQS={} AWS_REGION=us-east-1\n"
      "    export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}\n\n"
      "  Next:  ferry queue create hello && ferry send hello world && ferry receive hello\n"
      "Ctrl-C stops cleanly.\n",
      kVersion, url, options.data,
      keyed ? fmt::format("signed requests only, keys in {}", options.keys) : "this machine only, no signatures asked for", url,
      keyed ? "<access_key>" : "test", keyed ? "<secret_key>" : "test");
}

Result<ServeOptions> parse(std::span<const std::string> arguments, CommandContext& context, std::optional<int>& exit_code) {
  CLI::App app{"Run the queue server: the Amazon SQS protocol over a durable store.", "ferry serve"};
  PartialServeOptions flags;
  std::string config;
  std::string ready_file;
  bool no_deletion_wait = false;
  bool no_purge_wait = false;
  bool show_banner = false;
  app.add_option("--listen", flags.listen, "HOST:PORT of the API; port 0 takes a free one [127.0.0.1:9324]");
  app.add_option("--data", flags.data, "data folder, made if missing [$XDG_DATA_HOME/ferry or ~/.local/share/ferry]");
  app.add_option("--config", config, "TOML file with the same settings (docs/operations.md)");
  app.add_option("--keys", flags.keys, "keys file, mode 0600: every request must be signed and granted (docs/security.md)");
  app.add_option("--ready-file", ready_file, "write the API's URL to this file when the server is ready");
  app.add_option("--threads", flags.threads, "event loops [one per core]");
  app.add_option("--cache-mib", flags.cache_mib, "memory for recent message bodies, MiB [128]");
  app.add_flag("--no-deletion-wait", no_deletion_wait, "let a queue's name be used again at once after DeleteQueue");
  app.add_flag("--no-purge-wait", no_purge_wait, "let PurgeQueue follow PurgeQueue within 60 s");
  app.add_option("--log-level", flags.log_level, "debug, info, warn, error or off [info]");
  app.add_option("--log-format", flags.log_format, "text or json [text]");
  app.add_flag("--banner", show_banner, "print addresses and first steps on standard output, also when it is no terminal");
  app.footer(kExamples);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // what CLI11 takes
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    write_text(context.out, app.help());
    exit_code = 0;
    return ServeOptions{};
  } catch (const CLI::ParseError& error) {
    return fail(ErrorKind::InvalidArgument, fmt::format("{}\nSee: ferry serve --help", error.what()));
  }
  if (no_deletion_wait) flags.deletion_wait = false;
  if (no_purge_wait) flags.purge_wait = false;
  PartialServeOptions from_file;
  if (!config.empty()) {
    FERRY_TRY(from_file, load_serve_config(config));
  }
  FERRY_TRY(ServeOptions options, merge_serve_options(flags, context.environment, from_file));
  options.ready_file = ready_file;
  options.banner = show_banner || isatty(context.out) == 1;
  return options;
}

// The whole file or none: readers never see half a URL.
Result<void> write_ready_file(const std::string& path, const std::string& url) {
  const std::string temporary = path + ".new";
  FILE* file = std::fopen(temporary.c_str(), "we");
  if (file == nullptr) return Unexpected(system_error(errno, "write", temporary));
  const bool written = std::fprintf(file, "%s\n", url.c_str()) > 0;
  if (std::fclose(file) != 0 || !written) return Unexpected(system_error(errno, "write", temporary));
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return Unexpected(system_error(errno, "rename", temporary));
  return {};
}

int run(const ServeOptions& options, CommandContext& context) {
  const sigset_t signals = block_stop_signals();
  const SystemClock clock;
  SystemRandom random;
  const Logger log(clock, options.log_level, options.log_format, context.err);
  const auto stop_with = [&](int code, const Error& error) {
    write_text(context.err, fmt::format("ferry serve: {}\n", error.message));
    return code;
  };

  std::optional<access::KeyRing> keys;
  if (!options.keys.empty()) {
    auto loaded = access::KeyRing::load(options.keys);
    if (!loaded) return stop_with(kExitUsage, loaded.error());
    keys.emplace(std::move(loaded).value());
  }

  PosixFileSystem files;
  store::JournalOptions journal_options;
  journal_options.folder = options.data;
  journal_options.cache_bytes = options.cache_mib * 1024 * 1024;
  journal_options.announce = [&context](const std::string& sentence) { write_text(context.err, sentence + "\n"); };
  store::Journal journal(files, clock, random, log, std::move(journal_options));
  engine::EngineOptions engine_options;
  engine_options.enforce_deletion_wait = options.deletion_wait;
  engine_options.enforce_purge_wait = options.purge_wait;
  engine::Engine engine(journal, clock, random, log, engine_options);
  service::Service service(engine, journal, keys ? &*keys : nullptr, clock, random, log,
                           {fmt::format("{}:{}", options.host, options.port)});
  http::ServerOptions server_options;
  server_options.host = options.host;
  server_options.port = options.port;
  server_options.loops = options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  server_options.limits.connections_max = connections_within_limit(server_options.limits.connections_max);
  const auto server = http::Server::create(server_options, service, log);
  service::Ticker ticker(engine);

  // The port first: it costs nothing to find it taken. Nothing is accepted before the store has recovered.
  if (auto bound = server->bind(); !bound) return stop_with(kExitFailed, bound.error());
  const std::string url = server->url();
  service.attach(*server);
  engine.set_commit_listener(
      [&service](store::Position) { service.on_durable(); },
      [&log](const Error& error) {
        log.error("the store failed; stopping so that nothing unsafe is answered", {{"error", error.message}});
        std::_Exit(kExitFailed);
      });
  const ServiceNotifier notifier(context.environment);
  notifier.status("recovering the store");
  const SteadyTime before = clock.steady();
  if (auto recovered = journal.recover(engine); !recovered) return stop_with(kExitFailed, recovered.error());
  server->start();
  ticker.start();
  const engine::Engine::Totals totals = engine.totals();
  log.info("ready", {{"api", url},
                     {"version", kVersion},
                     {"data", options.data},
                     {"queues", totals.queues},
                     {"messages", totals.messages},
                     {"ms", std::chrono::duration_cast<Millis>(clock.steady() - before).count()},
                     {"checkpoint_ms", std::chrono::duration_cast<Millis>(journal.recovery().checkpoint_time).count()},
                     {"checkpoint_bytes", journal.recovery().checkpoint_bytes},
                     {"replay_ms", std::chrono::duration_cast<Millis>(journal.recovery().replay_time).count()},
                     {"replayed_bytes", journal.recovery().replayed_bytes}});
  if (options.banner) write_text(context.out, banner(options, url));
  // Threads of server and store are at work in what stands above: every end goes through the orderly stop below.
  int exit_code = 0;
  const auto announced = options.ready_file.empty() ? Result<void>() : write_ready_file(options.ready_file, url);
  if (announced) {
    notifier.ready(fmt::format("serving at {}", url));
    log.info("stopping", {{"signal", wait_for_stop(signals)}});
  } else {
    exit_code = stop_with(kExitFailed, announced.error());
  }
  exit_on_next_signal(signals);
  notifier.stopping("answering what waits for the disk");
  notifier.extend_timeout(kStopDeadline + kStopMargin);
  service.drain();
  server->stop(kStopDeadline);
  ticker.stop();
  if (auto closed = journal.close(); !closed) return stop_with(kExitFailed, closed.error());
  log.info("stopped");
  return exit_code;
}

}  // namespace

int serve_command(std::span<const std::string> arguments, CommandContext& context) {
  std::optional<int> exit_code;
  auto options = parse(arguments, context, exit_code);
  if (exit_code) return *exit_code;
  if (!options) {
    write_text(context.err, fmt::format("ferry serve: {}\n", options.error().message));
    return kExitUsage;
  }
  return run(*options, context);
}

}  // namespace ferry::cli
