// Receiving, and what receipt handles do.

#include <algorithm>

#include "base/check.h"
#include "engine/queue.h"
#include "sqs/limits.h"
#include "sqs/validation.h"

namespace ferry::engine {
namespace {

std::int64_t millis(Seconds seconds) {
  return Millis(seconds).count();
}

sqs::ApiError not_available(std::string_view handle) {
  return sqs::invalid_parameter(handle, "ReceiptHandle",
                                "Message does not exist or is not available for visibility timeout change.");
}

}  // namespace

// ---- receiving

bool Queue::is_exhausted(std::uint64_t sequence, const MessageEntry& entry, const DeadLetters& dead_letters) const {
  if (!dead_letters.target || !attributes_.redrive_policy) return false;
  std::uint32_t receives = entry.receive_count;
  if (entry.has(MessageEntry::Arrived)) receives -= arrivals_.find(sequence)->second.receives_before;
  return receives >= attributes_.redrive_policy->max_receive_count;
}

// Takes the next messages out of line and puts them in flight, but for their timers. Expired ones on the way are thrown away,
// dead letters are passed over, as many as one lock hold allows. On a FIFO queue those behind a dead letter are given out at
// once: it will never be, as long as the policy stands, and has left before the reply does.
std::vector<std::uint64_t> Queue::take(std::size_t max, Moment now, DeadLetters& dead_letters) {
  std::vector<std::uint64_t> taken;
  std::vector<std::uint64_t>& passed = dead_letters.exhausted;
  passed.clear();
  std::size_t looks = 0;
  while (taken.size() < max && looks < kSliceMessages) {
    std::optional<std::uint64_t> next = line_->front(now.engine_ms);
    if (!next) break;
    for (; next && taken.size() < max && looks < kSliceMessages; ++looks) {
      const std::uint64_t sequence = *next;
      const MessageEntry& entry = *index_.find(sequence);
      next = line_->behind(sequence, entry.group);
      if (is_expired(sequence, entry)) {
        discard(sequence);
        continue;
      }
      index_.clear_ready(sequence);
      line_->hide(sequence, entry.group);
      if (is_exhausted(sequence, entry, dead_letters)) {
        passed.push_back(sequence);
        continue;
      }
      ++in_flight_;
      line_->in_flight(entry.group, 1, now.engine_ms);
      taken.push_back(sequence);
    }
  }
  for (const std::uint64_t sequence : passed) {
    index_.set_ready(sequence);
    line_->show(sequence, index_.find(sequence)->group, Line::Place::AsBefore);
  }
  return taken;
}

// What take() took comes back.
void Queue::give_back(std::span<const std::uint64_t> sequences, Line::Place place, Moment now) {
  for (const std::uint64_t sequence : sequences) {
    const MessageEntry& entry = *index_.find(sequence);
    --in_flight_;
    line_->in_flight(entry.group, -1, now.engine_ms);
    index_.set_ready(sequence);
    became_ready_ += line_->show(sequence, entry.group, place);
  }
}

Delivery Queue::delivery_of(std::uint64_t sequence, const MessageEntry& entry) const {
  Delivery delivery;
  delivery.sequence = sequence;
  delivery.location = entry.location;
  delivery.written_as = {id_, sequence};
  delivery.receive_count = entry.receive_count;
  delivery.first_received = from_epoch_millis(entry.first_received_ms());
  if (is_fifo_) delivery.sequence_number = sequence;
  if (entry.has(MessageEntry::Arrived)) {
    const Arrival& arrival = arrivals_.find(sequence)->second;
    delivery.written_as = arrival.written_as;
    if (arrival.source != 0) {
      const QueueKey& source = dead_letter_sources_[arrival.source - 1];
      delivery.dead_letter_source =
          sqs::format_queue_arn({.region = source.region, .account = source.account, .name = source.name});
    }
    if (arrival.message_id != Uuid()) delivery.message_id = arrival.message_id;
    if (arrival.sent_ms != 0) delivery.sent = from_epoch_millis(arrival.sent_ms);
    delivery.deduplication_id_is_message_id = is_fifo_;
  }
  return delivery;
}

void Queue::seal(std::vector<Delivery>& deliveries, std::int64_t received_ms) const {
  for (Delivery& delivery : deliveries) {
    delivery.receipt_handle =
        sqs::encode_receipt_handle({id_, delivery.sequence, delivery.receive_count, from_epoch_millis(received_ms)}, secret_);
  }
}

Answer<std::vector<Delivery>> Queue::receive(const Caller& caller, const ReceiveCommand& command,
                                             const std::shared_ptr<Waiter>& waiter, DeadLetters& dead_letters) {
  FERRY_CHECK(command.max_messages >= 1);
  ReceivedRecord record;
  record.principal = caller.principal;
  record.source_address = caller.source_address;
  std::optional<IdentityHash> attempt_id;
  if (is_fifo_ && command.receive_request_attempt_id) attempt_id = identity_hash(*command.receive_request_attempt_id);

  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  const Moment now = hold.now();
  catch_up(hold, now);
  const Seconds visibility_timeout = command.visibility_timeout.value_or(attributes_.visibility_timeout);
  if (attempt_id) {
    if (ReceiveAttempt* const attempt = attempts_.find(*attempt_id, now.engine_ms))
      return repeat(hold, *attempt, visibility_timeout, now);
  }
  const std::size_t room = shared_.options.in_flight_max - std::min<std::size_t>(in_flight_, shared_.options.in_flight_max);
  if (room == 0 && !is_fifo_) {
    is_limited_ = true;
    became_ready_ = std::max<std::uint64_t>(became_ready_, 1);  // the caller may have been woken for a message: pass it on
    return {sqs::api_fail(sqs::ErrorCode::OverLimit,
                          "Too many messages of this queue are in flight. Delete some, or wait until they are visible again."),
            last_};
  }
  is_limited_ = room < static_cast<std::size_t>(command.max_messages);
  const std::vector<std::uint64_t> taken =
      take(std::min(room, static_cast<std::size_t>(command.max_messages)), now, dead_letters);
  if (taken.empty()) {
    if (waiter != nullptr && (dead_letters.exhausted.empty() || dead_letters.may_wait)) waiters_.add(waiter);
    return {std::vector<Delivery>(), last_};
  }
  const std::int64_t until_ms = now.engine_ms + millis(visibility_timeout);
  for (const std::uint64_t sequence : taken)
    record.entries.push_back({sequence, until_ms, index_.find(sequence)->receive_count + 1});
  const store::RecordShape shape{record_bytes(record), false};
  auto reservation = hold.reserve({&shape, 1}, store::Purpose::Upkeep);
  if (!reservation) {
    give_back(taken, Line::Place::AsBefore, now);
    return {Unexpected(no_room(reservation.error())), last_};
  }
  const store::Position seen = last_;
  std::vector<Delivery> deliveries;
  deliveries.reserve(taken.size());
  ReceiveAttempt attempt{now.engine_ms, until_ms, {}};
  for (const ReceivedRecord::Entry& received : record.entries) {
    MessageEntry& entry = *index_.find(received.sequence);
    entry.receive_count = received.receive_count;
    if (entry.receive_count == 1) entry.set_first_received_ms(now.wall_ms);
    entry.set_visible_from_ms(until_ms);
    attempt.taken.push_back({received.sequence, received.receive_count});
    deliveries.push_back(delivery_of(received.sequence, entry));
    if (until_ms > now.engine_ms) timers_.insert({until_ms, received.sequence});
  }
  if (until_ms <= now.engine_ms) give_back(taken, Line::Place::End, now);
  if (attempt_id) attempts_.add(*attempt_id, std::move(attempt));
  hold.release();

  encode_record(RecordHeader{RecordType::Received, id_, now}, record, reservation->slots.front().bytes);
  shared_.store.publish(std::move(*reservation));
  seal(deliveries, now.engine_ms);
  return {std::move(deliveries), seen};
}

Answer<std::vector<Delivery>> Queue::repeat(Hold& hold, ReceiveAttempt& attempt, Seconds visibility_timeout, Moment now) {
  for (const ReceiveAttempt::Taken& taken : attempt.taken) {
    const MessageEntry* const entry = index_.find(taken.sequence);
    const bool unchanged = entry != nullptr && !index_.is_ready(taken.sequence) && !is_expired(taken.sequence, *entry) &&
                           entry->receive_count == taken.receive_count && entry->visible_from_ms() == attempt.visible_from_ms;
    if (!unchanged) return {std::vector<Delivery>(), last_};
  }
  const std::int64_t until_ms =
      std::min(now.engine_ms + millis(visibility_timeout), attempt.received_ms + millis(sqs::kVisibilityTimeoutMax));
  VisibilityChangedRecord record;
  for (const ReceiveAttempt::Taken& taken : attempt.taken) record.entries.push_back({taken.sequence, until_ms});
  if (const auto logged = hold.log(RecordType::VisibilityChanged, now, record); !logged)
    return {Unexpected(no_room(logged.error())), last_};
  std::vector<Delivery> deliveries;
  for (const ReceiveAttempt::Taken& taken : attempt.taken) {
    MessageEntry& entry = *index_.find(taken.sequence);
    set_visibility(taken.sequence, entry, until_ms, now);
    deliveries.push_back(delivery_of(taken.sequence, entry));
  }
  attempt.visible_from_ms = until_ms;
  const store::Position seen = last_;
  const std::int64_t received_ms = attempt.received_ms;
  hold.release();
  seal(deliveries, received_ms);
  return {std::move(deliveries), seen};
}

void Queue::abandon(const std::shared_ptr<Waiter>& waiter) {
  Hold hold(*this);
  if (!waiters_.remove(waiter)) became_ready_ = std::max<std::uint64_t>(became_ready_, 1);
}

Answer<std::vector<Engine::Glimpse>> Queue::peek(std::uint64_t after_sequence, std::size_t max) {
  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  const Moment now = hold.now();
  catch_up(hold, now);
  std::vector<Engine::Glimpse> glimpses;
  std::size_t looks = 0;
  for (auto item = index_.next(after_sequence + 1); item && glimpses.size() < max && looks < kSliceMessages;
       item = index_.next(item->sequence + 1), ++looks) {
    if (is_expired(item->sequence, *item->entry)) continue;
    auto& glimpse = glimpses.emplace_back();
    glimpse.message = delivery_of(item->sequence, *item->entry);
    using State = Engine::Glimpse::State;
    glimpse.state = index_.is_ready(item->sequence)   ? State::Visible
                    : item->entry->receive_count == 0 ? State::Delayed
                                                      : State::InFlight;
  }
  return {std::move(glimpses), last_};
}

// ---- what handles do

std::optional<sqs::ReceiptHandle> Queue::parse(std::string_view handle) const {
  return sqs::decode_receipt_handle(handle, id_, secret_);
}

// Standard queues take the handle of any receive. On a FIFO queue a handle is good as long as its receive hides the message.
bool Queue::is_current(const sqs::ReceiptHandle& handle, const MessageEntry& entry) const {
  return !is_fifo_ || (entry.receive_count == handle.receive_count && !index_.is_ready(handle.sequence) &&
                       entry.visible_from_ms() > latest_ms_);
}

Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> Queue::delete_messages(const std::vector<std::string>& receipt_handles) {
  std::vector<std::optional<sqs::ReceiptHandle>> handles;
  handles.reserve(receipt_handles.size());
  for (const std::string& text : receipt_handles) handles.push_back(parse(text));
  std::vector<sqs::ApiResult<sqs::EmptyResponse>> results;
  results.reserve(handles.size());
  DeletedRecord record;
  record.sequences.reserve(handles.size());

  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  const Moment now = hold.now();
  catch_up(hold, now);
  for (std::size_t i = 0; i < handles.size(); ++i) {
    if (!handles[i]) {
      results.emplace_back(Unexpected(sqs::invalid_receipt_handle(receipt_handles[i])));
      continue;
    }
    const std::uint64_t sequence = handles[i]->sequence;
    // A message that is gone already (deleted, expired, moved, purged, quarantined) counts as deleted.
    const MessageEntry* const entry = index_.find(sequence);
    if (entry != nullptr && !is_expired(sequence, *entry)) {
      if (!is_current(*handles[i], *entry)) {
        results.emplace_back(
            Unexpected(sqs::invalid_parameter(receipt_handles[i], "ReceiptHandle", "The receipt handle has expired.")));
        continue;
      }
      if (std::find(record.sequences.begin(), record.sequences.end(), sequence) == record.sequences.end())
        record.sequences.push_back(sequence);
    }
    results.emplace_back(sqs::EmptyResponse{});
  }
  if (record.sequences.empty()) return {std::move(results), last_};
  const store::RecordShape shape{record_bytes(record), false};
  auto reservation = hold.reserve({&shape, 1}, store::Purpose::Upkeep);
  if (!reservation) return {Unexpected(no_room(reservation.error())), last_};
  const store::Position seen = last_;
  for (const std::uint64_t sequence : record.sequences) discard(sequence);
  hold.release();

  encode_record(RecordHeader{RecordType::Deleted, id_, now}, record, reservation->slots.front().bytes);
  shared_.store.publish(std::move(*reservation));
  return {std::move(results), seen};
}

std::optional<sqs::ApiError> Queue::change_refusal(const Engine::VisibilityChange& change,
                                                   const std::optional<sqs::ReceiptHandle>& handle, Moment now) {
  if (!handle) return sqs::invalid_receipt_handle(change.receipt_handle);
  const MessageEntry* const entry = index_.find(handle->sequence);
  if (entry == nullptr || is_expired(handle->sequence, *entry) || !is_current(*handle, *entry))
    return not_available(change.receipt_handle);
  const std::int64_t until_ms = now.engine_ms + millis(change.visibility_timeout);
  if (until_ms - to_epoch_millis(handle->received) > millis(sqs::kVisibilityTimeoutMax)) {
    return sqs::invalid_parameter(std::to_string(change.visibility_timeout.count()), "VisibilityTimeout",
                                  "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].");
  }
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
    if (auto refused = change_refusal(changes[i], handles[i], now)) {
      results.emplace_back(Unexpected(*std::move(refused)));
      continue;
    }
    results.emplace_back(sqs::EmptyResponse{});
    record.entries.push_back({handles[i]->sequence, now.engine_ms + millis(changes[i].visibility_timeout)});
  }
  if (record.entries.empty()) return {std::move(results), last_};
  const store::RecordShape shape{record_bytes(record), false};
  auto reservation = hold.reserve({&shape, 1}, store::Purpose::Upkeep);
  if (!reservation) return {Unexpected(no_room(reservation.error())), last_};
  const store::Position seen = last_;
  for (const VisibilityChangedRecord::Entry& changed : record.entries)
    set_visibility(changed.sequence, *index_.find(changed.sequence), changed.visible_from_ms, now);
  hold.release();

  encode_record(RecordHeader{RecordType::VisibilityChanged, id_, now}, record, reservation->slots.front().bytes);
  shared_.store.publish(std::move(*reservation));
  return {std::move(results), seen};
}

}  // namespace ferry::engine
