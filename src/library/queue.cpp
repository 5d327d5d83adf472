#include <algorithm>

#include "ferry/client.h"
#include "library/conversions.h"
#include "library/core.h"
#include "library/failure.h"
#include "sqs/limits.h"
#include "worker/client_queue_port.h"

namespace ferry {
namespace {

using library::failure_of;

Failure failure_of_entry(const worker::EntryFailure& failed) {
  const bool lost = failed.fault == worker::Fault::Lost;
  return {lost ? FailureKind::ReceiptLost : FailureKind::Unavailable, failed.message, {}};
}

// Calls `act` with up to ten items each time, and brings the failures of entries and calls back to the items.
template <class Item, class Act>
std::vector<Expected<void>> in_batches(const std::vector<Item>& items, const Act& act) {
  std::vector<Expected<void>> results(items.size());
  for (std::size_t first = 0; first < items.size(); first += sqs::kBatchEntriesMax) {
    const std::size_t count = std::min(items.size() - first, sqs::kBatchEntriesMax);
    const client::CallResult<std::vector<worker::EntryFailure>> failures = act(std::span(items).subspan(first, count));
    if (failures) {
      for (const worker::EntryFailure& failed : *failures) results[first + failed.index] = failure_of_entry(failed);
    } else {
      for (std::size_t i = first; i < first + count; ++i) results[i] = failure_of(failures.error());
    }
  }
  return results;
}
}  // namespace

struct Queue::State {
  std::shared_ptr<library::Core> core;  // also the client's and other queues'
  std::string url;
  std::string name;

  worker::ClientQueuePort port() const { return {core->client(), url, {}}; }
};

Queue::Queue(std::shared_ptr<library::Core> core, std::string url, std::string name)
    : state_(std::make_shared<const State>(State{std::move(core), std::move(url), std::move(name)})) {}

const std::string& Queue::url() const {
  return state_->url;
}
const std::string& Queue::name() const {
  return state_->name;
}

Expected<SentMessage> Queue::send(const OutgoingMessage& message) const {
  return std::move(send_all(std::span(&message, 1)).front());
}

std::vector<Expected<SentMessage>> Queue::send_all(std::span<const OutgoingMessage> messages) const {
  std::vector<Expected<SentMessage>> results;
  results.reserve(messages.size());
  std::vector<sqs::SendMessageEntry> entries;
  bool all_good = true;
  for (const OutgoingMessage& message : messages) {
    auto entry = library::entry_of(message);
    all_good = all_good && entry;
    results.emplace_back(entry ? library::refusal("not sent, because another message of these is refused")
                               : failure_of(entry.error()));
    if (entry) entries.push_back(std::move(*entry));
  }
  if (!all_good) return results;
  results.clear();
  for (const auto& sent : state_->core->send(state_->url, entries)) {
    if (sent) {
      results.emplace_back(library::from_wire(*sent));
    } else {
      results.emplace_back(sent.error());
    }
  }
  return results;
}

Expected<std::vector<Message>> Queue::receive(const ReceiveOptions& options, const std::stop_token& stop) const {
  sqs::ReceiveMessageRequest request;
  request.queue_url = state_->url;
  request.attribute_names = {"All"};
  request.message_attribute_names = {"All"};
  request.max_number_of_messages = options.messages_max;
  request.wait_time_seconds = options.wait.count();
  if (options.visibility) request.visibility_timeout = options.visibility->count();
  std::atomic<bool> cancel{false};
  const std::stop_callback on_stop(stop, [&cancel] { cancel = true; });
  const auto answer = state_->core->client().receive_message(request, &cancel);
  if (!answer) return failure_of(answer.error());
  std::vector<Message> messages;
  messages.reserve(answer->messages.size());
  for (const sqs::Message& message : answer->messages) messages.push_back(library::from_wire(message));
  return messages;
}

Expected<void> Queue::remove(const Message& message) const {
  return std::move(remove_all(std::span(&message, 1)).front());
}

std::vector<Expected<void>> Queue::remove_all(std::span<const Message> messages) const {
  std::vector<std::string> handles;
  handles.reserve(messages.size());
  for (const Message& message : messages) handles.push_back(message.receipt_handle);
  worker::ClientQueuePort port = state_->port();
  return in_batches(handles, [&](std::span<const std::string> batch) { return port.remove(batch); });
}

Expected<void> Queue::change_visibility(const Message& message, std::chrono::seconds timeout) const {
  return std::move(change_visibility_all(std::span(&message, 1), timeout).front());
}

std::vector<Expected<void>> Queue::change_visibility_all(std::span<const Message> messages, std::chrono::seconds timeout) const {
  std::vector<worker::VisibilityChange> changes;
  changes.reserve(messages.size());
  for (const Message& message : messages) changes.push_back({message.receipt_handle, timeout});
  worker::ClientQueuePort port = state_->port();
  return in_batches(changes, [&](std::span<const worker::VisibilityChange> batch) { return port.change_visibility(batch); });
}

Expected<QueueAttributes> Queue::attributes() const {
  sqs::GetQueueAttributesRequest request;
  request.queue_url = state_->url;
  request.attribute_names = {"All"};
  const auto answer = state_->core->client().get_queue_attributes(request);
  if (!answer) return failure_of(answer.error());
  return QueueAttributes(answer->attributes.begin(), answer->attributes.end());
}

Expected<void> Queue::set_attributes(const QueueAttributes& attributes) const {
  sqs::SetQueueAttributesRequest request;
  request.queue_url = state_->url;
  request.attributes.assign(attributes.begin(), attributes.end());
  const auto answer = state_->core->client().set_queue_attributes(request);
  if (!answer) return failure_of(answer.error());
  return {};
}

Expected<QueueCounts> Queue::counts() const {
  const auto counts = state_->port().counts();
  if (!counts) return failure_of(counts.error());
  return QueueCounts{counts->visible, counts->in_flight, counts->delayed};
}

Expected<void> Queue::purge() const {
  const auto answer = state_->core->client().purge_queue({state_->url});
  if (!answer) return failure_of(answer.error());
  return {};
}

Expected<void> Queue::destroy() const {
  const auto answer = state_->core->client().delete_queue({state_->url});
  if (!answer) return failure_of(answer.error());
  return {};
}

}  // namespace ferry
