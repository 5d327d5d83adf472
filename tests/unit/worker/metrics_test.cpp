// What passes the two seams is counted, and the page tells it.

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "memory_queue.h"
#include "worker/worker_metrics.h"

namespace ferry::worker {
namespace {

using testing_support::MemoryQueue;
using testing_support::service_error;

// Handlers end when the test says so.
class HeldRunner final : public HandlerRunner {
 public:
  void start(HandlerCall /*call*/, Done done) override { held_.push_back(std::move(done)); }
  void interrupt(int level) override { level_ = level; }
  void end(HandlerEnd how) {
    Done done = std::move(held_.front());
    held_.erase(held_.begin());
    done({how, "as told"});
  }
  int level() const { return level_; }

 private:
  std::vector<Done> held_;
  int level_ = 0;
};

class WorkerMetricsTest : public testing::Test {
 protected:
  void start(const std::string& request, int receive_count = 1) {
    message_.attributes = {{"SentTimestamp", std::to_string(to_epoch_millis(clock_.wall()) - 400)},
                           {"ApproximateReceiveCount", std::to_string(receive_count)}};
    HandlerCall call;
    call.message = &message_;
    call.request = request;
    MeteredRunner(inner_, metrics_).start(std::move(call), [this](const HandlerResult&) { ++ended_; });
  }
  bool has(const std::string& line) { return metrics_.page(status_).find("\n" + line + "\n") != std::string::npos; }

