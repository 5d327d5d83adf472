#include "cli/top_look.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace ferry::cli {
namespace {

constexpr std::array<std::string_view, kTopOrders> kOrderNames = {"visible", "oldest", "in", "out", "name"};

std::int64_t whole(double value) {
  constexpr double kMost = 1e15;
  return std::isfinite(value) ? std::llround(std::clamp(value, -kMost, kMost)) : 0;
}

struct Span {
  double before;
  double now;
};
std::optional<double> rate(Span counter, double seconds) {
  if (seconds <= 0 || counter.now < counter.before) return std::nullopt;
  return (counter.now - counter.before) / seconds;
}

std::optional<double> rate(const std::optional<double>& before, const std::optional<double>& now, double seconds) {
  return before && now ? rate({*before, *now}, seconds) : std::nullopt;
}

double key_of(const QueueRow& row, TopOrder order) {
  switch (order) {
    case TopOrder::Visible:
      return static_cast<double>(row.now.visible);
    case TopOrder::Oldest:
      return row.now.oldest_seconds.value_or(-1);
    case TopOrder::In:
      return row.rates.in.value_or(-1);
    case TopOrder::Out:
      return row.rates.out.value_or(-1);
    case TopOrder::Name:
      break;
  }
  return 0;
}
}  // namespace

std::optional<TopOrder> parse_top_order(std::string_view word) {
  const auto found = std::find(kOrderNames.begin(), kOrderNames.end(), word);
  if (found == kOrderNames.end()) return std::nullopt;
  return static_cast<TopOrder>(found - kOrderNames.begin());
}

std::string_view name_of(TopOrder order) {
  return kOrderNames.at(static_cast<std::size_t>(order));
}

std::optional<WorkerLook> worker_look(std::span<const MetricSample> samples) {
  WorkerLook look;
  bool is_worker = false;
  for (const MetricSample& sample : samples) {
    const auto add = [&](std::string_view name, std::int64_t& target) {
      if (sample.name == name) target += whole(sample.value);
    };
    const auto set = [&](std::string_view name, double& target) {
      if (sample.name == name) target = sample.value;
    };
    if (sample.name == "ferry_worker_info") {
      is_worker = true;
      look.queue = sample.label("queue");
    }
    set("ferry_worker_start_time_seconds", look.started);
    set("ferry_worker_messages_handled_total", look.handled);
    set("ferry_worker_failed_attempts_total", look.failed_attempts);
    set("ferry_worker_messages_refused_total", look.refused);
    add("ferry_worker_handlers_running", look.running);
    add("ferry_worker_concurrency", look.concurrency);
    add("ferry_worker_messages_in_hand", look.in_hand);
    add("ferry_worker_messages_waiting", look.waiting);
    if (sample.name == "ferry_worker_ledger_ok") look.ledger_ok = sample.value != 0;
    if (sample.name == "ferry_worker_breaker_state" && sample.label("state") != "closed" && sample.value != 0)
      look.paused.emplace_back(sample.label("request"));
  }
  if (!is_worker) return std::nullopt;
  return look;
}

TopTable compare(const Look* before, const Look& now, TopOrder order) {
  const double seconds = before != nullptr ? std::chrono::duration<double>(now.at - before->at).count() : 0;
  std::map<std::string_view, const QueueLook*> queues_before;
  std::map<std::string_view, const WorkerLook*> workers_before;
  if (before != nullptr) {
    for (const QueueLook& queue : before->queues) queues_before.emplace(queue.url, &queue);
    for (const WorkerLook& worker : before->workers) workers_before.emplace(worker.address, &worker);
  }
  TopTable table;
  for (const QueueLook& queue : now.queues) {
    QueueRow row{queue, {}};
    if (const auto known = queues_before.find(queue.url); known != queues_before.end()) {
      row.rates.in = rate(known->second->arrivals, queue.arrivals, seconds);
      row.rates.out = rate(known->second->departures, queue.departures, seconds);
    }
    table.queues.push_back(std::move(row));
  }
  std::sort(table.queues.begin(), table.queues.end(), [order](const QueueRow& a, const QueueRow& b) {
    const double left = key_of(a, order);
    const double right = key_of(b, order);
    return left != right ? left > right : a.now.name < b.now.name;
  });
  for (const WorkerLook& worker : now.workers) {
    WorkerRow row{worker, {}};
    const auto known = workers_before.find(worker.address);
    const bool same = known != workers_before.end() && known->second->error.empty() && worker.error.empty() &&
                      known->second->started == worker.started;
    if (same) {
      row.rates.handled = rate({known->second->handled, worker.handled}, seconds);
      row.rates.failed = rate({known->second->failed_attempts, worker.failed_attempts}, seconds);
    }
    table.workers.push_back(std::move(row));
  }
  return table;
}

}  // namespace ferry::cli
