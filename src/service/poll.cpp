#include "service/poll.h"

#include <algorithm>

#include "base/encoding.h"
#include "sqs/message_attributes.h"
#include "sqs/sequence_number.h"
#include "sqs/validation.h"

namespace ferry::service {

void PollSet::end_all() {
  const std::vector<std::shared_ptr<Poll>> waiting(polls_.begin(), polls_.end());
  for (const auto& poll : waiting) poll->end();
}

Poll::Poll(Service& service, ContextRef context, engine::QueueRef queue, engine::ReceiveCommand command,
           ReceiveSelection selection, Seconds wait)
    : service_(service),
      context_(std::move(context)),
      queue_(std::move(queue)),
      command_(command),
      selection_(std::move(selection)),
      wait_(wait) {
  if (!command_.receive_request_attempt_id) return;
  attempt_id_ = *command_.receive_request_attempt_id;
  command_.receive_request_attempt_id = attempt_id_;
}

void Poll::start() {
  receive();
}

void Poll::receive() {
  const bool may_wait = wait_ > Seconds(0) && !service_.draining_.load();
  auto answer = service_.engine_.receive(queue_, context_->identity.caller, command_, may_wait ? shared_from_this() : nullptr);
  if (!answer.result) {
    stop_waiting();
    service_.finish(context_, {Unexpected(std::move(answer.result).error()), answer.seen});
    return;
  }
  if (!answer.result->empty()) {
    stop_waiting();
    fetch(std::move(answer.result).value(), answer.seen);
    return;
  }
  if (!may_wait) {
    stop_waiting();
    service_.counters_.empty_receives.add();
    service_.finish(context_, {sqs::Response(sqs::ReceiveMessageResponse{}), answer.seen});
    return;
  }
  if (state_ == State::Waiting) return;  // woken for nothing: registered again, timer and set are as they were
  state_ = State::Waiting;
  http::Loop& loop = context_->exchange->loop();
  service_.state_of(*context_).polls.add(shared_from_this());
  timer_ = loop.start_timer(wait_, [self = shared_from_this()] { self->end(); });
  context_->exchange->on_gone([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->state_ != State::Waiting) return;
    self->stop_waiting();
    self->service_.engine_.abandon(self->queue_, self);
  });
}

void Poll::stop_waiting() {
  if (state_ == State::Waiting) {
    http::Loop& loop = context_->exchange->loop();
    loop.cancel_timer(timer_);
    service_.state_of(*context_).polls.remove(shared_from_this());
  }
  state_ = State::Done;
}

void Poll::end() {
  if (state_ != State::Waiting) return;
  const auto self = shared_from_this();  // the set may hold the last reference
  stop_waiting();
  service_.engine_.abandon(queue_, self);
  wait_ = Seconds(0);
  receive();  // a last look, without waiting: what arrived while the timer ran out is given, not lost to this caller
}

void Poll::wake() {
  context_->exchange->loop().post([self = shared_from_this()] {
    if (self->state_ == State::Waiting) self->receive();
  });
}

void Poll::fetch(std::vector<engine::Delivery>&& deliveries, store::Position seen) {
  std::vector<Result<store::Payload>> payloads;
  payloads.reserve(deliveries.size());
  for (const engine::Delivery& delivery : deliveries) {
    auto payload = service_.store_.read_now(delivery.location);
    if (!payload) break;
    payloads.emplace_back(std::move(*payload));
  }
  if (payloads.size() == deliveries.size()) {
    take(std::move(deliveries), payloads, seen);
    return;
  }
  std::vector<store::Location> locations;
  locations.reserve(deliveries.size());
  for (const engine::Delivery& delivery : deliveries) locations.push_back(delivery.location);
  const auto kept = std::make_shared<std::vector<engine::Delivery>>(std::move(deliveries));
  service_.store_.read(std::move(locations), [self = shared_from_this(), kept, seen](std::vector<Result<store::Payload>> read) {
    const auto results = std::make_shared<std::vector<Result<store::Payload>>>(std::move(read));
    self->context_->exchange->loop().post([self, kept, results, seen] { self->take(std::move(*kept), *results, seen); });
  });
}

