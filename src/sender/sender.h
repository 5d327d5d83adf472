#pragma once
// Sends messages in batches. Of a batch that failed in part the failed entries are sent again, and only those.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "client/client.h"
#include "sqs/api.h"

namespace ferry::sender {

/// The one call that sending needs; the client, or a test.
class SendPort {
 public:
  virtual ~SendPort() = default;
  virtual client::CallResult<sqs::SendMessageBatchResponse> send_batch(const sqs::SendMessageBatchRequest& request) = 0;
};

class ClientSendPort final : public SendPort {
 public:
  explicit ClientSendPort(client::Client& client) : client_(client) {}
  client::CallResult<sqs::SendMessageBatchResponse> send_batch(const sqs::SendMessageBatchRequest& request) override {
    return client_.send_message_batch(request);
  }

 private:
  client::Client& client_;
};

/// What became of one message: `sent`, or the reason.
struct SendOutcome {
  std::optional<sqs::SendMessageResponse> sent;
  std::string code;     ///< the service's, or empty
  std::string message;  ///< for people
};

struct SendReport {
  std::vector<SendOutcome> outcomes;            ///< one for each message, in their order
  std::optional<client::CallError> call_error;  ///< a whole call failed; what follows it was not tried
  std::size_t sent_count() const;
};

struct SenderOptions {
  int attempts_max = 5;  ///< of one entry, the first included
  Millis backoff_base{200};
  Millis backoff_max{5'000};
};

class Sender {
 public:
  using Pause = std::function<void(Millis)>;
  /// `port` and `random` outlive the sender. `pause` blocks for a while.
  Sender(SendPort& port, Random& random, Pause pause, SenderOptions options = {})
      : port_(port), random_(random), pause_(std::move(pause)), options_(options) {}

  /// Blocks until every entry is sent or given up. Entries carry no ids; they are given here.
  SendReport send(const std::string& queue_url, std::span<const sqs::SendMessageEntry> entries);

 private:
  struct Round;
  std::optional<client::CallError> send_one_batch(const std::string& queue_url, std::span<const sqs::SendMessageEntry> entries,
                                                  std::span<SendOutcome> outcomes);

  SendPort& port_;
  Random& random_;
  Pause pause_;
  SenderOptions options_;
};

}  // namespace ferry::sender
