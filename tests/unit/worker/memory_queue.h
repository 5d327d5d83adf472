#pragma once
// A small standard queue in memory with the semantics a worker relies on, and switches to misbehave. Thread-safe.

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "worker/queue_port.h"

namespace ferry::worker::testing_support {

struct StoredMessage {
  sqs::Message message;
  SteadyTime visible_at;
  int receives = 0;
};

class MemoryQueue final : public QueuePort {
 public:
  explicit MemoryQueue(const Clock& clock) : clock_(clock) {}

  /// A request as `ferry send` makes it; returns the message's id.
  std::string add(const std::string& attribute, const std::string& value, const std::string& body = "body");

  client::CallResult<std::vector<sqs::Message>> receive(const ReceiveCall& call, const std::atomic<bool>& cancel) override;
  client::CallResult<std::vector<EntryFailure>> remove(std::span<const std::string> receipt_handles) override;
  client::CallResult<std::vector<EntryFailure>> change_visibility(std::span<const VisibilityChange> changes) override;
  client::CallResult<QueueCounts> counts() override;
  client::CallResult<void> send_to_dead_letters(const sqs::Message& message) override;

  /// Called first in each call, without the lock; an error is the call's answer. For waiting, too.
  enum class Call { Receive, Remove, Change, Counts, DeadLetter };
  using Fault = std::function<std::optional<client::CallError>(Call call)>;
  void set_fault(Fault fault);
  /// After the call has had its effect: its answer is lost.
  void set_lost_answer(Fault lost);
  /// How often each message was removed; messages that are left.
  std::map<std::string, int> removals() const;
  std::map<std::string, StoredMessage> stored() const;
  std::vector<VisibilityChange> changes() const;
  std::vector<std::string> dead_letters() const;
  int receive_calls() const { return receive_calls_; }
  int most_asked_for() const { return most_asked_for_; }

 private:
  std::optional<client::CallError> fault_for(Call call, const Fault& fault) const;
  std::map<std::string, StoredMessage>::iterator find_handle(const std::string& handle);

  const Clock& clock_;
  mutable std::mutex mutex_;
  Fault fault_;
  Fault lost_answer_;
  std::map<std::string, StoredMessage> messages_;  // by id
  std::map<std::string, int> removals_;
  std::vector<VisibilityChange> changes_;
  std::vector<std::string> dead_letters_;
  int next_id_ = 1;
  int next_handle_ = 1;
  std::atomic<int> receive_calls_{0};
  std::atomic<int> most_asked_for_{0};
};

inline client::CallError service_error(std::string code, int status) {
  return {client::CallError::Kind::Service, code, status, "the service answered " + code};
}

}  // namespace ferry::worker::testing_support
