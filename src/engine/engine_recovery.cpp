// The engine as owner of a store: checkpoints, replay, compaction.

#include <algorithm>

#include "base/check.h"
#include "engine/engine_state.h"

namespace ferry::engine {
namespace {

// Names in a piece: at most 80 characters each, with region and account well below 64 KiB together.
constexpr std::size_t kNamesPerPiece = 256;
// Queues that are looked up under one hold of the directory's lock.
constexpr std::size_t kQueuesPerHold = 256;

}  // namespace

// ---- recovery

Result<void> Engine::restore_piece(std::span<const std::byte> piece) {
  State& state = *state_;
  FERRY_TRY(const PieceType type, decode_piece_type(piece));
  switch (type) {
    case PieceType::Head: {
      FERRY_TRY(const HeadPiece head, decode_head_piece(piece));
      state.newest_ms = std::max(state.newest_ms, head.engine_ms);
      state.next_queue_id = std::max(state.next_queue_id, head.next_queue_id);
      return {};
    }
    case PieceType::DeletedNames: {
      FERRY_TRY(const DeletedNamesPiece names, decode_deleted_names_piece(piece));
      for (const auto& entry : names.entries) state.deleted_names.add(entry.key, entry.deleted_ms);
      return {};
    }
    case PieceType::Queue: {
      FERRY_TRY(const QueuePiece queue, decode_queue_piece(piece));
      auto restored = std::make_shared<Queue>(
          state.shared,
          Queue::Birth{queue.queue_id, queue.key, queue.secret, queue.attributes, queue.tags, queue.created_ms, {}});
      restored->restore(queue);
      state.next_queue_id = std::max(state.next_queue_id, queue.queue_id + 1);
      state.insert(std::move(restored));
      return {};
    }
    case PieceType::Messages: {
      FERRY_TRY(const MessagesPiece messages, decode_messages_piece(piece));
      const auto found = state.queues_by_id.find(messages.queue_id);
      if (found == state.queues_by_id.end()) {
        return fail(ErrorKind::Corrupt,
                    "a checkpoint has messages of queue " + std::to_string(messages.queue_id) + ", which it does not have");
      }
      found->second->restore(messages);
      return {};
    }
    case PieceType::Deduplication: {
      FERRY_TRY(const DeduplicationPiece window, decode_deduplication_piece(piece));
      const auto found = state.queues_by_id.find(window.queue_id);
      if (found == state.queues_by_id.end())
        return fail(ErrorKind::Corrupt,
                    "a checkpoint has ids of queue " + std::to_string(window.queue_id) + ", which it does not have");
      found->second->restore(window);
      return {};
    }
  }
  return {};
}

// Applying a record again that a piece contains already does no harm: see records.h. Records of queues that are not there
// belong to queues that were deleted before the checkpoint had come to them.
Result<void> Engine::replay(store::Position, const store::Location& location, std::span<const std::byte> payload) {
  State& state = *state_;
  FERRY_TRY(const RecordHeader header, decode_header(payload));
  state.newest_ms = std::max(state.newest_ms, header.at.engine_ms);
  if (state.replayed == nullptr || state.replayed->id() != header.queue_id) {
    const auto found = state.queues_by_id.find(header.queue_id);
    state.replayed = found == state.queues_by_id.end() ? nullptr : found->second;
  }
  if (header.type == RecordType::QueueCreated) {
    FERRY_TRY(const QueueCreatedRecord record, decode_queue_created(payload));
    state.next_queue_id = std::max(state.next_queue_id, header.queue_id + 1);
    if (state.replayed != nullptr) return {};
    auto created = std::make_shared<Queue>(
        state.shared,
        Queue::Birth{header.queue_id, record.key, record.secret, record.attributes, record.tags, header.at.wall_ms, {}});
    // A later queue of that name may have come from a piece already.
    const auto holder = state.queues.find(record.key);
    if (holder == state.queues.end() || holder->second->id() < header.queue_id)
      state.insert(std::move(created));
    else
      state.queues_by_id.emplace(header.queue_id, std::move(created));
    return {};
  }
  if (header.type == RecordType::QueueDeleted) {
    FERRY_TRY(const QueueDeletedRecord record, decode_queue_deleted(payload));
    state.deleted_names.add(record.key, header.at.engine_ms);
    state.replayed = nullptr;
    state.queues_by_id.erase(header.queue_id);
    const auto holder = state.queues.find(record.key);
    if (holder != state.queues.end() && holder->second->id() == header.queue_id) state.queues.erase(holder);
    return {};
  }
  if (header.type == RecordType::Moved) {
    // Either queue may be gone by now.
    FERRY_TRY(const MovedRecord record, decode_moved(payload));
    if (state.replayed != nullptr) state.replayed->replay_leaving(record);
    if (const auto to = state.queues_by_id.find(record.to_queue_id); to != state.queues_by_id.end())
      to->second->replay_arriving(record);
    return {};
  }
  if (state.replayed == nullptr) return {};
  return state.replayed->replay(header, location, payload);
}

Result<void> Engine::recovered() {
  State& state = *state_;
  state.replayed = nullptr;
  state.shared.clock.start_after(from_epoch_millis(state.newest_ms));
  state.last = state.shared.store.last();
  for (const auto& [key, queue] : state.queues) {
    FERRY_CHECK(state.queues_by_id.contains(queue->id()));
    FERRY_TRY_VOID(queue->finish_recovery(now()));
    state.set_dead_letter_target(key, queue->dead_letter_target());
    if (queue->has_running_task()) state.moving.insert(key);
  }
  if (state.queues_by_id.size() != state.queues.size())
    return fail(ErrorKind::Corrupt, "two queues of the log have the same name");
  return {};
}

// ---- checkpoint

// The list of queues first: queues that come later are in the log after `begin`, where the replay starts; the same goes for
// everything else that happens while the pieces are made.
Result<store::Position> Engine::write_checkpoint(store::CheckpointSink& sink) {
  State& state = *state_;
  HeadPiece head;
  store::Position begin;
  std::vector<DeletedNamesPiece> names;
  {
    const std::shared_lock lock(state.mutex);
    begin = state.shared.store.last();
    head.engine_ms = to_epoch_millis(now());
    head.next_queue_id = state.next_queue_id;
    for (const auto& [key, deleted_ms] : state.deleted_names.all()) {
      if (names.empty() || names.back().entries.size() == kNamesPerPiece) names.emplace_back();
      names.back().entries.push_back({key, deleted_ms});
    }
  }
  FERRY_TRY_VOID(sink.add_piece(encode_piece(head), begin));
  for (const DeletedNamesPiece& piece : names) FERRY_TRY_VOID(sink.add_piece(encode_piece(piece), begin));

  std::optional<QueueKey> after;
  for (bool more = true; more;) {
    std::vector<QueueRef> queues;
    {
      const std::shared_lock lock(state.mutex);
      auto at = after ? state.queues.upper_bound(*after) : state.queues.begin();
      for (; at != state.queues.end() && queues.size() < kQueuesPerHold; ++at) queues.push_back(at->second);
      more = at != state.queues.end();
    }
    for (const QueueRef& queue : queues) FERRY_TRY_VOID(queue->write_checkpoint(sink));
    if (more) after = queues.back()->key();
  }
  return begin;
}

// ---- compaction

void Engine::relocate(const store::Location& from, std::span<const std::byte> payload) {
  const auto header = decode_header(payload);
  const auto head = decode_sent_head(payload);
  if (!header || !head) return;  // not a message: nothing of ours lives there
  const WrittenAs written_as{header->queue_id, head->sequence};
  const MovedPayloads::Home home = state_->shared.moved.home_of(written_as);
  QueueRef queue;
  {
    const std::shared_lock lock(state_->mutex);
    const auto found = state_->queues_by_id.find(home.queue_id);
    if (found == state_->queues_by_id.end()) return;
    queue = found->second;
  }
  // A message that moves on just now is left to the next compaction.
  queue->relocate(from, written_as, home.sequence, payload);
}

}  // namespace ferry::engine
