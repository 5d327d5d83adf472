#include "access/canonical.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/encoding.h"

namespace ferry::access {
namespace {
// Outer white space removed, inner runs of spaces become one.
void append_folded(std::string& out, std::string_view value) {
  bool last_was_space = false;
  for (const char c : trim(value)) {
    if (c == ' ' && last_was_space) continue;
    last_was_space = c == ' ';
    out += c;
  }
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}
}  // namespace

std::string canonical_path(std::string_view path) {
  std::vector<std::string_view> kept;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
    at = end + 1;
  }
  std::string out;
  for (const std::string_view segment : kept) out += '/' + percent_encode(segment);
  if (kept.empty() || path.back() == '/') out += '/';
  return out;
}

ParsedQuery parse_query(std::string_view query) {
  ParsedQuery parsed;
  const auto decoded = [&](std::string_view text) {
    if (auto plain = percent_decode(text, PlusRule::Space)) return *std::move(plain);
    parsed.well_formed = false;
    return std::string(text);
  };
  for (std::size_t at = 0; at < query.size();) {
    const std::size_t end = std::min(query.find('&', at), query.size());
    const std::string_view piece = query.substr(at, end - at);
    at = end + 1;
    if (piece.empty()) continue;
    const std::size_t equals = piece.find('=');
    std::string name = decoded(piece.substr(0, equals));
    std::string value = equals == std::string_view::npos ? std::string() : decoded(piece.substr(equals + 1));
    parsed.parameters.push_back({std::move(name), std::move(value)});
  }
  return parsed;
}

std::string canonical_query(const std::vector<QueryParameter>& parameters, std::string_view except) {
  std::vector<std::pair<std::string, std::string>> encoded;
  encoded.reserve(parameters.size());
  for (const QueryParameter& parameter : parameters) {
    if (!except.empty() && parameter.name == except) continue;
    encoded.emplace_back(percent_encode(parameter.name), percent_encode(parameter.value));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out += '&';
    out += name;
    out += '=';
    out += value;
  }
  return out;
}

std::vector<std::string> sorted_header_names(const std::vector<SignedHeader>& headers) {
  std::vector<std::string> names;
  names.reserve(headers.size());
  for (const SignedHeader& header : headers) names.push_back(to_lower(header.name));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string join_header_names(std::span<const std::string> names) {
  return fmt::format("{}", fmt::join(names, ";"));
}

std::string canonical_request(const CanonicalInput& input) {
  std::string out;
  out.reserve(512);
  out.append(input.method).append("\n").append(canonical_path(input.path)).append("\n").append(input.query).append("\n");
  for (const std::string& name : input.signed_headers) {
    out.append(name).append(":");
    bool first = true;
    for (const SignedHeader& header : input.headers) {
      if (!equals_ignore_case(header.name, name)) continue;
      if (!first) out += ',';
      first = false;
      append_folded(out, header.value);
    }
    out += '\n';
  }
  out.append("\n").append(join_header_names(input.signed_headers)).append("\n").append(input.payload_hash);
  return out;
}

std::string scope_text(std::string_view date, const SigningScope& scope) {
  return fmt::format("{}/{}/{}/{}", date, scope.region, scope.service, kTerminator);
}

std::string string_to_sign(std::string_view amz_date, std::string_view scope, std::string_view canonical) {
  return fmt::format("{}\n{}\n{}\n{}", kAlgorithm, amz_date, scope, hex_encode(sha256(canonical)));
}

std::string format_amz_date(Timestamp time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", int(date.year()), unsigned(date.month()), unsigned(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::optional<Timestamp> parse_amz_date(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  const auto year = digits(text, 0, 4), month = digits(text, 4, 2), day = digits(text, 6, 2);
  const auto hour = digits(text, 9, 2), minute = digits(text, 11, 2), second = digits(text, 13, 2);
  if (!year || !month || !day || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

}  // namespace ferry::access
