#include "cli/work_command.h"

#include "cli/work_check.h"
#include "cli/worker_setup.h"

namespace ferry::cli {
namespace {
constexpr const char* kExamples = R"(
Examples:
  ferry work work                       requests and handlers from ./handoff.toml
  ferry work work -j 8 -- ./thumb.sh    any program: the body on its standard input, exit 0 deletes the message
  ferry work work -v --transcript work.log

Exit codes of a handler: 0 done; 64, 65 rejected for good; 77, 78, 126, 127 this machine is at fault; anything else: try again
later. Exit codes of work: 0 stopped, 130 or 143 stopped before handlers had finished, 2 configuration, 3 no such queue,
4 not authorised.)";
}  // namespace

int work_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Carry out the requests of a queue until stopped.", "ferry work"};
  WorkerFlags flags;
  CheckFlags check;
  add_worker_options(app, flags);
  add_check_options(app, check);
  app.add_option_function<std::string>("--wait", duration_into(flags.wait), "of one long poll, up to 20s [worker.wait, 20s]");
  app.footer(kExamples);
  const std::span<const std::string> own = split_command(arguments, flags.command);
  if (const auto exit_code = parse_arguments(app, own, context)) return *exit_code;
  if (own.size() != arguments.size() && flags.command.empty())
    return complain(context, "work", "there is no COMMAND behind --", kExitUsage);
  if (check.asked()) return check_worker(flags, check, "work", context);
  return run_worker(flags, worker::RunMode::Work, context);
}

}  // namespace ferry::cli
