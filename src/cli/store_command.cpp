#include "cli/store_command.h"

#include <fmt/format.h>

#include <array>

#include "cli/client_options.h"
#include "cli/counting_files.h"
#include "cli/repair_command.h"
#include "cli/store_tools.h"
#include "store/journal/snapshot.h"

namespace ferry::cli {
namespace {

constexpr std::array kSubcommands = {
    Command{"check", "read every byte of a store and say what is damaged, and where", store_check_command},
    Command{"repair", "make a folder open again whose start is refused; no server may run on it", store_repair_command},
    Command{"stat", "say what a store holds, and what compaction would do", store_stat_command},
};

std::string usage() {
  std::string text = "Look after a data folder; a server may work in it meanwhile.\n\nUsage: ferry store COMMAND …\n\n";
  for (const Command& command : kSubcommands) text += fmt::format("  {:<7} {}\n", command.name, command.summary);
  return text + "\nferry store COMMAND --help says more, with examples. See also: ferry backup, ferry restore\n";
}

constexpr const char* kCheckExamples = R"(
Examples:
  ferry store check                     the default data folder, while its server runs or not
  ferry store check --data /srv/ferry -o json
  ferry store check --data /backups/monday --files-only

Exit codes: 0 nothing is wrong; 1 damage was found, or the check failed; 2 wrong usage; 3 there is no store.)";

constexpr const char* kStatExamples = R"(
Examples:
  ferry store stat                      the default data folder, while its server runs or not
  ferry store stat --segments           each segment, too
  ferry store stat --data /srv/ferry -o json

Exit codes: 0 done; 1 failed: ferry store check says more; 2 wrong usage; 3 there is no store.)";

struct Flags {
  std::string data;
  std::string output = "auto";
  bool files_only = false;
  bool segments = false;
  bool quiet = false;
};

// What a check found.
struct Checked {
  store::Inspection inspection;
  bool unfinished = false;
  std::optional<engine::Engine::Totals> totals;  // absent: the log was not replayed
};

Result<Checked> check(const std::string& folder, const Flags& flags, const CommandContext& context, LongWork& work) {
  PosixFileSystem files;
  FERRY_TRY(const auto snapshot, store::Snapshot::take(files, folder));
  Checked checked;
  FERRY_TRY(checked.inspection, store::inspect(snapshot->view(), folder, work.progress()));
  checked.unfinished = snapshot->end().unfinished;
  if (flags.files_only || checked.inspection.effect() == store::Effect::Refusal) return checked;
  auto loaded = OfflineStore::load(snapshot->view(), folder, context);
  if (loaded) {
    checked.totals = (*loaded)->engine().totals();
  } else if (loaded.error().kind == ErrorKind::Io || loaded.error().kind == ErrorKind::PermissionDenied) {
    return Unexpected(std::move(loaded).error());
  } else {
    checked.inspection.faults.push_back(store::Fault{"", 0, loaded.error().message, store::Effect::Refusal});
  }
  return checked;
}

std::string place(std::uint32_t segment, std::uint32_t offset) {
  return segment == 0 ? "no segment yet" : fmt::format("{} at offset {}", store::segment_name(segment), offset);
}

std::string check_table(const std::string& folder, const Checked& checked) {
  const store::Inspection& found = checked.inspection;
  std::vector<std::vector<std::string>> rows = {{"folder", folder}};
  if (found.control) rows.push_back({"store", to_string(found.control->store)});
  rows.push_back({"log", fmt::format("ends with record {}, {}", found.last.value, place(found.end_segment, found.end_offset))});
  if (checked.unfinished) rows.push_back({"", "an unfinished group lies behind it: of no reply, and no fault"});
  rows.push_back({"segments", fmt::format("{}, {}: {} groups, {} records, {} of them bodies", found.segments,
                                          human_bytes(found.segment_bytes), found.groups, found.records, found.bodies)});
  rows.push_back({"checkpoints", fmt::format("{} whole, {} pieces", found.checkpoints, found.pieces)});
  if (checked.totals) {
    rows.push_back({"queues", fmt::format("{} with {} messages", checked.totals->queues, checked.totals->messages)});
    if (checked.totals->quarantined != 0)
      rows.push_back({"quarantined", fmt::format("{} messages whose bodies were found damaged", checked.totals->quarantined)});
  }
  for (const FileSystem::Entry& entry : found.ignored) rows.push_back({"holds nothing", entry.name});
  rows.push_back({"faults", found.faults.empty() ? "none" : std::to_string(found.faults.size() + found.faults_left_out)});
  std::string text = format_table({"WHAT", "FOUND"}, rows);
  if (!found.faults.empty()) text += "\n" + format_faults(found);
  return text;
}

