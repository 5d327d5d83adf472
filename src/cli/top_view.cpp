#include "cli/top_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/encoding.h"
#include "base/log.h"
#include "cli/output.h"

namespace ferry::cli {
namespace {

constexpr std::size_t kNameColumnsMin = 8;
constexpr std::size_t kNameColumnsMax = 60;
constexpr std::string_view kUnknown = "-";

// A part of a line that knows how wide it is on a terminal.
struct Cell {
  std::string text;
  const char* colour = "";
};
constexpr const char* kBold = "1";
constexpr const char* kRed = "31";
constexpr const char* kYellow = "33";

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

// The first `columns` characters.
std::string_view head(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  for (std::size_t seen = 0; at < text.size(); ++at) {
    if (begins_character(text[at]) && ++seen > columns) break;
  }
  return text.substr(0, at);
}

std::string fit(const std::string& text, std::size_t columns) {
  if (width_of(text) <= columns) return text;
  if (columns < 3) return std::string(head(text, columns));
  const std::size_t front = (columns - 1) / 2;  // names that differ often do so at their end
  std::size_t from = text.size();
  for (std::size_t seen = 0; seen < columns - 1 - front; --from) seen += begins_character(text[from - 1]) ? 1 : 0;
  return std::string(head(text, front)) + "…" + text.substr(from);
}

std::string shown_rate(const std::optional<double>& rate) {
  if (!rate) return std::string(kUnknown);
  if (*rate == 0) return "0";
  return *rate < 9.95 ? fmt::format("{:.1f}", *rate) : fmt::format("{}", std::llround(*rate));
}

std::string shown_age(const std::optional<double>& seconds) {
  if (!seconds || !std::isfinite(*seconds)) return std::string(kUnknown);
  const auto whole = static_cast<std::int64_t>(std::clamp(*seconds, 0.0, 1e10));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3'600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86'400) return fmt::format("{}h{:02}m", whole / 3'600, whole / 60 % 60);
  return fmt::format("{}d{:02}h", whole / 86'400, whole / 3'600 % 24);
}

// A table whose first column takes the room that the others leave.
class Columns {
 public:
  Columns(std::vector<std::string> header, const TopScreen& screen) : screen_(screen) {
    rows_.emplace_back();
    for (std::string& name : header) rows_.back().push_back({std::move(name), kBold});
  }
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }

  std::vector<std::string> lines() const {
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i].text));
    }
    std::size_t others = 0;
    for (std::size_t i = 1; i < widths.size(); ++i) others += widths[i] + 2;
    const std::size_t room = screen_.columns > others ? screen_.columns - others : 0;
    widths[0] = std::min(widths[0], std::clamp(room, kNameColumnsMin, kNameColumnsMax));
    std::vector<std::string> lines;
    for (const auto& row : rows_) lines.push_back(line(row, widths));
    return lines;
  }

 private:
  std::string line(const std::vector<Cell>& row, const std::vector<std::size_t>& widths) const {
    std::string text;
    std::size_t used = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = i == 0 ? fit(row[i].text, widths[i]) : row[i].text;
      const std::string gap(widths[i] - std::min(width_of(cell), widths[i]), ' ');
      const bool last_text = i + 1 == row.size() && row.size() > 1 && i != 0 && is_left(i);
      std::string padded = i == 0 || is_left(i) ? cell + (last_text ? "" : gap) : gap + cell;
      if (i > 0) padded = "  " + padded;
      const std::size_t room = screen_.columns - used;
      const std::string shown(head(padded, room));
      used += width_of(shown);
      const bool coloured = screen_.colours == Colours::Ansi && *row[i].colour != '\0';
      text += coloured ? fmt::format("\x1b[{}m{}\x1b[0m", row[i].colour, shown) : shown;
    }
    return text;
  }
  // Texts stand at the left, numbers at the right.
  bool is_left(std::size_t column) const {
    const std::string& name = rows_.front()[column].text;
    return name == "QUEUE" || name == "STATE";
  }

  const TopScreen& screen_;
  std::vector<std::vector<Cell>> rows_;
};

