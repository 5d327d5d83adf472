#include "metrics/prometheus_page.h"

#include <fmt/format.h>

#include <array>

namespace ferry::metrics {
namespace {

constexpr std::array<std::string_view, 3> kTypes = {"counter", "gauge", "histogram"};

std::string escape_label(std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}
}  // namespace

PrometheusPage& PrometheusPage::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, kTypes.at(static_cast<std::size_t>(type)));
  return *this;
}

PrometheusPage& PrometheusPage::sample(std::uint64_t value, std::span<const Label> labels) {
  line("", labels, std::to_string(value));
  return *this;
}

PrometheusPage& PrometheusPage::sample(double value, std::span<const Label> labels) {
  line("", labels, fmt::format("{}", value));
  return *this;
}

PrometheusPage& PrometheusPage::histogram(const DurationHistogram::Snapshot& value, std::span<const Label> labels) {
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < value.buckets.size(); ++i) {
    so_far += value.buckets[i];
    const bool last = i == DurationHistogram::kBounds.size();
    line("_bucket", labels, std::to_string(so_far), last ? "+Inf" : fmt::format("{}", DurationHistogram::kBounds[i]));
  }
  line("_sum", labels, fmt::format("{}", value.sum_seconds));
  line("_count", labels, std::to_string(value.count));
  return *this;
}

void PrometheusPage::line(std::string_view suffix, std::span<const Label> labels, std::string_view value,
                          std::string_view bound) {
  text_ += name_;
  text_ += suffix;
  std::string inside;
  for (const Label& label : labels)
    inside += fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ",", label.name, escape_label(label.value));
  if (!bound.empty()) inside += fmt::format("{}le=\"{}\"", inside.empty() ? "" : ",", bound);
  if (!inside.empty()) text_ += fmt::format("{{{}}}", inside);
  text_ += fmt::format(" {}\n", value);
}

}  // namespace ferry::metrics
