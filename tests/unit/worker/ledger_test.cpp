// A worker with a ledger: what is claimed, run, recorded, and only then deleted. The ledger is a real one; time stands still.

#include <gtest/gtest.h>

#include <thread>

#include "base/manual_clock.h"
#include "capture.h"
#include "driven_worker.h"
#include "ledger/open_ledger.h"
#include "memory_queue.h"
#include "watched_ledger.h"
#include "worker/backoff.h"
#include "worker/message_flow.h"
#include "worker/worker.h"

namespace ferry::worker {
namespace {

using ledger::ClaimAnswer;
using ledger::State;
using testing_support::Capture;
using testing_support::kVisibility;
using testing_support::MemoryQueue;
using testing_support::Tasks;
using testing_support::TemporaryFolder;
using testing_support::ToldRunner;
using testing_support::WatchedLedger;
using testing_support::Worked;

class LedgerFlow : public testing::Test {
 protected:
  LedgerFlow() {
    auto parsed = config::parse_handoff({R"(
[request.Enable]
handler = ["./enable", "{attr:Enable}"]
[request.Pay]
handler = ["./pay"]
on_lost = "park"
require_key = true
)",
                                         "handoff.toml", "/"});
    FERRY_CHECK(parsed.has_value());
    handoff_ = std::move(*parsed);
    auto opened = ledger::open_ledger(folder_.file("ledger.db"), {}, clock_);
    FERRY_CHECK(opened.has_value());
    ledger_ = std::make_unique<WatchedLedger>(std::move(*opened));
  }

  std::unique_ptr<Worked> worker(const std::string& owner) {
    FlowOptions options;
    options.queue = "q";
    options.on_unmatched = on_unmatched_;
    options.settings.visibility = kVisibility;
    options.backoff = {Seconds(30), Seconds(60)};
    options.environment = [](const std::string&) { return std::nullopt; };
    options.ledger.ledger = ledger_.get();
    options.ledger.owner = owner;
    options.ledger.queue = "q";
    options.ledger.commit_attempts_max = 3;
    options.ledger.commit_pause = {Millis(0), Millis(0)};
    return std::make_unique<Worked>(std::move(options), handoff_, queue_, clock_, capture_);
  }
  std::string add(const std::string& key, const std::string& body = "body", const std::string& request = "Enable") {
    sqs::MessageAttributes attributes{{request, {"String", "x", std::nullopt, false}}};
    if (!key.empty()) attributes.push_back({"idempotency-key", {"String", key, std::nullopt, false}});
    return queue_.add_message(body, std::move(attributes));
  }
  ledger::Row row(const std::string& key) {
    const auto rows = ledger_->find({key, ""});
    FERRY_CHECK(rows.has_value() && rows->size() == 1);
    return rows->front();
  }
  // When the message is to be seen again, from now.
  Millis hidden(const std::string& id) {
    return std::chrono::duration_cast<Millis>(queue_.stored().at(id).visible_at - clock_.steady());
  }

