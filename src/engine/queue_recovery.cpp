// How a queue comes back from a checkpoint and the log, how it gets into a checkpoint, and what compaction and damage do to it.
//
// During recovery only the index, what belongs to its messages, the quarantined ones and the numbers are kept; timers, ready
// bits, the line and counts are made once, by finish_recovery(), when all outcomes are known.

#include <algorithm>

#include "base/check.h"
#include "engine/queue.h"
#include "sqs/limits.h"

namespace ferry::engine {
// ---- damage and compaction

std::optional<Place> Queue::quarantine(std::uint64_t sequence, const store::Location& location) {
  Hold hold(*this);
  if (deleted_) return std::nullopt;
  const MessageEntry* const found = index_.find(sequence);
  if (found == nullptr) return std::nullopt;
  if (found->location != location) return Place{found->location, delivery_of(sequence, *found).written_as};
  // Without room for the record the message is hidden all the same; after a restart its damage would be found again.
  (void)hold.log(RecordType::Quarantined, hold.now(), QuarantinedRecord{sequence}).has_value();
  Lifted lifted = lift(sequence);
  if (lifted.entry.has(MessageEntry::Arrived)) shared_.moved.erase(lifted.arrival.written_as);
  lifted.entry.group = kNoGroup;
  quarantined_.emplace(sequence, lifted.entry);
  hold.release();
  shared_.log.error("the body of a message is damaged; the message is quarantined", {{"account", key_.account},
                                                                                     {"region", key_.region},
                                                                                     {"queue", key_.name},
                                                                                     {"sequence", sequence},
                                                                                     {"segment", location.segment},
                                                                                     {"offset", location.offset}});
  return std::nullopt;
}

// The copy gets the name that the message has now.
void Queue::relocate(const store::Location& from, const WrittenAs& written_as, std::uint64_t sequence,
                     std::span<const std::byte> payload) {
  Hold hold(*this);
  if (deleted_) return;
  MessageEntry* const entry = index_.find(sequence);
  if (entry == nullptr || entry->location != from) return;
  const store::RecordShape shape{static_cast<std::uint32_t>(payload.size()), true};
  // Not through the Hold: a new place is nothing that a reply must wait for.
  auto reservation = shared_.store.reserve({&shape, 1}, store::Purpose::Upkeep);
  if (!reservation) return;
  entry->location = reservation->slots.front().location;
  const WrittenAs name{id_, sequence};
  if (entry->has(MessageEntry::Arrived) && written_as != name) {
    arrivals_.find(sequence)->second.written_as = name;
    shared_.moved.erase(written_as);
  }
  hold.release();
  const std::span<std::byte> copy = reservation->slots.front().bytes;
  std::copy(payload.begin(), payload.end(), copy.begin());
  mark_relocated(copy, name);
  shared_.store.publish(std::move(*reservation));
  shared_.store.release({&from, 1});
}

// ---- checkpoint

MessagesPiece::Entry Queue::piece_entry(std::uint64_t sequence, const MessageEntry& entry) const {
  MessagesPiece::Entry copy;
  copy.sequence = sequence;
  copy.location = entry.location;
  copy.receive_count = entry.receive_count;
  copy.enqueued_ms = entry.enqueued_ms();
  copy.first_received_ms = entry.first_received_ms();
  copy.visible_from_ms = entry.visible_from_ms();
  if (entry.group != kNoGroup) copy.group = line_->key_of(entry.group);
  copy.is_elder = entry.has(MessageEntry::Elder);
  if (const auto arrival = arrivals_.find(sequence); arrival != arrivals_.end()) copy.arrival = arrival->second;
  return copy;
}

// Under the lock, store.last() is a position whose effect on this queue is all there: nobody else can be between taking a
// position for this queue and applying it. What is sent after the first piece is left to the replay.
Result<void> Queue::write_checkpoint(store::CheckpointSink& sink) {
  QueuePiece queue;
  MessagesPiece messages;
  store::Position as_of;
  {
    Hold hold(*this);
    if (deleted_) return {};
    queue = {id_,
             key_,
             attributes_,
             secret_,
             created_ms_,
             modified_ms_,
             purged_ms_,
             next_sequence_,
             expired_,
             matured_,
             tags_,
             dead_letter_sources_,
             {move_tasks_.begin(), move_tasks_.end()}};
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
  FERRY_TRY_VOID(copy([&](std::uint64_t from) {
    const auto found = quarantined_.lower_bound(from);
    if (found == quarantined_.end() || found->first >= queue.next_sequence) return false;
    messages.entries.push_back(piece_entry(found->first, found->second));
    messages.entries.back().quarantined = true;
    return true;
  }));
  return write_window(sink);
}

Result<void> Queue::write_window(store::CheckpointSink& sink) {
  DeduplicationPiece window;
  window.queue_id = id_;
  std::optional<std::uint32_t> from;
  for (;;) {
    store::Position as_of;
    {
      Hold hold(*this);
      if (deleted_) return {};
      if (!from) from = window_.first_ordinal();
      window.entries = window_.copy(*from, kMessagesPerPiece);
      as_of = shared_.store.last();
    }
    if (window.entries.empty()) return {};
    FERRY_TRY_VOID(sink.add_piece(encode_piece(window), as_of));
  }
}

void Queue::restore(const QueuePiece& piece) {
  attributes_ = piece.attributes;
  has_redrive_policy_ = attributes_.redrive_policy.has_value();
  created_ms_ = piece.created_ms;
  modified_ms_ = piece.modified_ms;
  purged_ms_ = piece.purged_ms;
  next_sequence_ = piece.next_sequence;
  expired_ = piece.expired;
  matured_ = piece.matured;
  tags_ = piece.tags;
  dead_letter_sources_ = piece.dead_letter_sources;
  move_tasks_.assign(piece.move_tasks.begin(), piece.move_tasks.end());
}

void Queue::restore(const MessagesPiece& piece) {
  for (const auto& entry : piece.entries) {
    MessageEntry message;
    message.location = entry.location;
    message.receive_count = entry.receive_count;
    message.set_enqueued_ms(entry.enqueued_ms);
    message.set_first_received_ms(entry.first_received_ms);
    message.set_visible_from_ms(entry.visible_from_ms);
    if (entry.group) message.group = line_->group(*entry.group);
    if (entry.is_elder) message.mark(MessageEntry::Elder);
    if (entry.arrival) message.mark(MessageEntry::Arrived);
    // A message that was quarantined while the checkpoint was written may stand in pieces of both kinds: quarantined wins.
    if (entry.quarantined) {
      forget(entry.sequence);
      quarantined_.emplace(entry.sequence, message);
    } else if (!quarantined_.contains(entry.sequence)) {
      remember(entry.sequence, message);
      if (entry.arrival) arrivals_.insert_or_assign(entry.sequence, *entry.arrival);
    }
    next_sequence_ = std::max(next_sequence_, entry.sequence + 1);
  }
}

void Queue::restore(const DeduplicationPiece& piece) {
  for (const FirstSent& first : piece.entries) window_.restore(first);
}

// In the index, as it was or anew.
void Queue::remember(std::uint64_t sequence, const MessageEntry& entry) {
  forget(sequence);
  index_.put(sequence, entry);
  if (entry.has(MessageEntry::Elder)) elders_.insert({entry.enqueued_ms(), sequence});
}

void Queue::forget(std::uint64_t sequence) {
  const MessageEntry* const entry = index_.find(sequence);
  if (entry == nullptr) return;
  if (entry->has(MessageEntry::Elder)) elders_.erase({entry->enqueued_ms(), sequence});
  if (entry->has(MessageEntry::Arrived)) arrivals_.erase(sequence);
  index_.erase(sequence);
}

// ---- replay

void Queue::replay_sent(const RecordHeader& header, const SentHead& head, const store::Location& location) {
  next_sequence_ = std::max(next_sequence_, head.sequence + 1);
  if (head.deduplication) window_.restore({*head.deduplication, header.at.engine_ms, head.sequence, head.message_id});
  if (quarantined_.contains(head.sequence)) return;  // a piece knows already what comes of it
  MessageEntry entry;
  entry.location = location;
  if (head.group) entry.group = line_->group(*head.group);
  entry.set_enqueued_ms(header.at.engine_ms);
  entry.set_visible_from_ms(head.visible_from_ms);
  remember(head.sequence, entry);
}

void Queue::replay_purged(std::uint64_t through_sequence) {
  next_sequence_ = std::max(next_sequence_, through_sequence + 1);
  for (auto item = index_.next(0); item && item->sequence <= through_sequence; item = index_.next(0)) forget(item->sequence);
  quarantined_.erase(quarantined_.begin(), quarantined_.upper_bound(through_sequence));
  window_.restore_purge(through_sequence);
}

void Queue::replay_expired(const ExpiredRecord& record) {
  expired_ = record;
  natives_from_ = 0;
  for (auto next = oldest(); next && is_expired(next->sequence, *next->entry); next = oldest()) forget(next->sequence);
  natives_from_ = 0;
}

void Queue::replay_leaving(const MovedRecord& record) {
  for (const auto& entry : record.entries) forget(entry.from_sequence);
  if (move_tasks_.empty() || record.task == Uuid()) return;
  for (MoveTaskState& task : move_tasks_) {
    if (task.id == record.task) task.moved = record.task_moved;
  }
}

void Queue::replay_arriving(const MovedRecord& record) {
  const std::uint32_t source = record.source ? source_number(*record.source) : 0;
  for (const auto& arriving : record.entries) {
    next_sequence_ = std::max(next_sequence_, arriving.to_sequence + 1);
    if (quarantined_.contains(arriving.to_sequence)) continue;
    remember(arriving.to_sequence, entry_of(arriving));
    Arrival arrival = arriving.arrival;
    arrival.source = source;
    arrivals_.insert_or_assign(arriving.to_sequence, arrival);
  }
}

void Queue::replay_move_task(const MoveTaskState& changed) {
  for (MoveTaskState& task : move_tasks_) {
    if (task.id != changed.id) continue;
    task = changed;
    return;
  }
  // A piece may have dropped an old one already: the order is that of their starts.
  const auto later = std::find_if(move_tasks_.begin(), move_tasks_.end(),
                                  [&](const MoveTaskState& task) { return task.started.engine_ms > changed.started.engine_ms; });
  move_tasks_.insert(later, changed);
  if (move_tasks_.size() > sqs::kMoveTaskListMax) move_tasks_.pop_front();
}

Result<void> Queue::replay(const RecordHeader& header, const store::Location& location, std::span<const std::byte> payload) {
  switch (header.type) {
    case RecordType::AttributesSet: {
      FERRY_TRY(const auto record, decode_attributes_set(payload));
      attributes_ = record.attributes;
      has_redrive_policy_ = attributes_.redrive_policy.has_value();
      matured_ = record.matured;
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
      if (MessageEntry* const entry = index_.find(head.sequence)) {
        entry->location = location;
        if (entry->has(MessageEntry::Arrived)) arrivals_.find(head.sequence)->second.written_as = {id_, head.sequence};
      }
      return {};
    }
    case RecordType::Received: {
      FERRY_TRY(const auto record, decode_received(payload));
      for (const auto& received : record.entries) {
        MessageEntry* const entry = index_.find(received.sequence);
        if (entry == nullptr) continue;
        entry->receive_count = received.receive_count;
        entry->set_visible_from_ms(received.visible_from_ms);
        if (received.receive_count == 1) entry->set_first_received_ms(header.at.wall_ms);
      }
      return {};
    }
    case RecordType::Deleted: {
      FERRY_TRY(const auto record, decode_deleted(payload));
      for (const std::uint64_t sequence : record.sequences) forget(sequence);
      return {};
    }
    case RecordType::VisibilityChanged: {
      FERRY_TRY(const auto record, decode_visibility_changed(payload));
      for (const auto& changed : record.entries) {
        if (MessageEntry* const entry = index_.find(changed.sequence)) entry->set_visible_from_ms(changed.visible_from_ms);
      }
      return {};
    }
    case RecordType::Quarantined: {
      FERRY_TRY(const auto record, decode_quarantined(payload));
      if (const MessageEntry* const found = index_.find(record.sequence)) {
        MessageEntry entry = *found;
        entry.group = kNoGroup;
        forget(record.sequence);
        quarantined_.emplace(record.sequence, entry);
      }
      return {};
    }
    case RecordType::TagsSet: {
      FERRY_TRY(auto record, decode_tags_set(payload));
      tags_ = std::move(record.tags);
      return {};
    }
    case RecordType::MoveTaskSet: {
      FERRY_TRY(const auto record, decode_move_task_set(payload));
      replay_move_task(record.task);
      return {};
    }
    case RecordType::QueueCreated:
    case RecordType::QueueDeleted:
    case RecordType::Moved:
      break;
  }
  FERRY_CHECK(false);  // the directory's
  return {};
}

// ---- repair

bool Queue::has(std::uint64_t sequence) {
  return index_.find(sequence) != nullptr || quarantined_.contains(sequence);
}

std::vector<Queue::Kept> Queue::kept() {
  replay_expired(expired_);  // a checkpoint may have been written in the middle of a sweep
  std::vector<Kept> kept;
  kept.reserve(index_.size() + quarantined_.size());
  for (auto item = index_.next(0); item; item = index_.next(item->sequence + 1)) {
    Kept one{item->sequence, item->entry->location, WrittenAs{id_, item->sequence}, std::nullopt};
    if (item->entry->has(MessageEntry::Arrived)) {
      const Arrival& arrival = arrivals_.find(item->sequence)->second;
      one.name = arrival.written_as;
      if (arrival.message_id != Uuid()) one.message_id = arrival.message_id;
    }
    kept.push_back(one);
  }
  for (const auto& [sequence, entry] : quarantined_) kept.push_back({sequence, entry.location, std::nullopt, std::nullopt});
  return kept;
}

void Queue::drop(std::uint64_t sequence) {
  forget(sequence);
  quarantined_.erase(sequence);
}

// Its number says nothing of its enqueue time, since it may have been moved here: it expires by its own time.
void Queue::adopt(const RecordHeader& header, const SentHead& head, const store::Location& location) {
  next_sequence_ = std::max(next_sequence_, head.sequence + 1);
  MessageEntry entry;
  entry.location = location;
  if (head.group) entry.group = line_->group(*head.group);
  entry.set_enqueued_ms(header.at.engine_ms);
  entry.set_visible_from_ms(head.visible_from_ms);
  entry.mark(MessageEntry::Elder);
  remember(head.sequence, entry);
}

void Queue::forget_unknown_sources() {
  for (auto& [sequence, arrival] : arrivals_) {
    if (arrival.source > dead_letter_sources_.size()) arrival.source = 0;
  }
}

Result<void> Queue::finish_recovery(Timestamp now) {
  const Hold hold(*this);
  last_ = shared_.store.last();
  latest_ms_ = to_epoch_millis(now);
  first_arrival_ = next_sequence_;
  replay_expired(expired_);  // a checkpoint may have been written in the middle of a sweep
  std::vector<Timer> timers;
  delays_from_ = next_sequence_;
  for (auto item = index_.next(0); item; item = index_.next(item->sequence + 1)) {
    const MessageEntry& entry = *item->entry;
    shared_.store.retain(entry.location);
    if (entry.has(MessageEntry::Arrived)) {
      const Arrival& arrival = arrivals_.find(item->sequence)->second;
      if (arrival.source > dead_letter_sources_.size())
        return fail(ErrorKind::Corrupt,
                    "a message of queue " + key_.name + " came from a queue that the checkpoint does not name");
      if (arrival.written_as != WrittenAs{id_, item->sequence}) shared_.moved.set(arrival.written_as, {id_, item->sequence});
    }
    line_->insert(item->sequence, entry.group, entry.enqueued_ms());
    if (is_delayed(item->sequence, entry, latest_ms_)) {
      ++delayed_;
      delays_from_ = std::min(delays_from_, item->sequence);
      if (!is_fifo_) timers.push_back({entry.visible_from_ms(), item->sequence});
    } else if (entry.receive_count > 0 && entry.visible_from_ms() > latest_ms_) {
      ++in_flight_;
      timers.push_back({entry.visible_from_ms(), item->sequence});
    } else {
      index_.set_ready(item->sequence);
    }
  }
  std::sort(timers.begin(), timers.end());
  timers_ = Timers(timers.begin(), timers.end());
  line_->settle(latest_ms_);
  window_.settle(latest_ms_);
  for (const auto& [sequence, entry] : quarantined_) shared_.store.retain(entry.location);
  present_at_start_ = index_.size() + quarantined_.size();
  return {};
}

}  // namespace ferry::engine
