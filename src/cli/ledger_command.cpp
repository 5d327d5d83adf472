#include "cli/ledger_command.h"

#include <fmt/format.h>

#include <array>

#include "base/encoding.h"
#include "cli/client_options.h"
#include "cli/ledger_report.h"
#include "cli/store_tools.h"
#include "cli/worker_ledger.h"
#include "ledger/open_ledger.h"

namespace ferry::cli {
namespace {

constexpr std::array kSubcommands = {
    Command{"ls", "list records, oldest first", ledger_list_command},
    Command{"show", "all of a record", ledger_show_command},
    Command{"retry", "let the next delivery run a request again, with all its attempts", ledger_retry_command},
    Command{"park", "keep a request from running until somebody says retry", ledger_park_command},
    Command{"forget", "drop a record, as if its request had never been seen", ledger_forget_command},
    Command{"stat", "count records, and find the oldest claim", ledger_stat_command},
};

std::string usage() {
  std::string text =
      "Look at what workers have done, and decide about what they have not; workers may run meanwhile.\n\nUsage: ferry ledger "
      "COMMAND …\n\n";
  for (const Command& command : kSubcommands) text += fmt::format("  {:<7} {}\n", command.name, command.summary);
  return text + "\nferry ledger COMMAND --help says more, with examples.\n";
}

constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such ledger or record; 4 not allowed; 5 no server.";

constexpr const char* kListExamples = R"(
Examples:
  ferry ledger ls                                   the hundred oldest records
  ferry ledger ls --state parked --state rejected   what needs a look
  ferry ledger ls --state claimed --idle 1h         claims that have been out for long
  ferry ledger ls --key order-2026- -o jsonl --all
  ferry ledger ls --ledger postgresql://db.example.org/work
)";

constexpr const char* kShowExamples = R"(
Examples:
  ferry ledger show order-17                        by the key of the request,
  ferry ledger show 5b0c8f0e-3c1c-4a55-9d55-7d0f5c1f2c11   the id of its message,
  ferry ledger show 3f2a90bc11de                    or eight or more digits of its hash
)";

constexpr const char* kRetryExamples = R"(
Only its next delivery runs it: a message that went to the dead letters is sent back with ferry dlq replay. What is done does not
run again; a request that somebody is running is left alone.

Examples:
  ferry ledger retry order-17
  ferry ledger retry order-17 --scope work/Enable   when the key means several requests
)";

constexpr const char* kParkExamples = R"(
A handler that is running it is told to stop at its next heartbeat, and its outcome is not taken any more.

Examples:
  ferry ledger park order-17 --reason "ask Ann first"
)";

constexpr const char* kForgetExamples = R"(
If its message is delivered again, it runs again. A request that somebody is running is left alone: park it first.

Examples:
  ferry ledger forget order-17 --yes
)";

constexpr const char* kStatExamples = R"(
Examples:
  ferry ledger stat
  ferry ledger stat --check                         also reads all of it, and says what is damaged
  ferry ledger stat --ledger /srv/ferry/ledger.db -o json
)";

struct Flags {
  std::string ledger;
  std::string output = "auto";
  std::vector<std::string> names;
  std::string scope;
  std::vector<std::string> states;
  std::string key;
  std::optional<Millis> idle;
  std::size_t limit = 100;
  std::string after;
  bool all = false;
  bool yes = false;
  bool check = false;
  bool quiet = false;
  std::string reason;
};

// One run of one subcommand.
class LedgerRun {
 public:
  LedgerRun(std::string name, const char* description, const char* examples, CommandContext& context)
      : context_(context), name_("ledger " + std::move(name)), app_(description, "ferry " + name_) {
    app_.add_option("--ledger", flags.ledger,
                    "file, or postgresql://HOST/DATABASE [FERRY_LEDGER, $XDG_STATE_HOME/ferry/ledger.db, "
                    "~/.local/state/ferry/ledger.db]");
    add_output_option(app_, flags.output);
    add_quiet_option(app_, flags.quiet);
    app_.footer(std::string(examples) + "\n" + kExitCodes);
  }
  LedgerRun(const LedgerRun&) = delete;
  LedgerRun& operator=(const LedgerRun&) = delete;

  CLI::App& app() { return app_; }
  void add_scope() { app_.add_option("--scope", flags.scope, "QUEUE/HANDLER: only records of it"); }
  void add_names() {
    app_.add_option("NAME", flags.names, "key, message id, or eight or more digits of the hash")->required();
    add_scope();
  }

  /// An exit code when there is nothing more to do.
  std::optional<int> open(std::span<const std::string> arguments) {
    if (const auto exit_code = parse_arguments(app_, arguments, context_)) return exit_code;
    const std::string where = ledger_location(flags.ledger, context_.environment);
    if (where.empty()) {
      return complain("no ledger: neither XDG_STATE_HOME nor HOME is set; name one with --ledger FILE", kExitUsage);
    }
    ledger::OpenOptions options;
    options.create = false;
    auto opened = ledger::open_ledger(where, options, context_.clock);
    if (!opened) return complain(opened.error().message, exit_code_of_ledger(opened.error().kind));
    ledger_ = std::move(*opened);
    return std::nullopt;
  }

