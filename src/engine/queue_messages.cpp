// Sending, receiving, and what receipt handles do.

#include <algorithm>
#include <array>

#include "base/check.h"
#include "engine/queue.h"
#include "sqs/limits.h"
#include "sqs/message_attributes.h"
#include "sqs/validation.h"

namespace ferry::engine {
namespace {

// What a message costs in the index when it is sent; for the bound on the index.
constexpr std::uint64_t kIndexBytesPerMessage = 64;

std::int64_t millis(Seconds seconds) {
  return Millis(seconds).count();
}

std::size_t size_of(const SendCommand& command) {
  return command.body.size() + sqs::attributes_bytes(*command.message_attributes);
}

// The Sent record of a command, but for what only the lock can decide.
SentRecord prepare(const SendCommand& command, const Caller& caller, Random& random) {
  SentRecord record;
  record.message_id = make_uuid(random);
  record.principal = caller.principal;
  record.source_address = caller.source_address;
  record.md5_of_body = command.md5_of_body;
  record.md5_of_message_attributes = command.md5_of_message_attributes;
  record.system_attributes = command.message_system_attributes;
  record.message_attributes = command.message_attributes;
  record.body = command.body;
  return record;
}

}  // namespace

// ---- sending

std::optional<sqs::ApiError> Queue::refusal(const SendCommand& command, SendForm form) const {
  if (command.has_deduplication_id) {
    return sqs::ApiError{sqs::ErrorCode::InvalidParameterValue,
                         "The request include parameter that is not valid for this queue type"};
  }
  if (size_of(command) > attributes_.message_bytes_max) {
    return sqs::message_too_long(attributes_.message_bytes_max,
                                 form == SendForm::Single ? sqs::BatchIndex() : sqs::BatchIndex(1));
  }
  return std::nullopt;
}

void Queue::add(std::uint64_t sequence, const store::Location& location, std::int64_t visible_from_ms, Moment now) {
  index_.put(sequence, MessageEntry{location, 0, now.engine_ms, 0, visible_from_ms});
  if (visible_from_ms <= now.engine_ms) {
    index_.set_ready(sequence);
    ++became_ready_;
  } else {
    timers_.insert({visible_from_ms, sequence});
    ++delayed_;
  }
}

Answer<std::vector<sqs::ApiResult<Sent>>> Queue::send(const Caller& caller, const std::vector<SendCommand>& messages,
                                                      SendForm form) {
  std::vector<SentRecord> records;
  std::vector<std::uint32_t> sizes;
  records.reserve(messages.size());
  sizes.reserve(messages.size());
  for (const SendCommand& command : messages) {
    records.push_back(prepare(command, caller, shared_.random));
    sizes.push_back(record_bytes(records.back()));
  }

  std::vector<sqs::ApiResult<Sent>> results;
  std::vector<SentRecord*> accepted;
  std::vector<store::RecordShape> shapes;
  results.reserve(messages.size());
  accepted.reserve(messages.size());
  shapes.reserve(messages.size());

  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (auto refused = refusal(messages[i], form)) {
      results.emplace_back(Unexpected(*std::move(refused)));
      continue;
    }
    results.emplace_back(Sent{records[i].message_id});
    accepted.push_back(&records[i]);
    shapes.push_back({sizes[i], true});
    records[i].visible_from_ms = millis(messages[i].delay.value_or(attributes_.delay));
  }
  if (accepted.empty()) return {std::move(results), last_};
  const std::uint64_t bytes_max = shared_.options.index_bytes_max;
  if (bytes_max != 0 && shared_.index_bytes + accepted.size() * kIndexBytesPerMessage > bytes_max) {
    return {sqs::api_fail(sqs::ErrorCode::RequestThrottled, "Too many messages are waiting for the memory of this server."),
            last_};
  }
  auto reservation = hold.reserve(shapes, store::Purpose::Growth);
  if (!reservation) return {Unexpected(no_room(reservation.error())), last_};
  const store::Position seen = last_;
  const Moment now = hold.now();
  for (std::size_t i = 0; i < accepted.size(); ++i) {
    SentRecord& record = *accepted[i];
    record.sequence = next_sequence_++;
    record.visible_from_ms += now.engine_ms;
    add(record.sequence, reservation->slots[i].location, record.visible_from_ms, now);
  }
  hold.release();

