#include "metrics/counters.h"

#include <fmt/format.h>

namespace ferry::metrics {

void PrometheusText::line(std::string_view name, std::string_view help, std::string_view type, std::uint64_t value) {
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n{} {}\n", name, help, name, type, name, value);
}

}  // namespace ferry::metrics
