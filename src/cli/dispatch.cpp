#include "cli/dispatch.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "base/version.h"
#include "cli/audit_command.h"
#include "cli/backup_command.h"
#include "cli/dlq_command.h"
#include "cli/doctor_command.h"
#include "cli/key_command.h"
#include "cli/ledger_command.h"
#include "cli/poll_command.h"
#include "cli/queue_command.h"
#include "cli/receive_command.h"
#include "cli/send_command.h"
#include "cli/serve_command.h"
#include "cli/store_command.h"
#include "cli/top_command.h"
#include "cli/unit_command.h"
#include "cli/work_command.h"

namespace ferry::cli {
namespace {

constexpr std::array kCommands = {
    Command{"serve", "run the queue server", serve_command},
    Command{"send", "send requests or messages", send_command},
    Command{"work", "carry requests out until stopped", work_command},
    Command{"poll", "carry requests out until the queue is drained", poll_command},
    Command{"receive", "receive messages once and print them", receive_command},
    Command{"queue", "create, list, show, set, purge and remove queues", queue_command},
    Command{"top", "show queues and workers as they are now", top_command},
    Command{"dlq", "look at dead letters, and send them back", dlq_command},
    Command{"doctor", "find what is wrong with a queue, its worker and the way between", doctor_command},
    Command{"worker", "print a systemd unit that runs a worker", worker_command},
    Command{"key", "make, list and check the keys that requests are signed with", key_command},
    Command{"audit", "say whether a worker's record is whole, and what became of a request", audit_command},
    Command{"ledger", "look at what workers have done, and decide about what they have not", ledger_command},
    Command{"store", "check a data folder, and say what it holds", store_command},
    Command{"backup", "copy a data folder, while its server runs or not", backup_command},
    Command{"restore", "make a data folder out of a backup", restore_command},
};

std::string usage() {
  std::string text =
      "Carries work between systems that share no trust, over a queue that speaks the Amazon SQS protocol.\n\nUsage: ferry "
      "COMMAND …\n\n";
  for (const Command& command : kCommands) text += fmt::format("  {:<9} {}\n", command.name, command.summary);
  text += fmt::format("  {:<9} {}\n", "version", "print the version");
  text += "\nferry COMMAND --help says more, with examples.\n";
  return text;
}

}  // namespace

int dispatch(std::span<const std::string> arguments) {
  const SystemClock clock;
  SystemRandom random;
  CommandContext context{clock, random, [](const std::string& name) -> std::optional<std::string> {
                           const char* value = std::getenv(name.c_str());
                           if (value == nullptr) return std::nullopt;
                           return std::string(value);
                         }};
  if (!arguments.empty() && (arguments.front() == "--version" || arguments.front() == "version")) {
    write_text(context.out, fmt::format("ferry {}\n", kVersion));
    return kExitDone;
  }
  return run_one_of(kCommands, "ferry", usage(), arguments, context);
}

}  // namespace ferry::cli
