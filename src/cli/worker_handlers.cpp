#include "cli/worker_handlers.h"

#include <fmt/format.h>

#include "base/process.h"

namespace ferry::cli {
namespace {

class Reader {
 public:
  Reader(const WorkerFlags& flags, std::string_view name, const CommandContext& context, WorkerHandlers& handlers)
      : flags_(flags), name_(name), context_(context), handlers_(handlers) {}

  std::optional<int> read_file() {
    if (flags_.timeout) return usage("--timeout is for a COMMAND; handlers have theirs in handoff.toml");
    HandoffOrExit found = find_handoff(flags_.config, context_, name_);
    if (found.exit_code) return found.exit_code;
    if (!found.handoff) {
      return usage(
          fmt::format("there is no handoff.toml here; name one with --config, or a command: ferry {} QUEUE -- COMMAND…", name_));
    }
    handlers_.handoff = std::move(*found.handoff);
    if (const auto resolved = config::resolve_programs(handlers_.handoff); !resolved) return usage(resolved.error().text());
    handlers_.router.emplace(handlers_.handoff);
    return std::nullopt;
  }

  std::optional<int> read_command() {
    if (!flags_.config.empty()) return usage("give --config or a COMMAND, not both");
    config::HandlerSpec handler;
    for (const std::string& word : flags_.command) handler.argv.push_back({word, config::PlaceholderKind::None, {}});
    const std::string& program = flags_.command[0];
    handler.program = program;
    if (program.find('/') == std::string::npos) {
      auto found = find_program(program, context_.environment("PATH").value_or(handlers_.handoff.worker.path));
      if (!found) return usage(found.error().message);
      handler.program = std::move(*found);
    }
    if (const auto usable = check_program(handler.program); !usable) return usage(usable.error().message);
    handler.timeout = flags_.timeout.value_or(handler.timeout);
    if (handler.timeout < Millis(1) || handler.timeout > std::chrono::hours(11))
      return usage("--timeout must be from 1ms to 11h");
    handler.no_new_privileges = false;  // it is run as it was written, sudo or not
    handlers_.command.handler = std::move(handler);
    handlers_.router.emplace(handlers_.command);
    return std::nullopt;
  }

 private:
  std::optional<int> usage(std::string_view message) const { return complain(context_, name_, message, kExitUsage); }

  const WorkerFlags& flags_;
  std::string_view name_;
  const CommandContext& context_;
  WorkerHandlers& handlers_;
};
}  // namespace

std::optional<int> read_handlers(const WorkerFlags& flags, std::string_view name, const CommandContext& context,
                                 WorkerHandlers& handlers) {
  Reader reader(flags, name, context, handlers);
  return flags.command.empty() ? reader.read_file() : reader.read_command();
}

}  // namespace ferry::cli
