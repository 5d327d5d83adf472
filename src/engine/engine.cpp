// The directory of queues, and the doors to them.

#include "engine/engine.h"

#include <algorithm>

#include "base/check.h"
#include "engine/engine_state.h"
#include "engine/queue.h"
#include "sqs/limits.h"
#include "sqs/tags.h"

namespace ferry::engine {
namespace {

// Queues that one tick() looks at before it comes back for more.
constexpr std::size_t kQueuesPerTick = 64;

std::optional<QueueKey> target_key(const sqs::QueueAttributes& attributes) {
  if (!attributes.redrive_policy) return std::nullopt;
  const sqs::QueueArn& target = attributes.redrive_policy->dead_letter_target;
  return QueueKey{target.account, target.region, target.name};
}

std::string arn_of(const QueueKey& key) {
  return sqs::format_queue_arn({.region = key.region, .account = key.account, .name = key.name});
}

}  // namespace

Engine::Engine(store::Store& store, const Clock& clock, Random& random, const Logger& log, EngineOptions options)
    : state_(std::make_unique<State>(store, clock, random, log, options)) {}

Engine::~Engine() = default;

// ---- directory

Answer<QueueKey> Engine::create_queue(const QueueKey& key, const sqs::TextMap& attributes, const sqs::TextMap& tags) {
  State& state = *state_;
  auto chosen = sqs::new_attributes(key.name, attributes);
  auto chosen_tags = sqs::with_tags({}, key.name, tags);
  QueueCreatedRecord record;
  record.key = key;
  state.shared.random.fill(std::as_writable_bytes(std::span(record.secret)));

  std::unique_lock lock(state.mutex);
  if (!chosen) return {Unexpected(std::move(chosen).error()), state.last};
  if (!chosen_tags) return {Unexpected(std::move(chosen_tags).error()), state.last};
  record.attributes = *chosen;
  record.tags = std::move(chosen_tags).value();
  if (const auto found = state.queues.find(key); found != state.queues.end()) {
    const auto current = found->second->attributes();
    const store::Position seen = std::max(state.last, current.seen);
    const auto difference = sqs::first_difference(*current.result, attributes);
    if (!difference) return {key, seen};
    return {sqs::api_fail(sqs::ErrorCode::QueueNameExists,
                          "A queue already exists with the same name and a different value for attribute " + *difference),
            seen};
  }
  const Moment now{to_epoch_millis(state.shared.clock.now()), to_epoch_millis(state.shared.clock.wall())};
  if (state.shared.options.enforce_deletion_wait && state.deleted_names.holds(key, now.engine_ms)) {
    return {sqs::api_fail(sqs::ErrorCode::QueueDeletedRecently,
                          "You must wait 60 seconds after deleting a queue before you can create another with the same name."),
            state.last};
  }
  if (auto allowed = check_redrive(key, *chosen); !allowed.result)
    return {Unexpected(std::move(allowed.result).error()), allowed.seen};
  const store::RecordShape shape{record_bytes(record), false};
  auto reservation = state.shared.store.reserve({&shape, 1}, store::Purpose::Growth);
  if (!reservation) return {Unexpected(no_room(reservation.error())), state.last};
  const std::uint64_t id = state.next_queue_id++;
  const store::Position seen = state.last = reservation->last;
  state.insert(std::make_shared<Queue>(state.shared,
                                       Queue::Birth{id, key, record.secret, record.attributes, record.tags, now.wall_ms, seen}));
  state.set_dead_letter_target(key, target_key(record.attributes));
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
  state.set_dead_letter_target(queue->key(), std::nullopt);
  state.moving.erase(queue->key());
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

// Everything that changes attributes holds the directory's lock from reading them to setting them.
Answer<sqs::EmptyResponse> Engine::change_attributes(
    const QueueRef& queue, RedriveCheck check,
    const std::function<sqs::ApiResult<sqs::QueueAttributes>(const sqs::QueueAttributes& current)>& change) {
  State& state = *state_;
  const std::unique_lock lock(state.mutex);
  const auto current = queue->attributes();
  if (!current.result) return {Unexpected(current.result.error()), current.seen};
  const auto changed = change(*current.result);
  if (!changed) return {Unexpected(changed.error()), current.seen};
  if (check == RedriveCheck::Target) {
    if (auto allowed = check_redrive(queue->key(), *changed); !allowed.result)
      return {Unexpected(std::move(allowed.result).error()), std::max(allowed.seen, current.seen)};
  }
  auto answer = queue->set_attributes(*changed);
  if (answer.result) state.set_dead_letter_target(queue->key(), target_key(*changed));
  answer.seen = std::max(answer.seen, state.last);
  return answer;
}

// The directory's lock is held.
Answer<sqs::EmptyResponse> Engine::check_redrive(const QueueKey& source, const sqs::QueueAttributes& attributes) {
  State& state = *state_;
  if (!attributes.redrive_policy) return {sqs::EmptyResponse{}, state.last};
  const sqs::QueueArn source_arn{.region = source.region, .account = source.account, .name = source.name};
  const QueueKey target = *target_key(attributes);
  std::optional<sqs::QueueAttributes> target_attributes;
  store::Position seen = state.last;
  if (target == source) {
    if (state.queues.contains(source)) target_attributes = attributes;
  } else if (const auto found = state.queues.find(target); found != state.queues.end() && target.region == source.region) {
    auto answer = found->second->attributes();
    seen = std::max(seen, answer.seen);
    if (answer.result) target_attributes = std::move(answer.result).value();
  }
  auto allowed = sqs::check_redrive_target(*attributes.redrive_policy, source_arn, attributes.kind,
                                           target_attributes ? &*target_attributes : nullptr);
  if (!allowed) return {Unexpected(std::move(allowed).error()), seen};
  return {sqs::EmptyResponse{}, seen};
}

Answer<sqs::EmptyResponse> Engine::set_attributes(const QueueRef& queue, const sqs::TextMap& attributes) {
  const bool sets_redrive_policy =
      std::any_of(attributes.begin(), attributes.end(), [](const auto& attribute) { return attribute.first == "RedrivePolicy"; });
  const RedriveCheck check = sets_redrive_policy ? RedriveCheck::Target : RedriveCheck::None;
  return change_attributes(queue, check, [&](const sqs::QueueAttributes& current) -> sqs::ApiResult<sqs::QueueAttributes> {
    if (attributes.empty()) return Unexpected(sqs::missing_parameter("Attribute.Name"));
    return sqs::changed_attributes(current, attributes);
  });
}

Answer<sqs::EmptyResponse> Engine::add_permission(const QueueRef& queue, const sqs::Permission& permission) {
  return change_policy(queue,
                       [&](const std::string& policy) { return sqs::add_permission(policy, arn_of(queue->key()), permission); });
}

Answer<sqs::EmptyResponse> Engine::remove_permission(const QueueRef& queue, const std::string& label) {
  return change_policy(queue, [&](const std::string& policy) { return sqs::remove_permission(policy, label); });
}

Answer<sqs::EmptyResponse> Engine::change_policy(
    const QueueRef& queue, const std::function<sqs::ApiResult<std::string>(const std::string& policy)>& change) {
  const auto edit = [&](const sqs::QueueAttributes& current) -> sqs::ApiResult<sqs::QueueAttributes> {
    sqs::QueueAttributes changed = current;
    FERRY_TRY(changed.policy, change(current.policy));
    return changed;
  };
  return change_attributes(queue, RedriveCheck::None, edit);
}

sqs::QueueKind Engine::kind(const QueueRef& queue) {
  return queue->is_fifo() ? sqs::QueueKind::Fifo : sqs::QueueKind::Standard;
}

Answer<sqs::EmptyResponse> Engine::tag_queue(const QueueRef& queue, const sqs::TextMap& tags) {
  return queue->set_tags([&](const sqs::TextMap& current) { return sqs::with_tags(current, queue->key().name, tags); });
}

Answer<sqs::EmptyResponse> Engine::untag_queue(const QueueRef& queue, const std::vector<std::string>& keys) {
  return queue->set_tags(
      [&](const sqs::TextMap& current) -> sqs::ApiResult<sqs::TextMap> { return sqs::without_tags(current, keys); });
}

Answer<sqs::TextMap> Engine::queue_tags(const QueueRef& queue) {
  return queue->tags();
}

Answer<Engine::Listing> Engine::dead_letter_sources(const QueueRef& queue, std::string_view after, int max) {
  Listing listing;
  const std::shared_lock lock(state_->mutex);
  const auto found = state_->sources.find(queue->key());
  if (found == state_->sources.end()) return {std::move(listing), state_->last};
  for (const QueueKey& source : found->second) {
    if (!after.empty() && source.name <= after) continue;
    if (listing.names.size() == static_cast<std::size_t>(max)) {
      listing.more = true;
      break;
    }
    listing.names.push_back(source.name);
  }
  return {std::move(listing), state_->last};
}

Answer<std::vector<sqs::ApiResult<Sent>>> Engine::send(const QueueRef& queue, const Caller& caller,
                                                       const std::vector<SendCommand>& messages, SendForm form) {
  return queue->send(caller, messages, form);
}

Seconds Engine::default_wait_time(const QueueRef& queue) {
  return queue->default_wait_time();
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

std::optional<Place> Engine::quarantine(const QueueRef& queue, std::uint64_t sequence, const store::Location& location) {
  return queue->quarantine(sequence, location);
}

Answer<std::vector<Engine::Glimpse>> Engine::peek(const QueueRef& queue, std::uint64_t after_sequence, std::size_t max) {
  return queue->peek(after_sequence, max);
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
  for (const auto& queue : schedule.begin_turn(to_epoch_millis(now()), kQueuesPerTick)) {
    queue->tick();
    go_on_moving(queue);
  }
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
