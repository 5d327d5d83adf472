#include "cli/metrics_text.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "base/encoding.h"

namespace ferry::cli {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
}

// Takes a sample apart from the left.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(trim(text)) {}

  std::string name() {
    if (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') return {};
    std::size_t end = 0;
    while (end < rest_.size() && is_name_char(rest_[end])) ++end;
    std::string found(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return found;
  }
  bool take(char wanted) {
    while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<std::string> quoted() {
    if (!take('"')) return std::nullopt;
    std::string text;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == '"') {
        rest_.remove_prefix(i + 1);
        return text;
      }
      if (c != '\\') {
        text.push_back(c);
      } else if (++i < rest_.size()) {
        text.push_back(rest_[i] == 'n' ? '\n' : rest_[i]);
      }
    }
    return std::nullopt;
  }
  std::optional<double> number() {
    rest_ = trim(rest_);
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t"));
    if (word == "NaN") return std::nan("");
    if (word == "+Inf" || word == "-Inf") return word[0] == '+' ? HUGE_VAL : -HUGE_VAL;
    double value = 0;
    const char* begin = word.data() + (word.starts_with('+') ? 1 : 0);
    const auto [end, error] = std::from_chars(begin, word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
    return value;
  }

 private:
  std::string_view rest_;
};

std::optional<MetricSample> parse_line(std::string_view text) {
  Line line(text);
  MetricSample sample;
  sample.name = line.name();
  if (sample.name.empty()) return std::nullopt;
  if (line.take('{')) {
    while (!line.take('}')) {
      std::string name = line.name();
      if (name.empty() || !line.take('=')) return std::nullopt;
      auto value = line.quoted();
      if (!value) return std::nullopt;
      sample.labels.emplace_back(std::move(name), std::move(*value));
      line.take(',');
    }
  }
  const auto value = line.number();
  if (!value) return std::nullopt;
  sample.value = *value;
  return sample;
}
}  // namespace

std::string_view MetricSample::label(std::string_view wanted) const {
  for (const auto& one : labels) {
    if (one.first == wanted) return one.second;
  }
  return {};
}

std::vector<MetricSample> parse_metrics(std::string_view page) {
  std::vector<MetricSample> samples;
  while (!page.empty() && samples.size() < kMetricSamplesMax) {
    const std::size_t end = std::min(page.find('\n'), page.size());
    if (auto sample = parse_line(page.substr(0, end))) samples.push_back(std::move(*sample));
    page.remove_prefix(std::min(end + 1, page.size()));
  }
  return samples;
}

}  // namespace ferry::cli
