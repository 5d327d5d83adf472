#include "protocol/query_parameters.h"

#include <algorithm>
#include <optional>

#include "base/encoding.h"
#include "protocol/json_text.h"
#include "protocol/wire_names.h"

namespace ferry::protocol {
namespace {

// percent_decode() with '+' as space, for values of a megabyte: most have nothing to decode, the others are written in place.
std::optional<std::string> form_decode(std::string_view text) {
  const std::size_t first = std::min({text.find('%'), text.find('+'), text.size()});
  std::string out(text);
  char* to = out.data() + first;
  for (std::size_t i = first; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+') {
      c = ' ';
    } else if (c == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_digit_value(text[i + 1]);
      const int low = hex_digit_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    *to++ = c;
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
  return out;
}

}  // namespace

sqs::ApiResult<QueryParameters> QueryParameters::parse(std::string_view url_query, std::string_view body) {
  QueryParameters parameters;
  FERRY_TRY_VOID(parameters.add(url_query));
  FERRY_TRY_VOID(parameters.add(body));
  // The last of equal names is the one that is found: keep it alone.
  auto& sorted = parameters.sorted_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Parameter& a, const Parameter& b) { return a.first < b.first; });
  const auto kept =
      std::unique(sorted.rbegin(), sorted.rend(), [](const Parameter& a, const Parameter& b) { return a.first == b.first; });
  sorted.erase(sorted.begin(), kept.base());
  return parameters;
}

sqs::ApiResult<void> QueryParameters::add(std::string_view form) {
  while (!form.empty()) {
    const std::size_t end = std::min(form.find('&'), form.size());
    const std::string_view pair = form.substr(0, end);
    form.remove_prefix(std::min(end + 1, form.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = form_decode(pair.substr(0, equals));
    auto value = form_decode(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value) {
      return sqs::api_fail(sqs::ErrorCode::Serialization,
                           "A parameter is not valid form data: '%' without two hexadecimal digits.");
    }
    if (name->starts_with(names::kPresignedPrefix)) continue;
    if (sorted_.size() == kParametersMax) {
      return sqs::api_fail(sqs::ErrorCode::Serialization,
                           "The request has more than " + std::to_string(kParametersMax) + " parameters.");
    }
    sorted_.emplace_back(std::move(*name), std::move(*value));
  }
  return {};
}

std::vector<QueryParameters::Parameter>::const_iterator QueryParameters::lower_bound(std::string_view name) const {
  return std::lower_bound(sorted_.begin(), sorted_.end(), name,
                          [](const Parameter& parameter, std::string_view wanted) { return parameter.first < wanted; });
}

const std::string* QueryParameters::find(std::string_view name) const {
  const auto found = lower_bound(name);
  return found != sorted_.end() && found->first == name ? &found->second : nullptr;
}

bool QueryParameters::has_below(std::string_view prefix) const {
  const auto found = lower_bound(prefix);
  return found != sorted_.end() && found->first.starts_with(prefix);
}

std::vector<std::string> QueryParameters::numbers_below(std::string_view prefix) const {
  constexpr std::size_t kDigitsMax = 9;
  std::vector<std::pair<std::int64_t, std::string>> numbers;
  for (auto at = lower_bound(prefix); at != sorted_.end() && at->first.starts_with(prefix); ++at) {
    const std::string_view rest = std::string_view(at->first).substr(prefix.size());
    const std::string_view segment = rest.substr(0, rest.find('.'));
    if (segment.empty() || segment.size() > kDigitsMax || segment.front() == '-') continue;
    const auto number = parse_integer(segment);
    if (!number) continue;
    if (numbers.empty() || numbers.back().second != segment) numbers.emplace_back(*number, segment);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::vector<std::string> out;
  out.reserve(numbers.size());
  for (auto& [number, segment] : numbers) out.push_back(std::move(segment));
  return out;
}

}  // namespace ferry::protocol
