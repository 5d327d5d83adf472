// The directory of queues, and the doors to them.

#include "engine/engine.h"

#include <algorithm>

#include "base/check.h"
#include "engine/engine_state.h"
#include "engine/queue.h"
#include "sqs/limits.h"

namespace ferry::engine {
namespace {

// Queues that one tick() looks at before it comes back for more.
constexpr std::size_t kQueuesPerTick = 64;

}  // namespace

Engine::Engine(store::Store& store, const Clock& clock, Random& random, const Logger& log, EngineOptions options)
    : state_(std::make_unique<State>(store, clock, random, log, options)) {}

Engine::~Engine() = default;

// ---- directory

Answer<QueueKey> Engine::create_queue(const QueueKey& key, const sqs::TextMap& attributes) {
  State& state = *state_;
  auto chosen = sqs::with_attributes(sqs::QueueAttributes(), attributes);
  QueueCreatedRecord record;
  record.key = key;
  state.shared.random.fill(std::as_writable_bytes(std::span(record.secret)));
  const store::RecordShape shape{record_bytes(record), false};

  std::unique_lock lock(state.mutex);
  if (!chosen) return {Unexpected(std::move(chosen).error()), state.last};
  record.attributes = *chosen;
  if (const auto found = state.queues.find(key); found != state.queues.end()) {
    const Answer<sqs::OptionalText> difference = found->second->difference(attributes);
    const store::Position seen = std::max(state.last, difference.seen);
    if (!difference.result->has_value()) return {key, seen};
    return {sqs::api_fail(sqs::ErrorCode::QueueNameExists,
                          "A queue already exists with the same name and a different value for attribute " + **difference.result),
            seen};
  }
  const Moment now{to_epoch_millis(state.shared.clock.now()), to_epoch_millis(state.shared.clock.wall())};
  if (state.shared.options.enforce_deletion_wait && state.deleted_names.holds(key, now.engine_ms)) {
    return {sqs::api_fail(sqs::ErrorCode::QueueDeletedRecently,
                          "You must wait 60 seconds after deleting a queue before you can create another with the same name."),
            state.last};
  }
  auto reservation = state.shared.store.reserve({&shape, 1}, store::Purpose::Growth);
  if (!reservation) return {Unexpected(no_room(reservation.error())), state.last};
  const std::uint64_t id = state.next_queue_id++;
  const store::Position seen = state.last = reservation->last;
  state.insert(std::make_shared<Queue>(state.shared, Queue::Birth{id, key, record.secret, record.attributes, now.wall_ms, seen}));
  lock.unlock();

  encode_record(RecordHeader{RecordType::QueueCreated, id, now}, record, reservation->slots.front().bytes);
  state.shared.store.publish(std::move(*reservation));
  return {key, seen};
}

Answer<QueueRef> Engine::find(const QueueKey& key) {
  const std::shared_lock lock(state_->mutex);
  const auto found = state_->queues.find(key);
  if (found == state_->queues.end()) return {Unexpected(sqs::queue_does_not_exist()), state_->last};
  return {found->second, state_->last};
}

Answer<Engine::Listing> Engine::list(std::string_view account, std::string_view region, std::string_view prefix,
                                     std::string_view after, int max) {
  Listing listing;
  QueueKey from{std::string(account), std::string(region), std::string(std::max(prefix, after))};
  const std::shared_lock lock(state_->mutex);
  for (auto at = state_->queues.lower_bound(from); at != state_->queues.end(); ++at) {
    const QueueKey& key = at->first;
    if (key.account != account || key.region != region || !std::string_view(key.name).starts_with(prefix)) break;
    if (!after.empty() && key.name <= after) continue;
    if (listing.names.size() == static_cast<std::size_t>(max)) {
      listing.more = true;
      break;
    }
    listing.names.push_back(key.name);
  }
  return {std::move(listing), state_->last};
}

Answer<sqs::EmptyResponse> Engine::delete_queue(const QueueRef& queue) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  Queue::Hold hold(*queue);
  const auto removed = queue->remove(hold);
  if (!removed) return {Unexpected(removed.error()), state.last};
  if (!*removed) return {Unexpected(sqs::queue_does_not_exist()), state.last};
  state.last = hold.position();
  const store::Position seen = state.last;
  state.queues.erase(queue->key());
  state.queues_by_id.erase(queue->id());
  state.deleted_names.add(queue->key(), hold.now().engine_ms);
  lock.unlock();
  hold.release();
  return {sqs::EmptyResponse{}, seen};
}

