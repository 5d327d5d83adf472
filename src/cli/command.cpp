#include "cli/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/encoding.h"
#include "base/suggest.h"

namespace ferry::cli {

void write_text(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

int run_one_of(std::span<const Command> commands, std::string_view program, const std::string& usage,
               std::span<const std::string> arguments, CommandContext& context) {
  if (arguments.empty()) {
    write_text(context.err, usage);
    return kExitUsage;
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    write_text(context.out, usage);
    return kExitDone;
  }
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (command.name == name) return command.run(arguments.subspan(1), context);
    names.emplace_back(command.name);
  }
  write_text(context.err, fmt::format("{}: unknown command \"{}\"{}\nSee: {} --help\n", program, escape_control(name),
                                      did_you_mean(name, names), program));
  return kExitUsage;
}

}  // namespace ferry::cli
