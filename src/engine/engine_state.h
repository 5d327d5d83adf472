#pragma once
// What is behind Engine: the directory and what the queues share. Private to engine.cpp and engine_recovery.cpp.

#include <map>
#include <optional>
#include <set>
#include <shared_mutex>
#include <unordered_map>

#include "engine/deleted_names.h"
#include "engine/engine.h"
#include "engine/queue.h"

namespace ferry::engine {

struct Engine::State {
  State(store::Store& store, const Clock& clock, Random& random, const Logger& log, EngineOptions options)
      : shared(store, clock, random, log, options) {}
  ~State() { shared.schedule.clear(); }

  void insert(QueueRef queue) {
    queues_by_id.emplace(queue->id(), queue);
    queues.insert_or_assign(queue->key(), std::move(queue));
  }

  void set_dead_letter_target(const QueueKey& source, const std::optional<QueueKey>& target) {
    if (const auto found = targets.find(source); found != targets.end()) {
      const auto of_target = sources.find(found->second);
      of_target->second.erase(source);
      if (of_target->second.empty()) sources.erase(of_target);
      targets.erase(found);
    }
    if (!target) return;
    targets.emplace(source, *target);
    sources[*target].insert(source);
  }

  Shared shared;
  std::function<void(store::Position)> durable;
  std::function<void(const Error&)> failed;

  // The lock comes before those of queues. Only what changes attributes or starts a move task publishes under it.
  std::shared_mutex mutex;  // guards everything below
  store::Position last;     // of the directory's records
  std::map<QueueKey, QueueRef> queues;
  std::unordered_map<std::uint64_t, QueueRef> queues_by_id;
  DeletedNames deleted_names;
  std::map<QueueKey, std::set<QueueKey>> sources;  // by dead-letter target, existing or not: the queues whose policy names it
  std::map<QueueKey, QueueKey> targets;            // the other way round
  std::set<QueueKey> moving;                       // queues with a running move task, maybe one that has just ended
  std::uint64_t next_queue_id = 1;

  // During recovery.
  std::int64_t newest_ms = 0;  // engine time
  QueueRef replayed;           // the queue of the last record: the next one is likely to be its too
};

}  // namespace ferry::engine