void Poll::take(std::vector<engine::Delivery>&& deliveries, std::vector<Result<store::Payload>>& payloads, store::Position seen) {
  std::vector<engine::Delivery> moved;  // compaction was faster: to be read where they are now
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    engine::Delivery& delivery = deliveries[i];
    const bool released = !payloads[i] && payloads[i].error().kind == ErrorKind::NotFound;
    if (!payloads[i] && !released && payloads[i].error().kind != ErrorKind::Corrupt) {
      unreadable_ = true;
      service_.log_.error("a body could not be read", {{"error", payloads[i].error().message}});
      continue;
    }
    auto message = payloads[i] ? build(delivery, *payloads[i]) : std::nullopt;
    if (message) {
      response_.messages.push_back(std::move(*message));
    } else if (const auto place = service_.engine_.quarantine(queue_, delivery.sequence, delivery.location)) {
      delivery.location = *place;
      moved.push_back(std::move(delivery));
    } else if (!released) {  // else deleted or purged while it was read: nothing to give
      service_.counters_.damaged_bodies.add();
    }
  }
  if (!moved.empty()) {
    fetch(std::move(moved), seen);
    return;
  }
  if (response_.messages.empty() && unreadable_) {
    service_.finish(context_, {sqs::api_fail(sqs::ErrorCode::InternalFailure, "The body of a message could not be read."), seen});
    return;
  }
  service_.counters_.messages_received.add(response_.messages.size());
  service_.finish(context_, {sqs::Response(std::move(response_)), seen});
}

std::optional<sqs::Message> Poll::build(const engine::Delivery& delivery, const store::Payload& payload) const {
  auto stored = engine::decode_message(payload.bytes);
  if (!stored || engine::WrittenAs{stored->queue_id, stored->sequence} != delivery.written_as) return std::nullopt;
  sqs::Message message;
  message.message_id = to_string(delivery.message_id.value_or(stored->message_id));
  message.receipt_handle = delivery.receipt_handle;
  message.md5_of_body = hex_encode(stored->md5_of_body);
  message.body = stored->body;
  if (!selection_.message_attributes.empty() && !stored->message_attributes.empty()) {
    message.message_attributes = selection_.message_attributes.select(stored->message_attributes);
    if (message.message_attributes.size() == stored->message_attributes.size()) {
      message.md5_of_message_attributes = hex_encode(stored->md5_of_message_attributes);
    } else if (!message.message_attributes.empty()) {
      message.md5_of_message_attributes = hex_encode(sqs::md5_of_attributes(message.message_attributes));
    }
  }
  if (!selection_.system_attributes.empty()) add_system_attributes(delivery, *stored, message);
  return message;
}

void Poll::add_system_attributes(const engine::Delivery& delivery, const engine::StoredMessage& stored,
                                 sqs::Message& message) const {
  using sqs::SystemAttribute;
  const auto add = [&](SystemAttribute attribute, std::string value) {
    if (selection_.system_attributes.contains(attribute)) message.attributes.emplace_back(name_of(attribute), std::move(value));
  };
  add(SystemAttribute::SenderId, std::string(stored.sender));
  add(SystemAttribute::SentTimestamp, std::to_string(to_epoch_millis(delivery.sent.value_or(stored.sent))));
  add(SystemAttribute::ApproximateReceiveCount, std::to_string(delivery.receive_count));
  add(SystemAttribute::ApproximateFirstReceiveTimestamp, std::to_string(to_epoch_millis(delivery.first_received)));
  if (delivery.sequence_number) {
    add(SystemAttribute::SequenceNumber, sqs::format_sequence_number(*delivery.sequence_number));
  }
  if (delivery.deduplication_id_is_message_id) {
    add(SystemAttribute::MessageDeduplicationId, message.message_id);
  } else if (!stored.message_deduplication_id.empty()) {
    add(SystemAttribute::MessageDeduplicationId, std::string(stored.message_deduplication_id));
  }
  if (!stored.message_group_id.empty()) add(SystemAttribute::MessageGroupId, std::string(stored.message_group_id));
  if (delivery.dead_letter_source) add(SystemAttribute::DeadLetterQueueSourceArn, *delivery.dead_letter_source);
  for (const auto& [name, value] : stored.system_attributes) {
    if (const auto known = sqs::find_system_attribute(name)) add(*known, value.string_value.value_or(""));
  }
}

}  // namespace ferry::service