JsonWriter& put(JsonWriter& json, std::string_view name, std::uint64_t value) {
  return json.key(name).number(static_cast<std::int64_t>(value));
}

std::string check_json(const std::string& folder, const Checked& checked) {
  const store::Inspection& found = checked.inspection;
  JsonWriter json;
  json.begin_object().key("Folder").text(folder);
  if (found.control) json.key("Store").text(to_string(found.control->store));
  put(json, "Position", found.last.value);
  put(json, "EndSegment", found.end_segment);
  put(json, "EndOffset", found.end_offset);
  json.key("UnfinishedGroup").boolean(checked.unfinished);
  put(json, "Segments", found.segments);
  put(json, "SegmentBytes", found.segment_bytes);
  put(json, "Groups", found.groups);
  put(json, "Records", found.records);
  put(json, "Bodies", found.bodies);
  put(json, "Checkpoints", found.checkpoints);
  put(json, "Pieces", found.pieces);
  if (checked.totals) {
    put(json, "Queues", checked.totals->queues);
    put(json, "Messages", checked.totals->messages);
    put(json, "QuarantinedMessages", checked.totals->quarantined);
  }
  json.key("HoldNothing").begin_array();
  for (const FileSystem::Entry& entry : found.ignored) json.text(entry.name);
  json.end_array();
  write_faults_json(json, found);
  json.end_object();
  return json.str() + "\n";
}

std::string_view fate_name(store::Journal::SegmentUse::Fate fate) {
  using Fate = store::Journal::SegmentUse::Fate;
  switch (fate) {
    case Fate::InUse:
      return "in use";
    case Fate::Kept:
      return "kept";
    case Fate::Sparse:
      return "to be compacted";
    case Fate::Empty:
      return "goes with the next checkpoint";
    case Fate::Free:
      return "goes now";
  }
  return "";
}

// Sums over the segments.
struct Sums {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::uint64_t live_records = 0;
  std::uint64_t live_bytes = 0;
  void add(const store::Journal::SegmentUse& segment) {
    ++count;
    bytes += segment.bytes;
    live_records += segment.live_records;
    live_bytes += segment.live_bytes;
  }
};

struct Statistics {
  store::ControlState control;
  store::Snapshot::End end;
  store::Journal::Use use;
  engine::Engine::Totals totals;
  std::uint64_t disk_bytes = 0;
  Sums all;
  Sums sparse;
  Sums leaving;  // nothing of them is needed
};

Result<Statistics> look(const std::string& folder, const CommandContext& context, Progress& progress) {
  PosixFileSystem disk;
  CountingFiles files(disk, [&](std::uint64_t bytes) { progress.tell({bytes, 0}); });
  FERRY_TRY(const auto snapshot, store::Snapshot::take(files, folder));
  FERRY_TRY(const auto store, OfflineStore::load(snapshot->view(), folder, context));
  Statistics found;
  found.control = *snapshot->control();  // it was loaded
  found.end = snapshot->end();
  found.use = store->journal().use();
  found.totals = store->engine().totals();
  for (const FileSystem::Entry& entry : snapshot->entries()) found.disk_bytes += entry.bytes;
  using Fate = store::Journal::SegmentUse::Fate;
  for (const auto& segment : found.use.segments) {
    found.all.add(segment);
    if (segment.fate == Fate::Sparse) found.sparse.add(segment);
    if (segment.fate == Fate::Empty || segment.fate == Fate::Free) found.leaving.add(segment);
  }
  return found;
}

