#pragma once
// The text of systemd units that run a worker.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace ferry::cli {

struct UnitInput {
  std::string name;                     ///< of the unit, without suffix: "ferry-work-orders"
  std::string queue;                    ///< as it was given, for the description
  std::vector<std::string> argv;        ///< what is run: an absolute path and its arguments
  Millis stop_time{0};                  ///< until SIGKILL: drain, the longest grace of a handler, and five seconds
  std::string credentials_file;         ///< EnvironmentFile, which may be missing
  std::string user;                     ///< empty: DynamicUser
  std::vector<std::string> read_paths;  ///< folders in homes and for temporary files that it needs; others are seen anyway
};

/// `ferry work` as a service that is started again when it fails.
std::string service_unit(const UnitInput& input);
/// `ferry poll` as a service that runs once; for timer_unit().
std::string oneshot_unit(const UnitInput& input);
/// Starts NAME.service every `interval`, counted from the end of the run before.
std::string timer_unit(const UnitInput& input, Seconds interval);

/// One word of ExecStart=: quoted where needed, with '%' and '$' doubled, so that systemd changes nothing in it. A control
/// character cannot stand in a unit: nothing then.
std::optional<std::string> unit_word(std::string_view word);

/// "ferry-work-" and the queue's name with everything but letters, digits, '-' and '_' as '-'.
std::string unit_name(std::string_view mode, std::string_view queue_name);

}  // namespace ferry::cli
