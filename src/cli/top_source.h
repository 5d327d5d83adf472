#pragma once
// Where `ferry top` looks: any SQS server, what ferry serve tells beyond that, and workers.

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/top_look.h"
#include "client/client.h"
#include "client/endpoint.h"
#include "sqs/names.h"

namespace ferry::cli {

/// Queues whose numbers are asked for one by one, where the server tells no metrics.
inline constexpr std::size_t kTopQueuesMax = 200;

/// "127.0.0.1:9464", "http://host:port", with or without /metrics, as a URL. InvalidArgument for anything else.
Result<std::string> worker_url(const std::string& text);

class TopSource {
 public:
  struct Wanted {
    std::string prefix;                ///< of queue names; empty: all queues
    std::vector<std::string> workers;  ///< as named; worker_url() takes each
  };
  struct Seams {
    client::Client& client;
    const client::Endpoint& endpoint;
    client::Transport& transport;  ///< for metrics
    const Clock& clock;
  };
  /// Everything outlives the source.
  TopSource(Wanted wanted, const Seams& seams) : wanted_(std::move(wanted)), seams_(seams) {}

  /// Blocks for calls, each for as long as the client waits; a true `cancel` ends it between two calls. What cannot be had is
  /// told as the look's errors.
  Look look(const std::atomic<bool>& cancel);
  /// Why the queues of the latest look could not be listed.
  const std::optional<client::CallError>& failure() const { return failure_; }

 private:
  struct Told {
    std::map<std::string, QueueLook, std::less<>> queues;  // by account, region and name
  };
  client::CallResult<std::vector<std::string>> list();
  std::optional<Told> server_metrics(const std::atomic<bool>& cancel);
  QueueLook ask(const std::string& url, const sqs::QueueAddress& address);
  WorkerLook look_at_worker(const std::string& address, const std::atomic<bool>& cancel);

  Wanted wanted_;
  Seams seams_;
  std::optional<client::CallError> failure_;
  bool no_metrics_ = false;  // the server is no ferry serve, or does not tell us
};

}  // namespace ferry::cli
