#include "cli/unit_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/encoding.h"
#include "base/posix_file.h"
#include "cli/client_options.h"
#include "cli/unit_text.h"
#include "cli/worker_watch.h"
#include "client/queue_reference.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "worker unit";
constexpr Seconds kTimerMin{10};
constexpr Seconds kTimerMax{86'400};
constexpr Millis kPollLead{10'000};  // a poll of a timer ends so much before the next one would start, if the interval has room

constexpr const char* kExamples = R"(
Examples:
  ferry worker unit orders --config /etc/ferry/handoff.toml >/etc/systemd/system/ferry-work-orders.service
  ferry worker unit --write /etc/systemd/system orders --config /etc/ferry/handoff.toml
  ferry worker unit --timer 5m --write /etc/systemd/system orders --config /etc/ferry/handoff.toml
  systemctl daemon-reload && systemctl enable --now ferry-work-orders.service

With --timer two units are made: a service that runs ferry poll once, and the timer that starts it. Put AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY into the file of --credentials, mode 0600.)";

struct Flags {
  std::string queue;
  std::string config = "handoff.toml";
  std::string name;
  std::string user;
  std::string credentials;
  std::string program;
  std::string write;
  std::string endpoint_url;
  std::string region;
  bool amazon = false;
  std::optional<int> concurrency;
  std::optional<Millis> timer;
};

class UnitMaker {
 public:
  UnitMaker(const Flags& flags, const CommandContext& context) : flags_(flags), context_(context) {}

  int run() {
    if (const auto exit_code = read()) return *exit_code;
    if (!flags_.timer) return put({{input_.name + ".service", service_unit(input_)}});
    const auto interval = std::chrono::duration_cast<Seconds>(*flags_.timer);
    return put({{input_.name + ".service", oneshot_unit(input_)}, {input_.name + ".timer", timer_unit(input_, interval)}});
  }

 private:
  struct Unit {
    std::string file;
    std::string text;
  };
  std::optional<int> usage(std::string_view message) const { return complain(context_, kName, message, kExitUsage); }

  std::optional<int> read() {
    if (flags_.timer && (*flags_.timer % 1000 != Millis(0) || *flags_.timer < kTimerMin || *flags_.timer > kTimerMax))
      return usage("--timer must be whole seconds from 10s to 24h");
    const auto reference = client::parse_queue_argument(flags_.queue);
    if (!reference) return usage(reference.error().message);
    const auto handoff = config::load_handoff(flags_.config);
    if (!handoff) return usage(handoff.error().text());
    input_.stop_time = handoff->worker.drain_timeout + handoff->longest_kill_grace() + kUnitStopMargin;
    input_.queue = flags_.queue;
    input_.user = flags_.user;
    input_.name = flags_.name.empty() ? unit_name(flags_.timer ? "poll" : "work", reference->name) : flags_.name;
    if (unit_name("", input_.name) != "ferry--" + input_.name) return usage("--name takes letters, digits, '-' and '_'");
    input_.credentials_file =
        flags_.credentials.empty() ? fmt::format("/etc/ferry/{}.env", input_.name) : absolute(flags_.credentials);
    return read_command();
  }

  std::optional<int> read_command() {
    std::error_code error;
    const std::string program =
        flags_.program.empty() ? std::filesystem::read_symlink("/proc/self/exe", error).string() : absolute(flags_.program);
    if (program.empty()) return usage("cannot tell where ferry is; name it with --program");
    const std::string config = absolute(flags_.config);
    input_.argv = {program, flags_.timer ? "poll" : "work", flags_.queue, "--config", config};
    const auto add = [&](const char* flag, const std::string& value) {
      if (!value.empty()) input_.argv.insert(input_.argv.end(), {flag, value});
    };
    add("--endpoint-url", flags_.endpoint_url);
    add("--region", flags_.region);
    if (flags_.amazon) input_.argv.emplace_back("--aws");
    if (flags_.concurrency) add("--concurrency", std::to_string(*flags_.concurrency));
    if (flags_.timer) {
      const Millis room = *flags_.timer > 2 * kPollLead ? *flags_.timer - kPollLead : *flags_.timer;
      add("--max-time", fmt::format("{}s", std::chrono::duration_cast<Seconds>(room).count()));
    }
    for (const std::string& word : input_.argv) {
      if (!unit_word(word))
        return usage(fmt::format("\"{}\" has a control character, which cannot stand in a unit", escape_control(word)));
    }
    for (const std::string& path : {program, config}) add_read_path(std::filesystem::path(path).parent_path().string());
    return std::nullopt;
  }

  // ProtectHome= and PrivateTmp= hide these places.
  void add_read_path(const std::string& folder) {
    const auto below = [&](std::string_view top) {
      return folder == top || (folder.starts_with(top) && folder[top.size()] == '/');
    };
    if (!below("/home") && !below("/root") && !below("/run/user") && !below("/tmp") && !below("/var/tmp")) return;
    if (std::find(input_.read_paths.begin(), input_.read_paths.end(), folder) != input_.read_paths.end()) return;
    input_.read_paths.push_back(folder);
    complain(
        context_, kName,
        fmt::format("{} is hidden from services: the unit shows it to this one, but /etc/ferry and /usr/local/bin suit better",
                    folder),
        0);
  }

  static std::string absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); }

  int put(const std::vector<Unit>& units) {
    if (flags_.write.empty()) {
      std::string text;
      for (const Unit& unit : units) {
        if (units.size() > 1) text += fmt::format("{}# {}\n", text.empty() ? "" : "\n", unit.file);
        text += unit.text;
      }
      write_text(context_.out, text);
      return kExitDone;
    }
    PosixFileSystem files;
    for (const Unit& unit : units) {
      const std::string path = flags_.write + "/" + unit.file;
      if (const auto written = write_file(files, path, unit.text); !written) {
        return complain(context_, kName, written.error().message, kExitFailed);
      }
      write_text(context_.err, fmt::format("{} written\n", escape_control(path)));
    }
    return kExitDone;
  }

  // A reader sees the old text or the new one. Anybody may read a unit: no secrets are in it.
  static Result<void> write_file(FileSystem& files, const std::string& path, const std::string& text) {
    const std::string fresh = path + ".new";
    OpenMode mode;
    mode.access = OpenMode::Access::ReadWrite;
    mode.creation = OpenMode::Creation::IfAbsent;
    {
      FERRY_TRY(const auto file, files.open(fresh, mode));
      FERRY_TRY_VOID(file->truncate(0));
      FERRY_TRY_VOID(file->write_at(0, std::as_bytes(std::span(text))));
      FERRY_TRY_VOID(file->sync());
    }
    std::error_code error;
    std::filesystem::permissions(fresh, std::filesystem::perms(0644), error);
    if (error) return fail(ErrorKind::Io, fmt::format("cannot change the mode of {}: {}", fresh, error.message()));
    return files.rename(fresh, path);
  }

  const Flags& flags_;
  const CommandContext& context_;
  UnitInput input_;
};

