#include "engine/engine_repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "engine/engine_state.h"

namespace ferry::engine {
namespace {

constexpr std::uint64_t kNoEnd = std::numeric_limits<std::uint64_t>::max();
// Numbers and queue ids that lost records may have given out. A record gives out a hundred at most.
constexpr std::uint64_t kNumbersPerRecord = 100;
constexpr std::uint64_t kSkippedNumbersMin = 1'000'000;
// Where queues come whose own name is lost, unless all that are known share another one.
constexpr const char* kAccount = "000000000000";
constexpr const char* kRegion = "us-east-1";

bool is_send(RecordType type) {
  return type == RecordType::Sent || type == RecordType::Relocated;
}

}  // namespace

EngineRepair::EngineRepair(store::Store& store, const Clock& clock, Random& random, const Logger& log)
    : random_(random), engine_(store, clock, random, log, {}) {}
EngineRepair::~EngineRepair() = default;

QueueRef EngineRepair::queue(std::uint64_t id) {
  const auto found = engine_.state_->queues_by_id.find(id);
  return found == engine_.state_->queues_by_id.end() ? nullptr : found->second;
}

// ---- pieces

// The messages between the last one that was listed and the next, of one queue: nobody knows which of them are there.
void EngineRepair::end_hole(std::optional<std::uint64_t> next_listed) {
  if (!hole_open_) return;
  hole_open_ = false;
  if (!next_listed) queue_pieces_lost_ = true;
  if (!piece_queue_) return;
  Known& known = known_[*piece_queue_];
  const std::uint64_t first = known.last_listed + 1;
  const std::uint64_t last = next_listed ? *next_listed - 1 : kNoEnd;
  if (first <= last) known.holes.emplace_back(first, last);
}

void EngineRepair::pieces_lost() {
  hole_open_ = true;
  damaged_ = true;
  report_.lost_pieces = true;
}

Result<void> EngineRepair::restore_piece(std::span<const std::byte> piece) {
  return restore_piece_as_of(piece, {});
}

Result<void> EngineRepair::restore_piece_as_of(std::span<const std::byte> piece, store::Position as_of) {
  FERRY_TRY(const PieceType type, decode_piece_type(piece));
  switch (type) {
    case PieceType::Head: {
      FERRY_TRY(const HeadPiece head, decode_head_piece(piece));
      head_next_queue_ = head.next_queue_id;
      break;
    }
    case PieceType::DeletedNames:
      break;
    case PieceType::Queue: {
      FERRY_TRY(const QueuePiece record, decode_queue_piece(piece));
      end_hole(std::nullopt);
      piece_queue_ = record.queue_id;
      known_[record.queue_id].as_of = as_of.value;
      break;
    }
    case PieceType::Messages: {
      FERRY_TRY(const MessagesPiece record, decode_messages_piece(piece));
      const bool goes_on = piece_queue_ == record.queue_id && !record.entries.empty() && !record.entries.front().quarantined;
      end_hole(goes_on ? std::optional(record.entries.front().sequence) : std::nullopt);
      piece_queue_ = record.queue_id;
      if (queue(record.queue_id) == nullptr) make_queue(record.queue_id, {}, 0);
      if (!record.entries.empty() && !record.entries.back().quarantined)
        known_[record.queue_id].last_listed = record.entries.back().sequence;
      break;
    }
    case PieceType::Deduplication: {
      FERRY_TRY(const DeduplicationPiece record, decode_deduplication_piece(piece));
      end_hole(std::nullopt);
      piece_queue_ = record.queue_id;
      if (queue(record.queue_id) == nullptr) return {};  // there is no more to be known of it
      break;
    }
  }
  return engine_.restore_piece(piece);
}

void EngineRepair::replay_everything() {
  damaged_ = true;
}

// ---- what is lost

void EngineRepair::records_lost(store::Position first, store::Position last) {
  damaged_ = true;
  report_.lost_records += last.value - first.value + 1;
}

void EngineRepair::damaged_record(const store::Location& location, std::span<const std::byte> payload) {
  const auto header = decode_header(payload);
  const auto head = decode_sent_head(payload);
  if (!header || !head || header->type != RecordType::Sent) return;
  const QueueRef of = queue(header->queue_id);
  if (of == nullptr) return;
  report_.lost_messages.push_back({of->key(), head->sequence, head->message_id, false, location});
}

// Whether a queue that is not known may have existed: if its creation or its piece may be among what is lost.
bool EngineRepair::may_be_lost(std::uint64_t queue_id) const {
  if (deleted_.contains(queue_id) || !damaged_) return false;
  if (head_next_queue_ && queue_id < *head_next_queue_) return queue_pieces_lost_;
  return true;
}

QueueRef EngineRepair::make_queue(std::uint64_t id, const sqs::QueueAttributes& attributes, std::int64_t created_ms) {
  Engine::State& state = *engine_.state_;
  QueueKey key{kAccount, kRegion, fmt::format("recovered-queue-{}", id)};
  std::set<std::pair<std::string, std::string>> namespaces;
  for (const auto& [other, of] : state.queues) namespaces.emplace(other.account, other.region);
  if (namespaces.size() == 1) {
    key.account = namespaces.begin()->first;
    key.region = namespaces.begin()->second;
  }
  const std::string suffix = attributes.kind == sqs::QueueKind::Fifo ? ".fifo" : "";
  while (state.queues.contains({key.account, key.region, key.name + suffix})) key.name += "-again";
  key.name += suffix;
  sqs::ReceiptSecret secret{};
  random_.fill(std::as_writable_bytes(std::span(secret)));
  auto made = std::make_shared<Queue>(state.shared, Queue::Birth{id, key, secret, attributes, {}, created_ms, {}});
  state.next_queue_id = std::max(state.next_queue_id, id + 1);
  state.insert(made);
  made_.insert(id);
  return made;
}

QueueRef EngineRepair::queue_or_new(const RecordHeader& header, const sqs::QueueAttributes& attributes) {
  if (auto found = queue(header.queue_id)) return found;
  return may_be_lost(header.queue_id) ? make_queue(header.queue_id, attributes, header.at.wall_ms) : nullptr;
}

// ---- replay

// Below the pieces only what they do not know.
bool EngineRepair::applies(std::uint64_t queue_id, std::uint64_t sequence, store::Position position) const {
  const auto known = known_.find(queue_id);
  if (known == known_.end() || position.value > known->second.as_of) return true;
  return std::any_of(known->second.holes.begin(), known->second.holes.end(),
                     [&](const auto& hole) { return sequence >= hole.first && sequence <= hole.second; });
}

// A newer format is a matter for a newer ferry. Anything else that was written and makes no sense is not worth the rest.
Result<void> EngineRepair::leave_out(std::span<const std::byte> payload, const Error& error) {
  if (!payload.empty() && static_cast<std::uint8_t>(payload[0]) > kRecordVersion) return Unexpected(error);
  ++report_.unreadable_records;
  return {};
}

Result<void> EngineRepair::replay(store::Position position, const store::Location& location, std::span<const std::byte> payload) {
  end_hole(std::nullopt);
  const auto header = decode_header(payload);
  if (!header) return leave_out(payload, header.error());
  Engine::State& state = *engine_.state_;
  state.newest_ms = std::max(state.newest_ms, header->at.engine_ms);
  state.next_queue_id = std::max(state.next_queue_id, header->queue_id + 1);
  Result<void> done;
  if (header->type == RecordType::QueueCreated || header->type == RecordType::QueueDeleted) {
    done = replay_directory(*header, position, location, payload);
  } else if (header->type == RecordType::Moved) {
    const auto record = decode_moved(payload);
    done = record ? replay_moved(*header, position, *record) : Result<void>(Unexpected(record.error()));
  } else if (is_send(header->type)) {
    done = replay_message(*header, position, location, payload);
  } else {
    done = replay_changes(*header, position, location, payload);
  }
  return done ? done : leave_out(payload, done.error());
}

Result<void> EngineRepair::replay_directory(const RecordHeader& header, store::Position position, const store::Location& location,
                                            std::span<const std::byte> payload) {
  Engine::State& state = *engine_.state_;
  if (header.type == RecordType::QueueCreated) {
    const bool is_known = queue(header.queue_id) != nullptr;
    const bool was_deleted =
        deleted_.contains(header.queue_id) || (head_next_queue_ && header.queue_id < *head_next_queue_ && !queue_pieces_lost_);
    if (is_known || was_deleted) return {};
    return engine_.replay(position, location, payload);
  }
  deleted_.insert(header.queue_id);
  if (const QueueRef gone = queue(header.queue_id)) {
    const auto holder = state.queues.find(gone->key());  // it may have been given another name here
    if (holder != state.queues.end() && holder->second == gone) state.queues.erase(holder);
  }
  return engine_.replay(position, location, payload);
}

Result<void> EngineRepair::replay_moved(const RecordHeader& header, store::Position position, const MovedRecord& record) {
  const QueueRef from = queue(header.queue_id);
  const QueueRef to = queue(record.to_queue_id);
  if (to == nullptr && may_be_lost(record.to_queue_id)) {
    ++report_.records_left_out;
    return {};
  }
  const auto part = [&](std::uint64_t queue_id, auto sequence) {
    MovedRecord copy = record;
    std::erase_if(copy.entries, [&](const auto& entry) { return !applies(queue_id, entry.*sequence, position); });
    const auto known = known_.find(queue_id);
    if (known != known_.end() && position.value <= known->second.as_of) copy.task = {};
    return copy;
  };
  if (from != nullptr) from->replay_leaving(part(header.queue_id, &MovedRecord::Entry::from_sequence));
  if (to != nullptr) {
    const MovedRecord arriving = part(record.to_queue_id, &MovedRecord::Entry::to_sequence);
    if (!arriving.entries.empty()) to->replay_arriving(arriving);
  }
  return {};
}

Result<void> EngineRepair::replay_message(const RecordHeader& header, store::Position position, const store::Location& location,
                                          std::span<const std::byte> payload) {
  FERRY_TRY(const SentHead head, decode_sent_head(payload));
  sqs::QueueAttributes attributes;
  if (head.deduplication) attributes.kind = sqs::QueueKind::Fifo;
  const QueueRef of = queue_or_new(header, attributes);
  if (of == nullptr) {
    if (damaged_) ++report_.records_left_out;
    return {};
  }
  if (!applies(header.queue_id, head.sequence, position)) return {};
  if (header.type == RecordType::Sent && head.sequence > of->next_sequence() && damaged_)
    lost_sends_[header.queue_id] += head.sequence - of->next_sequence();
  if (header.type == RecordType::Relocated && damaged_ && !of->has(head.sequence)) {
    of->adopt(header, head, location);
    return {};
  }
  return of->replay(header, location, payload);
}

// Of a record about several messages, the part that applies.
template <class Record, class Sequence>
Result<void> EngineRepair::replay_part(const RecordHeader& header, store::Position position, const store::Location& location,
                                       Record record, Sequence sequence) {
  const QueueRef of = queue(header.queue_id);
  auto& entries = [&]() -> auto& {
    if constexpr (std::is_same_v<Record, DeletedRecord>)
      return record.sequences;
    else
      return record.entries;
  }
  ();
  const std::size_t all = entries.size();
  std::erase_if(entries, [&](const auto& entry) { return !applies(header.queue_id, sequence(entry), position); });
  const bool any_known = std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return of->has(sequence(entry)); });
  if (!any_known) {
    if (damaged_ && !entries.empty()) ++report_.records_left_out;
    return {};
  }
  std::vector<std::byte> bytes(record_bytes(record));
  FERRY_CHECK(entries.size() <= all);
  encode_record(header, record, bytes);
  FERRY_TRY(RecordHeader now, decode_header(bytes));
  return of->replay(now, location, bytes);
}

