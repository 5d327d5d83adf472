// A worker with a C++ function for its handler, with a ledger, to be measured.
//
//   ferry_bench_worker drain QUEUE-URL --ledger FILE [--concurrency N]
//       handles requests named Work with a function that does nothing, until SIGTERM
//   ferry_bench_worker latency QUEUE-URL --ledger FILE [--messages N] [--pause MILLISECONDS]
//       sends requests one by one to its own worker; one line of JSON: microseconds of a send, and from its beginning to the
//       begin of the handler
//
// Signs with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY when they are set.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "../load/arguments.h"
#include "../load/percentiles.h"
#include "base/process.h"
#include "client/client.h"
#include "client/credentials.h"
#include "ledger/open_ledger.h"
#include "worker/client_queue_port.h"
#include "worker/function_runner.h"
#include "worker/worker.h"

namespace ferry::bench {
namespace {

constexpr const char* kRequest = "Work";

template <class T>
T value_or_die(Result<T> result) {
  if (!result) die(result.error().message);
  return std::move(*result);
}

std::unique_ptr<client::CredentialSource> credentials_of_environment() {
  const char* key = std::getenv("AWS_ACCESS_KEY_ID");
  const char* secret = std::getenv("AWS_SECRET_ACCESS_KEY");
  if (key == nullptr || secret == nullptr) return client::make_anonymous_source();
  access::Credentials credentials;
  credentials.access_key = key;
  credentials.secret_key = secret;
  return client::make_static_source(std::move(credentials));
}

/// A client of the queue's server.
class Session {
 public:
  explicit Session(const std::string& queue_url)
      : transport_(client::make_curl_transport({})), credentials_(credentials_of_environment()) {
    client::ClientOptions options;
    options.endpoint_url = queue_url.substr(0, queue_url.find('/', queue_url.find("//") + 2));
    client_ = std::make_unique<client::Client>(options, *transport_, *credentials_, clock_, random_, log_);
  }
  client::Client& client() { return *client_; }
  const Clock& clock() const { return clock_; }
  Random& random() { return random_; }

 private:
  SystemClock clock_;
  SystemRandom random_;
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  std::unique_ptr<client::Transport> transport_;
  std::unique_ptr<client::CredentialSource> credentials_;
  std::unique_ptr<client::Client> client_;
};

/// Runs until `stop`; with the defaults of `ferry work` but for the number of slots.
class MeasuredWorker {
 public:
  struct Settings {
    std::string queue_url;
    std::string ledger;
    int concurrency;
  };
  MeasuredWorker(const Settings& settings, worker::HandlerFunction function, const StopFlag& stop)
      : session_(settings.queue_url),
        ledger_(value_or_die(ledger::open_ledger(settings.ledger, {}, session_.clock()))),
        port_(session_.client(), settings.queue_url, {}),
        runner_({{kRequest, std::move(function)}}, 2, session_.clock()),
        stop_(stop) {
    config::RequestType request;
    request.name = kRequest;
    request.handler.emplace();
    handoff_.requests.push_back(std::move(request));
    options_.flow.queue = settings.queue_url.substr(settings.queue_url.rfind('/') + 1);
    options_.flow.environment = [](const std::string&) { return std::optional<std::string>(); };
    options_.flow.ledger.ledger = ledger_.get();
    options_.flow.ledger.owner = ledger::make_owner(session_.random());
    options_.flow.ledger.queue = options_.flow.queue;
    options_.flow.settings = handoff_.worker;
    options_.flow.settings.concurrency = settings.concurrency;
  }

  worker::Tally run() {
    worker::Worker worker(options_, router_, port_, runner_, session_.clock(), session_.random(), reporter_, stop_);
    const worker::RunSummary summary = worker.run();
    if (summary.error) die(summary.error->message);
    if (summary.ledger_error) die(*summary.ledger_error);
    return summary.tally;
  }