  ManualClock clock_;
  SystemClock system_clock_;
  TemporaryFolder folder_;
  Capture capture_{system_clock_};
  MemoryQueue queue_{clock_};
  config::Handoff handoff_;
  config::OnUnmatched on_unmatched_ = config::OnUnmatched::Keep;
  std::unique_ptr<WatchedLedger> ledger_;
};

TEST_F(LedgerFlow, TheOutcomeIsOnRecordBeforeTheMessageIsDeleted) {
  const auto one = worker("one");
  add("k");
  std::vector<std::string> order;
  ledger_->on_settlement = [&](const ledger::Settlement&) { order.emplace_back("commit"); };
  queue_.set_fault([&](MemoryQueue::Call call) -> std::optional<client::CallError> {
    if (call == MemoryQueue::Call::Remove) {
      EXPECT_EQ(row("k").state, State::Done);
      order.emplace_back("delete");
    }
    return std::nullopt;
  });
  one->runner.result.result = R"({"id":7})";
  one->turn();
  EXPECT_EQ(order, (std::vector<std::string>{"commit", "delete"}));
  EXPECT_TRUE(queue_.stored().empty());
  EXPECT_EQ(row("k").result.bytes, R"({"id":7})");
  EXPECT_EQ(row("k").key.scope, "q/Enable");
  ASSERT_EQ(one->runner.calls.size(), 1u);
  EXPECT_EQ(one->runner.calls[0].fence, row("k").fence);
  EXPECT_EQ(one->runner.calls[0].attempt, 1);
}

TEST_F(LedgerFlow, WhatIsDoneIsDeletedWithoutARun) {
  add("k");
  worker("one")->turn();
  const std::string again = add("k");
  const auto two = worker("two");
  two->turn();
  EXPECT_TRUE(two->runner.calls.empty());
  EXPECT_EQ(two->flow().tally().duplicates, 1u);
  EXPECT_EQ(queue_.removals().at(again), 1);
}

TEST_F(LedgerFlow, ASecondWorkerWaitsForTheFirst) {
  const auto one = worker("one");
  const auto two = worker("two");
  one->runner.later = true;
  add("k");
  one->turn();
  const std::string again = add("k");
  two->turn();
  EXPECT_TRUE(two->runner.calls.empty());
  EXPECT_EQ(two->flow().tally().deferred, 1u);
  EXPECT_GE(hidden(again), lease_for(kVisibility));
  EXPECT_LE(hidden(again), lease_for(kVisibility) + Seconds(2));
  one->end_handlers();
  clock_.advance(Seconds(70));
  two->turn();
  EXPECT_TRUE(two->runner.calls.empty());
  EXPECT_TRUE(queue_.stored().empty());
}

TEST_F(LedgerFlow, ALostClaimRunsAgainAndItsFirstHolderIsFenced) {
  const auto one = worker("one");
  one->runner.later = true;
  add("k");
  one->turn();
  clock_.advance(lease_for(kVisibility));
  const auto two = worker("two");
  EXPECT_EQ(two->turn(), 1u);
  ASSERT_EQ(two->runner.calls.size(), 1u);
  EXPECT_EQ(two->runner.calls[0].attempt, 2);
  EXPECT_TRUE(capture_.says("let the claim run out"));
  EXPECT_TRUE(queue_.stored().empty());
  const std::size_t changes = queue_.changes().size();
  one->end_handlers();
  EXPECT_TRUE(capture_.says("after its claim was taken away"));
  EXPECT_EQ(one->held(), 0u);
  EXPECT_EQ(queue_.changes().size(), changes);
  EXPECT_EQ(one->flow().tally().handled, 0u);
}

TEST_F(LedgerFlow, AFencedOutcomeDeletesNothing) {
  const auto one = worker("one");
  one->runner.later = true;
  const std::string id = add("k");
  one->turn();
  ASSERT_TRUE(ledger_->park(row("k").key.hash, "look at it"));
  one->end_handlers();
  EXPECT_EQ(queue_.stored().count(id), 1u);
  EXPECT_TRUE(queue_.changes().empty());
  EXPECT_EQ(row("k").state, State::Parked);
}

TEST_F(LedgerFlow, ALostClaimIsParkedWhereThatIsAskedFor) {
  on_unmatched_ = config::OnUnmatched::Delete;
  const auto one = worker("one");
  one->runner.later = true;
  const std::string id = add("k", "body", "Pay");
  one->turn();
  clock_.advance(lease_for(kVisibility));
  const auto two = worker("two");
  two->turn();
  EXPECT_TRUE(two->runner.calls.empty());
  EXPECT_EQ(row("k").state, State::Parked);
  EXPECT_EQ(queue_.stored().count(id), 1u) << "kept, although on_unmatched says delete";
  EXPECT_TRUE(capture_.says("it is parked until a person decides"));
  one->end_handlers();  // it was only slow, and nobody else has run it
  EXPECT_EQ(row("k").state, State::Done);
}

TEST_F(LedgerFlow, ARunningClaimIsRenewedAlsoWhenTheVisibilityIsLost) {
  const auto one = worker("one");
  one->runner.later = true;
  const std::string id = add("k");
  one->turn();
  queue_.set_fault([](MemoryQueue::Call call) -> std::optional<client::CallError> {
    if (call != MemoryQueue::Call::Change) return std::nullopt;
    return testing_support::service_error("", 503);
  });
  for (int i = 0; i < 30; ++i) {
    clock_.advance(Seconds(10));
    one->beat(*ledger_);
  }
  EXPECT_TRUE(capture_.says("its visibility could not be kept"));
  EXPECT_GE(ledger_->renewals, 14);
  EXPECT_LE(ledger_->renewals, 16);
  queue_.set_fault({});
  const auto two = worker("two");
  EXPECT_EQ(two->turn(), 1u);
  EXPECT_TRUE(two->runner.calls.empty()) << "the claim holds";
  one->end_handlers();
  EXPECT_EQ(row("k").state, State::Done);
}

TEST_F(LedgerFlow, AFencedRenewalIsToldOnce) {
  const auto one = worker("one");
  one->runner.later = true;
  add("k");
  one->turn();
  ASSERT_TRUE(ledger_->park(row("k").key.hash, "look at it"));
  for (int i = 0; i < 10; ++i) {
    clock_.advance(Seconds(10));
    one->beat(*ledger_);
  }
  EXPECT_EQ(capture_.count("its claim was taken away; its handler goes on"), 1);
  EXPECT_EQ(ledger_->renewals, 1);
  one->end_handlers();
}

TEST_F(LedgerFlow, ClaimsThatCannotBeRenewedAreToldWhenTheirLeaseIsOver) {
  const auto one = worker("one");
  one->runner.later = true;
  add("k");
  one->turn();
  ledger_->failing = 1'000;
  for (int i = 0; i < 20; ++i) {
    clock_.advance(Seconds(5));
    one->beat(*ledger_);
  }
  EXPECT_EQ(capture_.count("its claim could not be renewed (as told)"), 1);
  ledger_->failing = 0;
  clock_.advance(Seconds(5));
  one->beat(*ledger_);
  EXPECT_GT(row("k").lease_until, clock_.wall() + Seconds(30)) << "nobody has claimed it meanwhile";
  one->end_handlers();
  EXPECT_EQ(row("k").state, State::Done);
}

TEST_F(LedgerFlow, ARetryIsDueWhenTheMessageIsSeenAgain) {
  const auto one = worker("one");
  one->runner.result = {HandlerEnd::TimedOut, "it took 5 s"};
  const std::string id = add("k");
  one->turn();
  EXPECT_EQ(row("k").state, State::Retry);
  EXPECT_EQ(row("k").outcome, "timed-out");
  EXPECT_EQ(row("k").not_before - clock_.wall(), hidden(id)) << "one delay for both";
  one->runner.result = {HandlerEnd::Retry, "exit 75", Seconds(100)};
  clock_.advance(hidden(id));
  one->turn();
  EXPECT_EQ(one->runner.calls.back().attempt, 2);
  EXPECT_EQ(hidden(id), Seconds(100));
  const std::string again = add("k");
  const auto two = worker("two");
  two->turn();
  EXPECT_TRUE(two->runner.calls.empty());
  EXPECT_TRUE(capture_.says(again + " is not due"));
  EXPECT_GE(hidden(again), Seconds(100));
  EXPECT_LE(hidden(again), Seconds(102));
}

TEST_F(LedgerFlow, AnInterruptionAndAFaultOfOursAreNoAttempts) {
  const auto one = worker("one");
  const std::string id = add("k");
  for (const HandlerEnd end : {HandlerEnd::Interrupted, HandlerEnd::OurFault, HandlerEnd::NotStarted}) {
    one->runner.result = {end, "as told"};
    one->turn();
    EXPECT_EQ(row("k").attempts, 0);
    EXPECT_EQ(row("k").outcome, name_of(end));
    EXPECT_EQ(row("k").not_before - clock_.wall(), hidden(id));
    clock_.advance(hidden(id));
  }
  EXPECT_EQ(row("k").interrupts, 3);
}

TEST_F(LedgerFlow, ARejectionIsRememberedAndMayBeDeleted) {
  const auto one = worker("one");
  one->runner.result = {HandlerEnd::Rejected, "exit 65"};
  const std::string id = add("k");
  one->turn();
  EXPECT_EQ(row("k").state, State::Rejected);
  clock_.advance(hidden(id));
  on_unmatched_ = config::OnUnmatched::Delete;
  const auto two = worker("two");
  two->turn();
  EXPECT_TRUE(two->runner.calls.empty());
  EXPECT_TRUE(capture_.says("rejected it before (exit 65)"));
  EXPECT_TRUE(queue_.stored().empty());
}

TEST_F(LedgerFlow, TheSameKeyForAnotherRequestNeverRunsAndIsNeverDeleted) {
  on_unmatched_ = config::OnUnmatched::Delete;
  add("k", "one body");
  worker("one")->turn();
  const std::string other = add("k", "another body");
  const auto two = worker("two");
  two->turn();
  EXPECT_TRUE(two->runner.calls.empty());
  EXPECT_EQ(queue_.stored().count(other), 1u);
  EXPECT_TRUE(capture_.says("CONFLICT: the key \"k\" belongs to another request, which came as m00001"));
  EXPECT_EQ(two->flow().tally().refused, 1u);
}

TEST_F(LedgerFlow, AConflictGoesToTheDeadLettersWhereTheyAreAsked) {
  on_unmatched_ = config::OnUnmatched::DeadLetter;
  add("k", "one body");
  worker("one")->turn();
  add("k", "another body");
  worker("two")->turn();
  EXPECT_EQ(queue_.dead_letters(), std::vector<std::string>{"another body"});
}

TEST_F(LedgerFlow, AFailingLedgerRunsNothingAndStopsTheReceiving) {
  const auto one = worker("one");
  const std::string id = add("k");
  ledger_->failing = 1;
  one->turn();
  EXPECT_TRUE(one->runner.calls.empty());
  EXPECT_EQ(queue_.stored().count(id), 1u);
  EXPECT_GE(hidden(id), Seconds(5));
  EXPECT_TRUE(capture_.says("not run, because the ledger fails: as told"));
  EXPECT_EQ(one->flow().ledger_pause(), Seconds(1));
  EXPECT_FALSE(one->flow().ledger_broken());
  clock_.advance(hidden(id));
  EXPECT_EQ(one->flow().ledger_pause(), Millis(0));
  ledger_->failing = 1;
  one->turn();
  EXPECT_EQ(one->flow().ledger_pause(), Seconds(2)) << "doubled";
  clock_.advance(hidden(id));
  one->turn();
  EXPECT_EQ(one->runner.calls.size(), 1u);
  EXPECT_EQ(one->flow().ledger_pause(), Millis(0));
}

TEST_F(LedgerFlow, ABrokenLedgerIsToldToTheWorker) {
  for (const ErrorKind kind : {ErrorKind::Io, ErrorKind::Corrupt}) {
    const auto one = worker("one");
    add("k");
    ledger_->kind = kind;
    ledger_->failing = 1'000;
    one->turn();
    EXPECT_TRUE(one->runner.calls.empty());
    EXPECT_EQ(one->flow().ledger_broken(), "as told");
    clock_.advance(Seconds(60));
  }
}

TEST_F(LedgerFlow, AnOutcomeIsTriedSeveralTimes) {
  const auto one = worker("one");
  add("k");
  ledger_->on_settlement = [&](const ledger::Settlement&) {
    if (ledger_->settlements < 3) ledger_->failing = 1;
  };
  one->turn();
  EXPECT_EQ(ledger_->settlements, 3);
  EXPECT_EQ(row("k").state, State::Done);
  EXPECT_TRUE(queue_.stored().empty());
}

TEST_F(LedgerFlow, AnOutcomeThatCouldNotBeRecordedDeletesNothingAndIsBroughtLater) {
  const auto one = worker("one");
  const std::string id = add("k");
  ledger_->on_settlement = [&](const ledger::Settlement&) {
    if (ledger_->settlements <= 3) ledger_->failing = 1;
  };
  one->turn();
  EXPECT_EQ(ledger_->settlements, 3);
  EXPECT_EQ(queue_.stored().count(id), 1u);
  EXPECT_TRUE(queue_.changes().empty());
  EXPECT_EQ(one->held(), 0u);
  EXPECT_EQ(one->flow().tally().handled, 0u);
  EXPECT_TRUE(capture_.says("which is not on record; the message is left"));
  clock_.advance(kVisibility);
  EXPECT_EQ(one->turn(), 1u);
  EXPECT_EQ(one->runner.calls.size(), 1u) << "it is not run again";
  EXPECT_EQ(row("k").state, State::Done);
  EXPECT_TRUE(queue_.stored().empty());
}

TEST_F(LedgerFlow, AnAnswerThatWasLostIsRunAsMine) {
  ledger::ClaimRequest request;  // as the worker asked, which never heard the answer
  const auto one = worker("one");
  const std::string id = add("k");
  const Job job{queue_.stored().at(id).message, {handoff_.find("Enable"), {}, {}}};
  request = claim_request(job, "q");
  request.owner = "one";
  request.lease = Millis(1'000);
  ASSERT_EQ(ledger_->claim(request)->answer, ClaimAnswer::Run);
  one->turn();
  EXPECT_EQ(one->runner.calls.size(), 1u);
  EXPECT_EQ(row("k").state, State::Done);
}

TEST_F(LedgerFlow, WhatWasClaimedAndNotBegunIsReleased) {
  const auto one = worker("one");
  const std::string id = add("k");
  // A stop that comes while the ledger is asked.
  ledger_->on_settlement = [](const ledger::Settlement& settlement) {
    EXPECT_EQ(settlement.outcome.kind, ledger::OutcomeKind::Released);
  };
  class StoppingLedger final : public ledger::Ledger {
   public:
    StoppingLedger(ledger::Ledger& real, InterruptLevel& level) : real_(real), level_(level) {}
    void submit(std::vector<ledger::Operation> operations, Then then) override {
      level_ = 1;
      real_.submit(std::move(operations), std::move(then));
    }
    Result<ledger::Page> list(const ledger::Filter& filter) override { return real_.list(filter); }
    Result<std::vector<ledger::Row>> find(const Selector& selector) override { return real_.find(selector); }
    Result<ledger::Row> retry(const ledger::KeyHash& key) override { return real_.retry(key); }
    Result<ledger::Row> park(const ledger::KeyHash& key, std::string_view reason) override { return real_.park(key, reason); }
    Result<void> forget(const ledger::KeyHash& key) override { return real_.forget(key); }
    Result<ledger::Statistics> stat() override { return real_.stat(); }
    Result<std::vector<std::string>> check() override { return real_.check(); }

   private:
    ledger::Ledger& real_;
    InterruptLevel& level_;
  };
  InterruptLevel level{0};
  StoppingLedger stopping(*ledger_, level);
  FlowOptions options;
  options.queue = "q";
  options.settings.visibility = kVisibility;
  options.ledger.ledger = &stopping;
  options.ledger.owner = "one";
  options.ledger.queue = "q";
  SeededRandom seeded(1);
  SharedRandom random(seeded);
  Heartbeat heartbeat(kVisibility, queue_, clock_, random, capture_.reporter());
  Settler settler({Millis(0), 8, {}}, queue_, clock_, random, capture_.reporter());
  const Router router(handoff_);
  ToldRunner runner;
  MessageFlow flow(options, {router, queue_, heartbeat, settler, runner, clock_, random, capture_.reporter(), level});
  auto messages = queue_.receive({1, Seconds(0), kVisibility}, std::atomic<bool>{false});
  Tasks tasks;
  flow.attach(tasks.hands());
  auto taken = flow.take(std::move(*messages), clock_.steady());
  flow.begin({std::make_shared<const Job>(std::move(taken.jobs.at(0)))});
  tasks.run_all(stopping, flow);
  settler.flush();
  EXPECT_TRUE(runner.calls.empty());
  EXPECT_EQ(hidden(id), Millis(0));
  EXPECT_EQ(row("k").state, State::Retry);
  EXPECT_EQ(row("k").outcome, "released");
  EXPECT_EQ(row("k").attempts, 0);
}

TEST_F(LedgerFlow, AMessageWithoutAKeyOfItsSendersIsRefusedWhereOneIsAskedFor) {
  add("", "body", "Pay");
  add("k", "body", "Pay");
  const auto one = worker("one");
  one->turn();
  EXPECT_EQ(one->runner.calls.size(), 1u);
  EXPECT_TRUE(capture_.says("Pay: it has no key of its sender's"));
}

TEST_F(LedgerFlow, WhoAsksAndWhereInATraceDoesNotMakeAnotherRequest) {
  sqs::Message message;
  message.message_id = "m";
  message.body = "b";
  message.message_attributes = {{"Enable", {"String", "x", std::nullopt, false}}};
  const auto payload = [&](std::optional<std::pair<std::string, std::string>> more) {
    Job job{message, {handoff_.find("Enable"), {}, {}}};
    if (more) job.message.message_attributes.push_back({more->first, {"String", more->second, std::nullopt, false}});
    return claim_request(job, "q").payload;
  };
  for (const char* name : {"Ferry", "traceparent", "tracestate", "idempotency-key"}) {
    EXPECT_EQ(payload(std::nullopt), payload(std::pair<std::string, std::string>(name, "y"))) << name;
  }
  EXPECT_NE(payload(std::nullopt), payload(std::pair<std::string, std::string>("Reason", "y")));
}

TEST(LeaseFor, IsLongerThanTheVisibility) {
  EXPECT_EQ(lease_for(Seconds(3)), Millis(5'000));
  EXPECT_EQ(lease_for(Seconds(20)), Millis(22'000));
  EXPECT_EQ(lease_for(Seconds(21)), Millis(23'100));
  EXPECT_EQ(lease_for(Seconds(300)), Millis(330'000));
  EXPECT_EQ(lease_for(Seconds(301)), Millis(331'000));
}

// The whole worker: a ledger that is broken ends the run.
TEST_F(LedgerFlow, ABrokenLedgerEndsTheRun) {
  ledger_->kind = ErrorKind::Io;
  ledger_->failing = 1'000'000;
  WorkerOptions options;
  options.flow.queue = "q";
  options.flow.settings.wait = Seconds(0);
  options.flow.settings.visibility = kVisibility;
  options.flow.environment = [](const std::string&) { return std::nullopt; };
  options.flow.ledger.ledger = ledger_.get();
  options.flow.ledger.owner = "one";
  options.flow.ledger.queue = "q";
  MemoryQueue queue(system_clock_);
  queue.add("Enable", "x");
  queue.add("Enable", "y");
  testing_support::ThreadRunner runner([](const HandlerCall&, const InterruptLevel&) -> HandlerResult {
    ADD_FAILURE() << "it was run";
    return {};
  });
  SeededRandom random(5);
  const Router router(handoff_);
  const StopFlag stop;
  Worker worker(options, router, queue, runner, system_clock_, random, capture_.reporter(), stop);
  const RunSummary summary = worker.run();
  EXPECT_EQ(summary.end, RunEnd::Failed);
  EXPECT_EQ(summary.ledger_error, "as told");
  EXPECT_FALSE(summary.error);
  EXPECT_EQ(queue.stored().size(), 2u);
}

}  // namespace
}  // namespace ferry::worker
