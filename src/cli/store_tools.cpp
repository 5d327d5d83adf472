#include "cli/store_tools.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <array>

#include "cli/client_options.h"
#include "cli/serve_options.h"

namespace ferry::cli {
namespace {

std::string_view effect_name(store::Effect effect) {
  switch (effect) {
    case store::Effect::Nothing:
      return "nothing is lost";
    case store::Effect::Bodies:
      return "messages there cannot be read";
    case store::Effect::Refusal:
      return "a start is refused";
  }
  return "";
}

store::JournalOptions offline_options(const std::string& folder) {
  store::JournalOptions options;
  options.folder = folder;
  options.access = store::JournalOptions::Access::ReadOnly;
  options.threads = store::JournalOptions::Threads::None;
  options.direct_access = store::JournalOptions::DirectAccess::Never;
  return options;
}
}  // namespace

void add_data_option(CLI::App& app, std::string& data) {
  app.add_option("--data", data, "data folder [FERRY_DATA, $XDG_DATA_HOME/ferry, ~/.local/share/ferry]");
}

void add_output_option(CLI::App& app, std::string& output) {
  app.add_option("-o,--output", output, "auto, table, json or jsonl [auto: a table for a terminal, JSON otherwise]")
      ->check(CLI::IsMember({"auto", "table", "json", "jsonl"}));
}

void add_quiet_option(CLI::App& app, bool& quiet) {
  app.add_flag("-q,--quiet", quiet, "do not tell how far it is");
}

OutputFormat resolve_output(const std::string& output, const CommandContext& context) {
  ClientOptions options;
  options.output = output;
  return resolve_format(options, context, OutputFormat::Json);
}

FolderOrExit find_data_folder(const std::string& data, const CommandContext& context, std::string_view command) {
  std::string folder = data_folder(data.empty() ? std::nullopt : std::optional(data), context.environment);
  if (folder.empty()) {
    return {{},
            complain(context, command, "no data folder: neither XDG_DATA_HOME nor HOME is set; name one with --data DIR",
                     kExitUsage)};
  }
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  return {std::move(folder), std::nullopt};
}

int exit_code_of(const Error& error, const StopFlag& stop) {
  if (error.kind == ErrorKind::Cancelled && stop.signal() != 0) return 128 + stop.signal();
  return error.kind == ErrorKind::NotFound ? kExitNotFound : kExitFailed;
}

LongWork::LongWork(const CommandContext& context, Progress::About about)
    : progress_(context, std::move(about)), stop_(context.stop != nullptr ? *context.stop : own_stop_) {
  if (context.stop != nullptr) return;
  static constexpr std::array kSignals = {SIGINT, SIGTERM};
  watch_ = std::make_unique<SignalWatch>(kSignals, [this](int signal) { own_stop_.request(signal); });
}

store::Progress LongWork::progress() {
  return [this](std::uint64_t done, std::uint64_t total) {
    if (stop_.requests() > 0) return false;
    progress_.tell({done, total});
    return true;
  };
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::string human_bytes(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

OfflineStore::OfflineStore(FileSystem& files, const std::string& folder, const CommandContext& context)
    : log_(context.clock, LogLevel::Off, LogFormat::Text, context.err),
      journal_(files, context.clock, context.random, log_, offline_options(folder)),
      engine_(journal_, context.clock, context.random, log_, {}) {}

Result<std::unique_ptr<OfflineStore>> OfflineStore::load(FileSystem& files, const std::string& folder,
                                                         const CommandContext& context) {
  std::unique_ptr<OfflineStore> store(new OfflineStore(files, folder, context));
  FERRY_TRY_VOID(store->journal_.recover(store->engine_));
  return store;
}

std::string format_faults(const store::Inspection& inspection) {
  if (inspection.faults.empty()) return {};
  std::vector<std::vector<std::string>> rows;
  for (const store::Fault& fault : inspection.faults)
    rows.push_back({fault.file, std::to_string(fault.offset), std::string(effect_name(fault.effect)), fault.what});
  std::string text = format_table({"FILE", "OFFSET", "EFFECT", "FAULT"}, rows);
  if (inspection.faults_left_out != 0) text += fmt::format("… and {} more\n", inspection.faults_left_out);
  return text;
}

void write_faults_json(JsonWriter& json, const store::Inspection& inspection) {
  json.key("Faults").begin_array();
  for (const store::Fault& fault : inspection.faults) {
    json.begin_object().key("File").text(fault.file).key("Offset").number(static_cast<std::int64_t>(fault.offset));
    json.key("Effect").text(effect_name(fault.effect)).key("Fault").text(fault.what).end_object();
  }
  json.end_array();
  json.key("FaultsLeftOut").number(static_cast<std::int64_t>(inspection.faults_left_out));
}

}  // namespace ferry::cli
