#pragma once
// What `ferry top` knows: looks at queues and workers, and what changed between two of them. Pure.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cli/metrics_text.h"

namespace ferry::cli {

struct QueueLook {
  std::string url;
  std::string name;
  std::int64_t visible = 0;
  std::int64_t in_flight = 0;
  std::int64_t delayed = 0;
  // What servers of SQS do not tell, and ferry serve does.
  std::optional<double> oldest_seconds;  ///< 0 without messages
  std::optional<double> arrivals;        ///< since the server started
  std::optional<double> departures;
  std::string error;  ///< its numbers could not be had
};

struct WorkerLook {
  std::string address;  ///< as the user named it
  std::string queue;
  std::string error;  ///< nothing of the rest is known
  double started = 0;
  std::int64_t running = 0;
  std::int64_t concurrency = 0;
  std::int64_t in_hand = 0;
  std::int64_t waiting = 0;
  double handled = 0;
  double failed_attempts = 0;
  double refused = 0;
  std::vector<std::string> paused;  ///< requests whose handler is
  std::optional<bool> ledger_ok;
};
/// Of the metrics that a worker shows. Nothing when the page is none of a worker's.
std::optional<WorkerLook> worker_look(std::span<const MetricSample> samples);

/// One look at everything.
struct Look {
  Timestamp wall;
  SteadyTime at;
  std::vector<QueueLook> queues;
  std::size_t queues_left_out = 0;  ///< beyond what is asked for one by one
  std::vector<WorkerLook> workers;
  std::string error;  ///< why there are no queues
};

/// Numbers a second since the look before; nothing without one, and when a counter began anew.
struct QueueRates {
  std::optional<double> in;
  std::optional<double> out;
};
struct WorkerRates {
  std::optional<double> handled;
  std::optional<double> failed;
};

/// What a look tells together with the one before it.
struct QueueRow {
  QueueLook now;
  QueueRates rates;
};
struct WorkerRow {
  WorkerLook now;
  WorkerRates rates;
};
enum class TopOrder { Visible, Oldest, In, Out, Name };
inline constexpr std::size_t kTopOrders = 5;
/// Nothing for another word than visible, oldest, in, out, name.
std::optional<TopOrder> parse_top_order(std::string_view word);
std::string_view name_of(TopOrder order);

struct TopTable {
  std::vector<QueueRow> queues;    ///< sorted: the largest first, equal ones and names by name
  std::vector<WorkerRow> workers;  ///< in the order in which they were named
};
/// `before` null: there was no look before.
TopTable compare(const Look* before, const Look& now, TopOrder order);

}  // namespace ferry::cli
