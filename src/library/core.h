#pragma once
// What a client, its queues, a sender or a worker is made of: clock, chance, the connection.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "client/session.h"
#include "ferry/connection.h"
#include "ferry/expected.h"
#include "sender/sender.h"

namespace ferry::library {

/// Thread-safe.
class Core {
 public:
  /// `queue` (a name, URL or ARN, or empty) may name the host.
  static Expected<std::shared_ptr<Core>> open(const Connection& connection, const std::string& queue);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  const Clock& clock() const { return clock_; }
  Random& random() { return random_; }
  const Logger& log() const { return log_; }
  client::Client& client() { return session_->client(); }
  const client::Endpoint& endpoint() const { return session_->endpoint(); }

  struct FoundQueue {
    std::string url;
    std::string name;
  };
  Expected<FoundQueue> find_queue(std::string_view queue);
  /// One result for each entry. Blocks.
  std::vector<Expected<sqs::SendMessageResponse>> send(const std::string& queue_url,
                                                       const std::vector<sqs::SendMessageEntry>& entries);

 private:
  Core() = default;

  SystemClock clock_;
  SystemRandom random_;
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};  // a library says nothing by itself
  std::unique_ptr<client::Session> session_;
};

/// What is wrong with it; nothing when all is well. A line for each fault.
std::string faults_of(const Connection& connection);

}  // namespace ferry::library