std::string stat_table(const std::string& folder, const Statistics& found, const Flags& flags) {
  std::vector<std::vector<std::string>> rows = {{"folder", folder}, {"store", to_string(found.control.store)}};
  rows.push_back({"log", fmt::format("record {}, {}", found.end.last.value, place(found.end.segment, found.end.offset))});
  rows.push_back({"format", std::to_string(found.control.format)});
  rows.push_back({"started", fmt::format("{} times{}", found.control.run, found.control.clean_stop ? "; stopped cleanly" : "")});
  rows.push_back({"queues", fmt::format("{} with {} messages, {} quarantined", found.totals.queues, found.totals.messages,
                                        found.totals.quarantined)});
  rows.push_back({"index", fmt::format("{} of memory in the server", human_bytes(found.totals.index_bytes))});
  rows.push_back({"disk", human_bytes(found.disk_bytes)});
  rows.push_back({"segments", fmt::format("{}, {}; needed: {} bodies, {}", found.all.count, human_bytes(found.all.bytes),
                                          found.all.live_records, human_bytes(found.all.live_bytes))});
  for (const store::CheckpointEntry& entry : found.control.checkpoints) {
    if (entry.number == 0) continue;
    rows.push_back({"checkpoint", fmt::format("{}, {}, replay from record {}", store::checkpoint_name(entry.number),
                                              human_bytes(entry.bytes), entry.replay_from)});
  }
  rows.push_back({"spares", fmt::format("{}, {}", found.use.spares, human_bytes(found.use.spare_bytes))});
  rows.push_back({"ballast", human_bytes(found.use.ballast_bytes)});
  rows.push_back({"allowed", fmt::format("{} of segments before compaction begins", human_bytes(found.use.allowed_bytes))});
  rows.push_back({"empty", fmt::format("{} segments, {}", found.leaving.count, human_bytes(found.leaving.bytes))});
  rows.push_back({"compaction", found.sparse.count == 0
                                    ? "has nothing to do"
                                    : fmt::format("would read {} segments of {}, write {} again, and free {}", found.sparse.count,
                                                  human_bytes(found.sparse.bytes), human_bytes(found.sparse.live_bytes),
                                                  human_bytes(found.sparse.bytes - found.sparse.live_bytes))});
  std::string text = format_table({"WHAT", "FOUND"}, rows);
  if (!flags.segments) return text;
  rows.clear();
  for (const auto& segment : found.use.segments) {
    rows.push_back({store::segment_name(segment.number), std::to_string(segment.bytes), std::to_string(segment.live_records),
                    std::to_string(segment.live_bytes), std::string(fate_name(segment.fate))});
  }
  return text + "\n" + format_table({"SEGMENT", "BYTES", "NEEDED BODIES", "NEEDED BYTES", "COMPACTION"}, rows);
}

