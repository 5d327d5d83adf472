// What receipt handles do.

#include "reference_model.h"

namespace ferry::simulation {
namespace {

constexpr std::int64_t kTotalVisibilityMax = 43'200'000;

Failure forged(const std::string& text) {
  return {"ReceiptHandleIsInvalid", "The input receipt handle \"" + text + "\" is not a valid receipt handle."};
}

Failure unusable(const std::string& text, const std::string& reason) {
  return {"InvalidParameterValue", "Value " + text + " for parameter ReceiptHandle is invalid. Reason: " + reason};
}

// On FIFO queues a handle works while its message is in flight from that very receive.
bool is_handle_expired(const ModelQueue& queue, const ModelMessage& message, const ModelHandle& handle) {
  return queue.fifo && (message.receive_count != handle.receive_count || !queue.in_flight(message, queue.at));
}

}  // namespace

Failure ReferenceModel::remove_message(const std::string& name, const std::string& text, const ModelHandle& handle,
                                       std::int64_t now) {
  ModelQueue& queue = edit(name, now);
  if (handle.incarnation != queue.incarnation) return forged(text);
  const ModelMessage* const message = queue.find(handle.sequence);
  if (message == nullptr) return {};
  if (is_handle_expired(queue, *message, handle)) {
    count("delete with an expired handle");
    return unusable(text, "The receipt handle has expired.");
  }
  if (!queue.fifo && message->receive_count != handle.receive_count) count("delete with an older handle");
  const std::size_t servable = queue.line.size();
  queue.erase(handle.sequence);
  if (queue.line.size() > servable) count("group unblocked by a delete");
  return {};
}

Failure ReferenceModel::change_visibility(const std::string& name, const std::string& text, const ModelHandle& handle,
                                          std::int64_t timeout, std::int64_t now) {
  ModelQueue& queue = edit(name, now);
  if (handle.incarnation != queue.incarnation) return forged(text);
  ModelMessage* const message = queue.find(handle.sequence);
  const char* const kNotAvailable = "Message does not exist or is not available for visibility timeout change.";
  if (message == nullptr) return unusable(text, kNotAvailable);
  if (is_handle_expired(queue, *message, handle)) {
    count("change with an expired handle");
    return unusable(text, kNotAvailable);
  }
  const std::int64_t until = now + timeout * 1'000;
  if (until - handle.received > kTotalVisibilityMax) {
    count("change beyond 12 hours");
    return {"InvalidParameterValue",
            "Value " + std::to_string(timeout) +
                " for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the "
                "limit [43200 seconds]."};
  }
  if (!queue.fifo && !queue.in_flight(*message, now) && timeout > 0) count("change hides a visible message");
  const std::size_t servable = queue.line.size();
  queue.hide(*message, until);
  if (queue.line.size() > servable) count("group unblocked by a change");
  return {};
}

void ReferenceModel::quarantine(const std::string& name, std::uint64_t sequence, std::int64_t now) {
  ModelQueue& queue = edit(name, now);
  ModelMessage* const message = queue.find(sequence);
  if (message == nullptr) return;
  queue.leave_line(*message);
  message->quarantined = true;
  queue.freshen();
  count("quarantined");
}

}  // namespace ferry::simulation
