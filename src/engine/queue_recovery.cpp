// How a queue comes back from a checkpoint and the log, how it gets into a checkpoint, and what compaction and damage do to it.
//
// During recovery only the index, the quarantined messages and the numbers are kept; timers, ready bits and counts are made
// once, by finish_recovery(), when all outcomes are known.

#include <algorithm>

#include "base/check.h"
#include "engine/queue.h"

namespace ferry::engine {
namespace {

MessagesPiece::Entry piece_entry(std::uint64_t sequence, const MessageEntry& entry) {
  return {sequence,          entry.location,          entry.receive_count,  false,
          entry.enqueued_ms, entry.first_received_ms, entry.visible_from_ms};
}

}  // namespace

// ---- damage and compaction

std::optional<store::Location> Queue::quarantine(std::uint64_t sequence, const store::Location& location) {
  Hold hold(*this);
  if (deleted_) return std::nullopt;
  const MessageEntry* const found = index_.find(sequence);
  if (found == nullptr) return std::nullopt;
  if (found->location != location) return found->location;
  const MessageEntry entry = *found;
  // Without room for the record the message is hidden all the same; after a restart its damage would be found again.
  (void)hold.log(RecordType::Quarantined, hold.now(), QuarantinedRecord{sequence}).has_value();
  leave_state(sequence, entry);
  index_.erase(sequence);
  quarantined_.emplace(sequence, entry);
  hold.release();
  shared_.log.error("the body of a message is damaged; the message is quarantined", {{"account", key_.account},
                                                                                     {"region", key_.region},
                                                                                     {"queue", key_.name},
                                                                                     {"sequence", sequence},
                                                                                     {"segment", location.segment},
                                                                                     {"offset", location.offset}});
  return std::nullopt;
}

void Queue::relocate(const store::Location& from, std::uint64_t sequence, std::span<const std::byte> payload) {
  Hold hold(*this);
  if (deleted_) return;
  MessageEntry* const entry = index_.find(sequence);
  if (entry == nullptr || entry->location != from) return;
  const store::RecordShape shape{static_cast<std::uint32_t>(payload.size()), true};
  // Not through the Hold: a new place is nothing that a reply must wait for.
  auto reservation = shared_.store.reserve({&shape, 1}, store::Purpose::Upkeep);
  if (!reservation) return;
  entry->location = reservation->slots.front().location;
  hold.release();
  const std::span<std::byte> copy = reservation->slots.front().bytes;
  std::copy(payload.begin(), payload.end(), copy.begin());
  mark_relocated(copy);
  shared_.store.publish(std::move(*reservation));
  shared_.store.release({&from, 1});
}

// ---- checkpoint

// Under the lock, store.last() is a position whose effect on this queue is all there: nobody else can be between taking a
// position for this queue and applying it. What is sent after the first piece is left to the replay.
Result<void> Queue::write_checkpoint(store::CheckpointSink& sink) {
  QueuePiece queue;
  MessagesPiece messages;
  store::Position as_of;
  {
    Hold hold(*this);
    if (deleted_) return {};
    queue = {id_, key_, attributes_, secret_, created_ms_, modified_ms_, purged_ms_, next_sequence_, expired_};
    as_of = shared_.store.last();
  }
  FERRY_TRY_VOID(sink.add_piece(encode_piece(queue), as_of));

  messages.queue_id = id_;
  messages.entries.reserve(kMessagesPerPiece);
  const auto copy = [&](auto&& next) -> Result<void> {
    for (std::uint64_t from = 0; from < queue.next_sequence;) {
      messages.entries.clear();
      {
        Hold hold(*this);
        if (deleted_) return {};
        while (messages.entries.size() < kMessagesPerPiece && next(from)) from = messages.entries.back().sequence + 1;
        as_of = shared_.store.last();
      }
      if (messages.entries.size() < kMessagesPerPiece) from = queue.next_sequence;
      if (!messages.entries.empty()) FERRY_TRY_VOID(sink.add_piece(encode_piece(messages), as_of));
    }
    return {};
  };
  FERRY_TRY_VOID(copy([&](std::uint64_t from) {
    const auto item = index_.next(from);
    if (!item || item->sequence >= queue.next_sequence) return false;
    messages.entries.push_back(piece_entry(item->sequence, *item->entry));
    return true;
  }));
  return copy([&](std::uint64_t from) {
    const auto found = quarantined_.lower_bound(from);
    if (found == quarantined_.end() || found->first >= queue.next_sequence) return false;
    messages.entries.push_back(piece_entry(found->first, found->second));
    messages.entries.back().quarantined = true;
    return true;
  });
}

void Queue::restore(const QueuePiece& piece) {
  attributes_ = piece.attributes;
  created_ms_ = piece.created_ms;
  modified_ms_ = piece.modified_ms;
  purged_ms_ = piece.purged_ms;
  next_sequence_ = piece.next_sequence;
  expired_ = piece.expired;
}

void Queue::restore(const MessagesPiece& piece) {
  for (const auto& entry : piece.entries) {
    const MessageEntry message{entry.location, entry.receive_count, entry.enqueued_ms, entry.first_received_ms,
                               entry.visible_from_ms};
    // A message that was quarantined while the checkpoint was written may stand in pieces of both kinds: quarantined wins.
    if (entry.quarantined) {
      quarantined_.emplace(entry.sequence, message);
      if (index_.find(entry.sequence) != nullptr) index_.erase(entry.sequence);
    } else if (!quarantined_.contains(entry.sequence)) {
      index_.put(entry.sequence, message);
    }
    next_sequence_ = std::max(next_sequence_, entry.sequence + 1);
  }
}

// ---- replay

void Queue::replay_sent(const RecordHeader& header, const SentHead& head, const store::Location& location) {
  next_sequence_ = std::max(next_sequence_, head.sequence + 1);
  if (quarantined_.contains(head.sequence)) return;  // a piece knows already what comes of it
  index_.put(head.sequence, MessageEntry{location, 0, header.at.engine_ms, 0, head.visible_from_ms});
}

void Queue::replay_purged(std::uint64_t through_sequence) {
  next_sequence_ = std::max(next_sequence_, through_sequence + 1);
  for (auto item = index_.next(0); item && item->sequence <= through_sequence; item = index_.next(0))
    index_.erase(item->sequence);
  quarantined_.erase(quarantined_.begin(), quarantined_.upper_bound(through_sequence));
}

void Queue::replay_expired(const ExpiredRecord& record) {
  expired_ = record;
  for (auto item = index_.next(0); item && is_expired(item->sequence, *item->entry); item = index_.next(0))
    index_.erase(item->sequence);
}

Result<void> Queue::replay(const RecordHeader& header, const store::Location& location, std::span<const std::byte> payload) {
  switch (header.type) {
    case RecordType::AttributesSet: {
      FERRY_TRY(const auto record, decode_attributes_set(payload));
      attributes_ = record.attributes;
      modified_ms_ = header.at.wall_ms;
      return {};
    }
    case RecordType::Purged: {
      FERRY_TRY(const auto record, decode_purged(payload));
      purged_ms_ = header.at.engine_ms;
      replay_purged(record.through_sequence);
      return {};
    }
    case RecordType::Expired: {
      FERRY_TRY(const auto record, decode_expired(payload));
      replay_expired(record);
      return {};
    }
    case RecordType::Sent: {
      FERRY_TRY(const auto head, decode_sent_head(payload));
      replay_sent(header, head, location);
      return {};
    }
    case RecordType::Relocated: {
      FERRY_TRY(const auto head, decode_sent_head(payload));
      if (MessageEntry* const entry = index_.find(head.sequence)) entry->location = location;
      return {};
    }
    case RecordType::Received: {
      FERRY_TRY(const auto record, decode_received(payload));
      for (const auto& received : record.entries) {
        MessageEntry* const entry = index_.find(received.sequence);
        if (entry == nullptr) continue;
        entry->receive_count = received.receive_count;
        entry->visible_from_ms = received.visible_from_ms;
        if (received.receive_count == 1) entry->first_received_ms = header.at.wall_ms;
      }
      return {};
    }
    case RecordType::Deleted: {
      FERRY_TRY(const auto record, decode_deleted(payload));
      for (const std::uint64_t sequence : record.sequences) {
        if (index_.find(sequence) != nullptr) index_.erase(sequence);
      }
      return {};
    }
    case RecordType::VisibilityChanged: {
      FERRY_TRY(const auto record, decode_visibility_changed(payload));
      for (const auto& changed : record.entries) {
        if (MessageEntry* const entry = index_.find(changed.sequence)) entry->visible_from_ms = changed.visible_from_ms;
      }
      return {};
    }
    case RecordType::Quarantined: {
      FERRY_TRY(const auto record, decode_quarantined(payload));
      if (const MessageEntry* const entry = index_.find(record.sequence)) {
        quarantined_.emplace(record.sequence, *entry);
        index_.erase(record.sequence);
      }
      return {};
    }
    case RecordType::QueueCreated:
    case RecordType::QueueDeleted:
      break;
  }
  FERRY_CHECK(false);  // the directory's
  return {};
}

void Queue::finish_recovery(Timestamp now) {
  const Hold hold(*this);
  last_ = shared_.store.last();
  latest_ms_ = to_epoch_millis(now);
  replay_expired(expired_);  // a checkpoint may have been written in the middle of a sweep
  std::vector<Timer> timers;
  for (auto item = index_.next(0); item; item = index_.next(item->sequence + 1)) {
    shared_.store.retain(item->entry->location);
    if (item->entry->visible_from_ms <= latest_ms_) {
      index_.set_ready(item->sequence);
      continue;
    }
    timers.push_back({item->entry->visible_from_ms, item->sequence});
    ++(item->entry->receive_count == 0 ? delayed_ : in_flight_);
  }
  std::sort(timers.begin(), timers.end());
  timers_ = Timers(timers.begin(), timers.end());
  for (const auto& [sequence, entry] : quarantined_) shared_.store.retain(entry.location);
}

}  // namespace ferry::engine