  ledger::Ledger& ledger() { return *ledger_; }
  bool table() const { return resolve_output(flags.output, context_) == OutputFormat::Table; }
  OutputFormat format() const { return resolve_output(flags.output, context_); }
  void print(const std::string& text) const { write_text(context_.out, text); }
  int complain(std::string_view message, int exit_code) const { return cli::complain(context_, name_, message, exit_code); }
  // What a record's state does not allow is no fault of the usage.
  int failed(const Error& error) const {
    return complain(error.message, error.kind == ErrorKind::InvalidArgument ? kExitFailed : exit_code_of_ledger(error.kind));
  }

  /// Prints records as the output format says.
  void print_records(const std::vector<ledger::Row>& rows) const {
    if (table()) {
      for (const ledger::Row& row : rows) print(format_record(row) + (rows.size() > 1 ? "\n" : ""));
      return;
    }
    DocumentList documents(format());
    for (const ledger::Row& row : rows) {
      JsonWriter json;
      write_record_json(json, row);
      print(documents.next(json.str()));
    }
    print(documents.end());
  }

  /// The one record that `name` means. An exit code when it is none or several, everything said.
  struct RecordOrExit {
    std::optional<ledger::Row> row;
    int exit_code = kExitDone;
  };
  RecordOrExit find_one(const std::string& name) {
    auto found = ledger_->find({name, flags.scope});
    if (!found) return {std::nullopt, failed(found.error())};
    if (found->empty()) {
      return {std::nullopt, complain(fmt::format("there is no record of \"{}\"", escape_control(name)), kExitNotFound)};
    }
    if (found->size() == 1) return {std::move(found->front()), kExitDone};
    std::string text = fmt::format(
        "\"{}\" means {} records; nothing was done. Name one by its hash or with --scope:", escape_control(name), found->size());
    for (const ledger::Row& row : *found) {
      text += fmt::format("\n  {}  {}  {}", hex_encode(row.key.hash).substr(0, 16), row.key.scope, row.key.text);
    }
    return {std::nullopt, complain(text, kExitUsage)};
  }

  /// Does something to each named record. All names are looked up before the first is changed.
  template <class Action>
  int for_each_record(const Action& action) {
    std::vector<ledger::Row> rows;
    Progress progress(context_, {"records", ProgressUnit::Things, flags.quiet});
    const std::uint64_t steps = 2 * flags.names.size();  // each is found, then changed
    std::uint64_t step = 0;
    for (const std::string& name : flags.names) {
      RecordOrExit found = find_one(name);
      if (!found.row) return found.exit_code;
      rows.push_back(std::move(*found.row));
      progress.tell({++step, steps});
    }
    std::vector<ledger::Row> changed;
    int exit_code = kExitDone;
    for (const ledger::Row& row : rows) {
      Result<ledger::Row> result = action(row);
      progress.tell({++step, steps});
      if (!result) progress.clear();
      if (result) {
        changed.push_back(std::move(*result));
      } else {
        exit_code = failed(result.error());
      }
    }
    progress.clear();
    print_records(changed);
    return changed.empty() || exit_code == kExitDone ? exit_code : kExitPartly;
  }

  Flags flags;

 private:
  CommandContext& context_;
  const std::string name_;
  CLI::App app_;
  std::unique_ptr<ledger::Ledger> ledger_;
};

// Everything that is asked for, page by page.
int print_pages(LedgerRun& run, ledger::Filter filter) {
  DocumentList documents(run.format());
  std::vector<ledger::Row> rows;
  do {
    const auto page = run.ledger().list(filter);
    if (!page) return run.complain(page.error().message, kExitUsage);
    for (const ledger::Row& row : page->rows) {
      if (run.table()) {
        rows.push_back(row);
        continue;
      }
      JsonWriter json;
      write_record_json(json, row);
      run.print(documents.next(json.str()));
    }
    filter.after = page->next;
  } while (run.flags.all && !filter.after.empty());
  if (run.table()) {
    const auto stat = run.ledger().stat();
    if (!stat) return run.failed(stat.error());
    run.print(format_records(rows, stat->now));
  } else {
    run.print(documents.end());
  }
  return filter.after.empty() ? kExitDone
                              : run.complain(fmt::format("there is more: --after {}, or --all", filter.after), kExitDone);
}
}  // namespace

std::string ledger_location(const std::string& named, const EnvironmentGetter& environment) {
  if (!named.empty()) return named;
  if (const auto variable = environment("FERRY_LEDGER"); variable && !variable->empty()) return *variable;
  if (const auto xdg = environment("XDG_STATE_HOME"); xdg && !xdg->empty()) return *xdg + "/ferry/ledger.db";
  if (const auto home = environment("HOME"); home && !home->empty()) return *home + "/.local/state/ferry/ledger.db";
  return {};
}

