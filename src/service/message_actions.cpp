// SendMessage, DeleteMessage, ChangeMessageVisibility and their batches; the start of ReceiveMessage.

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/encoding.h"
#include "service/poll.h"
#include "service/service.h"
#include "sqs/limits.h"
#include "sqs/message_attributes.h"
#include "sqs/validation.h"

namespace ferry::service {
namespace {

Outcome refuse(sqs::ApiError error, store::Position seen) {
  return {Unexpected(std::move(error)), seen};
}

std::string_view raw(const Md5Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// Digests of messages that are about to be sent: of all bodies side by side, and of the attributes of those that have any.
struct MessageDigests {
  std::array<Md5Digest, sqs::kBatchEntriesMax> body;
  std::array<Md5Digest, sqs::kBatchEntriesMax> attributes;
};

void hash(const std::vector<const sqs::SendMessageEntry*>& entries, MessageDigests& digests) {
  std::array<std::string_view, sqs::kBatchEntriesMax> bodies;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    bodies[i] = *entries[i]->message_body;
    if (!entries[i]->message_attributes.empty()) digests.attributes[i] = sqs::md5_of_attributes(entries[i]->message_attributes);
  }
  md5_each(std::span(bodies).first(entries.size()), std::span(digests.body).first(entries.size()));
}

engine::SendCommand command_of(const sqs::SendMessageEntry& entry, const MessageDigests& digests, std::size_t i) {
  engine::SendCommand command;
  command.body = *entry.message_body;
  command.message_attributes = &entry.message_attributes;
  command.message_system_attributes = &entry.message_system_attributes;
  if (entry.delay_seconds) command.delay = Seconds(*entry.delay_seconds);
  command.has_deduplication_id = entry.message_deduplication_id.has_value();
  command.md5_of_body = raw(digests.body[i]);
  if (!entry.message_attributes.empty()) command.md5_of_message_attributes = raw(digests.attributes[i]);
  return command;
}

sqs::SendMessageResponse response_of(const engine::Sent& sent, const sqs::SendMessageEntry& entry, const MessageDigests& digests,
                                     std::size_t i) {
  sqs::SendMessageResponse response;
  response.message_id = to_string(sent.message_id);
  response.md5_of_message_body = hex_encode(digests.body[i]);
  if (!entry.message_attributes.empty()) response.md5_of_message_attributes = hex_encode(digests.attributes[i]);
  if (!entry.message_system_attributes.empty()) {
    response.md5_of_message_system_attributes = hex_encode(sqs::md5_of_attributes(entry.message_system_attributes));
  }
  return response;
}

// The two batches of entries with receipt handles answer alike: ids that succeeded, entries that failed.
template <class Response, class Entry>
Response batch_response(const std::vector<Entry>& entries, std::vector<std::optional<sqs::ApiError>>& failures) {
  Response response;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (failures[i]) {
      response.failed.push_back(sqs::batch_error(*entries[i].id, std::move(*failures[i])));
    } else {
      response.successful.push_back(*entries[i].id);
    }
  }
  return response;
}

}  // namespace

Outcome Service::run(const ContextRef& context, sqs::SendMessageRequest& request) {
  auto found = find_queue(context, request.queue_url, "SendMessage");
  if (!found) return refuse(found.error().error, found.error().seen);
  if (auto valid = sqs::validate_send(request.entry); !valid) return refuse(std::move(valid).error(), found->seen);
  MessageDigests digests;
  hash({&request.entry}, digests);
  auto answer = engine_.send(found->queue, context->identity.caller, {command_of(request.entry, digests, 0)});
  if (!answer.result) return refuse(std::move(answer.result).error(), answer.seen);
  auto& sent = answer.result->front();
  if (!sent) return refuse(std::move(sent).error(), answer.seen);
  counters_.messages_sent.add();
  return {sqs::Response(response_of(*sent, request.entry, digests, 0)), answer.seen};
}

Outcome Service::run(const ContextRef& context, sqs::SendMessageBatchRequest& request) {
  auto found = find_queue(context, request.queue_url, "SendMessage");
  if (!found) return refuse(found.error().error, found.error().seen);
  if (auto valid = sqs::validate_batch(request); !valid) return refuse(std::move(valid).error(), found->seen);
  const std::vector<sqs::SendMessageEntry>& entries = *request.entries;
  std::vector<std::optional<sqs::ApiError>> failures(entries.size());
  std::vector<const sqs::SendMessageEntry*> accepted;
  std::vector<std::size_t> places;  // of the accepted ones in the request
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (auto valid = sqs::validate_send(entries[i], i + 1); !valid) {
      failures[i] = std::move(valid).error();
    } else {
      accepted.push_back(&entries[i]);
      places.push_back(i);
    }
  }
  MessageDigests digests;
  hash(accepted, digests);
  std::vector<engine::SendCommand> commands;
  commands.reserve(accepted.size());
  for (std::size_t i = 0; i < accepted.size(); ++i) commands.push_back(command_of(*accepted[i], digests, i));
  sqs::SendMessageBatchResponse response;
  store::Position seen = found->seen;
  if (!commands.empty()) {
    auto answer = engine_.send(found->queue, context->identity.caller, commands, engine::SendForm::BatchEntries);
    seen = answer.seen;
    if (!answer.result) return refuse(std::move(answer.result).error(), seen);
    for (std::size_t i = 0; i < accepted.size(); ++i) {
      auto& sent = (*answer.result)[i];
      if (sent) {
        response.successful.push_back({*accepted[i]->id, response_of(*sent, *accepted[i], digests, i)});
      } else {
        failures[places[i]] = std::move(sent).error();
      }
    }
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (failures[i]) response.failed.push_back(sqs::batch_error(*entries[i].id, std::move(*failures[i])));
  }
  counters_.messages_sent.add(response.successful.size());
  return {sqs::Response(std::move(response)), seen};
}