int unit_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Print a hardened systemd service that runs ferry work, or a timer that runs ferry poll.", "ferry worker unit"};
  Flags flags;
  app.add_option("QUEUE", flags.queue, "name, URL or ARN")->required();
  app.add_option("--config", flags.config, "requests and their handlers [./handoff.toml]");
  app.add_option_function<std::string>("--timer", duration_into(flags.timer),
                                       "run ferry poll so often, 10s to 24h, instead of ferry work");
  app.add_option("--write", flags.write, "write the files into this folder instead of printing them");
  app.add_option("--name", flags.name, "of the unit, without suffix [ferry-work-QUEUE, ferry-poll-QUEUE]");
  app.add_option("--user", flags.user, "run as this user [one that systemd makes up]");
  app.add_option("--credentials", flags.credentials, "file of NAME=VALUE lines for the environment [/etc/ferry/NAME.env]");
  app.add_option("--program", flags.program, "path of ferry [this program's]");
  app.add_option("-j,--concurrency", flags.concurrency, "handlers at a time [worker.concurrency]")->check(CLI::PositiveNumber);
  app.add_option("--endpoint-url", flags.endpoint_url, "the server, as for ferry work");
  app.add_option("--region", flags.region, "as for ferry work");
  app.add_flag("--aws", flags.amazon, "Amazon SQS itself");
  app.footer(kExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  return UnitMaker(flags, context).run();
}

constexpr std::array kSubcommands = {
    Command{"unit", "print a systemd service or timer that runs a worker", unit_command},
};
}  // namespace

int worker_command(std::span<const std::string> arguments, CommandContext& context) {
  std::string usage = "Sets workers up.\n\nUsage: ferry worker COMMAND …\n\n";
  for (const Command& command : kSubcommands) usage += fmt::format("  {:<7} {}\n", command.name, command.summary);
  usage += "\nferry worker COMMAND --help says more, with examples.\n";
  return run_one_of(kSubcommands, "ferry worker", usage, arguments, context);
}

}  // namespace ferry::cli
