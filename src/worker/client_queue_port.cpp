#include "worker/client_queue_port.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"

namespace ferry::worker {
namespace {

bool is_one_of(std::string_view code, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return code.find(name) != std::string_view::npos; });
}

Fault classify_entry(const sqs::BatchResultErrorEntry& entry) {
  constexpr std::array<std::string_view, 3> kPassing = {"Throttl", "OverLimit", "ServiceUnavailable"};
  if (!entry.sender_fault || is_one_of(entry.code, kPassing)) return Fault::Transient;
  // What Amazon answers when the handle is old or the message is gone differs by queue type and action; all of them are our
  // fault, and none passes.
  return Fault::Lost;
}

// Failures by index; what the answer does not mention counts as failed and passing.
std::vector<EntryFailure> failures_of(std::size_t asked, const std::vector<std::string>& successful,
                                      const std::vector<sqs::BatchResultErrorEntry>& failed) {
  std::vector<EntryFailure> failures;
  std::vector<bool> mentioned(asked, false);
  const auto index_of = [&](const std::string& id) { return static_cast<std::size_t>(parse_integer(id).value_or(-1)); };
  for (const std::string& id : successful) {
    if (index_of(id) < asked) mentioned[index_of(id)] = true;
  }
  for (const sqs::BatchResultErrorEntry& entry : failed) {
    const std::size_t index = index_of(entry.id);
    if (index >= asked || mentioned[index]) continue;
    mentioned[index] = true;
    failures.push_back({index, classify_entry(entry), entry.message.value_or(entry.code)});
  }
  for (std::size_t i = 0; i < asked; ++i) {
    if (!mentioned[i]) failures.push_back({i, Fault::Transient, "the answer does not mention it"});
  }
  return failures;
}

std::int64_t count_named(const sqs::TextMap& attributes, std::string_view name) {
  for (const auto& [key, value] : attributes) {
    if (key == name) return parse_integer(value).value_or(0);
  }
  return 0;
}
}  // namespace

Fault classify(const client::CallError& error) {
  constexpr std::array<std::string_view, 2> kNoQueue = {"NonExistentQueue", "QueueDoesNotExist"};
  constexpr std::array<std::string_view, 11> kNotAuthorised = {
      "AccessDenied",        "UnrecognizedClient",    "InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidSignature",
      "IncompleteSignature", "MissingAuthentication", "InvalidSecurity",      "ExpiredToken",          "InvalidAccessKeyId",
      "AuthFailure"};
  constexpr std::array<std::string_view, 2> kLost = {"ReceiptHandleIsInvalid", "MessageNotInflight"};
  switch (error.kind) {
    case client::CallError::Kind::Credentials:
      return Fault::NotAuthorised;
    case client::CallError::Kind::Cancelled:
      return Fault::Cancelled;
    case client::CallError::Kind::NotReachable:
    case client::CallError::Kind::Unknown:
    case client::CallError::Kind::BadAnswer:
      return Fault::Transient;
    case client::CallError::Kind::Service:
      break;
  }
  if (is_one_of(error.code, kNoQueue)) return Fault::NoQueue;
  if (is_one_of(error.code, kNotAuthorised)) return Fault::NotAuthorised;
  if (is_one_of(error.code, kLost)) return Fault::Lost;
  const bool throttled = error.code.find("Throttl") != std::string::npos || error.code == "OverLimit" || error.http_status == 429;
  if (throttled || error.http_status >= 500) return Fault::Transient;
  if (error.code.empty() && (error.http_status == 401 || error.http_status == 403)) return Fault::NotAuthorised;
  return Fault::Rejected;
}

client::CallResult<std::vector<sqs::Message>> ClientQueuePort::receive(const ReceiveCall& call, const std::atomic<bool>& cancel) {
  sqs::ReceiveMessageRequest request;
  request.queue_url = queue_url_;
  request.attribute_names = {"All"};
  request.message_attribute_names = {"All"};
  request.max_number_of_messages = call.messages_max;
  request.wait_time_seconds = call.wait.count();
  request.visibility_timeout = call.visibility.count();
  auto answer = client_.receive_message(request, &cancel);
  if (!answer) return Unexpected(std::move(answer).error());
  return std::move(answer->messages);
}

client::CallResult<std::vector<EntryFailure>> ClientQueuePort::remove(std::span<const std::string> receipt_handles) {
  sqs::DeleteMessageBatchRequest request;
  request.queue_url = queue_url_;
  request.entries.emplace();
  for (std::size_t i = 0; i < receipt_handles.size(); ++i) request.entries->push_back({std::to_string(i), receipt_handles[i]});
  const auto answer = client_.delete_message_batch(request);
  if (!answer) return Unexpected(answer.error());
  return failures_of(receipt_handles.size(), answer->successful, answer->failed);
}

client::CallResult<std::vector<EntryFailure>> ClientQueuePort::change_visibility(std::span<const VisibilityChange> changes) {
  sqs::ChangeMessageVisibilityBatchRequest request;
  request.queue_url = queue_url_;
  request.entries.emplace();
  for (std::size_t i = 0; i < changes.size(); ++i) {
    request.entries->push_back({std::to_string(i), changes[i].receipt_handle, changes[i].timeout.count()});
  }
  const auto answer = client_.change_message_visibility_batch(request);
  if (!answer) return Unexpected(answer.error());
  return failures_of(changes.size(), answer->successful, answer->failed);
}

client::CallResult<QueueCounts> ClientQueuePort::counts() {
  sqs::GetQueueAttributesRequest request;
  request.queue_url = queue_url_;
  request.attribute_names = {"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
                             "ApproximateNumberOfMessagesDelayed"};
  const auto answer = client_.get_queue_attributes(request);
  if (!answer) return Unexpected(answer.error());
  return QueueCounts{count_named(answer->attributes, "ApproximateNumberOfMessages"),
                     count_named(answer->attributes, "ApproximateNumberOfMessagesNotVisible"),
                     count_named(answer->attributes, "ApproximateNumberOfMessagesDelayed")};
}

client::CallResult<void> ClientQueuePort::send_to_dead_letters(const sqs::Message& message) {
  sqs::SendMessageRequest request;
  request.queue_url = dead_letter_url_;
  request.entry.message_body = message.body;
  request.entry.message_attributes = message.message_attributes;
  const auto answer = client_.send_message(request);
  if (!answer) return Unexpected(answer.error());
  return {};
}

}  // namespace ferry::worker
