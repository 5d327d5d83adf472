// Sending: what is refused, what is a duplicate, what is added.

#include <algorithm>

#include "base/digest.h"
#include "reference_model.h"

namespace ferry::simulation {
namespace {

constexpr std::int64_t kDeduplicationWindow = 300'000;

std::string sha256_hex(const std::string& text) {
  std::string hex;
  for (const std::uint8_t byte : sha256(text)) {
    hex += "0123456789abcdef"[byte / 16];
    hex += "0123456789abcdef"[byte % 16];
  }
  return hex;
}

}  // namespace

Failure ReferenceModel::send_failure(const ModelQueue& queue, const Send& message, bool is_batch) const {
  const ModelAttributes& attributes = queue.attributes;
  if (static_cast<std::int64_t>(message.body.size()) > attributes.message_bytes_max) {
    return {"InvalidParameterValue", "One or more parameters " + std::string(is_batch ? "cannot be validated" : "are invalid") +
                                         ". Reason: Message must be shorter than " +
                                         std::to_string(attributes.message_bytes_max) + " bytes."};
  }
  if (queue.fifo && !message.deduplication_id && !attributes.content_based_deduplication) {
    return {"InvalidParameterValue",
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"};
  }
  return {};
}

std::vector<ReferenceModel::Sent> ReferenceModel::send(const std::string& name, const std::vector<Send>& messages, bool is_batch,
                                                       std::int64_t now, std::int64_t wall) {
  ModelQueue& queue = edit(name, now);
  if (queue.fifo) {
    for (const Send& message : messages) {
      const Failure failure = send_failure(queue, message, is_batch);
      if (failure.any()) return std::vector<Sent>(messages.size(), Sent{failure, false, {}, 0});
    }
  }
  std::erase_if(queue.duplicates,
                [&](const ModelDuplicate& duplicate) { return now - duplicate.first_sent >= kDeduplicationWindow; });
  std::vector<Sent> results;
  for (const Send& send : messages) {
    Sent& sent = results.emplace_back();
    sent.failure = send_failure(queue, send, is_batch);
    if (sent.failure.any()) continue;
    const std::string id = queue.fifo ? send.deduplication_id.value_or(sha256_hex(send.body)) : "";
    const std::string scope = queue.deduplicates_by_group ? *send.group : "";
    if (queue.fifo) {
      const auto first = std::find_if(queue.duplicates.begin(), queue.duplicates.end(), [&](const ModelDuplicate& duplicate) {
        return duplicate.group == scope && duplicate.id == id;
      });
      if (first != queue.duplicates.end()) {
        sent = {{}, true, first->message_id, first->sequence};
        count("duplicate");
        if (queue.find(first->sequence) == nullptr) count("duplicate of a message that is gone");
        if (first->first_sent == now) count("duplicate at once");
        continue;
      }
    }
    ModelMessage message;
    message.id = send.id;
    message.body = send.body;
    message.group = send.group;
    message.deduplication_id = id;
    message.enqueued = now;
    message.sent_wall = wall;
    message.visible_from = now + 1'000 * send.delay.value_or(queue.attributes.delay);
    sent.sequence = queue.append(message).sequence;
    sent.id = send.id;
    if (queue.fifo) queue.duplicates.push_back({scope, id, now, sent.id, sent.sequence});
  }
  return results;
}

}  // namespace ferry::simulation