std::string stat_json(const std::string& folder, const Statistics& found) {
  JsonWriter json;
  json.begin_object().key("Folder").text(folder).key("Store").text(to_string(found.control.store));
  put(json, "Format", found.control.format);
  put(json, "Position", found.end.last.value);
  put(json, "EndSegment", found.end.segment);
  put(json, "EndOffset", found.end.offset);
  put(json, "Starts", found.control.run);
  json.key("StoppedCleanly").boolean(found.control.clean_stop);
  put(json, "Queues", found.totals.queues);
  put(json, "Messages", found.totals.messages);
  put(json, "QuarantinedMessages", found.totals.quarantined);
  put(json, "IndexBytes", found.totals.index_bytes);
  put(json, "DiskBytes", found.disk_bytes);
  put(json, "SegmentBytes", found.all.bytes);
  put(json, "LiveBodies", found.all.live_records);
  put(json, "LiveBytes", found.all.live_bytes);
  put(json, "DeadBytes", found.all.bytes - found.all.live_bytes);
  put(json, "AllowedBytes", found.use.allowed_bytes);
  put(json, "Spares", found.use.spares);
  put(json, "SpareBytes", found.use.spare_bytes);
  put(json, "BallastBytes", found.use.ballast_bytes);
  json.key("Compaction").begin_object();
  put(json, "Segments", found.sparse.count);
  put(json, "ReadBytes", found.sparse.bytes);
  put(json, "WrittenBytes", found.sparse.live_bytes);
  put(json, "EmptySegments", found.leaving.count);
  put(json, "EmptyBytes", found.leaving.bytes);
  json.end_object();
  json.key("Checkpoints").begin_array();
  for (const store::CheckpointEntry& entry : found.control.checkpoints) {
    if (entry.number == 0) continue;
    json.begin_object().key("Name").text(store::checkpoint_name(entry.number));
    put(json, "Bytes", entry.bytes);
    put(json, "ReplayFrom", entry.replay_from);
    json.end_object();
  }
  json.end_array();
  json.key("Segments").begin_array();
  for (const auto& segment : found.use.segments) {
    json.begin_object().key("Name").text(store::segment_name(segment.number));
    put(json, "Bytes", segment.bytes);
    put(json, "LiveBodies", segment.live_records);
    put(json, "LiveBytes", segment.live_bytes);
    json.key("Fate").text(fate_name(segment.fate)).end_object();
  }
  json.end_array().end_object();
  return json.str() + "\n";
}

}  // namespace

int store_check_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Read every byte of a store that means something, and say what is not as it was written. Changes nothing.",
               "ferry store check"};
  Flags flags;
  add_data_option(app, flags.data);
  add_output_option(app, flags.output);
  add_quiet_option(app, flags.quiet);
  app.add_flag("--files-only", flags.files_only, "do not replay the log into memory, which a start of the server does, too");
  app.footer(kCheckExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  const FolderOrExit where = find_data_folder(flags.data, context, "store check");
  if (where.exit_code) return *where.exit_code;
  raise_descriptor_limit();
  LongWork work(context, {"checking", ProgressUnit::Bytes, flags.quiet});
  const auto checked = check(where.folder, flags, context, work);
  work.done();
  if (!checked) return complain(context, "store check", checked.error().message, exit_code_of(checked.error(), work.stop()));
  const bool table = resolve_output(flags.output, context) == OutputFormat::Table;
  write_text(context.out, table ? check_table(where.folder, *checked) : check_json(where.folder, *checked));
  return checked->inspection.faults.empty() ? kExitDone : kExitFailed;
}

int store_stat_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Say what a store holds, and what compaction would do. Takes the memory and the time of a start of the server.",
               "ferry store stat"};
  Flags flags;
  add_data_option(app, flags.data);
  add_output_option(app, flags.output);
  add_quiet_option(app, flags.quiet);
  app.add_flag("--segments", flags.segments, "a line for each segment (always in JSON)");
  app.footer(kStatExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  const FolderOrExit where = find_data_folder(flags.data, context, "store stat");
  if (where.exit_code) return *where.exit_code;
  raise_descriptor_limit();
  Progress progress(context, {"reading", ProgressUnit::Bytes, flags.quiet});
  const auto found = look(where.folder, context, progress);
  progress.clear();
  if (!found) return complain(context, "store stat", found.error().message, exit_code_of(found.error(), StopFlag()));
  const bool table = resolve_output(flags.output, context) == OutputFormat::Table;
  write_text(context.out, table ? stat_table(where.folder, *found, flags) : stat_json(where.folder, *found));
  return kExitDone;
}

int store_command(std::span<const std::string> arguments, CommandContext& context) {
  return run_one_of(kSubcommands, "ferry store", usage(), arguments, context);
}

}  // namespace ferry::cli
