// Real client, real worker, real handler processes, against a server that fails in every way it can: every message is handled
// once, deleted once, none is lost.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "capture.h"
#include "client/credentials.h"
#include "fault_server.h"
#include "worker/client_queue_port.h"
#include "worker/process_runner.h"
#include "worker/worker.h"

namespace ferry::worker {
namespace {

using testing_support::Capture;
using testing_support::Faults;
using testing_support::FaultServer;
using testing_support::TemporaryFolder;

class EndToEnd : public testing::Test {
 protected:
  EndToEnd() {
    folder_.write("handle.sh", "#!/bin/sh\n[ \"$2\" = slow ] && sleep 1.6\necho \"$1\" >>\"$0.log\"\n", 0755);
    folder_.write("handoff.toml",
                  "[request.Enable]\nhandler = [\"./handle.sh\", \"{attr:Enable}\", \"fast\"]\n"
                  "[request.Slow]\nhandler = [\"./handle.sh\", \"{attr:Slow}\", \"slow\"]\n");
    auto loaded = config::load_handoff(folder_.file("handoff.toml"));
    FERRY_CHECK(loaded.has_value());
    handoff_ = std::move(*loaded);
    FERRY_CHECK(config::resolve_programs(handoff_).has_value());
  }

  RunSummary poll(FaultServer& server) {
    WorkerOptions options;
    options.flow.mode = RunMode::Poll;
    options.flow.queue = "q";
    options.flow.settings = handoff_.worker;
    options.flow.settings.visibility = Seconds(1);
    options.flow.settings.wait = Seconds(1);
    options.flow.working_folder = handoff_.folder;
    options.flow.environment = [](const std::string&) { return std::nullopt; };
    options.receive_pause = {Millis(1), Millis(20)};
    options.settler.pause = {Millis(1), Millis(50)};
    options.settler.attempts_max = 20;
    options.poll_errors_max = 1'000;
    options.goal = DrainRule::Goal::Empty;
    client::ClientOptions client_options;
    client_options.endpoint_url = server.url();
    client_options.attempts_max = 2;
    const auto transport = client::make_curl_transport({});
    const auto credentials = client::make_anonymous_source();
    client::Client client(client_options, *transport, *credentials, clock_, random_, log_);
    ClientQueuePort port(client, server.queue_url(), "");
    ProcessRunner runner(clock_, capture_.reporter());
    const Router router(handoff_);
    Worker worker(options, router, port, runner, clock_, random_, capture_.reporter(), stop_);
    return worker.run();
  }
  std::map<std::string, int> handled() const {
    std::map<std::string, int> counts;
    std::istringstream lines(folder_.read("handle.sh.log"));
    for (std::string line; std::getline(lines, line);) ++counts[line];
    return counts;
  }
  void expect_each_once(FaultServer& server, int messages) const {
    const auto counts = handled();
    EXPECT_EQ(counts.size(), static_cast<std::size_t>(messages));
    for (const auto& [parameter, count] : counts) EXPECT_EQ(count, 1) << parameter;
    EXPECT_EQ(server.queue().removals().size(), static_cast<std::size_t>(messages));
    for (const auto& [id, count] : server.queue().removals()) EXPECT_EQ(count, 1) << id;
    EXPECT_TRUE(server.queue().stored().empty());
  }

  SystemClock clock_;
  SystemRandom random_;
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  Capture capture_{clock_};
  StopFlag stop_;
  TemporaryFolder folder_;
  config::Handoff handoff_;
};

TEST_F(EndToEnd, EveryFaultAtOnce) {
  FaultServer server(clock_,
                     {.dropped_before = 5,
                      .dropped_after = 5,
                      .error_500 = 5,
                      .error_503 = 5,
                      .throttled = 5,
                      .failed_entry = 20,
                      .slow_visibility = 20},
                     11);
  constexpr int kMessages = 60;
  for (int i = 0; i < kMessages; ++i) server.queue().add("Enable", "parameter " + std::to_string(i));
  const RunSummary summary = poll(server);
  EXPECT_EQ(summary.end, RunEnd::Drained) << capture_.text();
  EXPECT_EQ(summary.tally.handled, static_cast<std::uint64_t>(kMessages));
  EXPECT_GT(server.faults_played(), 10);
  expect_each_once(server, kMessages);
}

TEST_F(EndToEnd, HeartbeatsMeetASlowAndFailingServer) {
  FaultServer server(clock_, {.error_503 = 30, .slow_visibility = 100, .slowness = Millis(150)}, 5);
  for (int i = 0; i < 4; ++i) server.queue().add("Slow", "slow " + std::to_string(i));
  const RunSummary summary = poll(server);
  EXPECT_EQ(summary.end, RunEnd::Drained) << capture_.text();
  EXPECT_EQ(summary.tally.handled, 4u);
  expect_each_once(server, 4);
}

}  // namespace
}  // namespace ferry::worker
