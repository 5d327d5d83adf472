#pragma once
// What the subcommands of `ferry dlq` have in common.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "cli/client_options.h"
#include "cli/dlq_filter.h"
#include "sqs/api.h"

namespace ferry::cli {

int dlq_list_command(std::span<const std::string> arguments, CommandContext& context);
int dlq_show_command(std::span<const std::string> arguments, CommandContext& context);
int dlq_replay_command(std::span<const std::string> arguments, CommandContext& context);

/// Watches SIGINT and SIGTERM, unless the context has a flag of its own. Create it before any other thread.
class StopSignals {
 public:
  explicit StopSignals(const CommandContext& context);
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  const StopFlag& flag() const { return flag_; }

 private:
  StopFlag own_;
  const StopFlag& flag_;
  std::unique_ptr<SignalWatch> watch_;
};

/// The --where flags as conditions. An exit code when one is wrong, everything said.
std::optional<int> read_conditions(const std::vector<std::string>& texts, std::vector<Condition>& conditions,
                                   const CommandContext& context, std::string_view command);
/// For --help.
extern const char* const kWhereHelp;

/// "17s", "5m", "3h", "2d": whole units, rounded down.
std::string short_age(Millis age);
/// The name in a queue's URL; the URL when there is none.
std::string queue_name_of(const std::string& queue_url);
/// "Enable=All The Things, Count=5": names and first bytes of the values, control characters escaped.
std::string attributes_in_short(const sqs::MessageAttributes& attributes);

}  // namespace ferry::cli
