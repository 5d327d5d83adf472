#pragma once
// The whole worker over a queue in memory, handlers being functions.

#include <gtest/gtest.h>
#include <signal.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "capture.h"
#include "memory_queue.h"
#include "worker/worker.h"

namespace ferry::worker::testing_support {

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    auto parsed = config::parse_handoff({R"(
[request.Enable]
parameter = { type = "text", max_length = 20 }
handler = ["./enable", "{attr:Enable}"]
[request.Disable]
handler = ["./disable", "{attr:Disable}"]
concurrency = 1
)",
                                         "handoff.toml", "/"});
    FERRY_CHECK(parsed.has_value());
    handoff_ = std::move(*parsed);
    options_.flow.mode = RunMode::Poll;
    options_.flow.queue = "q";
    options_.flow.settings.concurrency = 4;
    options_.flow.settings.visibility = Seconds(3);
    options_.flow.settings.wait = Seconds(0);
    options_.flow.settings.drain_timeout = Seconds(20);
    options_.flow.backoff = {Seconds(30), Seconds(60)};
    options_.flow.environment = [](const std::string&) { return std::nullopt; };
    options_.settler.gather = Millis(1);
    options_.settler.pause = {Millis(1), Millis(5)};
    options_.receive_pause = {Millis(1), Millis(5)};
  }

  RunSummary run(ThreadRunner::Function function) {
    ThreadRunner runner(std::move(function));
    const Router router(handoff_);
    Worker worker(options_, router, queue_, runner, clock_, random_, capture_.reporter(), stop_);
    return worker.run();
  }
  ThreadRunner::Function ends_with(HandlerEnd end) {
    return [this, end](const HandlerCall& call, const InterruptLevel&) {
      const std::lock_guard lock(mutex_);
      handled_.push_back(call.argv.at(1));
      return HandlerResult{end, "as told"};
    };
  }
  ThreadRunner::Function done() { return ends_with(HandlerEnd::Done); }
  std::int64_t visible() { return queue_.counts()->visible; }

  SystemClock clock_;
  SeededRandom random_{3};
  Capture capture_{clock_};
  MemoryQueue queue_{clock_};
  StopFlag stop_;
  config::Handoff handoff_;
  WorkerOptions options_;
  std::mutex mutex_;
  std::vector<std::string> handled_;
};

}  // namespace ferry::worker::testing_support
