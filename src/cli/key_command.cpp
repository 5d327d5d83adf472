#include "cli/key_command.h"

#include <fmt/format.h>

#include <array>

#include "cli/client_options.h"
#include "signing/key_file.h"

namespace ferry::cli {
namespace {

constexpr const char* kNewExamples = R"(
Examples:
  ferry key new deploy                  makes deploy.key (private) and deploy.pub in the key folder, prints the public line
  ferry key new deploy --folder /etc/ferry/keys

The public line goes into the worker's file of allowed senders:
  [sender.deploy]
  key = "ferry-ed25519-v1 … deploy"
  requests = ["Enable"]
  queues = ["work"]

Exit codes: 0 made; 1 failed, a key of this name among the reasons; 2 wrong usage.)";

constexpr const char* kPublicExamples = R"(
Examples:
  ferry key public deploy               of a key in the key folder
  ferry key public ./deploy.key         of a key file elsewhere

Exit codes: 0 printed; 1 it is no key, or others may read it; 2 wrong usage; 3 there is no such file.)";

constexpr const char* kListExamples = R"(
Examples:
  ferry key ls
  ferry key ls --folder /etc/ferry/keys -o json

Exit codes: 0 all are well; 1 one is not; 2 wrong usage.)";

constexpr const char* kCheckExamples = R"(
Examples:
  ferry key check deploy ./other.key    who may read them, whether they are keys, whether the .pub beside them is theirs

Exit codes: 0 all are well; 1 one is not; 2 wrong usage; 3 there is no such file.)";

struct Flags {
  std::string folder;
  std::string word;
  std::vector<std::string> words;
  ClientOptions output;  // only its output format is used
};

void add_output(CLI::App& app, Flags& flags) {
  app.add_option("-o,--output", flags.output.output, "auto, table, json or jsonl [auto: a table for a terminal, JSON otherwise]")
      ->check(CLI::IsMember({"auto", "table", "json", "jsonl"}));
}

Result<std::string> folder_of(const Flags& flags, const CommandContext& context) {
  if (!flags.folder.empty()) return flags.folder;
  return signing::default_key_folder(context.environment);
}

int exit_code_of_kind(ErrorKind kind) {
  return kind == ErrorKind::NotFound ? kExitNotFound : kExitFailed;
}

int key_new_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Make a key to sign requests with, and print its public line.", "ferry key new"};
  Flags flags;
  app.add_option("NAME", flags.word, "what the key is called: letters, digits, '.', '_', '@', '-'")->required();
  app.add_option("--folder", flags.folder, "[$XDG_CONFIG_HOME/ferry/keys, ~/.config/ferry/keys]");
  app.footer(kNewExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  if (const auto legal = signing::check_key_name(flags.word); !legal)
    return complain(context, "key new", legal.error().message, kExitUsage);
  const auto folder = folder_of(flags, context);
  if (!folder) return complain(context, "key new", folder.error().message, kExitUsage);
  const auto made = signing::create_key(*folder, flags.word, context.random);
  if (!made) return complain(context, "key new", made.error().message, kExitFailed);
  write_text(context.out, signing::format_public_key(made->key.public_key()) + "\n");
  write_text(context.err,
             fmt::format("The private key is {} (for you alone; there is no copy).\nThe public line goes to those who "
                         "run workers; it is also in {}.\n",
                         made->private_path, made->public_path));
  return kExitDone;
}

int key_public_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Print the public line of a private key.", "ferry key public"};
  Flags flags;
  app.add_option("KEY", flags.word, "a name in the key folder, or the path of a key file")->required();
  app.footer(kPublicExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  const auto path = signing::key_path(flags.word, context.environment);
  if (!path) return complain(context, "key public", path.error().message, kExitUsage);
  const auto key = signing::load_private_key(*path);
  if (!key) return complain(context, "key public", key.error().message, exit_code_of_kind(key.error().kind));
  write_text(context.out, signing::format_public_key(key->public_key()) + "\n");
  return kExitDone;
}

// Prints what was found of each; 1 when one is faulty.
int show(const std::vector<signing::ListedKey>& keys, const Flags& flags, const CommandContext& context) {
  bool faulty = false;
  const OutputFormat format = resolve_format(flags.output, context, OutputFormat::Json);
  std::vector<std::vector<std::string>> rows;
  DocumentList list(format);
  std::string documents;
  for (const signing::ListedKey& key : keys) {
    faulty = faulty || !key.fault.empty();
    const std::string state = key.fault.empty() ? "well" : key.fault;
    rows.push_back({key.key ? key.key->name : "?", key.key ? key.key->id() : "?", key.path, state});
    JsonWriter json;
    json.begin_object().key("File").text(key.path);
    if (key.key) {
      json.key("Name").text(key.key->name);
      json.key("KeyId").text(key.key->id());
      json.key("PublicKey").text(signing::format_public_key(*key.key));
    }
    json.key("Fault");
    if (key.fault.empty()) {
      json.null();
    } else {
      json.text(key.fault);
    }
    json.end_object();
    documents += list.next(json.str());
  }
  const bool table = format == OutputFormat::Table;
  write_text(context.out, table ? format_table({"NAME", "KEY ID", "FILE", "STATE"}, rows) : documents + list.end());
  return faulty ? kExitFailed : kExitDone;
}

int key_ls_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"List the keys of a folder.", "ferry key ls"};
  Flags flags;
  app.add_option("--folder", flags.folder, "[$XDG_CONFIG_HOME/ferry/keys, ~/.config/ferry/keys]");
  add_output(app, flags);
  app.footer(kListExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  const auto folder = folder_of(flags, context);
  if (!folder) return complain(context, "key ls", folder.error().message, kExitUsage);
  const auto keys = signing::list_keys(*folder);
  if (!keys) return complain(context, "key ls", keys.error().message, kExitFailed);
  return show(*keys, flags, context);
}

int key_check_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Say whether keys can be used, and what is wrong with those that cannot.", "ferry key check"};
  Flags flags;
  app.add_option("KEY", flags.words, "names in the key folder, or paths of key files")->required();
  add_output(app, flags);
  app.footer(kCheckExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  std::vector<signing::ListedKey> keys;
  for (const std::string& word : flags.words) {
    const auto path = signing::key_path(word, context.environment);
    if (!path) return complain(context, "key check", path.error().message, kExitUsage);
    const auto there = signing::load_private_key(*path);
    if (!there && there.error().kind == ErrorKind::NotFound)
      return complain(context, "key check", there.error().message, kExitNotFound);
    keys.push_back(signing::check_key_file(*path));
  }
  return show(keys, flags, context);
}

constexpr std::array kSubcommands = {
    Command{"new", "make a key and print its public line", key_new_command},
    Command{"public", "print the public line of a key", key_public_command},
    Command{"ls", "list the keys of a folder", key_ls_command},
    Command{"check", "say whether keys can be used", key_check_command},
};
}  // namespace

int key_command(std::span<const std::string> arguments, CommandContext& context) {
  std::string usage = "Look after the keys that requests are signed with (docs/signing.md).\n\nUsage: ferry key COMMAND …\n\n";
  for (const Command& command : kSubcommands) usage += fmt::format("  {:<7} {}\n", command.name, command.summary);
  usage += "\nferry key COMMAND --help says more, with examples.\n";
  return run_one_of(kSubcommands, "ferry key", usage, arguments, context);
}

}  // namespace ferry::cli
