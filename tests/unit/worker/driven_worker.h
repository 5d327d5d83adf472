#pragma once
// A worker's parts, driven by hand: nothing runs but what the test lets run.

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/manual_clock.h"
#include "capture.h"
#include "memory_queue.h"
#include "watched_ledger.h"
#include "worker/backoff.h"
#include "worker/message_flow.h"

namespace ferry::worker::testing_support {

// Handlers end at once, as told, or later, when told.
class ToldRunner final : public HandlerRunner {
 public:
  void start(HandlerCall call, Done done) override {
    calls.push_back(call);
    if (later) {
      waiting.push_back(std::move(done));
    } else {
      done(result);
    }
  }
  void interrupt(int) override {}
  void end_all() {
    for (Done& done : std::exchange(waiting, {})) done(result);
  }
  bool later = false;
  HandlerResult result;
  std::vector<HandlerCall> calls;
  std::vector<Done> waiting;
};

inline constexpr Seconds kVisibility{60};

// What the flow posts is run when the test says so.
class Tasks {
 public:
  MessageFlow::Hands hands() {
    return {[](std::vector<Job>) {},
            [this](std::function<void()> task) {
              const std::lock_guard lock(mutex_);
              tasks_.push_back(std::move(task));
            },
            [this](const Job&) { ++freed; }, [this] { ++done; }};
  }
  // Until the ledger has answered everything and nothing follows. What it could not take is brought again at once.
  void run_all(ledger::Ledger& ledger, MessageFlow& flow) {
    do {
      EXPECT_TRUE(ledger.stat());  // answered after what was asked before
      flow.bring_outcomes();
      EXPECT_TRUE(ledger.stat());
    } while (run_some() || freed.load() != done.load());
  }

  std::atomic<int> freed{0};
  std::atomic<int> done{0};

 private:
  bool run_some() {
    std::vector<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
    return !tasks.empty();
  }
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;  // guarded by mutex_
};

// One worker's parts, driven by hand.
class Worked {
 public:
  Worked(FlowOptions options, const config::Handoff& handoff, MemoryQueue& queue, const ManualClock& clock, Capture& capture)
      : router_(handoff),
        queue_(queue),
        clock_(clock),
        heartbeat_(kVisibility, queue, clock, random_, capture.reporter()),
        settler_({Millis(0), 8, {Millis(1), Millis(1)}}, queue, clock, random_, capture.reporter()),
        ledger_(*options.ledger.ledger),
        flow_(std::move(options), {router_, queue, heartbeat_, settler_, runner, clock, random_, capture.reporter(), interrupt}) {
    flow_.attach(tasks_.hands());
  }

  // Receives what is there, begins it, and settles what has ended. How many messages came.
  std::size_t turn() {
    auto messages = queue_.receive({10, Seconds(0), kVisibility}, std::atomic<bool>{false});
    const std::size_t received = messages->size();
    auto taken = flow_.take(std::move(*messages), clock_.steady());
    std::vector<JobPtr> jobs;
    for (Job& job : taken.jobs) jobs.push_back(std::make_shared<const Job>(std::move(job)));
    flow_.begin(jobs);
    settle();
    return received;
  }
  // Also what the ledger is asked, until it has answered all of it.
  void settle() {
    tasks_.run_all(ledger_, flow_);
    settler_.flush();
  }
  void end_handlers() {
    runner.end_all();
    settle();
  }
  // As the worker's thread does, and waits for what the ledger answers.
  void beat(WatchedLedger& ledger) {
    flow_.renew_claims();
    EXPECT_TRUE(ledger.stat());
    flow_.renew_claims();
    heartbeat_.beat();
  }
  std::size_t held() const { return heartbeat_.held(); }
  MessageFlow& flow() { return flow_; }

  InterruptLevel interrupt{0};
  ToldRunner runner;

 private:
  SeededRandom seeded_{11};
  SharedRandom random_{seeded_};
  Router router_;
  MemoryQueue& queue_;
  const ManualClock& clock_;
  Heartbeat heartbeat_;
  Settler settler_;
  ledger::Ledger& ledger_;
  Tasks tasks_;
  MessageFlow flow_;
};

}  // namespace ferry::worker::testing_support