// ---- doors

Answer<sqs::EmptyResponse> Engine::purge(const QueueRef& queue) {
  return queue->purge();
}

Answer<sqs::TextMap> Engine::get_attributes(const QueueRef& queue, const std::vector<std::string>& names) {
  return queue->get_attributes(names);
}

Answer<sqs::EmptyResponse> Engine::set_attributes(const QueueRef& queue, const sqs::TextMap& attributes) {
  return queue->set_attributes(attributes);
}

Answer<std::vector<sqs::ApiResult<Sent>>> Engine::send(const QueueRef& queue, const Caller& caller,
                                                       const std::vector<SendCommand>& messages, SendForm form) {
  return queue->send(caller, messages, form);
}

Seconds Engine::default_wait_time(const QueueRef& queue) {
  return queue->default_wait_time();
}

Answer<std::vector<Delivery>> Engine::receive(const QueueRef& queue, const Caller& caller, const ReceiveCommand& command,
                                              const std::shared_ptr<Waiter>& waiter) {
  return queue->receive(caller, command, waiter);
}

void Engine::abandon(const QueueRef& queue, const std::shared_ptr<Waiter>& waiter) {
  queue->abandon(waiter);
}

Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> Engine::delete_messages(const QueueRef& queue,
                                                                                const std::vector<std::string>& receipt_handles) {
  return queue->delete_messages(receipt_handles);
}

Answer<std::vector<sqs::ApiResult<sqs::EmptyResponse>>> Engine::change_visibility(const QueueRef& queue,
                                                                                  const std::vector<VisibilityChange>& changes) {
  return queue->change_visibility(changes);
}

std::optional<store::Location> Engine::quarantine(const QueueRef& queue, std::uint64_t sequence,
                                                  const store::Location& location) {
  return queue->quarantine(sequence, location);
}

QueueCounts Engine::counts(const QueueRef& queue) {
  return queue->counts();
}

Engine::Totals Engine::totals() {
  Totals totals;
  {
    const std::shared_lock lock(state_->mutex);
    totals.queues = state_->queues.size();
  }
  totals.messages = state_->shared.messages;
  totals.quarantined = state_->shared.quarantined;
  totals.index_bytes = state_->shared.index_bytes;
  return totals;
}

// ---- time

std::optional<Timestamp> Engine::tick() {
  Schedule& schedule = state_->shared.schedule;
  for (const auto& queue : schedule.begin_turn(to_epoch_millis(now()), kQueuesPerTick)) queue->tick();
  const std::int64_t due_ms = schedule.finish_turn();
  if (due_ms == kNever) return std::nullopt;
  return from_epoch_millis(due_ms);
}

void Engine::set_tick_bell(std::function<void()> ring) {
  state_->shared.schedule.set_bell(std::move(ring));
}

Timestamp Engine::now() {
  return state_->shared.clock.now();
}

// ---- the store's news

void Engine::set_commit_listener(std::function<void(store::Position)> durable, std::function<void(const Error&)> failed) {
  state_->durable = std::move(durable);
  state_->failed = std::move(failed);
}

void Engine::on_durable(store::Position position) {
  if (state_->durable) state_->durable(position);
}

void Engine::on_failed(const Error& error) {
  if (state_->failed) state_->failed(error);
}

}  // namespace ferry::engine
