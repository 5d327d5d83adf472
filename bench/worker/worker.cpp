// A worker with a C++ function for its handler, with a ledger, to be measured.
//
//   ferry_bench_worker drain QUEUE-URL --ledger FILE [--concurrency N]
//       handles requests named Work with a function that does nothing, until SIGTERM
//   ferry_bench_worker latency QUEUE-URL --ledger FILE [--messages N] [--pause MILLISECONDS]
//       sends requests one by one to its own worker; one line of JSON: microseconds of a send, and from its beginning to the
//       begin of the handler

#include <ferry/client.h>
#include <ferry/worker.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <map>
#include <mutex>
#include <thread>

#include "../load/arguments.h"
#include "../load/percentiles.h"

namespace ferry::bench {
namespace {

constexpr const char* kRequest = "Work";

template <class T>
T value_or_die(Expected<T> expected) {
  if (!expected) die(expected.error().message);
  return std::move(*expected);
}

WorkerOptions options_of(const Arguments& arguments) {
  WorkerOptions options;
  options.queue = arguments.words()[1];
  options.ledger = arguments.text("--ledger", "");
  options.concurrency = static_cast<int>(arguments.count("--concurrency", 64, {1, 4096}));
  options.on_event = [](const Event& event) {
    if (event.level == EventLevel::Warning)
      std::fprintf(stderr, "%.*s\n", static_cast<int>(event.text.size()), event.text.data());
  };
  return options;
}

int drain(const Arguments& arguments) {
  WorkerOptions options = options_of(arguments);
  options.stop_signals = {SIGINT, SIGTERM};
  Worker worker(std::move(options));
  worker.on(kRequest, [](Task&) { return Outcome::done(); });
  const RunReport report = value_or_die(worker.run());
  std::printf("{\"handled\":%llu,\"failed\":%llu}\n", static_cast<unsigned long long>(report.handled),
              static_cast<unsigned long long>(report.failed + report.refused));
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

std::uint32_t micros(SteadyClock::duration duration) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

int latency(const Arguments& arguments) {
  Starts starts;
  Worker worker(options_of(arguments));
  worker.on(kRequest, [&starts](Task& task) {
    starts.note(task.body());
    return Outcome::done();
  });
  std::thread running([&worker] { value_or_die(worker.run()); });
  const std::string& url = arguments.words()[1];
  const Client client = value_or_die(Client::open({.endpoint_url = url.substr(0, url.find('/', url.find("//") + 2))}));
  const Queue queue = value_or_die(client.queue(url));
  const std::uint64_t messages = arguments.count("--messages", 300, {1, 1'000'000});
  const std::chrono::milliseconds pause(arguments.count("--pause", 20, {1, 10'000}));
  constexpr std::uint64_t kWarmUp = 10;
  std::vector<std::uint32_t> sends, begins;
  for (std::uint64_t i = 0; i < messages + kWarmUp; ++i) {
    const OutgoingMessage message{.body = std::to_string(i), .attributes = {{kRequest, "x"}}};
    const SteadyTime before = SteadyClock::now();
    value_or_die(queue.send(message));
    const SteadyTime after = SteadyClock::now();
    const SteadyTime begun = starts.wait_for(message.body);
    if (i >= kWarmUp) {
      sends.push_back(micros(after - before));
      begins.push_back(micros(begun - before));
    }
    std::this_thread::sleep_for(pause);
  }
  worker.stop();
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
  return words[0] == "drain" ? drain(arguments) : latency(arguments);
}
