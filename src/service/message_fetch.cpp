#include "service/message_fetch.h"

#include <numeric>

#include "base/encoding.h"
#include "sqs/sequence_number.h"

namespace ferry::service {

MessageFetch::MessageFetch(Service& service, ContextRef context, engine::QueueRef queue, const ReceiveSelection& selection,
                           std::vector<engine::Delivery>&& deliveries, Done done)
    : service_(service),
      context_(std::move(context)),
      queue_(std::move(queue)),
      selection_(selection),
      deliveries_(std::move(deliveries)),
      done_(std::move(done)) {
  fetched_.messages.resize(deliveries_.size());
}

void MessageFetch::start() {
  std::vector<std::size_t> all(deliveries_.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  read(std::move(all));
}

void MessageFetch::read(std::vector<std::size_t>&& places) {
  std::vector<store::Location> locations;
  locations.reserve(places.size());
  for (const std::size_t place : places) locations.push_back(deliveries_[place].location);
  if (auto payloads = service_.store_.read_now(locations)) {
    take(places, {std::make_move_iterator(payloads->begin()), std::make_move_iterator(payloads->end())});
    return;
  }
  const auto wanted = std::make_shared<std::vector<std::size_t>>(std::move(places));
  service_.store_.read(std::move(locations), [self = shared_from_this(), wanted](std::vector<Result<store::Payload>> read) {
    const auto results = std::make_shared<std::vector<Result<store::Payload>>>(std::move(read));
    self->context_->exchange->loop().post([self, wanted, results] { self->take(*wanted, *results); });
  });
}

void MessageFetch::take(const std::vector<std::size_t>& places, const std::vector<Result<store::Payload>>& payloads) {
  std::vector<std::size_t> moved;  // compaction was faster: to be read where they are now
  for (std::size_t i = 0; i < places.size(); ++i) {
    engine::Delivery& delivery = deliveries_[places[i]];
    const Result<store::Payload>& payload = payloads[i];
    const bool released = !payload && payload.error().kind == ErrorKind::NotFound;
    if (!payload && !released && payload.error().kind != ErrorKind::Corrupt) {
      fetched_.unreadable = true;
      service_.log_.error("a body could not be read", {{"error", payload.error().message}});
      continue;
    }
    auto message = payload ? build(delivery, *payload) : std::nullopt;
    if (message) {
      fetched_.messages[places[i]] = std::move(message);
    } else if (const auto place = service_.engine_.quarantine(queue_, delivery.sequence, delivery.location)) {
      delivery.location = place->location;
      delivery.written_as = place->written_as;
      moved.push_back(places[i]);
    } else if (!released) {  // else deleted or purged while it was read: nothing to give
      service_.counters_.damaged_bodies.add();
    }
  }
  if (!moved.empty()) {
    read(std::move(moved));
    return;
  }
  done_(std::move(fetched_));
}

std::optional<sqs::Message> MessageFetch::build(const engine::Delivery& delivery, const store::Payload& payload) const {
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

void MessageFetch::add_system_attributes(const engine::Delivery& delivery, const engine::StoredMessage& stored,
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
