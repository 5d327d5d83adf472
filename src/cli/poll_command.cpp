#include "cli/poll_command.h"

#include "cli/work_check.h"
#include "cli/worker_setup.h"

namespace ferry::cli {
namespace {
constexpr const char* kExamples = R"(
Examples:
  ferry poll work                       requests and handlers from ./handoff.toml, until nothing is left to do
  ferry poll work --max-time 4m         from cron every five minutes; overlapping runs do no harm
  ferry poll work --transcript poll.log -v -- ./handler

Exit codes: 0 drained, or another run is already at it; 1 messages were refused or failed: look at it; 6 a limit was reached
with work left: come back; 2 configuration, 3 no such queue, 4 not authorised, 5 not reachable, 130 or 143 stopped by a signal.)";
}  // namespace

int poll_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Carry out the requests of a queue until nothing is left to do.", "ferry poll"};
  WorkerFlags flags;
  CheckFlags check;
  add_worker_options(app, flags);
  add_check_options(app, check);
  app.add_option_function<std::string>("--wait", duration_into(flags.wait),
                                       "of one long poll, 1s to 20s; the run ends after two that bring nothing [2s]");
  app.add_option_function<std::string>("--max-time", duration_into(flags.time_max), "receive nothing more after this time");
  app.add_option("--max-messages", flags.messages_max, "take no more messages than this")->check(CLI::PositiveNumber);
  app.add_flag("--until-empty", flags.until_empty, "also wait for delayed messages and those that others have in flight");
  app.add_option("--metrics-file", flags.metrics_file,
                 "at the end the run's metrics replace this file (the node exporter's textfile collector takes FILE.prom)");
  app.footer(kExamples);
  const std::span<const std::string> own = split_command(arguments, flags.command);
  if (const auto exit_code = parse_arguments(app, own, context)) return *exit_code;
  if (own.size() != arguments.size() && flags.command.empty())
    return complain(context, "poll", "there is no COMMAND behind --", kExitUsage);
  if (check.asked()) return check_worker(flags, check, "poll", context);
  return run_worker(flags, worker::RunMode::Poll, context);
}

}  // namespace ferry::cli
