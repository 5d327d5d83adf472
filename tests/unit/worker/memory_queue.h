#pragma once
// A small queue in memory with the semantics a worker relies on, and switches to misbehave: a standard one, but that of a message
// group nothing is delivered while anything of it is hidden. Thread-safe.

#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "worker/queue_port.h"

namespace ferry::worker::testing_support {

struct StoredMessage {
  sqs::Message message;
  SteadyTime visible_at;
  int receives = 0;
  std::string group{};
};

class MemoryQueue final : public QueuePort {
 public:
  explicit MemoryQueue(const Clock& clock) : clock_(clock) {}

  /// A request as `ferry send` makes it; returns the message's id.
  std::string add(const std::string& attribute, const std::string& value, const std::string& body = "body");

  std::string add_message(const std::string& body, sqs::MessageAttributes attributes, const std::string& group = "");
  /// A request "Enable" in a message group.
  std::string add_to_group(const std::string& group, const std::string& value) {
    return add_message("body", {{"Enable", {"String", value, std::nullopt, false}}}, group);
  }

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
  /// A call of this kind is never answered, and ends when the port is given up.
  void hang(Call call) {
    set_fault([this, call](Call made) -> std::optional<client::CallError> {
      if (made != call) return std::nullopt;
      ++hanging_;
      while (!given_up_) sleep_for(Millis(1));
      return client::CallError{client::CallError::Kind::Cancelled, "", 0, "cancelled"};
    });
  }
  int hanging() const { return hanging_; }
  void give_up() override { given_up_ = true; }
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
  std::atomic<int> hanging_{0};
  std::atomic<bool> given_up_{false};
  std::atomic<int> receive_calls_{0};
  std::atomic<int> most_asked_for_{0};
};

inline std::string MemoryQueue::add(const std::string& attribute, const std::string& value, const std::string& body) {
  sqs::MessageAttributes attributes;
  if (!attribute.empty()) attributes.push_back({attribute, {"String", value, std::nullopt, false}});
  return add_message(body, std::move(attributes));
}

inline std::string MemoryQueue::add_message(const std::string& body, sqs::MessageAttributes attributes,
                                            const std::string& group) {
  const std::lock_guard lock(mutex_);
  StoredMessage stored;
  stored.message.message_id = fmt::format("m{:05}", next_id_++);
  stored.message.body = body;
  stored.message.message_attributes = std::move(attributes);
  stored.visible_at = clock_.steady();
  stored.group = group;
  const std::string id = stored.message.message_id;
  messages_.emplace(id, std::move(stored));
  return id;
}

inline std::optional<client::CallError> MemoryQueue::fault_for(Call call, const Fault& fault) const {
  return fault ? fault(call) : std::nullopt;
}

inline void MemoryQueue::set_fault(Fault fault) {
  const std::lock_guard lock(mutex_);
  fault_ = std::move(fault);
}

inline void MemoryQueue::set_lost_answer(Fault lost) {
  const std::lock_guard lock(mutex_);
  lost_answer_ = std::move(lost);
}

inline std::map<std::string, StoredMessage>::iterator MemoryQueue::find_handle(const std::string& handle) {
  for (auto at = messages_.begin(); at != messages_.end(); ++at) {
    if (at->second.message.receipt_handle == handle) return at;
  }
  return messages_.end();
}

inline client::CallResult<std::vector<sqs::Message>> MemoryQueue::receive(const ReceiveCall& call,
                                                                          const std::atomic<bool>& cancel) {
  ++receive_calls_;
  most_asked_for_ = std::max(most_asked_for_.load(), call.messages_max);
  Fault fault;
  Fault lost;
  {
    const std::lock_guard lock(mutex_);
    fault = fault_;
    lost = lost_answer_;
  }
  if (auto error = fault_for(Call::Receive, fault)) return Unexpected(std::move(*error));
  const SteadyTime until = clock_.steady() + call.wait;
  std::vector<sqs::Message> received;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      const SteadyTime now = clock_.steady();
      std::set<std::string> locked;
      for (const auto& [id, stored] : messages_) {
        if (!stored.group.empty() && stored.visible_at > now) locked.insert(stored.group);
      }
      for (auto& [id, stored] : messages_) {
        if (received.size() == static_cast<std::size_t>(call.messages_max)) break;
        if (stored.visible_at > now || locked.contains(stored.group)) continue;
        stored.visible_at = now + call.visibility;
        stored.message.receipt_handle = fmt::format("h{}", next_handle_++);
        stored.message.attributes = {{"ApproximateReceiveCount", std::to_string(++stored.receives)}};
        if (!stored.group.empty()) stored.message.attributes.push_back({"MessageGroupId", stored.group});
        received.push_back(stored.message);
      }
    }
    if (!received.empty() || clock_.steady() >= until || cancel.load()) break;
    sleep_for(Millis(2));
  }
  if (auto error = fault_for(Call::Receive, lost)) return Unexpected(std::move(*error));
  return received;
}

