#pragma once
// A replay by the server itself: a message move task, watched until it ends.

#include <optional>
#include <string>

#include "base/process.h"
#include "cli/client_options.h"

namespace ferry::cli {

struct MoveOptions {
  std::string source_url;
  std::string target_url;            ///< empty: each message to where it came from
  std::optional<std::int64_t> rate;  ///< messages a second, 1 to 500
  bool quiet = false;
  OutputFormat format = OutputFormat::Json;
};

/// Starts the task and shows how far it is. Told to stop it cancels the
/// task. Blocks until the task has ended. Everything is said; returns the exit code: 0 completed, 1 failed, 128+signal cancelled.
int move_by_server(Session& session, const MoveOptions& options, const CommandContext& context, const StopFlag& stop);

}  // namespace ferry::cli
