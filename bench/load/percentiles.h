#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace ferry::bench {

/// {"count":…,"p50":…,"p99":…,"p999":…,"max":…}; sorts `values`.
inline std::string percentiles(std::vector<std::uint32_t>& values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    return values.empty() ? 0U : values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
  };
  std::string text(160, '\0');
  text.resize(
      static_cast<std::size_t>(std::snprintf(text.data(), text.size(), R"({"count":%zu,"p50":%u,"p99":%u,"p999":%u,"max":%u})",
                                             values.size(), at(0.5), at(0.99), at(0.999), at(1.0))));
  return text;
}

}  // namespace ferry::bench
