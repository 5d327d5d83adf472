#pragma once

#include <optional>
#include <string>

#include "worker/queue_port.h"

namespace ferry::worker {

/// A queue behind a client. `client` outlives it. `dead_letter_url` is empty when there is none.
class ClientQueuePort final : public QueuePort {
 public:
  ClientQueuePort(client::Client& client, std::string queue_url, std::string dead_letter_url)
      : client_(client), queue_url_(std::move(queue_url)), dead_letter_url_(std::move(dead_letter_url)) {}

  client::CallResult<std::vector<sqs::Message>> receive(const ReceiveCall& call, const std::atomic<bool>& cancel) override;
  client::CallResult<std::vector<EntryFailure>> remove(std::span<const std::string> receipt_handles) override;
  client::CallResult<std::vector<EntryFailure>> change_visibility(std::span<const VisibilityChange> changes) override;
  client::CallResult<QueueCounts> counts() override;
  void give_up() override { client_.give_up(); }
  client::CallResult<void> send_to_dead_letters(const sqs::Message& message) override;

 private:
  client::Client& client_;
  std::string queue_url_;
  std::string dead_letter_url_;
};

}  // namespace ferry::worker
