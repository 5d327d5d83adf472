#include "cli/repair_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/encoding.h"
#include "cli/output.h"

namespace ferry::cli {
namespace {

constexpr std::size_t kLinesMax = 50;  // of one kind; the rest is in the JSON

std::string queue_name(const engine::QueueKey& key) {
  return escape_control(fmt::format("{}/{}/{}", key.account, key.region, key.name));
}

std::string id_text(const engine::EngineRepair::LostMessage& message) {
  if (!message.message_id) return "id not known";
  return to_string(*message.message_id) + (message.id_is_certain ? "" : " (read from damaged bytes)");
}

std::string lines(const std::string& title, const std::vector<std::string>& all) {
  if (all.empty()) return {};
  std::string text = title + "\n";
  for (std::size_t i = 0; i < std::min(all.size(), kLinesMax); ++i) text += "  " + all[i] + "\n";
  if (all.size() > kLinesMax) text += fmt::format("  … and {} more (-o json lists all)\n", all.size() - kLinesMax);
  return text;
}

std::vector<std::string> damage_lines(const store::RepairFindings& findings, bool harmless) {
  std::vector<std::string> all;
  for (const store::Damage& damage : findings.damages) {
    if (damage.is_harmless != harmless) continue;
    const std::string at = damage.offset ? fmt::format(" at offset {}", *damage.offset) : "";
    all.push_back(fmt::format("{}{} {}", escape_control(damage.file), at, damage.what));
  }
  return all;
}

std::vector<std::string> loss_lines(const RepairStory& story) {
  std::vector<std::string> all;
  for (const store::LostRecords& lost : story.findings.lost) {
    std::string line =
        fmt::format("records {} to {}, at {} offset {}", lost.first.value, lost.last.value, lost.file, lost.offset);
    if (lost.rescued != 0) line += fmt::format("; {} of them can be read", lost.rescued);
    all.push_back(std::move(line));
  }
  std::map<engine::QueueKey, std::uint64_t> per_queue;
  for (const auto& message : story.report.lost_messages) ++per_queue[message.queue];
  for (const auto& [key, count] : per_queue) {
    all.push_back(fmt::format("{} message{} of queue {}:", count, count == 1 ? "" : "s", queue_name(key)));
    for (const auto& message : story.report.lost_messages) {
      if (message.queue != key) continue;
      all.push_back(fmt::format("  number {}, {}, {} offset {}", message.sequence, id_text(message),
                                store::segment_name(message.location.segment), message.location.offset));
    }
  }
  for (const auto& queue : story.report.queues) {
    if (queue.lost_sends != 0)
      all.push_back(
          fmt::format("up to {} messages more of queue {}, whose sends are lost", queue.lost_sends, queue_name(queue.key)));
  }
  if (story.findings.end_is_uncertain)
    all.push_back(
        fmt::format("whatever was written behind record {}: nobody can know whether there was any", story.findings.last.value));
  if (story.report.records_left_out != 0)
    all.push_back(fmt::format("{} readable records about what is lost", story.report.records_left_out));
  if (story.report.unreadable_records != 0)
    all.push_back(fmt::format("{} records that make no sense", story.report.unreadable_records));
  if (story.report.lost_pieces) all.push_back("parts of the checkpoint; the log was read from its beginning instead");
  return all;
}

JsonWriter& put(JsonWriter& json, std::string_view name, std::uint64_t value) {
  return json.key(name).number(static_cast<std::int64_t>(value));
}

void put_names(JsonWriter& json, std::string_view name, const std::vector<std::string>& names) {
  json.key(name).begin_array();
  for (const std::string& one : names) json.text(one);
  json.end_array();
}

void put_queue(JsonWriter& json, const engine::QueueKey& key) {
  json.key("Account").text(key.account).key("Region").text(key.region).key("Queue").text(key.name);
}

void put_findings(JsonWriter& json, const store::RepairFindings& findings) {
  put(json, "Format", findings.format);
  json.key("Damages").begin_array();
  for (const store::Damage& damage : findings.damages) {
    json.begin_object().key("File").text(damage.file);
    if (damage.offset) put(json, "Offset", *damage.offset);
    json.key("What").text(damage.what).key("Harmless").boolean(damage.is_harmless).end_object();
  }
  json.end_array().key("LostRecords").begin_array();
  for (const store::LostRecords& lost : findings.lost) {
    put(json.begin_object(), "First", lost.first.value);
    put(json, "Last", lost.last.value);
    json.key("File").text(lost.file);
    put(json, "Offset", lost.offset);
    put(json, "Rescued", lost.rescued).end_object();
  }
  json.end_array();
  put(json, "Checkpoint", findings.checkpoint);
  json.key("CheckpointIsWhole").boolean(findings.checkpoint_is_whole);
  put(json, "ReplayedRecords", findings.replayed_records);
  put(json, "LastRecord", findings.last.value);
  json.key("MoreMayBeLost").boolean(findings.end_is_uncertain);
  put(json, "KeptBodies", findings.bodies);
  put_names(json, "Copied", findings.kept_copies);
  put_names(json, "Removed", findings.removed);
}

}  // namespace

std::string describe_repair(const RepairStory& story) {
  const store::RepairFindings& findings = story.findings;
  std::string text = lines(fmt::format("Found in {}:", escape_control(story.folder)), damage_lines(findings, false));
  text +=
      lines(findings.is_needed ? "Also found, of no effect:" : "Found, of no effect on a start:", damage_lines(findings, true));
  if (findings.is_needed && findings.format != 0 && findings.format < store::kFormatVersion) {
    text += fmt::format("The folder has format {}; it would be brought to {}; an older ferry cannot open it afterwards.\n",
                        findings.format, store::kFormatVersion);
  }
  if (findings.tail_cut) text += "The log ends in an unfinished group, of which nobody was told; it is cut off.\n";
  if (!findings.is_needed) return text + "Nothing has to be repaired.\n";
  const auto losses = loss_lines(story);
  text += losses.empty() ? "Nothing is lost.\n" : lines("Would be dropped:", losses);
  std::vector<std::string> kept;
  for (const auto& queue : story.report.queues) {
    kept.push_back(fmt::format("{} messages of queue {}{}", queue.messages, queue_name(queue.key),
                               queue.is_new ? ", a new queue for messages whose queue's creation is lost" : ""));
  }
  text += lines(kept.empty() ? "No queue would be kept." : "Would be kept:", kept);
  if (kept.empty()) text += "No queue would be kept.\n";
  return text + fmt::format("Copies of {} files that change or go would be kept in {}\n", findings.kept_copies.size(),
                            escape_control(story.copy));
}

std::string repair_json(const RepairStory& story, std::string_view state) {
  JsonWriter json;
  json.begin_object().key("Folder").text(story.folder).key("State").text(state).key("Copy").text(story.copy);
  put_findings(json, story.findings);
  put(json, "RecordsLeftOut", story.report.records_left_out);
  put(json, "UnreadableRecords", story.report.unreadable_records);
  json.key("DroppedMessages").begin_array();
  for (const auto& message : story.report.lost_messages) {
    put_queue(json.begin_object(), message.queue);
    put(json, "SequenceNumber", message.sequence);
    if (message.message_id)
      json.key("MessageId").text(to_string(*message.message_id)).key("MessageIdIsCertain").boolean(message.id_is_certain);
    json.key("File").text(store::segment_name(message.location.segment));
    put(json, "Offset", message.location.offset).end_object();
  }
  json.end_array().key("Queues").begin_array();
  for (const auto& queue : story.report.queues) {
    put_queue(json.begin_object(), queue.key);
    put(json, "KeptMessages", queue.messages);
    put(json, "LostSendsAtMost", queue.lost_sends);
    json.key("IsNew").boolean(queue.is_new).end_object();
  }
  json.end_array().end_object();
  return json.str() + "\n";
}

}  // namespace ferry::cli