inline client::CallResult<std::vector<EntryFailure>> MemoryQueue::remove(std::span<const std::string> receipt_handles) {
  Fault fault;
  Fault lost;
  {
    const std::lock_guard lock(mutex_);
    fault = fault_;
    lost = lost_answer_;
  }
  if (auto error = fault_for(Call::Remove, fault)) return Unexpected(std::move(*error));
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& handle : receipt_handles) {
      const auto found = find_handle(handle);
      if (found == messages_.end()) continue;  // a standard queue answers success to an old handle
      ++removals_[found->first];
      messages_.erase(found);
    }
  }
  if (auto error = fault_for(Call::Remove, lost)) return Unexpected(std::move(*error));
  return std::vector<EntryFailure>{};
}

inline client::CallResult<std::vector<EntryFailure>> MemoryQueue::change_visibility(std::span<const VisibilityChange> changes) {
  Fault fault;
  {
    const std::lock_guard lock(mutex_);
    fault = fault_;
  }
  if (auto error = fault_for(Call::Change, fault)) return Unexpected(std::move(*error));
  const std::lock_guard lock(mutex_);
  std::vector<EntryFailure> failures;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    changes_.push_back(changes[i]);
    const auto found = find_handle(changes[i].receipt_handle);
    if (found == messages_.end() || found->second.visible_at <= clock_.steady()) {
      failures.push_back({i, ferry::worker::Fault::Lost, "not in flight"});
    } else {
      found->second.visible_at = clock_.steady() + changes[i].timeout;
    }
  }
  return failures;
}

inline client::CallResult<QueueCounts> MemoryQueue::counts() {
  Fault fault;
  {
    const std::lock_guard lock(mutex_);
    fault = fault_;
  }
  if (auto error = fault_for(Call::Counts, fault)) return Unexpected(std::move(*error));
  const std::lock_guard lock(mutex_);
  QueueCounts counts;
  for (const auto& [id, stored] : messages_) ++(stored.visible_at > clock_.steady() ? counts.in_flight : counts.visible);
  return counts;
}

inline client::CallResult<void> MemoryQueue::send_to_dead_letters(const sqs::Message& message) {
  Fault fault;
  {
    const std::lock_guard lock(mutex_);
    fault = fault_;
  }
  if (auto error = fault_for(Call::DeadLetter, fault)) return Unexpected(std::move(*error));
  const std::lock_guard lock(mutex_);
  dead_letters_.push_back(message.body);
  return {};
}

inline std::map<std::string, int> MemoryQueue::removals() const {
  const std::lock_guard lock(mutex_);
  return removals_;
}
inline std::map<std::string, StoredMessage> MemoryQueue::stored() const {
  const std::lock_guard lock(mutex_);
  return messages_;
}
inline std::vector<VisibilityChange> MemoryQueue::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}
inline std::vector<std::string> MemoryQueue::dead_letters() const {
  const std::lock_guard lock(mutex_);
  return dead_letters_;
}

inline client::CallError service_error(std::string code, int status) {
  return {client::CallError::Kind::Service, code, status, "the service answered " + code};
}

}  // namespace ferry::worker::testing_support
