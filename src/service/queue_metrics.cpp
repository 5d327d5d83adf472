#include "service/queue_metrics.h"

#include <algorithm>
#include <array>

#include "metrics/prometheus_page.h"

namespace ferry::service {
namespace {
using metrics::Label;
using Type = metrics::PrometheusPage::Type;

std::array<Label, 3> labels_of(const engine::QueueOverview& one) {
  return {Label{"account", one.key.account}, Label{"region", one.key.region}, Label{"queue", one.key.name}};
}
}  // namespace

std::string queue_metrics(std::span<const engine::QueueOverview> overviews, std::size_t queues, Timestamp now) {
  metrics::PrometheusPage page;
  const auto family = [&](std::string_view name, Type type, std::string_view help, const auto& value) {
    page.family(name, type, help);
    for (const engine::QueueOverview& one : overviews) page.sample(value(one), labels_of(one));
  };
  using One = engine::QueueOverview;
  family("ferry_queue_messages_visible", Type::Gauge, "Messages that a receive can have now.",
         [](const One& one) { return one.counts.visible; });
  family("ferry_queue_messages_in_flight", Type::Gauge, "Messages that somebody has received and that are hidden.",
         [](const One& one) { return one.counts.not_visible; });
  family("ferry_queue_messages_delayed", Type::Gauge, "Messages that no receive can have yet.",
         [](const One& one) { return one.counts.delayed; });
  family("ferry_queue_oldest_age_seconds", Type::Gauge, "Age of the oldest message, whatever its state; 0 without messages.",
         [now](const One& one) {
           if (!one.oldest) return 0.0;
           return std::max(0.0, std::chrono::duration<double>(now - *one.oldest).count());
         });
  family("ferry_queue_arrivals_total", Type::Counter, "Messages sent or moved here since the server started.",
         [](const One& one) { return one.arrivals; });
  family("ferry_queue_departures_total", Type::Counter,
         "Messages deleted, moved away, expired or purged since the server started.",
         [](const One& one) { return one.departures; });
  page.family("ferry_queues_left_out", Type::Gauge, "Queues without series of their own.")
      .sample(std::uint64_t{queues > overviews.size() ? queues - overviews.size() : 0});
  return page.text();
}

}  // namespace ferry::service
