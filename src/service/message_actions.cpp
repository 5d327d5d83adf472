// SendMessage, DeleteMessage, ChangeMessageVisibility and their batches; the start of ReceiveMessage.

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/encoding.h"
#include "service/poll.h"
#include "service/service.h"
#include "sqs/limits.h"
#include "sqs/message_attributes.h"
#include "sqs/sequence_number.h"
#include "sqs/validation.h"

namespace ferry::service {
namespace {

Outcome refuse(sqs::ApiError error, store::Position seen) {
  return {Unexpected(std::move(error)), seen};
}

std::string_view raw(const Md5Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// Digests of a message that is about to be sent.
struct MessageDigests {
  Md5Digest body;
  std::optional<Md5Digest> attributes;  // when there are any
};

MessageDigests digests_of(const sqs::SendMessageEntry& entry, const Md5Digest& body) {
  MessageDigests digests{body, std::nullopt};
  if (!entry.message_attributes.empty()) digests.attributes = sqs::md5_of_attributes(entry.message_attributes);
  return digests;
}

engine::SendCommand command_of(const sqs::SendMessageEntry& entry, sqs::QueueKind kind, const MessageDigests& digests) {
  engine::SendCommand command;
  command.body = *entry.message_body;
  command.message_attributes = &entry.message_attributes;
  command.message_system_attributes = &entry.message_system_attributes;
  // A FIFO queue delays all its messages alike: it takes a 0 without heeding it.
  if (entry.delay_seconds && kind == sqs::QueueKind::Standard) command.delay = Seconds(*entry.delay_seconds);
  if (entry.message_group_id) command.message_group_id = *entry.message_group_id;
  if (entry.message_deduplication_id) command.message_deduplication_id = *entry.message_deduplication_id;
  command.md5_of_body = raw(digests.body);
  if (digests.attributes) command.md5_of_message_attributes = raw(*digests.attributes);
  return command;
}

sqs::SendMessageResponse response_of(const engine::Sent& sent, const sqs::SendMessageEntry& entry,
                                     const MessageDigests& digests) {
  sqs::SendMessageResponse response;
  response.message_id = to_string(sent.message_id);
  response.md5_of_message_body = hex_encode(digests.body);
  if (digests.attributes) response.md5_of_message_attributes = hex_encode(*digests.attributes);
  if (!entry.message_system_attributes.empty()) {
    response.md5_of_message_system_attributes = hex_encode(sqs::md5_of_attributes(entry.message_system_attributes));
  }
  if (sent.sequence_number) response.sequence_number = sqs::format_sequence_number(*sent.sequence_number);
  return response;
}

// The trace of the request is that of its message when the message names none; the sender knows nothing of it, so no digest does.
sqs::MessageAttributes trace_of(const http::Request& request) {
  const std::string_view trace = request.header("X-Amzn-Trace-Id");
  if (trace.empty() || !is_sqs_text(trace)) return {};
  sqs::MessageAttributeValue value;
  value.data_type = "String";
  value.string_value = std::string(trace);
  return {{"AWSTraceHeader", std::move(value)}};
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

void Service::start_send(const ContextRef& context, sqs::SendMessageRequest&& request) {
  auto found = find_queue(context, request.queue_url, "SendMessage");
  if (!found) return finish(context, refuse(found.error().error, found.error().seen));
  const sqs::QueueKind kind = engine::Engine::kind(found->queue);
  if (auto valid = sqs::validate_send(request.entry, kind); !valid)
    return finish(context, refuse(std::move(valid).error(), found->seen));
  LoopState& state = state_of(*context);
  state.sends.push_back({context, std::move(found->queue), std::move(request.entry)});
  if (state.sends.size() == 1) state.loop.post([this, &state] { finish_sends(state); });
}

void Service::finish_sends(LoopState& state) {
  std::vector<WaitingSend> sends;
  sends.swap(state.sends);
  std::vector<std::string_view> bodies;
  bodies.reserve(sends.size());
  for (const WaitingSend& send : sends) bodies.push_back(*send.entry.message_body);
  std::vector<Md5Digest> digests(sends.size());
  md5_each(bodies, digests);
  for (std::size_t i = 0; i < sends.size(); ++i) {
    const WaitingSend& send = sends[i];
    const MessageDigests hashed = digests_of(send.entry, digests[i]);
    engine::SendCommand command = command_of(send.entry, engine::Engine::kind(send.queue), hashed);
    const sqs::MessageAttributes trace = trace_of(send.context->exchange->request());
    if (send.entry.message_system_attributes.empty()) command.message_system_attributes = &trace;
    auto answer = engine_.send(send.queue, send.context->identity.caller, {command});
    if (!answer.result) {
      finish(send.context, refuse(std::move(answer.result).error(), answer.seen));
    } else if (auto& sent = answer.result->front(); !sent) {
      finish(send.context, refuse(std::move(sent).error(), answer.seen));
    } else {
      counters_.messages_sent.add();
      finish(send.context, {sqs::Response(response_of(*sent, send.entry, hashed)), answer.seen});
    }
  }
}

Outcome Service::run(const ContextRef& context, sqs::SendMessageBatchRequest& request) {
  auto found = find_queue(context, request.queue_url, "SendMessage");
  if (!found) return refuse(found.error().error, found.error().seen);
  if (auto valid = sqs::validate_batch(request); !valid) return refuse(std::move(valid).error(), found->seen);
  const std::vector<sqs::SendMessageEntry>& entries = *request.entries;
  const sqs::QueueKind kind = engine::Engine::kind(found->queue);
  std::vector<std::optional<sqs::ApiError>> failures(entries.size());
  std::vector<const sqs::SendMessageEntry*> accepted;
  std::vector<std::size_t> places;  // of the accepted ones in the request
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (auto valid = sqs::validate_send(entries[i], kind, i + 1); !valid) {
      // The order of a FIFO batch must not get a hole.
      if (kind == sqs::QueueKind::Fifo) return refuse(std::move(valid).error(), found->seen);
      failures[i] = std::move(valid).error();
    } else {
      accepted.push_back(&entries[i]);
      places.push_back(i);
    }
  }
  std::vector<std::string_view> bodies;
  for (const sqs::SendMessageEntry* entry : accepted) bodies.push_back(*entry->message_body);
  std::vector<Md5Digest> body_digests(accepted.size());
  md5_each(bodies, body_digests);
  std::vector<MessageDigests> digests;
  std::vector<engine::SendCommand> commands;
  digests.reserve(accepted.size());  // commands hold views into it
  commands.reserve(accepted.size());
  for (std::size_t i = 0; i < accepted.size(); ++i) {
    digests.push_back(digests_of(*accepted[i], body_digests[i]));
    commands.push_back(command_of(*accepted[i], kind, digests[i]));
  }
  sqs::SendMessageBatchResponse response;
  store::Position seen = found->seen;
  if (!commands.empty()) {
    auto answer = engine_.send(found->queue, context->identity.caller, commands, engine::SendForm::BatchEntries);
    seen = answer.seen;
    if (!answer.result) return refuse(std::move(answer.result).error(), seen);
    for (std::size_t i = 0; i < accepted.size(); ++i) {
      auto& sent = (*answer.result)[i];
      if (sent) {
        response.successful.push_back({*accepted[i]->id, response_of(*sent, *accepted[i], digests[i])});
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
  const auto parameters = sqs::validate_receive(request, engine::Engine::kind(found->queue));
  const auto system_attributes = sqs::requested_system_attributes(request);
  if (!parameters || !system_attributes) {
    finish(context, refuse(parameters ? system_attributes.error() : parameters.error(), found->seen));
    return;
  }
  engine::ReceiveCommand command{parameters->max_messages, parameters->visibility_timeout, std::nullopt};
  if (request.receive_request_attempt_id) command.receive_request_attempt_id = *request.receive_request_attempt_id;
  const Seconds wait = parameters->wait_time ? *parameters->wait_time : engine_.default_wait_time(found->queue);
  ReceiveSelection selection{*system_attributes, sqs::AttributeFilter(request.message_attribute_names)};
  std::make_shared<Poll>(*this, context, std::move(found->queue), command, std::move(selection), wait)->start();
}

}  // namespace ferry::service