  ManualClock clock_;
  sqs::Message message_;
  HeldRunner inner_;
  WorkerMetrics metrics_{{"work", "1.2.3", {"Enable", ""}, 7}, clock_};
  WorkerStatus status_;
  int ended_ = 0;
};

TEST_F(WorkerMetricsTest, EverySeriesIsThereFromTheStart) {
  EXPECT_TRUE(has("ferry_worker_info{queue=\"work\",version=\"1.2.3\"} 1"));
  EXPECT_TRUE(has("ferry_worker_concurrency 7"));
  EXPECT_TRUE(has("ferry_worker_attempts_total{request=\"Enable\",outcome=\"timed-out\"} 0"));
  EXPECT_TRUE(has("ferry_worker_attempts_total{request=\"(command)\",outcome=\"done\"} 0"));
  EXPECT_TRUE(has("ferry_worker_handler_seconds_count{request=\"Enable\"} 0"));
  EXPECT_TRUE(has("ferry_worker_breaker_state{request=\"Enable\",state=\"closed\"} 1"));
  EXPECT_EQ(metrics_.page(status_).find("(other)"), std::string::npos);
  EXPECT_EQ(metrics_.page(status_).find("ledger"), std::string::npos);
}

TEST_F(WorkerMetricsTest, HandlersAreCountedByRequestAndEnd) {
  start("Enable");
  start("Enable", 2);
  start("");
  start("Unheard");
  EXPECT_TRUE(has("ferry_worker_handlers_running{request=\"Enable\"} 2"));
  EXPECT_TRUE(has("ferry_worker_handlers_running{request=\"(command)\"} 1"));
  EXPECT_TRUE(has("ferry_worker_handlers_running{request=\"(other)\"} 1"));
  EXPECT_TRUE(has("ferry_worker_dwell_seconds_count{request=\"Enable\"} 1"));  // a second receive says nothing of the wait
  EXPECT_TRUE(has("ferry_worker_dwell_seconds_sum{request=\"Enable\"} 0.4"));
  clock_.advance(Millis(1'500));
  inner_.end(HandlerEnd::Done);
  inner_.end(HandlerEnd::Retry);
  inner_.end(HandlerEnd::Interrupted);
  inner_.end(HandlerEnd::Rejected);
  EXPECT_EQ(ended_, 4);
  EXPECT_TRUE(has("ferry_worker_handlers_running{request=\"Enable\"} 0"));
  EXPECT_TRUE(has("ferry_worker_attempts_total{request=\"Enable\",outcome=\"done\"} 1"));
  EXPECT_TRUE(has("ferry_worker_attempts_total{request=\"Enable\",outcome=\"retry\"} 1"));
  EXPECT_TRUE(has("ferry_worker_attempts_total{request=\"(command)\",outcome=\"interrupted\"} 1"));
  EXPECT_TRUE(has("ferry_worker_attempts_total{request=\"(other)\",outcome=\"rejected\"} 1"));
  EXPECT_TRUE(has("ferry_worker_handler_seconds_bucket{request=\"Enable\",le=\"1\"} 0"));
  EXPECT_TRUE(has("ferry_worker_handler_seconds_bucket{request=\"Enable\",le=\"2.5\"} 2"));
  EXPECT_TRUE(has("ferry_worker_handler_seconds_sum{request=\"Enable\"} 3"));
}

TEST_F(WorkerMetricsTest, InterruptsReachTheRunner) {
  MeteredRunner(inner_, metrics_).interrupt(2);
  EXPECT_EQ(inner_.level(), 2);
}

TEST_F(WorkerMetricsTest, TellsWhatTheWorkerSays) {
  status_.tally.handled = 5;
  status_.tally.duplicates = 3;
  status_.in_hand = 9;
  status_.kept = 2;
  status_.ledger = LedgerStanding::Failing;
  status_.handlers = {{"Enable", HandlerGate::Standing::Trying}, {"", HandlerGate::Standing::Paused}};
  start("Enable");
  EXPECT_TRUE(has("ferry_worker_messages_handled_total 5"));
  EXPECT_TRUE(has("ferry_worker_duplicates_total 3"));
  EXPECT_TRUE(has("ferry_worker_messages_in_hand 9"));
  EXPECT_TRUE(has("ferry_worker_messages_waiting 6"));
  EXPECT_TRUE(has("ferry_worker_ledger_ok 0"));
  EXPECT_TRUE(has("ferry_worker_breaker_state{request=\"Enable\",state=\"half-open\"} 1"));
  EXPECT_TRUE(has("ferry_worker_breaker_state{request=\"Enable\",state=\"closed\"} 0"));
  EXPECT_TRUE(has("ferry_worker_breaker_state{request=\"(command)\",state=\"open\"} 1"));
  status_.ledger = LedgerStanding::Working;
  EXPECT_TRUE(has("ferry_worker_ledger_ok 1"));
}

TEST_F(WorkerMetricsTest, CallsOfTheQueueAreCounted) {
  MemoryQueue queue(clock_);
  MeteredPort port(queue, metrics_);
  const std::atomic<bool> never{false};
  const auto receive = [&] { return port.receive({10, Seconds(0), Seconds(30)}, never); };
  EXPECT_TRUE(receive().has_value());
  for (int i = 0; i < 3; ++i) queue.add("Enable", "x");
  const auto messages = receive();
  ASSERT_EQ(messages->size(), 3u);
  const std::vector<std::string> handles = {(*messages)[0].receipt_handle, "no handle"};
  EXPECT_TRUE(port.remove(handles).has_value());
  const std::vector<VisibilityChange> changes = {{(*messages)[1].receipt_handle, Seconds(0)}, {"no handle", Seconds(0)}};
  EXPECT_TRUE(port.change_visibility(changes).has_value());
  EXPECT_TRUE(port.send_to_dead_letters((*messages)[2]).has_value());
  queue.set_fault([](MemoryQueue::Call) { return service_error("ServiceUnavailable", 503); });
  EXPECT_FALSE(receive().has_value());
  EXPECT_FALSE(port.remove(handles).has_value());
  EXPECT_FALSE(port.change_visibility(changes).has_value());
  EXPECT_FALSE(port.send_to_dead_letters((*messages)[2]).has_value());
  EXPECT_TRUE(has("ferry_worker_receives_total 2"));
  EXPECT_TRUE(has("ferry_worker_empty_receives_total 1"));
  EXPECT_TRUE(has("ferry_worker_receive_errors_total 1"));
  EXPECT_TRUE(has("ferry_worker_messages_received_total 3"));
  EXPECT_TRUE(has("ferry_worker_messages_deleted_total 2"));
  EXPECT_TRUE(has("ferry_worker_delete_failures_total 2"));
  EXPECT_TRUE(has("ferry_worker_visibility_changes_total 1"));
  EXPECT_TRUE(has("ferry_worker_visibility_failures_total 3"));
  EXPECT_TRUE(has("ferry_worker_dead_lettered_total 1"));
  EXPECT_TRUE(has("ferry_worker_pollers 0"));
}

}  // namespace
}  // namespace ferry::worker
