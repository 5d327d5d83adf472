#include "cli/repair_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/posix_file.h"
#include "cli/client_options.h"
#include "cli/counting_files.h"
#include "cli/repair_report.h"
#include "cli/store_tools.h"
#include "engine/engine.h"
#include "store/journal/journal.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "store repair";

constexpr const char* kExamples = R"(
Examples:
  ferry store repair --dry-run          what is wrong and what would be lost; changes nothing
  ferry store repair                    the same, then asks
  ferry store repair --data /srv/ferry --yes --keep-copy /srv/ferry-damaged

Stop the server first. Copies of the files that change or go are kept, and what was done in a file beside them.
docs/operations.md says what can be lost.

Exit codes: 0 repaired, or there is nothing to repair; 1 not repaired, or with --dry-run: a repair is needed;
2 wrong usage; 3 there is no store.)";

struct Flags {
  std::string data;
  std::string copy;
  std::string output = "auto";
  bool dry_run = false;
  bool yes = false;
  bool quiet = false;
};

// 20261123T080000Z.
std::string compact_utc(Timestamp time) {
  std::string text = format_utc(time);
  text.resize(text.find('.'));
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text + "Z";
}

std::string default_copy(std::string folder, const std::string& time) {
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  const std::string first = folder + ".before-repair-" + time;
  std::string name = first;
  std::error_code ignored;
  for (int i = 2; std::filesystem::exists(name, ignored); ++i) name = fmt::format("{}-{}", first, i);
  return name;
}

bool lies_in(const std::string& path, const std::string& folder) {
  std::error_code ignored;
  const auto inner = std::filesystem::weakly_canonical(path, ignored);
  const auto outer = std::filesystem::weakly_canonical(folder, ignored);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

bool confirmed(CommandContext& context) {
  write_text(context.err, "Repair it like this? [y/N] ");
  std::string answer;
  char c = 0;
  while (::read(context.in, &c, 1) == 1 && c != '\n') answer.push_back(c);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Result<void> write_file(FileSystem& files, const std::string& folder, const std::string& name, const std::string& text) {
  FERRY_TRY(const auto file,
            files.open(folder + "/" + name, {.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::MustBeNew}));
  FERRY_TRY_VOID(file->write_at(0, std::as_bytes(std::span(text))));
  FERRY_TRY_VOID(file->sync());
  return files.sync_directory(folder);
}

// Opens the folder as a server does, so that it is known to open, and moves what is needed out of damaged segments.
Result<void> open_and_settle(FileSystem& files, const std::string& folder, const std::vector<store::Location>& bodies,
                             CommandContext& context, const Logger& log) {
  store::JournalOptions options;
  options.folder = folder;
  options.threads = store::JournalOptions::Threads::None;
  store::Journal journal(files, context.clock, context.random, log, std::move(options));
  engine::Engine engine(journal, context.clock, context.random, log, {});
  FERRY_TRY_VOID(journal.recover(engine));
  FERRY_TRY_VOID(store::settle(journal, engine, bodies));
  return journal.close();
}

int repair(const std::string& folder, const Flags& flags, CommandContext& context) {
  const std::string time = compact_utc(context.clock.wall());
  const std::string copy = flags.copy.empty() ? default_copy(folder, time) : flags.copy;
  if (lies_in(copy, folder)) return complain(context, kName, "the copies cannot be kept inside the data folder", kExitUsage);
  raise_descriptor_limit();
  PosixFileSystem disk;
  Progress progress(context, {"reading", ProgressUnit::Bytes, flags.quiet});
  CountingFiles files(disk, [&](std::uint64_t bytes) { progress.tell({bytes, 0}); });
  const Logger log(context.clock, LogLevel::Info, LogFormat::Text, context.err);
  const auto refused = [&](const Error& error) {
    return complain(context, kName, error.message, exit_code_of(error, StopFlag()));
  };

  auto work = std::make_unique<store::Repair>(files, context.random, log, store::RepairOptions{folder});
  auto owner = std::make_unique<engine::EngineRepair>(*work, context.clock, context.random, log);
  const auto examined = work->examine(*owner);
  progress.clear();
  if (!examined) return refused(examined.error());
  const store::RepairFindings findings = work->findings();
  const engine::EngineRepair::Report report = owner->report();
  const RepairStory story{folder, copy, findings, report};
  const bool table = resolve_output(flags.output, context) == OutputFormat::Table;
  const auto show = [&](std::string_view state) {
    write_text(context.out, table ? describe_repair(story) : repair_json(story, state));
  };
  if (!findings.is_needed) {
    show("nothing to repair");
    return kExitDone;
  }
  if (flags.dry_run || (!flags.yes && isatty(context.in) != 1)) {
    show("planned");
    if (!flags.dry_run)
      write_text(context.err, "ferry store repair: nothing was changed; say --yes to have it repaired like this\n");
    return kExitFailed;
  }
  if (!flags.yes) {
    write_text(context.err, describe_repair(story));
    if (!confirmed(context)) return complain(context, kName, "nothing was changed", kExitFailed);
  }
  log.info("repair: begins", {{"folder", folder}, {"damages", findings.damages.size()}});
  const auto applied = work->apply(copy);
  progress.clear();
  if (!applied) return refused(applied.error());
  const std::vector<store::Location> moving = work->to_move();
  owner.reset();
  work.reset();
  if (const auto kept = write_file(files, copy, "repair-" + time + ".json", repair_json(story, "repaired")); !kept)
    return refused(kept.error());
  if (const auto opened = open_and_settle(disk, folder, moving, context, log); !opened) {
    return complain(context, kName, "the folder was repaired, but opening it failed: " + opened.error().message, kExitFailed);
  }
  log.info("repair: done; the folder opens", {{"copy", copy}, {"dropped_messages", report.lost_messages.size()}});
  show("repaired");
  return kExitDone;
}

}  // namespace

int store_repair_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{
      "Make a data folder open again whose start is refused for damage, with everything that can be read. Says first what is "
      "wrong and what would be lost.",
      "ferry store repair"};
  Flags flags;
  add_data_option(app, flags.data);
  app.add_flag("--dry-run", flags.dry_run, "say what is wrong and what would be lost, and change nothing");
  app.add_flag("-y,--yes", flags.yes, "do not ask")->excludes("--dry-run");
  app.add_option("--keep-copy", flags.copy,
                 "folder for copies of the files that change or go, not there yet or empty [DATA.before-repair-<UTC time>]");
  add_output_option(app, flags.output);
  add_quiet_option(app, flags.quiet);
  app.footer(kExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  const FolderOrExit where = find_data_folder(flags.data, context, kName);
  if (where.exit_code) return *where.exit_code;
  return repair(where.folder, flags, context);
}

}  // namespace ferry::cli