  for (std::size_t i = 0; i < accepted.size(); ++i) {
    encode_record(RecordHeader{RecordType::Sent, id_, now}, *accepted[i], reservation->slots[i].bytes);
  }
  shared_.store.publish(std::move(*reservation));
  return {std::move(results), seen};
}

// ---- receiving

// Ready messages in the order of their numbers. Expired ones in between are thrown away, as many as one lock hold allows.
std::vector<std::uint64_t> Queue::choose(std::size_t max) {
  std::vector<std::uint64_t> chosen;
  std::size_t budget = kSliceMessages;
  for (auto next = index_.next_ready(0); next && chosen.size() < max; next = index_.next_ready(*next + 1)) {
    if (!sweeping_) {
      chosen.push_back(*next);
      continue;
    }
    const MessageEntry entry = *index_.find(*next);
    if (!is_expired(*next, entry))
      chosen.push_back(*next);
    else if (budget-- == 0)
      break;
    else
      discard(*next, entry);
  }
  return chosen;
}

Answer<std::vector<Delivery>> Queue::receive(const Caller& caller, const ReceiveCommand& command,
                                             const std::shared_ptr<Waiter>& waiter) {
  FERRY_CHECK(command.max_messages >= 1);
  ReceivedRecord record;
  record.principal = caller.principal;
  record.source_address = caller.source_address;
  std::vector<Delivery> deliveries;

  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  const Moment now = hold.now();
  catch_up(hold, now);
  if (in_flight_ >= shared_.options.in_flight_max) {
    became_ready_ = std::max<std::uint64_t>(became_ready_, 1);  // the caller may have been woken for a message: pass it on
    return {sqs::api_fail(sqs::ErrorCode::OverLimit,
                          "Too many messages of this queue are in flight. Delete some, or wait until they are visible again."),
            last_};
  }
  const std::size_t room = shared_.options.in_flight_max - in_flight_;
  const std::vector<std::uint64_t> chosen = choose(std::min(room, static_cast<std::size_t>(command.max_messages)));
  if (chosen.empty()) {
    if (waiter != nullptr) waiters_.add(waiter);
    return {std::move(deliveries), last_};
  }
  const std::int64_t until_ms = now.engine_ms + millis(command.visibility_timeout.value_or(attributes_.visibility_timeout));
  for (const std::uint64_t sequence : chosen)
    record.entries.push_back({sequence, until_ms, index_.find(sequence)->receive_count + 1});
  const store::RecordShape shape{record_bytes(record), false};
  auto reservation = hold.reserve({&shape, 1}, store::Purpose::Upkeep);
  if (!reservation) {
    became_ready_ = std::max<std::uint64_t>(became_ready_, 1);
    return {Unexpected(no_room(reservation.error())), last_};
  }
  const store::Position seen = last_;
  deliveries.reserve(chosen.size());
  for (const ReceivedRecord::Entry& taken : record.entries) {
    MessageEntry& entry = *index_.find(taken.sequence);
    entry.receive_count = taken.receive_count;
    if (entry.receive_count == 1) entry.first_received_ms = now.wall_ms;
    if (until_ms > now.engine_ms) {
      hide(taken.sequence, entry, until_ms);
    } else {
      entry.visible_from_ms = until_ms;
      ++became_ready_;  // the wake that brought the caller here goes on to the next
    }
    deliveries.push_back({taken.sequence, entry.location, {}, taken.receive_count, from_epoch_millis(entry.first_received_ms)});
  }
  hold.release();

  encode_record(RecordHeader{RecordType::Received, id_, now}, record, reservation->slots.front().bytes);
  shared_.store.publish(std::move(*reservation));
  for (Delivery& delivery : deliveries) {
    delivery.receipt_handle =
        sqs::encode_receipt_handle({id_, delivery.sequence, delivery.receive_count, from_epoch_millis(now.engine_ms)}, secret_);
  }
  return {std::move(deliveries), seen};
}

void Queue::abandon(const std::shared_ptr<Waiter>& waiter) {
  Hold hold(*this);
  if (!waiters_.remove(waiter)) became_ready_ = std::max<std::uint64_t>(became_ready_, 1);
}

// ---- what handles do