 private:
  Session session_;
  std::unique_ptr<ledger::Ledger> ledger_;
  worker::ClientQueuePort port_;
  worker::FunctionRunner runner_;
  const StopFlag& stop_;
  config::Handoff handoff_;
  worker::Router router_{handoff_};
  worker::Reporter reporter_{worker::Verbosity::Quiet, STDERR_FILENO, nullptr};
  worker::WorkerOptions options_;
};

int drain(const MeasuredWorker::Settings& settings) {
  StopFlag stop;
  constexpr int kSignals[] = {SIGINT, SIGTERM};
  const SignalWatch watch(kSignals, [&stop](int signal) { stop.request(signal); });
  const auto function = [](const worker::HandlerCall&, const worker::Cancellation&) { return worker::HandlerResult(); };
  MeasuredWorker worker(settings, function, stop);
  const worker::Tally tally = worker.run();
  std::printf("{\"handled\":%llu,\"failed\":%llu}\n", static_cast<unsigned long long>(tally.handled),
              static_cast<unsigned long long>(tally.failed + tally.refused));
  return 0;
}

/// When handlers began, by the message's body.
class Starts {
 public:
  void note(const std::string& body) {
    const SteadyTime now = SteadyClock::now();
    const std::lock_guard lock(mutex_);
    at_[body] = now;
    changed_.notify_all();
  }
  SteadyTime wait_for(const std::string& body) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [&] { return at_.contains(body); })) die("a handler was not started");
    return at_[body];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, SteadyTime> at_;
};

SteadyTime send_one(client::Client& client, const std::string& queue_url, const std::string& body) {
  sqs::SendMessageRequest request;
  request.queue_url = queue_url;
  request.entry.message_body = body;
  sqs::MessageAttributeValue value;
  value.data_type = "String";
  value.string_value = "x";
  request.entry.message_attributes.emplace_back(kRequest, value);
  const auto sent = client.send_message(request);
  if (!sent) die(sent.error().message);
  return SteadyClock::now();
}

int latency(const MeasuredWorker::Settings& settings, const Arguments& arguments) {
  StopFlag stop;
  Starts starts;
  MeasuredWorker worker(
      settings,
      [&starts](const worker::HandlerCall& call, const worker::Cancellation&) {
        starts.note(call.message->body);
        return worker::HandlerResult();
      },
      stop);
  std::thread running([&worker] { worker.run(); });
  Session session(settings.queue_url);
  const std::uint64_t messages = arguments.count("--messages", 300, {1, 1'000'000});
  const std::chrono::milliseconds pause(arguments.count("--pause", 20, {1, 10'000}));
  std::vector<std::uint32_t> sends, begins;
  for (std::uint64_t i = 0; i < messages + 10; ++i) {  // ten to warm up
    const std::string body = std::to_string(i);
    const SteadyTime before = SteadyClock::now();
    const SteadyTime after = send_one(session.client(), settings.queue_url, body);
    const SteadyTime begun = starts.wait_for(body);
    if (i >= 10) {
      sends.push_back(static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(after - before).count()));
      begins.push_back(static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(begun - before).count()));
    }
    std::this_thread::sleep_for(pause);
  }
  stop.request(SIGTERM);
  running.join();
  std::printf("{\"messages\":%zu,\"send\":%s,\"start\":%s}\n", sends.size(), percentiles(sends).c_str(),
              percentiles(begins).c_str());
  return 0;
}

}  // namespace
}  // namespace ferry::bench

int main(int argc, char** argv) {
  using namespace ferry::bench;
  const Arguments arguments(argc, argv, {"--ledger", "--concurrency", "--messages", "--pause"});
  const auto& words = arguments.words();
  if (words.size() != 2 || (words[0] != "drain" && words[0] != "latency") || !arguments.has("--ledger"))
    die("usage: ferry_bench_worker drain|latency QUEUE-URL --ledger FILE [--concurrency N] [--messages N] [--pause "
        "MILLISECONDS]");
  const MeasuredWorker::Settings settings{words[1], arguments.text("--ledger", ""),
                                          static_cast<int>(arguments.count("--concurrency", 64, {1, 4096}))};
  return words[0] == "drain" ? drain(settings) : latency(settings, arguments);
}
