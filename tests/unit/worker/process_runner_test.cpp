// Handlers that are real processes.

#include "worker/process_runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "capture.h"

namespace ferry::worker {
namespace {

using testing_support::run_to_the_end;

class ProcessRunnerTest : public testing::Test {
 protected:
  HandlerCall call_of(const std::string& script, std::string_view input = {}) {
    HandlerCall call;
    spec_.program = "/bin/sh";
    call.spec = &spec_;
    call.argv = {"sh", "-c", script};
    call.environment = {"PATH=/usr/bin:/bin"};
    call.label = "id-1";
    message_.body = input;
    call.message = &message_;
    return call;
  }
  HandlerResult run(const std::string& script, std::string_view input = {}) {
    return run_to_the_end(runner_, call_of(script, input));
  }
  SystemClock clock_;
  testing_support::Capture capture_{clock_};
  config::HandlerSpec spec_;
  sqs::Message message_;
  ProcessRunner runner_{clock_, capture_.reporter()};
};

TEST_F(ProcessRunnerTest, OutputIsMarkedAndCannotForgeLines) {
  const HandlerResult result = run("cat; echo; printf 'a\\033[2Jb\\nsecond' >&2; exit 75", "hello");
  EXPECT_EQ(result.end, HandlerEnd::Retry);
  EXPECT_EQ(result.detail, "exit 75");
  EXPECT_TRUE(capture_.says("id-1 stdout: hello\n")) << capture_.text();
  EXPECT_TRUE(capture_.says("id-1 stderr: a\\x1b[2Jb\n"));
  EXPECT_TRUE(capture_.says("id-1 stderr: second\n"));
}

TEST_F(ProcessRunnerTest, DeadlineTerminates) {
  spec_.timeout = Millis(100);
  const HandlerResult result = run("sleep 1000");
  EXPECT_EQ(result.end, HandlerEnd::TimedOut);
  EXPECT_EQ(result.detail, "timed out, killed by signal 15");
}

TEST_F(ProcessRunnerTest, WhatIgnoresTheTermIsKilledAfterItsGrace) {
  spec_.timeout = Millis(100);
  spec_.kill_grace = Millis(100);
  const HandlerResult result = run("trap '' TERM; while :; do sleep 0.05; done");
  EXPECT_EQ(result.end, HandlerEnd::TimedOut);
  EXPECT_EQ(result.detail, "timed out, killed by signal 9");
}

TEST_F(ProcessRunnerTest, InterruptTerminatesAndDoneIsDone) {
  std::thread stopper([this] {
    while (!capture_.says("sleeping")) std::this_thread::yield();
    runner_.interrupt(1);
  });
  const HandlerResult interrupted = run("echo sleeping; exec sleep 1000");
  EXPECT_EQ(interrupted.end, HandlerEnd::Interrupted);
  EXPECT_EQ(interrupted.detail, "interrupted, killed by signal 15");
  stopper.join();
  runner_.interrupt(0);
  std::thread second([this] {
    while (!capture_.says("ready")) std::this_thread::yield();
    runner_.interrupt(1);
  });
  EXPECT_EQ(run("trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done").end, HandlerEnd::Done);
  second.join();
}

TEST_F(ProcessRunnerTest, SecondLevelKillsAtOnceAndNothingBeginsWhileInterrupted) {
  spec_.kill_grace = Seconds(1000);
  std::thread stopper([this] {
    while (!capture_.says("deaf")) std::this_thread::yield();
    runner_.interrupt(2);
  });
  EXPECT_EQ(run("trap '' TERM; echo deaf; while :; do sleep 0.02; done").detail, "interrupted, killed by signal 9");
  stopper.join();
  const HandlerResult result = run("echo begun");
  EXPECT_EQ(result.end, HandlerEnd::Interrupted);
  EXPECT_FALSE(capture_.says("begun"));
}

TEST_F(ProcessRunnerTest, OneThreadRunsManyAtATime) {
  // Each waits until all have come: only together can they end.
  const testing_support::TemporaryFolder folder;
  constexpr int kMany = 40;
  std::atomic<int> done{0};
  HandlerCall call = call_of("");
  for (int i = 0; i < kMany; ++i) {
    call.argv.back() = "echo >" + folder.file(std::to_string(i)) + "; while [ $(ls " + folder.path() + " | wc -l) -lt " +
                       std::to_string(kMany) + " ]; do sleep 0.05; done";
    runner_.start(call, [&done](const HandlerResult& result) { done += result.end == HandlerEnd::Done ? 1 : 1000; });
  }
  while (done < kMany) sleep_for(Millis(2));
  EXPECT_EQ(done, kMany);
}

TEST_F(ProcessRunnerTest, InputLargerThanAPipeGoesToSlowReaders) {
  const std::string body(1024 * 1024, 'x');
  EXPECT_EQ(run("sleep 0.1; wc -c", body).end, HandlerEnd::Done);
  EXPECT_TRUE(capture_.says("id-1 stdout: 1048576"));
}

TEST_F(ProcessRunnerTest, GrandchildThatTalksOnEndsAtTheDeadline) {
  spec_.timeout = Millis(600);
  const HandlerResult result = run("(while :; do echo x; sleep 0.05; done) & exit 3");
  EXPECT_EQ(result.detail, "timed out, exit 3");
}

TEST_F(ProcessRunnerTest, GrandchildThatKeepsThePipesOpenIsNotWaitedFor) {
  const HandlerResult result = run("sleep 1000 & echo last words; exit 3");
  EXPECT_EQ(result.detail, "exit 3");
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(result.output_tail, "last words\n");
}

TEST_F(ProcessRunnerTest, DestructorInterruptsWhatRuns) {
  std::promise<HandlerResult> promise;
  {
    ProcessRunner runner(clock_, capture_.reporter());
    runner.start(call_of("echo up; exec sleep 1000"), [&promise](HandlerResult result) { promise.set_value(std::move(result)); });
    while (!capture_.says("up")) std::this_thread::yield();
  }
  EXPECT_EQ(promise.get_future().get().end, HandlerEnd::Interrupted);
}

TEST_F(ProcessRunnerTest, WhatCannotBeStartedIsOurFault) {
  HandlerCall call = call_of("");
  spec_.program = "/no/such/program";
  const HandlerResult result = run_to_the_end(runner_, call);
  EXPECT_EQ(result.end, HandlerEnd::OurFault);
  EXPECT_NE(result.detail.find("/no/such/program"), std::string::npos);
}

TEST_F(ProcessRunnerTest, DescriptorThreeSaysWhatCameOfIt) {
  const HandlerResult done = run("echo '{\"progress\":0.25}' >&3; echo '{\"result\":{\"id\":7}}' >&3");
  EXPECT_EQ(done.end, HandlerEnd::Done);
  EXPECT_EQ(done.result, R"({"id":7})");
  EXPECT_TRUE(capture_.says("id-1 progress: 25 %"));
  const HandlerResult later = run("echo '{\"retry_after\":77}' >&3; exit 75");
  EXPECT_EQ(later.end, HandlerEnd::Retry);
  EXPECT_EQ(later.retry_after, Seconds(77));
  const HandlerResult rejected = run("printf '{\"reject\":\"no such customer\"}' >&3; exit 1");
  EXPECT_EQ(rejected.end, HandlerEnd::Rejected);
  EXPECT_EQ(rejected.detail, "no such customer");
}

TEST_F(ProcessRunnerTest, DescriptorThreeGivesMoreTime) {
  spec_.timeout = Millis(300);
  EXPECT_EQ(run("echo '{\"extend\":60}' >&3; sleep 0.6").end, HandlerEnd::Done);
  EXPECT_EQ(run("echo '{\"progress\":0.1}' >&3; sleep 60").end, HandlerEnd::TimedOut);
}

TEST_F(ProcessRunnerTest, DescriptorThreeTakesAnyNoise) {
  EXPECT_EQ(run("head -c 3000000 /dev/urandom >&3; echo '{\"reject\":\"too late\"}' >&3").end, HandlerEnd::Done);
  EXPECT_TRUE(capture_.says("id-1 descriptor 3: "));
  EXPECT_LE(capture_.count("descriptor 3: "), 3);
  EXPECT_EQ(run("exec 3>&-; exit 4").detail, "exit 4");
}

TEST_F(ProcessRunnerTest, EnvelopeIsTheInput) {
  spec_.input = config::HandlerInput::Envelope;
  HandlerCall call = call_of("cat", "body");
  call.envelope = R"({"body":"body"})";
  EXPECT_EQ(run_to_the_end(runner_, call).end, HandlerEnd::Done);
  EXPECT_TRUE(capture_.says(R"(id-1 stdout: {"body":"body"})"));
  spec_.input = config::HandlerInput::None;
  EXPECT_EQ(run("test -z \"$(cat)\"", "body").end, HandlerEnd::Done);
}

TEST_F(ProcessRunnerTest, LineIsWhatWasMadeOfTheBody) {
  spec_.input = config::HandlerInput::Line;
  HandlerCall call = call_of("read -r line && test \"$line\" = body", "body");
  call.envelope = "body\n";
  EXPECT_EQ(run_to_the_end(runner_, call).end, HandlerEnd::Done);
}

TEST_F(ProcessRunnerTest, LimitsHold) {
  spec_.limits = {std::uint64_t{64} << 20, 7, 20, 4'000'000};
  EXPECT_EQ(run("ulimit -v; ulimit -t; ulimit -n").end, HandlerEnd::Done);
  for (const char* line : {"stdout: 65536\n", "stdout: 7\n", "stdout: 20\n"}) EXPECT_TRUE(capture_.says(line)) << line;
  EXPECT_EQ(run("grep -q 'Max processes  *4000000 ' /proc/self/limits || grep 'Max processes' /proc/self/limits").end,
            HandlerEnd::Done);
  spec_.limits = {};
  spec_.limits.cpu_seconds = 1;
  EXPECT_EQ(run("while :; do :; done").detail, "killed by signal 24");  // SIGXCPU
}

TEST_F(ProcessRunnerTest, WithoutALimitAHandlerHasTheUsualNumberOfDescriptors) {
  EXPECT_EQ(run("test $(ulimit -n) -le 1024").end, HandlerEnd::Done);
}

TEST_F(ProcessRunnerTest, PrivilegesCannotGrow) {
  EXPECT_EQ(run("grep -q 'NoNewPrivs:.1' /proc/self/status").end, HandlerEnd::Done);
  spec_.no_new_privileges = false;
  EXPECT_EQ(run("grep -q 'NoNewPrivs:.0' /proc/self/status").end, HandlerEnd::Done);
}

}  // namespace
}  // namespace ferry::worker