std::optional<sqs::ReceiptHandle> Queue::parse(std::string_view handle) const {
  return sqs::decode_receipt_handle(handle, id_, secret_);
}

Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> Queue::delete_messages(const std::vector<std::string>& receipt_handles) {
  std::vector<sqs::ApiResult<sqs::EmptyResponse>> results;
  std::vector<std::uint64_t> named;
  results.reserve(receipt_handles.size());
  named.reserve(receipt_handles.size());
  for (const std::string& text : receipt_handles) {
    const auto handle = parse(text);
    if (!handle) {
      results.emplace_back(Unexpected(sqs::invalid_receipt_handle(text)));
      continue;
    }
    results.emplace_back(sqs::EmptyResponse{});
    if (std::find(named.begin(), named.end(), handle->sequence) == named.end()) named.push_back(handle->sequence);
  }

  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  // A message that is gone already (deleted, expired, purged, quarantined) counts as deleted.
  std::erase_if(named, [&](std::uint64_t sequence) { return index_.find(sequence) == nullptr; });
  if (named.empty()) return {std::move(results), last_};
  const DeletedRecord record{std::move(named)};
  const store::RecordShape shape{record_bytes(record), false};
  auto reservation = hold.reserve({&shape, 1}, store::Purpose::Upkeep);
  if (!reservation) return {Unexpected(no_room(reservation.error())), last_};
  const store::Position seen = last_;
  const Moment now = hold.now();
  for (const std::uint64_t sequence : record.sequences) discard(sequence, *index_.find(sequence));
  hold.release();

  encode_record(RecordHeader{RecordType::Deleted, id_, now}, record, reservation->slots.front().bytes);
  shared_.store.publish(std::move(*reservation));
  return {std::move(results), seen};
}

std::optional<sqs::ApiError> Queue::apply_change(const Engine::VisibilityChange& change,
                                                 const std::optional<sqs::ReceiptHandle>& handle, Moment now,
                                                 std::vector<VisibilityChangedRecord::Entry>& entries) {
  if (!handle) return sqs::invalid_receipt_handle(change.receipt_handle);
  const MessageEntry* const entry = index_.find(handle->sequence);
  if (entry == nullptr || is_expired(handle->sequence, *entry)) {
    return sqs::invalid_parameter(change.receipt_handle, "ReceiptHandle",
                                  "Message does not exist or is not available for visibility timeout change.");
  }
  const std::int64_t until_ms = now.engine_ms + millis(change.visibility_timeout);
  if (until_ms - to_epoch_millis(handle->received) > millis(sqs::kVisibilityTimeoutMax)) {
    return sqs::invalid_parameter(std::to_string(change.visibility_timeout.count()), "VisibilityTimeout",
                                  "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].");
  }
  entries.push_back({handle->sequence, until_ms});
  return std::nullopt;
}

Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> Queue::change_visibility(
    const std::vector<Engine::VisibilityChange>& changes) {
  std::vector<std::optional<sqs::ReceiptHandle>> handles;
  handles.reserve(changes.size());
  for (const auto& change : changes) handles.push_back(parse(change.receipt_handle));
  std::vector<sqs::ApiResult<sqs::EmptyResponse>> results;
  results.reserve(changes.size());
  VisibilityChangedRecord record;

  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  const Moment now = hold.now();
  catch_up(hold, now);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (auto refused = apply_change(changes[i], handles[i], now, record.entries))
      results.emplace_back(Unexpected(*std::move(refused)));
    else
      results.emplace_back(sqs::EmptyResponse{});
  }
  if (record.entries.empty()) return {std::move(results), last_};
  const store::RecordShape shape{record_bytes(record), false};
  auto reservation = hold.reserve({&shape, 1}, store::Purpose::Upkeep);
  if (!reservation) return {Unexpected(no_room(reservation.error())), last_};
  const store::Position seen = last_;
  for (const VisibilityChangedRecord::Entry& changed : record.entries) {
    MessageEntry& entry = *index_.find(changed.sequence);
    if (changed.visible_from_ms > now.engine_ms) {
      hide(changed.sequence, entry, changed.visible_from_ms);
    } else {
      if (!index_.is_ready(changed.sequence)) make_ready(changed.sequence, entry);
      entry.visible_from_ms = changed.visible_from_ms;
    }
  }
  hold.release();

  encode_record(RecordHeader{RecordType::VisibilityChanged, id_, now}, record, reservation->slots.front().bytes);
  shared_.store.publish(std::move(*reservation));
  return {std::move(results), seen};
}

}  // namespace ferry::engine
