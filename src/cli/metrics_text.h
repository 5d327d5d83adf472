#pragma once
// Reading a page of metrics in the Prometheus text format.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ferry::cli {

struct MetricSample {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;

  /// Empty when there is no such label.
  std::string_view label(std::string_view wanted) const;
};

inline constexpr std::size_t kMetricSamplesMax = 100'000;

/// The samples in the order of the page. Comments, times, and lines that are none of the format are passed over; so is what
/// follows after kMetricSamplesMax.
std::vector<MetricSample> parse_metrics(std::string_view page);

}  // namespace ferry::cli
