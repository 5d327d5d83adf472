#include "memory_queue.h"

#include <fmt/format.h>

namespace ferry::worker::testing_support {

std::string MemoryQueue::add(const std::string& attribute, const std::string& value, const std::string& body) {
  const std::lock_guard lock(mutex_);
  StoredMessage stored;
  stored.message.message_id = fmt::format("m{:05}", next_id_++);
  stored.message.body = body;
  if (!attribute.empty()) stored.message.message_attributes.push_back({attribute, {"String", value, std::nullopt, false}});
  stored.visible_at = clock_.steady();
  const std::string id = stored.message.message_id;
  messages_.emplace(id, std::move(stored));
  return id;
}

std::optional<client::CallError> MemoryQueue::fault_for(Call call, const Fault& fault) const {
  return fault ? fault(call) : std::nullopt;
}

void MemoryQueue::set_fault(Fault fault) {
  const std::lock_guard lock(mutex_);
  fault_ = std::move(fault);
}

void MemoryQueue::set_lost_answer(Fault lost) {
  const std::lock_guard lock(mutex_);
  lost_answer_ = std::move(lost);
}

std::map<std::string, StoredMessage>::iterator MemoryQueue::find_handle(const std::string& handle) {
  for (auto at = messages_.begin(); at != messages_.end(); ++at) {
    if (at->second.message.receipt_handle == handle) return at;
  }
  return messages_.end();
}

client::CallResult<std::vector<sqs::Message>> MemoryQueue::receive(const ReceiveCall& call, const std::atomic<bool>& cancel) {
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
      for (auto& [id, stored] : messages_) {
        if (received.size() == static_cast<std::size_t>(call.messages_max)) break;
        if (stored.visible_at > now) continue;
        stored.visible_at = now + call.visibility;
        stored.message.receipt_handle = fmt::format("h{}", next_handle_++);
        stored.message.attributes = {{"ApproximateReceiveCount", std::to_string(++stored.receives)}};
        received.push_back(stored.message);
      }
    }
    if (!received.empty() || clock_.steady() >= until || cancel.load()) break;
    sleep_for(Millis(2));
  }
  if (auto error = fault_for(Call::Receive, lost)) return Unexpected(std::move(*error));
  return received;
}

client::CallResult<std::vector<EntryFailure>> MemoryQueue::remove(std::span<const std::string> receipt_handles) {
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

client::CallResult<std::vector<EntryFailure>> MemoryQueue::change_visibility(std::span<const VisibilityChange> changes) {
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

client::CallResult<QueueCounts> MemoryQueue::counts() {
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

client::CallResult<void> MemoryQueue::send_to_dead_letters(const sqs::Message& message) {
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

std::map<std::string, int> MemoryQueue::removals() const {
  const std::lock_guard lock(mutex_);
  return removals_;
}
std::map<std::string, StoredMessage> MemoryQueue::stored() const {
  const std::lock_guard lock(mutex_);
  return messages_;
}
std::vector<VisibilityChange> MemoryQueue::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}
std::vector<std::string> MemoryQueue::dead_letters() const {
  const std::lock_guard lock(mutex_);
  return dead_letters_;
}

}  // namespace ferry::worker::testing_support