Result<void> EngineRepair::replay_changes(const RecordHeader& header, store::Position position, const store::Location& location,
                                          std::span<const std::byte> payload) {
  QueueRef of = queue(header.queue_id);
  if (of == nullptr && header.type == RecordType::AttributesSet) {
    FERRY_TRY(const auto record, decode_attributes_set(payload));
    of = queue_or_new(header, record.attributes);
  }
  if (of == nullptr) {
    if (damaged_) ++report_.records_left_out;
    return {};
  }
  const auto known = known_.find(header.queue_id);
  const bool is_below = known != known_.end() && position.value <= known->second.as_of;
  switch (header.type) {
    case RecordType::Received: {
      FERRY_TRY(auto record, decode_received(payload));
      return replay_part(header, position, location, std::move(record), [](const auto& entry) { return entry.sequence; });
    }
    case RecordType::VisibilityChanged: {
      FERRY_TRY(auto record, decode_visibility_changed(payload));
      return replay_part(header, position, location, std::move(record), [](const auto& entry) { return entry.sequence; });
    }
    case RecordType::Deleted: {
      FERRY_TRY(auto record, decode_deleted(payload));
      return replay_part(header, position, location, std::move(record), [](std::uint64_t sequence) { return sequence; });
    }
    case RecordType::Quarantined: {
      FERRY_TRY(const auto record, decode_quarantined(payload));
      return applies(header.queue_id, record.sequence, position) ? of->replay(header, location, payload) : Result<void>();
    }
    case RecordType::Purged: {
      if (!is_below) return of->replay(header, location, payload);
      FERRY_TRY(const auto record, decode_purged(payload));
      for (const Queue::Kept& kept : of->kept()) {
        if (kept.sequence <= record.through_sequence && applies(header.queue_id, kept.sequence, position))
          of->drop(kept.sequence);
      }
      return {};
    }
    default:
      return is_below ? Result<void>() : of->replay(header, location, payload);
  }
}