std::vector<std::string> queue_lines(const Look& look, const TopTable& table, std::size_t rows_max, const TopScreen& screen) {
  Columns columns({"QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED", "OLDEST", "IN/s", "OUT/s"}, screen);
  const std::size_t all = table.queues.size();
  const bool cut = all > rows_max || look.queues_left_out > 0;
  const std::size_t shown = std::min(all, cut && rows_max > 0 ? rows_max - 1 : rows_max);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& [now, rates] = table.queues[i];
    if (!now.error.empty()) {
      columns.add({{escape_control(now.name)}, {std::string(kUnknown), kRed}, {""}, {""}, {""}, {""}, {""}});
      continue;
    }
    const bool grows = rates.in && rates.out && *rates.in > *rates.out && now.visible > 0;
    columns.add({{escape_control(now.name)},
                 {std::to_string(now.visible), grows ? kYellow : ""},
                 {std::to_string(now.in_flight)},
                 {std::to_string(now.delayed)},
                 {shown_age(now.oldest_seconds)},
                 {shown_rate(rates.in)},
                 {shown_rate(rates.out)}});
  }
  std::vector<std::string> lines = columns.lines();
  if (cut) lines.push_back(std::string(head(fmt::format("… and {} more", all - shown + look.queues_left_out), screen.columns)));
  return lines;
}

std::string state_of(const WorkerLook& worker) {
  if (!worker.error.empty()) return worker.error;
  std::string state = worker.ledger_ok.value_or(true) ? "" : "the ledger does not answer";
  if (!worker.paused.empty()) state += fmt::format("{}paused: {}", state.empty() ? "" : "; ", fmt::join(worker.paused, ", "));
  return state.empty() ? "ok" : state;
}

std::vector<std::string> worker_lines(const TopTable& table, const TopScreen& screen) {
  Columns columns({"WORKER", "QUEUE", "RUNNING", "IN HAND", "DONE/s", "FAILED/s", "DONE", "FAILED", "REFUSED", "STATE"}, screen);
  for (const auto& [now, rates] : table.workers) {
    const std::string state = escape_control(state_of(now));
    if (!now.error.empty()) {
      columns.add({{escape_control(now.address)}, {""}, {""}, {""}, {""}, {""}, {""}, {""}, {""}, {state, kRed}});
      continue;
    }
    columns.add({{escape_control(now.address)},
                 {escape_control(now.queue)},
                 {fmt::format("{}/{}", now.running, now.concurrency)},
                 {std::to_string(now.in_hand)},
                 {shown_rate(rates.handled)},
                 {shown_rate(rates.failed), rates.failed.value_or(0) > 0 ? kRed : ""},
                 {fmt::format("{:.0f}", now.handled)},
                 {fmt::format("{:.0f}", now.failed_attempts)},
                 {fmt::format("{:.0f}", now.refused)},
                 {state, state == "ok" ? "" : kYellow}});
  }
  return columns.lines();
}

std::string plain_number(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f}", *value) : std::string(kUnknown);
}

void put_rate(JsonWriter& json, std::string_view name, const std::optional<double>& value) {
  json.key(name);
  if (value && std::isfinite(*value)) {
    json.decimal(*value);
  } else {
    json.null();
  }
}
}  // namespace

std::vector<std::string> screen_lines(const Look& look, const TopTable& table, const TopScreen& screen) {
  std::vector<std::string> lines;
  const std::string title = fmt::format("ferry top  {}  {}  by {}{}{}", format_utc(look.wall), escape_control(screen.where),
                                        name_of(screen.order), screen.keys.empty() ? "" : "  ", screen.keys);
  lines.emplace_back(head(title, screen.columns));
  if (!look.error.empty()) {
    const std::string error(head(escape_control(look.error), screen.columns));
    lines.push_back(screen.colours == Colours::Ansi ? fmt::format("\x1b[{}m{}\x1b[0m", kRed, error) : error);
  }
  std::vector<std::string> workers;
  if (!table.workers.empty()) {
    workers.emplace_back();
    for (std::string& line : worker_lines(table, screen)) workers.push_back(std::move(line));
  }
  constexpr std::size_t kHeadings = 2;  // an empty line and the columns' names
  const std::size_t taken = lines.size() + workers.size() + kHeadings;
  std::size_t rows_max = table.queues.size() + 1;
  if (screen.rows > 0) rows_max = screen.rows > taken ? screen.rows - taken : 0;
  lines.emplace_back();
  for (std::string& line : queue_lines(look, table, rows_max, screen)) lines.push_back(std::move(line));
  for (std::string& line : workers) lines.push_back(std::move(line));
  if (screen.rows > 0 && lines.size() > screen.rows) lines.resize(screen.rows);
  return lines;
}