Outcome Service::run(const ContextRef& context, sqs::DeleteMessageRequest& request) {
  auto found = find_queue(context, request.queue_url, "DeleteMessage");
  if (!found) return refuse(found.error().error, found.error().seen);
  if (auto valid = sqs::validate_delete(request); !valid) return refuse(std::move(valid).error(), found->seen);
  auto answer = engine_.delete_messages(found->queue, {std::move(*request.receipt_handle)});
  if (!answer.result) return refuse(std::move(answer.result).error(), answer.seen);
  if (auto& deleted = answer.result->front(); !deleted) return refuse(std::move(deleted).error(), answer.seen);
  counters_.messages_deleted.add();
  return {sqs::Response(sqs::EmptyResponse{}), answer.seen};
}

Outcome Service::run(const ContextRef& context, sqs::DeleteMessageBatchRequest& request) {
  auto found = find_queue(context, request.queue_url, "DeleteMessage");
  if (!found) return refuse(found.error().error, found.error().seen);
  if (auto valid = sqs::validate_batch(request); !valid) return refuse(std::move(valid).error(), found->seen);
  std::vector<sqs::DeleteMessageBatchRequestEntry>& entries = *request.entries;
  std::vector<std::optional<sqs::ApiError>> failures(entries.size());
  std::vector<std::string> handles;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (auto valid = sqs::validate_delete(entries[i], i + 1); !valid) {
      failures[i] = std::move(valid).error();
    } else {
      handles.push_back(std::move(*entries[i].receipt_handle));
      places.push_back(i);
    }
  }
  auto answer = engine_.delete_messages(found->queue, handles);
  if (!answer.result) return refuse(std::move(answer.result).error(), answer.seen);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (auto& deleted = (*answer.result)[i]; !deleted) failures[places[i]] = std::move(deleted).error();
  }
  auto response = batch_response<sqs::DeleteMessageBatchResponse>(entries, failures);
  counters_.messages_deleted.add(response.successful.size());
  return {sqs::Response(std::move(response)), answer.seen};
}

Outcome Service::run(const ContextRef& context, sqs::ChangeMessageVisibilityRequest& request) {
  auto found = find_queue(context, request.queue_url, "ChangeMessageVisibility");
  if (!found) return refuse(found.error().error, found.error().seen);
  const auto timeout = sqs::validate_visibility_change(request);
  if (!timeout) return refuse(timeout.error(), found->seen);
  auto answer = engine_.change_visibility(found->queue, {{std::move(*request.receipt_handle), *timeout}});
  if (!answer.result) return refuse(std::move(answer.result).error(), answer.seen);
  if (auto& changed = answer.result->front(); !changed) return refuse(std::move(changed).error(), answer.seen);
  return {sqs::Response(sqs::EmptyResponse{}), answer.seen};
}

Outcome Service::run(const ContextRef& context, sqs::ChangeMessageVisibilityBatchRequest& request) {
  auto found = find_queue(context, request.queue_url, "ChangeMessageVisibility");
  if (!found) return refuse(found.error().error, found.error().seen);
  if (auto valid = sqs::validate_batch(request); !valid) return refuse(std::move(valid).error(), found->seen);
  std::vector<sqs::ChangeMessageVisibilityBatchRequestEntry>& entries = *request.entries;
  std::vector<std::optional<sqs::ApiError>> failures(entries.size());
  std::vector<engine::Engine::VisibilityChange> changes;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (auto timeout = sqs::validate_visibility_change(entries[i], i + 1); !timeout) {
      failures[i] = std::move(timeout).error();
    } else {
      changes.push_back({std::move(*entries[i].receipt_handle), *timeout});
      places.push_back(i);
    }
  }
  auto answer = engine_.change_visibility(found->queue, changes);
  if (!answer.result) return refuse(std::move(answer.result).error(), answer.seen);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (auto& changed = (*answer.result)[i]; !changed) failures[places[i]] = std::move(changed).error();
  }
  return {sqs::Response(batch_response<sqs::ChangeMessageVisibilityBatchResponse>(entries, failures)), answer.seen};
}

void Service::start_receive(const ContextRef& context, sqs::ReceiveMessageRequest&& request) {
  auto found = find_queue(context, request.queue_url, "ReceiveMessage");
  if (!found) {
    finish(context, refuse(found.error().error, found.error().seen));
    return;
  }
  const auto parameters = sqs::validate_receive(request);
  const auto system_attributes = sqs::requested_system_attributes(request);
  if (!parameters || !system_attributes) {
    finish(context, refuse(parameters ? system_attributes.error() : parameters.error(), found->seen));
    return;
  }
  const engine::ReceiveCommand command{parameters->max_messages, parameters->visibility_timeout};
  const Seconds wait = parameters->wait_time ? *parameters->wait_time : engine_.default_wait_time(found->queue);
  ReceiveSelection selection{*system_attributes, sqs::AttributeFilter(request.message_attribute_names)};
  std::make_shared<Poll>(*this, context, std::move(found->queue), command, std::move(selection), wait)->start();
}

}  // namespace ferry::service
