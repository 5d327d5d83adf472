#pragma once
// What every command is given of the outside world, and the exit codes they share.

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/random.h"

namespace ferry::cli {

/// Value of an environment variable; nothing when it is not set.
using EnvironmentGetter = std::function<std::optional<std::string>(const std::string& name)>;

struct CommandContext {
  const Clock& clock;
  Random& random;
  EnvironmentGetter environment;
  int in = 0;   ///< descriptors
  int out = 1;  ///< data only
  int err = 2;  ///< everything else
  /// All environment variables; null: the process's.
  const std::map<std::string, std::string, std::less<>>* variables = nullptr;
  /// Null: a command that runs long watches SIGINT and SIGTERM itself.
  const StopFlag* stop = nullptr;
};

// The same for every command; docs/operations.md has the table.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;    ///< or messages were refused or failed for good: look at it
inline constexpr int kExitUsage = 2;     ///< or configuration
inline constexpr int kExitNotFound = 3;  ///< no such queue or message
inline constexpr int kExitNotAuthorised = 4;
inline constexpr int kExitNotReachable = 5;
inline constexpr int kExitWorkLeft = 6;  ///< limit reached: come back
inline constexpr int kExitPartly = 7;

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(std::span<const std::string> arguments, CommandContext& context);
};
/// Runs the command that the first argument names, with the arguments behind it; help, too. `program` is how it was called so
/// far. An unknown name: kExitUsage, with what may have been meant.
int run_one_of(std::span<const Command> commands, std::string_view program, const std::string& usage,
               std::span<const std::string> arguments, CommandContext& context);

/// All of `text`, also to a slow pipe. What a closed descriptor does not take is lost.
void write_text(int descriptor, std::string_view text);

}  // namespace ferry::cli