// ---- bodies

std::vector<store::Location> EngineRepair::bodies() {
  end_hole(std::nullopt);
  // Of two queues of one name the older one was deleted: its deletion is lost.
  Engine::State& state = *engine_.state_;
  std::erase_if(state.queues_by_id, [&](const auto& entry) {
    const auto holder = state.queues.find(entry.second->key());
    return holder == state.queues.end() || holder->second != entry.second;
  });
  std::vector<store::Location> locations;
  for (const auto& [id, of] : state.queues_by_id) {
    for (const Queue::Kept& kept : of->kept()) {
      bodies_.push_back({id, kept.sequence, kept.location, kept.name, kept.message_id});
      locations.push_back(kept.location);
    }
  }
  return locations;
}

bool EngineRepair::is_whole(std::size_t index, std::span<const std::byte> payload) {
  const auto message = decode_message(payload);
  if (!message) return false;
  const auto& name = bodies_.at(index).name;
  return !name || *name == WrittenAs{message->queue_id, message->sequence};
}

void EngineRepair::drop(std::size_t index, std::span<const std::byte> payload) {
  const Body& body = bodies_.at(index);
  const QueueRef of = queue(body.queue_id);
  LostMessage lost{of->key(), body.sequence, body.message_id, body.message_id.has_value(), body.location};
  if (!lost.message_id) {
    // The id stands right behind the name: where that is right, it is likely to be.
    const auto header = decode_header(payload);
    const auto head = decode_sent_head(payload);
    const WrittenAs name = body.name.value_or(WrittenAs{body.queue_id, body.sequence});
    if (header && head && WrittenAs{header->queue_id, head->sequence} == name) lost.message_id = head->message_id;
  }
  report_.lost_messages.push_back(std::move(lost));
  of->drop(body.sequence);
}

// ---- the end

Result<void> EngineRepair::recovered() {
  Engine::State& state = *engine_.state_;
  bodies_ = {};
  if (damaged_) {
    const std::uint64_t skipped = std::max(kSkippedNumbersMin, report_.lost_records * kNumbersPerRecord);
    for (const auto& [id, of] : state.queues_by_id) of->skip_numbers(skipped);
    state.next_queue_id += skipped;
  }
  for (const auto& [key, of] : state.queues) {
    of->forget_unknown_sources();
    report_.queues.push_back({key, of->kept().size(), lost_sends_[of->id()], made_.contains(of->id())});
  }
  return engine_.recovered();
}

Result<store::Position> EngineRepair::write_checkpoint(store::CheckpointSink& sink) {
  return engine_.write_checkpoint(sink);
}

}  // namespace ferry::engine
