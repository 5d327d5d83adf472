#include "cli/ledger_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/log.h"
#include "cli/dlq_parts.h"
#include "cli/store_tools.h"

namespace ferry::cli {
namespace {

constexpr std::size_t kShownKeyBytes = 60;
constexpr std::size_t kHashDigitsShown = 12;

std::string short_text(const std::string& text) {
  if (text.size() <= kShownKeyBytes) return text;
  std::size_t end = kShownKeyBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

// When the state became what it is.
Timestamp changed_at(const ledger::Row& row) {
  return std::max(row.claimed_at, row.finished_at);
}

std::string how_it_went(const ledger::Row& row) {
  const std::string code = row.code ? fmt::format(" {}", *row.code) : std::string();
  return row.state == ledger::State::Claimed ? std::string() : row.outcome + code;
}

bool is_set(Timestamp time) {
  return time != Timestamp{};
}

// Both forms have the same members in the same order.
template <class Text, class Number>
void each_member(const ledger::Row& row, const Text& text, const Number& number) {
  const auto time = [&](std::string_view name, Timestamp at) {
    if (is_set(at)) text(name, format_utc(at));
  };
  const auto unless_empty = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) text(name, value);
  };
  text("Key", row.key.text);
  text("Scope", row.key.scope);
  text("Hash", hex_encode(row.key.hash));
  text("State", std::string(ledger::state_name(row.state)));
  number("Attempts", row.attempts);
  number("Interruptions", row.interrupts);
  number("Fence", row.fence);
  unless_empty("Owner", row.owner);
  unless_empty("MessageId", row.message_id);
  unless_empty("Sender", row.sender);
  number("ReceiveCountMax", row.receive_count_max);
  time("FirstSeen", row.first_seen);
  time("ClaimedAt", row.claimed_at);
  if (row.state == ledger::State::Claimed) time("LeaseUntil", row.lease_until);
  time("FinishedAt", row.finished_at);
  time("NotBefore", row.not_before);
  time("ExpiresAt", row.expires_at);
  unless_empty("Outcome", row.outcome);
  if (row.code) number("Code", *row.code);
  unless_empty("Detail", row.detail);
  text("PayloadHash", hex_encode(row.payload));
  unless_empty("ConfigHash", row.config_hash);
  if (!row.result_hash.bytes.empty()) {
    text("ResultHash", hex_encode(row.result_hash.bytes));
    number("ResultBytes", row.result_bytes);
  }
  if (!row.result.bytes.empty()) {
    const bool readable = is_utf8(row.result.bytes);
    text(readable ? "Result" : "ResultBase64", readable ? row.result.bytes : base64_encode(row.result.bytes));
  }
}
}  // namespace

std::string format_records(const std::vector<ledger::Row>& rows, Timestamp now) {
  std::vector<std::vector<std::string>> lines;
  for (const ledger::Row& row : rows) {
    lines.push_back({std::string(ledger::state_name(row.state)), short_text(row.key.text), row.key.scope,
                     std::to_string(row.attempts), short_age(std::max(Millis(0), now - changed_at(row))), how_it_went(row),
                     hex_encode(row.key.hash).substr(0, kHashDigitsShown)});
  }
  return format_table({"STATE", "KEY", "SCOPE", "ATTEMPTS", "AGE", "OUTCOME", "HASH"}, lines);
}

std::string format_record(const ledger::Row& row) {
  std::vector<std::vector<std::string>> lines;
  each_member(
      row,
      [&](std::string_view name, const std::string& value) {
        lines.push_back({std::string(name), value});
      },
      [&](std::string_view name, std::int64_t value) {
        lines.push_back({std::string(name), std::to_string(value)});
      });
  return format_table({"WHAT", "IS"}, lines);
}

void write_record_json(JsonWriter& json, const ledger::Row& row) {
  json.begin_object();
  each_member(
      row, [&](std::string_view name, const std::string& value) { json.key(name).text(value); },
      [&](std::string_view name, std::int64_t value) { json.key(name).number(value); });
  json.end_object();
}

std::string format_statistics(const ledger::Statistics& statistics) {
  std::vector<std::vector<std::string>> counts;
  for (const auto& one : statistics.counts) {
    counts.push_back({one.scope, std::string(ledger::state_name(one.state)), std::to_string(one.count)});
  }
  std::vector<std::vector<std::string>> facts = {{"ledger", statistics.place},
                                                 {"size", human_bytes(static_cast<std::uint64_t>(statistics.database_bytes))},
                                                 {"version", std::to_string(statistics.version)},
                                                 {"time", format_utc(statistics.now)},
                                                 {"lost claims", std::to_string(statistics.lost_claims)}};
  if (const auto& oldest = statistics.oldest_claim) {
    facts.push_back(
        {"oldest claim", fmt::format("{} of {}, {} ago by {}", short_text(oldest->key.text), oldest->key.scope,
                                     short_age(std::max(Millis(0), statistics.now - oldest->claimed_at)), oldest->owner)});
  }
  return format_table({"SCOPE", "STATE", "COUNT"}, counts) + "\n" + format_table({"WHAT", "IS"}, facts);
}

void write_statistics_json(JsonWriter& json, const ledger::Statistics& statistics) {
  json.begin_object().key("Ledger").text(statistics.place);
  json.key("Version").number(statistics.version);
  json.key("Bytes").number(statistics.database_bytes);
  json.key("Time").text(format_utc(statistics.now));
  json.key("Counts").begin_array();
  for (const auto& one : statistics.counts) {
    json.begin_object().key("Scope").text(one.scope).key("State").text(ledger::state_name(one.state));
    json.key("Count").number(one.count).end_object();
  }
  json.end_array().key("LostClaims").number(statistics.lost_claims);
  if (statistics.oldest_claim) {
    json.key("OldestClaim");
    write_record_json(json, *statistics.oldest_claim);
  }
  json.end_object();
}

}  // namespace ferry::cli
