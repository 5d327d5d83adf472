#pragma once
// What the commands that work on a data folder themselves, without a server, have in common.

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/posix_file.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "engine/engine.h"
#include "store/journal/inspect.h"
#include "store/journal/journal.h"

namespace ferry::cli {

/// --data.
void add_data_option(CLI::App& app, std::string& data);
/// --output.
void add_output_option(CLI::App& app, std::string& output);
/// --quiet: no progress is shown.
void add_quiet_option(CLI::App& app, bool& quiet);
OutputFormat resolve_output(const std::string& output, const CommandContext& context);

/// What --data says, or the default of `ferry serve`. An exit code when there is none, everything said.
struct FolderOrExit {
  std::string folder;
  std::optional<int> exit_code;
};
FolderOrExit find_data_folder(const std::string& data, const CommandContext& context, std::string_view command);

/// 3 no such store or backup, 1 anything else; 128 and the signal's number when we were told to stop.
int exit_code_of(const Error& error, const StopFlag& stop);

/// Watches SIGINT and SIGTERM, unless the context has a flag of its own, and shows how far the work is. Create it before any
/// other thread.
class LongWork {
 public:
  LongWork(const CommandContext& context, Progress::About about);
  LongWork(const LongWork&) = delete;
  LongWork& operator=(const LongWork&) = delete;
  /// For the functions that tell how far they are. It refers to this object.
  store::Progress progress();
  const StopFlag& stop() const { return stop_; }
  /// Clears what is shown; the destructor does it, too.
  void done() { progress_.clear(); }

 private:
  Progress progress_;
  StopFlag own_stop_;
  const StopFlag& stop_;
  std::unique_ptr<SignalWatch> watch_;
};

/// Each segment takes a descriptor: as many as the system allows.
void raise_descriptor_limit();

/// "4.0 MiB".
std::string human_bytes(std::uint64_t bytes);

/// The queues as a start of the server would find them, without a server and without a change.
class OfflineStore {
 public:
  /// `files` is a view, or a folder in which nobody works. Blocks as long as a start of the server does.
  static Result<std::unique_ptr<OfflineStore>> load(FileSystem& files, const std::string& folder, const CommandContext& context);
  engine::Engine& engine() { return engine_; }
  const store::Journal& journal() const { return journal_; }

 private:
  OfflineStore(FileSystem& files, const std::string& folder, const CommandContext& context);

  Logger log_;
  store::Journal journal_;
  engine::Engine engine_;
};

/// What an inspection found, for people: a table of the faults; empty without any.
std::string format_faults(const store::Inspection& inspection);
/// The same as members of an open object: "Faults", "FaultsLeftOut".
void write_faults_json(JsonWriter& json, const store::Inspection& inspection);

}  // namespace ferry::cli
