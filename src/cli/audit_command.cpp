#include "cli/audit_command.h"

#include <fmt/format.h>

#include <array>

#include "audit/story.h"
#include "audit/verify.h"
#include "base/encoding.h"
#include "base/posix_file.h"
#include "cli/client_options.h"
#include "cli/counting_files.h"
#include "cli/progress.h"
#include "cli/store_tools.h"
#include "signing/key_file.h"

namespace ferry::cli {
namespace {

constexpr std::size_t kKnownBytesMax = 256 * 1024 * 1024;

constexpr const char* kPathHelp =
    "files, or folders with files of a trail [$XDG_STATE_HOME/ferry/audit, ~/.local/state/ferry/audit]";

constexpr const char* kVerifyExamples = R"(
Examples:
  ferry audit verify                    the default folder, while workers write in it or not
  ferry audit verify /var/log/ferry --key worker.pub
                                        every signature must be of this key
  ferry audit verify /var/log/ferry --known /mnt/other/checkpoints/*.jsonl
                                        lines that were kept elsewhere must still be there: a cut tail is found

What is found without --key and --known, and what is not: docs/audit.md.
Exit codes: 0 whole; 1 not whole (file, line, what), or it could not be read; 2 wrong usage; 3 there is no audit trail.)";

constexpr const char* kWhyExamples = R"(
Examples:
  ferry audit why 5a2f6bb0-9d4e-4f0c-8f5e-5c2f3b1c0f11
  ferry audit why order-1234 /var/log/ferry -o json     an idempotency key will do, too

Exit codes: 0 told; 1 it could not be read; 2 wrong usage; 3 there is no audit trail, or nothing about this id in it.)";

constexpr const char* kListExamples = R"(
Examples:
  ferry audit ls
  ferry audit ls /var/log/ferry -o json

Exit codes: 0 done; 1 it could not be read; 2 wrong usage; 3 there is no audit trail.)";

struct Flags {
  std::vector<std::string> paths;
  std::string id;
  std::vector<std::string> keys;
  std::vector<std::string> known;
  ClientOptions output;  // only its output format and quiet are used
};

// Tells how much of the trail was read.
class Reading {
 public:
  Reading(const std::vector<std::string>& paths, const Flags& flags, const CommandContext& context)
      : progress_(context, {"reading", ProgressUnit::Bytes, flags.output.quiet}) {
    if (const auto found = audit::find_chain_files(disk_, paths)) {
      for (const audit::ChainFile& file : *found) total_ += file.bytes;
    }
  }
  FileSystem& files() { return files_; }
  void done() { progress_.clear(); }

 private:
  PosixFileSystem disk_;
  Progress progress_;
  std::uint64_t total_ = 0;
  CountingFiles files_{disk_, [this](std::uint64_t bytes) { progress_.tell({bytes, total_}); }};
};

void add_output(CLI::App& app, Flags& flags) {
  app.add_option("-o,--output", flags.output.output, "auto, table, json or jsonl [auto: a table for a terminal, JSON otherwise]")
      ->check(CLI::IsMember({"auto", "table", "json", "jsonl"}));
  add_quiet_option(app, flags.output.quiet);
}

int complain(const CommandContext& context, std::string_view command, const Error& error) {
  return complain(context, command, error.message, error.kind == ErrorKind::NotFound ? kExitNotFound : kExitFailed);
}

// The paths, or the default folder.
Result<std::vector<std::string>> paths_of(const Flags& flags, const CommandContext& context) {
  if (!flags.paths.empty()) return flags.paths;
  const std::string state = context.environment("XDG_STATE_HOME").value_or("");
  if (state.starts_with('/')) return std::vector<std::string>{state + "/ferry/audit"};
  const std::string home = context.environment("HOME").value_or("");
  if (home.starts_with('/')) return std::vector<std::string>{home + "/.local/state/ferry/audit"};
  return fail(ErrorKind::InvalidArgument, "neither XDG_STATE_HOME nor HOME says where the audit trail is; name a PATH");
}

Result<audit::VerifyOptions> options_of(const Flags& flags, FileSystem& files) {
  audit::VerifyOptions options;
  for (const std::string& word : flags.keys) {
    auto key = signing::parse_public_key(word);
    if (!key) key = signing::load_public_key(word);
    if (!key) {
      return fail(ErrorKind::InvalidArgument,
                  fmt::format("--key takes a public line or a file with one: {}", key.error().message));
    }
    options.keys.emplace(ed25519_key_id(key->bytes), key->bytes);
  }
  std::size_t bytes = 0;
  for (const std::string& path : flags.known) {
    FERRY_TRY(auto file, files.open(path, OpenMode{}));
    audit::LineReader reader(std::move(file));
    for (;;) {
      FERRY_TRY(auto line, reader.next());
      if (!line || !line->ended) break;  // a last line without its break may still be on its way
      bytes += line->text.size();
      if (bytes > kKnownBytesMax) return fail(ErrorKind::NoSpace, "the --known lines have more than 256 MiB; name fewer");
      options.known_lines.push_back(std::move(line->text));
    }
  }
  return options;
}

std::string_view name_of(audit::ChainState state) {
  switch (state) {
    case audit::ChainState::Closed:
      return "closed";
    case audit::ChainState::Torn:
      return "torn";
    case audit::ChainState::Open:
      break;
  }
  return "open";
}

std::string verify_json(const audit::VerifyReport& report) {
  const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  JsonWriter json;
  json.begin_object().key("Whole").boolean(report.whole());
  json.key("Chains").begin_array();
  for (const audit::ChainReport& chain : report.chains) {
    json.begin_object().key("Name").text(chain.name).key("Id").text(chain.id);
    json.key("State").text(name_of(chain.state));
    json.key("Files").number(number(chain.files)).key("Lines").number(number(chain.lines));
    json.key("First").number(number(chain.first_seq)).key("Last").number(number(chain.last_seq));
    json.key("From").text(chain.first_time).key("To").text(chain.last_time);
    json.key("Repairs").number(number(chain.repairs)).key("SignedLines").number(number(chain.signed_lines));
    json.key("SignedUpTo").number(number(chain.signed_seq)).end_object();
  }
  json.end_array().key("Faults").begin_array();
  for (const audit::Fault& fault : report.faults) {
    json.begin_object()
        .key("File")
        .text(fault.file)
        .key("Line")
        .number(number(fault.line))
        .key("What")
        .text(fault.what)
        .end_object();
  }
  json.end_array().key("FaultsLeftOut").number(number(report.faults_left_out)).end_object();
  return json.str() + "\n";
}

std::string verify_text(const audit::VerifyReport& report, bool keys) {
  std::string text;
  for (const audit::ChainReport& chain : report.chains) {
    text += fmt::format("{}: lines {} to {} in {} file{}, {} to {}, {}\n", escape_control(chain.name), chain.first_seq,
                        chain.last_seq, chain.files, chain.files == 1 ? "" : "s", escape_control(chain.first_time),
                        escape_control(chain.last_time), name_of(chain.state));
    if (chain.first_seq > 1) text += fmt::format("  begins with line {}: the files before it are not here\n", chain.first_seq);
    if (chain.repairs > 0) text += fmt::format("  {} torn writes, each with its repair on record\n", chain.repairs);
    if (chain.signed_lines == 0) {
      text += "  not signed: a tail that was cut off, or a chain that was written anew, cannot be noticed here\n";
    } else {
      text += fmt::format("  {} signed lines, the last is {}{}\n", chain.signed_lines, chain.signed_seq,
                          keys ? "" : "; not checked: name the worker's public key with --key");
    }
    if (chain.state == audit::ChainState::Open)
      text += "  not closed: its writer is at work, was killed, or its end was taken away\n";
    if (chain.state == audit::ChainState::Torn)
      text += "  ends in the middle of a line: the next start of its writer repairs that\n";
  }
  for (const audit::Fault& fault : report.faults) {
    std::string place = escape_control(fault.file);
    if (fault.line > 0) place += fmt::format("{}{}", place.empty() ? "known line " : ":", fault.line);
    text += fmt::format("FAULT {}{}{}\n", place, place.empty() ? "" : ": ", fault.what);
  }
  if (report.faults_left_out > 0) text += fmt::format("… and {} more faults\n", report.faults_left_out);
  return text + (report.whole() ? "whole\n" : "NOT WHOLE\n");
}

int audit_verify_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Say whether an audit trail is whole, and if not: which file, which line, what.", "ferry audit verify"};
  Flags flags;
  app.add_option("PATH", flags.paths, kPathHelp);
  app.add_option("--key", flags.keys, "public key, or a file with one, that signatures must be of; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--known", flags.known, "files with lines of the trail that were kept elsewhere: checkpoints, shipped copies");
  add_output(app, flags);
  app.footer(kVerifyExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  const auto paths = paths_of(flags, context);
  if (!paths) return complain(context, "audit verify", paths.error().message, kExitUsage);
  PosixFileSystem files;
  const auto options = options_of(flags, files);
  if (!options) return complain(context, "audit verify", options.error().message, kExitUsage);
  Reading reading(*paths, flags, context);
  const auto report = audit::verify(reading.files(), *paths, *options);
  reading.done();
  if (!report) return complain(context, "audit verify", report.error());
  const bool table = resolve_format(flags.output, context, OutputFormat::Json) == OutputFormat::Table;
  write_text(context.out, table ? verify_text(*report, !options->keys.empty()) : verify_json(*report));
  return report->whole() ? kExitDone : kExitFailed;
}

std::string story_text(const audit::Story& story) {
  std::string text;
  std::string chain;
  for (const audit::StoryLine& line : story.lines) {
    if (line.chain != chain) text += fmt::format("{}:\n", escape_control(line.chain));
    chain = line.chain;
    text += fmt::format("{}  {}\n", escape_control(line.record.time), audit::tell(line.record));
  }
  if (!story.other_messages.empty()) {
    text += "The same request also came as\n";
    for (const std::string& id : story.other_messages) text += fmt::format("  {}\n", escape_control(id));
  }
  return text;
}

std::string story_json(const audit::Story& story, OutputFormat format) {
  std::string text;
  DocumentList list(format);
  for (const audit::StoryLine& line : story.lines) {
    JsonWriter json;
    json.begin_object().key("File").text(line.file).key("Line").number(static_cast<std::int64_t>(line.line));
    json.key("Tells").text(audit::tell(line.record));
    std::string document = json.str();
    document += fmt::format(",\"Record\":{}}}", line.json);  // as it stands in the file, so that its hash can be checked
    text += list.next(document);
  }
  return text + list.end();
}

int audit_why_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Tell what became of a request.", "ferry audit why"};
  Flags flags;
  app.add_option("ID", flags.id, "a message id, an idempotency key or a trace id")->required();
  app.add_option("PATH", flags.paths, kPathHelp);
  add_output(app, flags);
  app.footer(kWhyExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  const auto paths = paths_of(flags, context);
  if (!paths) return complain(context, "audit why", paths.error().message, kExitUsage);
  Reading reading(*paths, flags, context);
  const auto story = audit::find_story(reading.files(), *paths, flags.id);
  reading.done();
  if (!story) return complain(context, "audit why", story.error());
  if (story->lines.empty()) {
    return complain(context, "audit why", fmt::format("nothing in {} speaks of {}", fmt::join(*paths, ", "), flags.id),
                    kExitNotFound);
  }
  const OutputFormat format = resolve_format(flags.output, context, OutputFormat::Json);
  write_text(context.out, format == OutputFormat::Table ? story_text(*story) : story_json(*story, format));
  return kExitDone;
}

// Times of the first and the last line; empty when there is none.
Result<std::pair<std::string, std::string>> times_of(FileSystem& files, const audit::ChainFile& file) {
  FERRY_TRY(auto opened, files.open(file.path, OpenMode{}));
  const auto end = audit::read_chain_end(*opened, file.path);
  std::string last = end && end->last ? end->last->time : std::string();
  audit::LineReader reader(std::move(opened));
  FERRY_TRY(const auto line, reader.next());
  const auto first = line ? audit::parse_line(line->text) : std::nullopt;
  return std::pair(first ? first->time : std::string(), std::move(last));
}

int audit_ls_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"List the files of an audit trail.", "ferry audit ls"};
  Flags flags;
  app.add_option("PATH", flags.paths, kPathHelp);
  add_output(app, flags);
  app.footer(kListExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  const auto paths = paths_of(flags, context);
  if (!paths) return complain(context, "audit ls", paths.error().message, kExitUsage);
  PosixFileSystem files;
  const auto found = audit::find_chain_files(files, *paths);
  if (!found) return complain(context, "audit ls", found.error());
  if (found->empty())
    return complain(context, "audit ls", fmt::format("there is no audit trail in {}", fmt::join(*paths, ", ")), kExitNotFound);
  const OutputFormat format = resolve_format(flags.output, context, OutputFormat::Json);
  std::vector<std::vector<std::string>> rows;
  DocumentList list(format);
  std::string documents;
  for (const audit::ChainFile& file : *found) {
    const auto times = times_of(files, file);
    if (!times) return complain(context, "audit ls", times.error());
    rows.push_back({file.path, std::to_string(file.first_seq), std::to_string(file.bytes), times->first, times->second});
    JsonWriter json;
    json.begin_object().key("File").text(file.path).key("Chain").text(file.chain);
    json.key("First")
        .number(static_cast<std::int64_t>(file.first_seq))
        .key("Bytes")
        .number(static_cast<std::int64_t>(file.bytes));
    json.key("From").text(times->first).key("To").text(times->second).end_object();
    documents += list.next(json.str());
  }
  const bool table = format == OutputFormat::Table;
  write_text(context.out, table ? format_table({"FILE", "FIRST", "BYTES", "FROM", "TO"}, rows) : documents + list.end());
  return kExitDone;
}

constexpr std::array kSubcommands = {
    Command{"verify", "say whether a trail is whole", audit_verify_command},
    Command{"why", "tell what became of a request", audit_why_command},
    Command{"ls", "list the files of a trail", audit_ls_command},
};
}  // namespace

int audit_command(std::span<const std::string> arguments, CommandContext& context) {
  std::string usage = "Read the record that workers keep of their requests (docs/audit.md).\n\nUsage: ferry audit COMMAND …\n\n";
  for (const Command& command : kSubcommands) usage += fmt::format("  {:<7} {}\n", command.name, command.summary);
  usage += "\nferry audit COMMAND --help says more, with examples.\n";
  return run_one_of(kSubcommands, "ferry audit", usage, arguments, context);
}

}  // namespace ferry::cli