int ledger_list_command(std::span<const std::string> arguments, CommandContext& context) {
  LedgerRun run("ls", "List records, oldest first.", kListExamples, context);
  run.add_scope();
  run.app()
      .add_option("--state", run.flags.states, "claimed, done, retry, rejected or parked; several: --state A --state B")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"claimed", "done", "retry", "rejected", "parked"}));
  run.app().add_option("--key", run.flags.key, "only keys that start with it");
  run.app().add_option_function<std::string>("--idle", duration_into(run.flags.idle),
                                             "neither claimed nor finished for so long: 30m");
  run.app().add_option("--limit", run.flags.limit, "at most so many [100]")->check(CLI::Range(1, 1000));
  run.app().add_option("--after", run.flags.after, "go on where a list ended");
  run.app().add_flag("--all", run.flags.all, "all of them");
  if (const auto exit_code = run.open(arguments)) return *exit_code;
  ledger::Filter filter;
  for (const std::string& name : run.flags.states) {
    if (const auto state = ledger::parse_state(name)) filter.states.push_back(*state);
  }
  filter.scope = run.flags.scope;
  filter.key_prefix = run.flags.key;
  filter.idle_min = run.flags.idle;
  filter.limit = run.flags.limit;
  filter.after = run.flags.after;
  return print_pages(run, std::move(filter));
}

int ledger_show_command(std::span<const std::string> arguments, CommandContext& context) {
  LedgerRun run("show", "All of the records that a name means, results included.", kShowExamples, context);
  run.add_names();
  if (const auto exit_code = run.open(arguments)) return *exit_code;
  std::vector<ledger::Row> rows;
  int exit_code = kExitDone;
  for (const std::string& name : run.flags.names) {
    auto found = run.ledger().find({name, run.flags.scope});
    if (!found) return run.failed(found.error());
    if (found->empty()) {
      exit_code = run.complain(fmt::format("there is no record of \"{}\"", escape_control(name)), kExitNotFound);
    }
    for (ledger::Row& row : *found) rows.push_back(std::move(row));
  }
  run.print_records(rows);
  return exit_code;
}

int ledger_retry_command(std::span<const std::string> arguments, CommandContext& context) {
  LedgerRun run("retry", "Let the next delivery run a request again, with all its attempts before it.", kRetryExamples, context);
  run.add_names();
  if (const auto exit_code = run.open(arguments)) return *exit_code;
  return run.for_each_record([&](const ledger::Row& row) { return run.ledger().retry(row.key.hash); });
}

int ledger_park_command(std::span<const std::string> arguments, CommandContext& context) {
  LedgerRun run("park", "Keep a request from running until somebody says retry.", kParkExamples, context);
  run.add_names();
  run.app().add_option("--reason", run.flags.reason, "for whoever looks at it next");
  if (const auto exit_code = run.open(arguments)) return *exit_code;
  const std::string reason = run.flags.reason.empty() ? "parked by " + current_user_name() : run.flags.reason;
  return run.for_each_record([&](const ledger::Row& row) { return run.ledger().park(row.key.hash, reason); });
}

int ledger_forget_command(std::span<const std::string> arguments, CommandContext& context) {
  LedgerRun run("forget", "Drop a record, as if its request had never been seen.", kForgetExamples, context);
  run.add_names();
  run.app().add_flag("--yes", run.flags.yes, "needed: what is done may run again");
  if (const auto exit_code = run.open(arguments)) return *exit_code;
  if (!run.flags.yes) {
    return run.complain("what is forgotten runs again when its message comes again; nothing was done. Say --yes if that is meant",
                        kExitUsage);
  }
  return run.for_each_record([&](const ledger::Row& row) -> Result<ledger::Row> {
    FERRY_TRY_VOID(run.ledger().forget(row.key.hash));
    return row;
  });
}

int ledger_stat_command(std::span<const std::string> arguments, CommandContext& context) {
  LedgerRun run("stat", "Count records, and find the oldest claim.", kStatExamples, context);
  run.app().add_flag("--check", run.flags.check, "also let the database check itself");
  if (const auto exit_code = run.open(arguments)) return *exit_code;
  const auto stat = run.ledger().stat();
  if (!stat) return run.failed(stat.error());
  if (run.table()) {
    run.print(format_statistics(*stat));
  } else {
    JsonWriter json;
    write_statistics_json(json, *stat);
    run.print(json.str() + "\n");
  }
  if (!run.flags.check) return kExitDone;
  const auto faults = run.ledger().check();
  if (!faults) return run.failed(faults.error());
  for (const std::string& fault : *faults) run.complain(fault, kExitFailed);
  return faults->empty() ? kExitDone : kExitFailed;
}

int ledger_command(std::span<const std::string> arguments, CommandContext& context) {
  return run_one_of(kSubcommands, "ferry ledger", usage(), arguments, context);
}

}  // namespace ferry::cli
