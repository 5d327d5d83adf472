#include "cli/backup_command.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "cli/client_options.h"
#include "cli/store_tools.h"
#include "store/journal/backup.h"

namespace ferry::cli {
namespace {

constexpr const char* kBackupExamples = R"TEXT(
Examples:
  ferry backup /backups/monday          the default data folder, while its server runs or not
  ferry backup --data /srv/ferry /backups/monday
  ferry backup --data /srv/ferry "/backups/$(date +%F-%H%M)"

TARGET_DIR must not exist, or be empty. It is written as TARGET_DIR.unfinished and gets its name last.

Exit codes: 0 done; 1 failed, and there is no backup; 2 wrong usage; 3 there is no store; 7 done, but the store is damaged, and
so is its copy: some messages cannot be read; 130 or 143 stopped by a signal.)TEXT";

constexpr const char* kRestoreExamples = R"TEXT(
Examples:
  ferry restore /backups/monday         into the default data folder
  ferry restore /backups/monday --data /srv/ferry

The data folder must not exist, or be empty. Stop servers that work with what is restored elsewhere: ids go on from the same
number in both.

Exit codes: 0 done; 1 failed, and nothing was restored; 2 wrong usage; 3 there is no backup; 7 done, but the store was damaged
when it was backed up: some messages cannot be read; 130 or 143 stopped by a signal.)TEXT";

struct Flags {
  std::string data;
  std::string output = "auto";
  std::string folder;
  bool quiet = false;
};

std::string table_of(const store::BackupReport& report, std::string_view what, const std::string& folder) {
  std::vector<std::vector<std::string>> rows = {{std::string(what), folder}};
  rows.push_back({"store", to_string(report.manifest.store)});
  rows.push_back({"position", fmt::format("everything up to record {}", report.manifest.position.value)});
  rows.push_back({"taken", format_utc(report.manifest.taken)});
  rows.push_back({"files", fmt::format("{}, {}", report.manifest.files.size(), human_bytes(report.bytes))});
  std::string text = format_table({"WHAT", "FOUND"}, rows);
  if (!report.inspection.faults.empty()) text += "\n" + format_faults(report.inspection);
  return text;
}

std::string json_of(const store::BackupReport& report, const std::string& folder) {
  JsonWriter json;
  json.begin_object().key("Folder").text(folder).key("Store").text(to_string(report.manifest.store));
  json.key("Position").number(static_cast<std::int64_t>(report.manifest.position.value));
  json.key("Taken").text(format_utc(report.manifest.taken));
  json.key("Files").number(static_cast<std::int64_t>(report.manifest.files.size()));
  json.key("Bytes").number(static_cast<std::int64_t>(report.bytes));
  write_faults_json(json, report.inspection);
  json.end_object();
  return json.str() + "\n";
}

int finish(const Result<store::BackupReport>& report, const Flags& flags, const CommandContext& context, LongWork& work,
           std::string_view command, std::string_view what, const std::string& folder) {
  work.done();
  if (!report) return complain(context, command, report.error().message, exit_code_of(report.error(), work.stop()));
  const bool table = resolve_output(flags.output, context) == OutputFormat::Table;
  write_text(context.out, table ? table_of(*report, what, folder) : json_of(*report, folder));
  if (report->inspection.faults.empty()) return kExitDone;
  return complain(context, command, "the store is damaged, and so is its copy; see the faults", kExitPartly);
}

}  // namespace

int backup_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Copy a data folder, as it is at one moment, while its server runs or not.", "ferry backup"};
  Flags flags;
  add_data_option(app, flags.data);
  add_output_option(app, flags.output);
  add_quiet_option(app, flags.quiet);
  app.add_option("TARGET_DIR", flags.folder, "folder to be made")->required();
  app.footer(kBackupExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  if (flags.folder.empty()) return complain(context, "backup", "TARGET_DIR is empty", kExitUsage);
  const FolderOrExit where = find_data_folder(flags.data, context, "backup");
  if (where.exit_code) return *where.exit_code;
  raise_descriptor_limit();
  LongWork work(context, {"backing up", ProgressUnit::Bytes, flags.quiet});
  PosixFileSystem files;
  const auto report = store::backup(files, context.clock, where.folder, flags.folder, work.progress());
  return finish(report, flags, context, work, "backup", "backup", flags.folder);
}

int restore_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Make a data folder out of a backup. Every file is compared with the backup's checksums before and after.",
               "ferry restore"};
  Flags flags;
  app.add_option("BACKUP_DIR", flags.folder, "what ferry backup has made")->required();
  add_data_option(app, flags.data);
  add_output_option(app, flags.output);
  add_quiet_option(app, flags.quiet);
  app.footer(kRestoreExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  if (flags.folder.empty()) return complain(context, "restore", "BACKUP_DIR is empty", kExitUsage);
  const FolderOrExit where = find_data_folder(flags.data, context, "restore");
  if (where.exit_code) return *where.exit_code;
  LongWork work(context, {"restoring", ProgressUnit::Bytes, flags.quiet});
  PosixFileSystem files;
  const auto report = store::restore(files, flags.folder, where.folder, work.progress());
  return finish(report, flags, context, work, "restore", "data folder", where.folder);
}

}  // namespace ferry::cli
