#include "reference_model.h"

#include <algorithm>

namespace ferry::simulation {

bool ReferenceModel::expired(const ModelQueue& queue, const ModelMessage& message, std::int64_t now) {
  return message.enqueued + queue.attributes.at("MessageRetentionPeriod") * 1000 <= now;
}

ModelQueue* ReferenceModel::find_queue(const std::string& name) {
  for (ModelQueue& queue : queues_) {
    if (queue.name == name) return &queue;
  }
  return nullptr;
}

const ModelQueue* ReferenceModel::find(const std::string& name) const {
  return const_cast<ReferenceModel*>(this)->find_queue(name);
}

ModelMessage* ReferenceModel::find_message(ModelQueue& queue, const ModelHandle& handle, std::int64_t now) {
  for (ModelMessage& message : queue.messages) {
    if (message.id == handle.id && !expired(queue, message, now)) return &message;
  }
  return nullptr;
}

std::string ReferenceModel::create(const std::string& name, const Attributes& attributes, std::int64_t now, std::int64_t wall) {
  if (const ModelQueue* queue = find(name)) {
    for (const auto& [attribute, value] : attributes) {
      if (queue->attributes.at(attribute) != value) return "QueueNameExists";
    }
    return "";
  }
  for (const auto& [deleted_name, when] : deleted_) {
    if (deleted_name == name && now - when < 60'000) return "QueueDeletedRecently";
  }
  ModelQueue queue;
  queue.name = name;
  queue.incarnation = ++last_incarnation_;
  queue.attributes = {{"DelaySeconds", 0},
                      {"MaximumMessageSize", 1'048'576},
                      {"MessageRetentionPeriod", 345'600},
                      {"ReceiveMessageWaitTimeSeconds", 0},
                      {"VisibilityTimeout", 30}};
  for (const auto& [attribute, value] : attributes) queue.attributes[attribute] = value;
  queue.created_wall = queue.modified_wall = wall;
  queues_.push_back(queue);
  return "";
}

std::string ReferenceModel::remove(const std::string& name, std::int64_t now) {
  if (find(name) == nullptr) return "QueueDoesNotExist";
  std::erase_if(queues_, [&](const ModelQueue& queue) { return queue.name == name; });
  deleted_.emplace_back(name, now);
  return "";
}

std::string ReferenceModel::purge(const std::string& name, std::int64_t now) {
  ModelQueue* queue = find_queue(name);
  if (queue == nullptr) return "QueueDoesNotExist";
  if (queue->purged && now - *queue->purged < 60'000) return "PurgeQueueInProgress";
  queue->purged = now;
  queue->messages.clear();
  return "";
}

std::string ReferenceModel::set_attributes(const std::string& name, const Attributes& attributes, std::int64_t now,
                                           std::int64_t wall) {
  ModelQueue* queue = find_queue(name);
  if (queue == nullptr) return "QueueDoesNotExist";
  std::erase_if(queue->messages, [&](const ModelMessage& message) { return expired(*queue, message, now); });
  for (const auto& [attribute, value] : attributes) queue->attributes[attribute] = value;
  queue->modified_wall = wall;
  return "";
}

std::vector<std::string> ReferenceModel::send(const std::string& name, const std::vector<Send>& messages, std::int64_t now) {
  ModelQueue* queue = find_queue(name);
  if (queue == nullptr) return {"QueueDoesNotExist"};
  std::vector<std::string> results;
  for (const Send& sent : messages) {
    if (static_cast<std::int64_t>(sent.body.size()) > queue->attributes["MaximumMessageSize"]) {
      results.push_back("InvalidParameterValue");
      continue;
    }
    ModelMessage message;
    message.id = ++last_id_;
    message.body = sent.body;
    message.enqueued = now;
    message.visible_from = now + 1000 * sent.delay_seconds.value_or(queue->attributes["DelaySeconds"]);
    queue->messages.push_back(message);
    results.push_back("");
  }
  return results;
}

std::string ReferenceModel::receive(const std::string& name, std::size_t max, std::optional<std::int64_t> timeout_seconds,
                                    std::int64_t now, std::int64_t wall, std::vector<ModelDelivery>& deliveries) {
  ModelQueue* queue = find_queue(name);
  if (queue == nullptr) return "QueueDoesNotExist";
  const std::int64_t timeout = 1000 * timeout_seconds.value_or(queue->attributes["VisibilityTimeout"]);
  std::size_t in_flight = counts(name, now).in_flight;
  if (in_flight >= in_flight_max) return "OverLimit";
  max = std::min(max, in_flight_max - in_flight);
  for (ModelMessage& message : queue->messages) {
    if (deliveries.size() == max) break;
    if (expired(*queue, message, now) || message.visible_from > now) continue;
    if (message.receive_count++ == 0) message.first_received_wall = wall;
    message.visible_from = now + timeout;
    deliveries.push_back(
        {message.body, message.receive_count, message.first_received_wall, {queue->incarnation, message.id, now}});
  }
  return "";
}

std::string ReferenceModel::remove_message(const std::string& name, const ModelHandle& handle) {
  ModelQueue* queue = find_queue(name);
  if (queue == nullptr) return "QueueDoesNotExist";
  if (handle.incarnation != queue->incarnation) return "ReceiptHandleIsInvalid";
  std::erase_if(queue->messages, [&](const ModelMessage& message) { return message.id == handle.id; });
  return "";
}

std::string ReferenceModel::change_visibility(const std::string& name, const ModelHandle& handle, std::int64_t timeout_seconds,
                                              std::int64_t now) {
  ModelQueue* queue = find_queue(name);
  if (queue == nullptr) return "QueueDoesNotExist";
  if (handle.incarnation != queue->incarnation) return "ReceiptHandleIsInvalid";
  ModelMessage* message = find_message(*queue, handle, now);
  if (message == nullptr) return "InvalidParameterValue";
  if (now + timeout_seconds * 1000 - handle.received > 43'200'000) return "InvalidParameterValue";
  message->visible_from = now + timeout_seconds * 1000;
  return "";
}

std::vector<std::string> ReferenceModel::names() const {
  std::vector<std::string> names;
  for (const ModelQueue& queue : queues_) names.push_back(queue.name);
  std::sort(names.begin(), names.end());
  return names;
}

ModelCounts ReferenceModel::counts(const std::string& name, std::int64_t now) const {
  ModelCounts counts;
  const ModelQueue& queue = *find(name);
  for (const ModelMessage& message : queue.messages) {
    if (expired(queue, message, now)) continue;
    if (message.visible_from <= now)
      ++counts.visible;
    else if (message.receive_count == 0)
      ++counts.delayed;
    else
      ++counts.in_flight;
  }
  return counts;
}

std::size_t ReferenceModel::living(std::int64_t now) const {
  std::size_t sum = 0;
  for (const ModelQueue& queue : queues_) {
    for (const ModelMessage& message : queue.messages) sum += expired(queue, message, now) ? 0 : 1;
  }
  return sum;
}

void ReferenceModel::forget_expired(std::int64_t now) {
  for (ModelQueue& queue : queues_) {
    std::erase_if(queue.messages, [&](const ModelMessage& message) { return expired(queue, message, now); });
  }
  std::erase_if(deleted_, [&](const auto& deleted) { return now - deleted.second >= 60'000; });
}

}  // namespace ferry::simulation