std::string plain_lines(const Look& look, const TopTable& table) {
  const std::string time = format_utc(look.wall);
  std::string text;
  for (const auto& [now, rates] : table.queues) {
    const std::string name = escape_control(now.name);
    if (!now.error.empty()) {
      text += fmt::format("{} queue {} error={}\n", time, name, escape_control(now.error));
      continue;
    }
    text += fmt::format("{} queue {} visible={} in_flight={} delayed={} oldest_s={} in_per_s={} out_per_s={}\n", time, name,
                        now.visible, now.in_flight, now.delayed, plain_number(now.oldest_seconds), plain_number(rates.in),
                        plain_number(rates.out));
  }
  if (look.queues_left_out > 0) text += fmt::format("{} queues_left_out={}\n", time, look.queues_left_out);
  for (const auto& [now, rates] : table.workers) {
    const std::string address = escape_control(now.address);
    if (!now.error.empty()) {
      text += fmt::format("{} worker {} error={}\n", time, address, escape_control(now.error));
      continue;
    }
    text += fmt::format(
        "{} worker {} queue={} running={} slots={} in_hand={} done={:.0f} failed={:.0f} refused={:.0f} "
        "done_per_s={} failed_per_s={} state={}\n",
        time, address, escape_control(now.queue), now.running, now.concurrency, now.in_hand, now.handled, now.failed_attempts,
        now.refused, plain_number(rates.handled), plain_number(rates.failed), escape_control(state_of(now)));
  }
  return text;
}

std::string top_json(const Look& look, const TopTable& table) {
  JsonWriter json;
  json.begin_object().key("Time").text(format_utc(look.wall));
  if (!look.error.empty()) json.key("Error").text(look.error);
  json.key("Queues").begin_array();
  for (const auto& [now, rates] : table.queues) {
    json.begin_object().key("QueueUrl").text(now.url).key("QueueName").text(now.name);
    if (!now.error.empty()) {
      json.key("Error").text(now.error).end_object();
      continue;
    }
    json.key("ApproximateNumberOfMessages").number(now.visible);
    json.key("ApproximateNumberOfMessagesNotVisible").number(now.in_flight);
    json.key("ApproximateNumberOfMessagesDelayed").number(now.delayed);
    put_rate(json, "OldestSeconds", now.oldest_seconds);
    put_rate(json, "InPerSecond", rates.in);
    put_rate(json, "OutPerSecond", rates.out);
    json.end_object();
  }
  json.end_array().key("QueuesLeftOut").number(static_cast<std::int64_t>(look.queues_left_out));
  json.key("Workers").begin_array();
  for (const auto& [now, rates] : table.workers) {
    json.begin_object().key("Address").text(now.address);
    if (!now.error.empty()) {
      json.key("Error").text(now.error).end_object();
      continue;
    }
    json.key("Queue").text(now.queue).key("Running").number(now.running).key("Concurrency").number(now.concurrency);
    json.key("InHand").number(now.in_hand).key("Waiting").number(now.waiting);
    put_rate(json, "Handled", now.handled);
    put_rate(json, "FailedAttempts", now.failed_attempts);
    put_rate(json, "Refused", now.refused);
    put_rate(json, "HandledPerSecond", rates.handled);
    put_rate(json, "FailedPerSecond", rates.failed);
    json.key("Paused").begin_array();
    for (const std::string& request : now.paused) json.text(request);
    json.end_array();
    if (now.ledger_ok) json.key("LedgerOk").boolean(*now.ledger_ok);
    json.end_object();
  }
  return json.end_array().end_object().str();
}

}  // namespace ferry::cli
