#pragma once
// Queue by queue, for who watches them.

#include <cstddef>
#include <span>
#include <string>

#include "base/clock.h"
#include "engine/engine.h"

namespace ferry::service {

/// Queues with series of their own; beyond them ferry_queues_left_out says how many there are.
inline constexpr std::size_t kQueueSeriesMax = 1'000;

/// The families ferry_queue_… of a Prometheus page. `queues` is how many there are in all; `now` is engine time.
std::string queue_metrics(std::span<const engine::QueueOverview> overviews, std::size_t queues, Timestamp now);

}  // namespace ferry::service
