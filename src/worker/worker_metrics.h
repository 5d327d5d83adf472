#pragma once
// What a worker counts for Prometheus. Handlers and calls are counted where they pass, by standing in front of their seams: the
// way of a message knows nothing of it. Counting takes no lock.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "metrics/counters.h"
#include "metrics/histogram.h"
#include "worker/handler.h"
#include "worker/queue_port.h"
#include "worker/worker_status.h"

namespace ferry::worker {

/// Stands for the name of a COMMAND's request, which has none; no attribute can be called so.
inline constexpr std::string_view kCommandLabel = "(command)";

/// Thread-safe.
class WorkerMetrics {
 public:
  struct About {
    std::string queue;                  ///< as people call it
    std::string version;                ///< of ferry
    std::vector<std::string> requests;  ///< their series are there from the start; empty names: kCommandLabel
    std::size_t concurrency = 0;
  };
  /// `clock` outlives it.
  WorkerMetrics(About about, const Clock& clock);

  /// The page, version 0.0.4 of the Prometheus text format. docs/operations.md lists what is on it.
  std::string page(const WorkerStatus& status) const;

  /// Of one request.
  struct Series {
    static constexpr std::size_t kEnds = 10;   // of HandlerEnd
    std::array<metrics::Counter, kEnds> ends;  // handlers that have ended, by HandlerEnd
    std::atomic<std::int64_t> running{0};      // handlers
    metrics::DurationHistogram took;           // handlers
    metrics::DurationHistogram dwelt;          // from the send to the start of the first attempt
  };
  /// Of the queue's calls.
  struct Calls {
    metrics::Counter receives;
    metrics::Counter empty_receives;
    metrics::Counter receive_errors;
    metrics::Counter received;         // messages
    metrics::Counter deleted;          // messages
    metrics::Counter delete_failures;  // messages, each time
    metrics::Counter visibility_changes;
    metrics::Counter visibility_failures;
    metrics::Counter dead_lettered;
    std::atomic<std::int64_t> pollers{0};  // receives under way
  };
  /// For MeteredRunner and MeteredPort. A request that was not named at the start is counted with "(other)".
  Series& series(std::string_view request);
  Calls& calls() { return calls_; }
  const Clock& clock() const { return clock_; }

 private:
  std::int64_t running() const;

  About about_;
  const Clock& clock_;
  const Timestamp started_;
  Calls calls_;
  std::map<std::string, std::unique_ptr<Series>, std::less<>> series_;  // does not change after the constructor
};

/// Counts handlers on their way to `inner`.
class MeteredRunner final : public HandlerRunner {
 public:
  /// `metrics` outlives `inner`, and both outlive this.
  MeteredRunner(HandlerRunner& inner, WorkerMetrics& metrics) : inner_(inner), metrics_(metrics) {}
  void start(HandlerCall call, Done done) override;
  void interrupt(int level) override { inner_.interrupt(level); }

 private:
  HandlerRunner& inner_;
  WorkerMetrics& metrics_;
};

/// Counts calls on their way to `inner`.
class MeteredPort final : public QueuePort {
 public:
  /// Both outlive this.
  MeteredPort(QueuePort& inner, WorkerMetrics& metrics) : inner_(inner), calls_(metrics.calls()) {}
  client::CallResult<std::vector<sqs::Message>> receive(const ReceiveCall& call, const std::atomic<bool>& cancel) override;
  client::CallResult<std::vector<EntryFailure>> remove(std::span<const std::string> receipt_handles) override;
  client::CallResult<std::vector<EntryFailure>> change_visibility(std::span<const VisibilityChange> changes) override;
  client::CallResult<QueueCounts> counts() override { return inner_.counts(); }
  void give_up() override { inner_.give_up(); }
  client::CallResult<void> send_to_dead_letters(const sqs::Message& message) override;

 private:
  QueuePort& inner_;
  WorkerMetrics::Calls& calls_;
};

}  // namespace ferry::worker
