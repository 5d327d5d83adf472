#include "audit/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "audit/chain.h"
#include "audit/life.h"
#include "base/encoding.h"

namespace ferry::audit {
namespace {

// Whether the line can speak of the id at all: most lines need not be parsed. Ids with characters that JSON escapes cannot be
// looked for so.
bool may_speak_of(std::string_view line, std::string_view id) {
  const bool plain = std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '\\'; });
  return !plain || line.find(id) != std::string_view::npos;
}

Result<void> read_file(FileSystem& files, const ChainFile& file, std::string_view id, std::vector<StoryLine>& lines) {
  FERRY_TRY(auto opened, files.open(file.path, OpenMode{}));
  LineReader reader(std::move(opened));
  for (std::uint64_t number = 1;; ++number) {
    FERRY_TRY(auto line, reader.next());
    if (!line) return {};
    if (!may_speak_of(line->text, id)) continue;
    auto record = parse_line(line->text);
    if (!record) continue;
    const bool speaks = record->entry.message_id == id || record->entry.request_id == id || record->text("trace_id") == id;
    if (!speaks) continue;
    if (lines.size() == kStoryLinesMax) {
      return fail(ErrorKind::NoSpace, fmt::format("more than {} lines speak of {}; name fewer files", kStoryLinesMax, id));
    }
    lines.push_back({file.path, number, file.chain, std::move(line->text), std::move(*record)});
  }
}

std::string shown(std::string_view text) {
  return escape_control(text);
}

// ", NAME text" when there is such a field.
std::string also(const Record& record, std::string_view label, std::string_view name) {
  const std::string_view text = record.text(name);
  return text.empty() ? std::string() : fmt::format("{}{}", label, shown(text));
}

std::string output_of(const Record& record) {
  std::string out;
  std::string_view rest = record.text("output");
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    out += fmt::format("\n    | {}", shown(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

std::string tell_fields(const Record& record) {
  std::string out = shown(record.entry.event);
  for (const Field& field : record.entry.fields) {
    if (const auto* text = std::get_if<std::string>(&field.value)) {
      out += fmt::format(" {}={}", shown(field.name), shown(*text));
    } else {
      out += fmt::format(" {}={}", shown(field.name), std::get<std::int64_t>(field.value));
    }
  }
  return out;
}

std::string tell_received(const Record& record) {
  const std::int64_t count = record.number("receive_count").value_or(1);
  return fmt::format("received from {}{}{}{}{}{}", shown(record.entry.queue),
                     count > 1 ? fmt::format(" for the {}. time", count) : "", also(record, ", sent at ", "sent_at"),
                     also(record, " by ", "sender_id"), also(record, ", trace ", "trace_id"),
                     also(record, " span ", "parent_span_id"));
}

std::string tell_attempt_ended(const Record& record) {
  return fmt::format("attempt {} ended: {}{} after {} ms{}", record.number("attempt").value_or(0), shown(record.text("outcome")),
                     also(record, ", ", "detail"), record.number("took_ms").value_or(0), output_of(record));
}

std::string tell_settled(const Record& record) {
  const auto visible = record.number("visible_in_s");
  return fmt::format("settled: {}{}{}", shown(record.text("how")), visible ? fmt::format(", seen again in {} s", *visible) : "",
                     also(record, ", ", "reason"));
}
}  // namespace

Result<Story> find_story(FileSystem& files, const std::vector<std::string>& paths, std::string_view id) {
  FERRY_TRY(const std::vector<ChainFile> found, find_chain_files(files, paths));
  if (found.empty()) return fail(ErrorKind::NotFound, fmt::format("there is no audit trail in {}", fmt::join(paths, ", ")));
  Story story;
  for (const ChainFile& file : found) FERRY_TRY_VOID(read_file(files, file, id, story.lines));
  std::stable_sort(story.lines.begin(), story.lines.end(),
                   [](const StoryLine& a, const StoryLine& b) { return a.record.time < b.record.time; });
  std::set<std::string> requests;
  for (const StoryLine& line : story.lines) {
    const Entry& entry = line.record.entry;
    if (!entry.request_id.empty() && (entry.message_id == id || entry.request_id == id)) requests.insert(entry.request_id);
  }
  std::set<std::string> others;
  for (const std::string& request : requests) {
    std::vector<StoryLine> lines;
    for (const ChainFile& file : found) FERRY_TRY_VOID(read_file(files, file, request, lines));
    for (const StoryLine& line : lines) others.insert(line.record.entry.message_id);
  }
  others.erase("");
  others.erase(std::string(id));
  story.other_messages.assign(others.begin(), others.end());
  return story;
}

std::string tell(const Record& record) {
  const std::string_view event = record.entry.event;
  const std::string request = record.entry.request.empty() ? std::string() : fmt::format(" as {}", shown(record.entry.request));
  if (event == kReceived) return tell_received(record);
  if (event == kVerified) {
    return fmt::format("signed by {} with the key {}{}", shown(record.text("sender")), shown(record.text("key")),
                       also(record, " at ", "signed_at"));
  }
  if (event == kRefused)
    return fmt::format("refused{}: {} ({})", request, shown(record.text("reason")), shown(record.text("code")));
  if (event == kClaimed) {
    return fmt::format("ledger{}: {}, attempt {}, fence {}", request, shown(record.text("answer")),
                       record.number("attempt").value_or(0), record.number("fence").value_or(0));
  }
  if (event == kAttemptStarted) {
    return fmt::format("attempt {} started{}{}{}{}", record.number("attempt").value_or(0), request, also(record, ": ", "handler"),
                       also(record, ", until ", "deadline"), also(record, ", span ", "span_id"));
  }
  if (event == kAttemptEnded) return tell_attempt_ended(record);
  if (event == kSettled) return tell_settled(record);
  return tell_fields(record);
}

}  // namespace ferry::audit
