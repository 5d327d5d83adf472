#include "worker/function_runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "base/manual_clock.h"
#include "capture.h"

namespace ferry::worker {
namespace {

using testing_support::run_to_the_end;

class FunctionRunnerTest : public testing::Test {
 protected:
  HandlerCall call(const std::string& request = "Enable") {
    message_.body = "body";
    HandlerCall call;
    call.spec = &spec_;
    call.message = &message_;
    call.request = request;
    call.parameter = "All";
    return call;
  }
  HandlerResult run(const HandlerFunction& function) {
    FunctionRunner runner({{"Enable", function}}, 2, clock_);
    return run_to_the_end(runner, call());
  }
  static HandlerResult ends(HandlerEnd end, std::string detail = "as told") {
    HandlerResult result;
    result.end = end;
    result.detail = std::move(detail);
    return result;
  }
  SystemClock clock_;
  config::HandlerSpec spec_;
  sqs::Message message_;
};

TEST_F(FunctionRunnerTest, FunctionGetsTheMessageAndItsResultIsTold) {
  const HandlerResult result = run([](const HandlerCall& call, const Cancellation& cancellation) {
    EXPECT_FALSE(cancellation.cancelled());
    return ends(HandlerEnd::Rejected, call.request + " " + call.parameter + " " + call.message->body);
  });
  EXPECT_EQ(result.end, HandlerEnd::Rejected);
  EXPECT_EQ(result.detail, "Enable All body");
}

TEST_F(FunctionRunnerTest, WhatItThrowsIsAFailedAttempt) {
  EXPECT_EQ(run([](const HandlerCall&, const Cancellation&) -> HandlerResult { throw std::runtime_error("no\ndisk"); }).detail,
            "it threw: no\\ndisk");
  EXPECT_EQ(run([](const HandlerCall&, const Cancellation&) -> HandlerResult { throw 3; }).end, HandlerEnd::Retry);
}

TEST_F(FunctionRunnerTest, FunctionsByNameAndOneForTheRest) {
  const auto named = [](std::string name) {
    return [name](const HandlerCall&, const Cancellation&) { return ends(HandlerEnd::Done, name); };
  };
  FunctionRunner some({{"Enable", named("enable")}, {"", named("rest")}}, 1, clock_);
  EXPECT_EQ(run_to_the_end(some, call()).detail, "enable");
  EXPECT_EQ(run_to_the_end(some, call("Other")).detail, "rest");
  FunctionRunner one({{"Enable", named("enable")}}, 1, clock_);
  const HandlerResult missing = run_to_the_end(one, call("Other"));
  EXPECT_EQ(missing.end, HandlerEnd::OurFault);
  EXPECT_EQ(missing.detail, "there is no function for Other");
}

TEST_F(FunctionRunnerTest, DeadlineCancelsAndDoneIsDone) {
  spec_.timeout = Millis(30);
  const HandlerResult late = run([](const HandlerCall&, const Cancellation& cancellation) {
    while (!cancellation.wait_for(Seconds(100))) {
    }
    EXPECT_FALSE(cancellation.interrupted());
    return ends(HandlerEnd::Retry, "gave up");
  });
  EXPECT_EQ(late.end, HandlerEnd::TimedOut);
  EXPECT_EQ(late.detail, "timed out, gave up");
  const HandlerResult done = run([](const HandlerCall&, const Cancellation& cancellation) {
    cancellation.wait_for(Seconds(100));
    return ends(HandlerEnd::Done);
  });
  EXPECT_EQ(done.end, HandlerEnd::Done);
}

TEST_F(FunctionRunnerTest, WaitEndsAfterItsTimeWithoutCancellation) {
  const Cancellation cancellation(clock_, clock_.steady() + Seconds(100));
  EXPECT_FALSE(cancellation.wait_for(Millis(2)));
}

TEST_F(FunctionRunnerTest, InterruptReachesWhatRunsAndWhatComesLater) {
  std::atomic<bool> running{false};
  FunctionRunner runner({{"Enable",
                          [&running](const HandlerCall&, const Cancellation& cancellation) {
                            running = true;
                            cancellation.wait_for(Seconds(1000));
                            return ends(HandlerEnd::Retry, "stopped");
                          }}},
                        1, clock_);
  std::thread interrupter([&] {
    while (!running) sleep_for(Millis(1));
    runner.interrupt(1);
  });
  EXPECT_EQ(run_to_the_end(runner, call()).detail, "interrupted, stopped");
  interrupter.join();
  EXPECT_EQ(run_to_the_end(runner, call()).detail, "interrupted before it began");
}

TEST_F(FunctionRunnerTest, AtMostSoManyThreads) {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  std::atomic<int> done{0};
  {
    FunctionRunner runner({{"",
                            [&](const HandlerCall&, const Cancellation& cancellation) {
                              most = std::max(most.load(), ++now);
                              cancellation.wait_for(Millis(2));
                              --now;
                              return ends(HandlerEnd::Done);
                            }}},
                          3, clock_);
    for (int i = 0; i < 20; ++i) runner.start(call(), [&done](const HandlerResult&) { ++done; });
    while (done < 20) sleep_for(Millis(1));
  }
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 2);
}

}  // namespace
}  // namespace ferry::worker
