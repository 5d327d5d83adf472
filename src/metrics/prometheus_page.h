#pragma once
// A page in the Prometheus text format (version 0.0.4) whose metrics have labels.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "metrics/histogram.h"

namespace ferry::metrics {

struct Label {
  std::string_view name;
  std::string_view value;  ///< any text: what the format reserves is escaped
};

/// Metrics one after another: a family, then its samples.
class PrometheusPage {
 public:
  enum class Type { Counter, Gauge, Histogram };
  /// The samples that follow are of this one. `help` is one line.
  PrometheusPage& family(std::string_view name, Type type, std::string_view help);
  PrometheusPage& sample(std::uint64_t value, std::span<const Label> labels = {});
  PrometheusPage& sample(double value, std::span<const Label> labels = {});
  /// Of a family that is a Histogram.
  PrometheusPage& histogram(const DurationHistogram::Snapshot& value, std::span<const Label> labels = {});
  const std::string& text() const { return text_; }

 private:
  void line(std::string_view suffix, std::span<const Label> labels, std::string_view value, std::string_view bound = {});
  std::string name_;
  std::string text_;
};

inline constexpr std::string_view kPrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace ferry::metrics
