#pragma once
// What a worker carries out: the requests of handoff.toml, or a COMMAND for every message.

#include <optional>
#include <string_view>

#include "cli/worker_setup.h"
#include "config/handoff.h"
#include "worker/router.h"

namespace ferry::cli {

struct WorkerHandlers {
  config::Handoff handoff;               ///< with a COMMAND: the defaults
  config::RequestType command;           ///< with a COMMAND
  std::optional<worker::Router> router;  ///< looks into the two above: they stay where they are
};

/// Reads the file or the COMMAND and looks for the programs. An exit code when that fails, everything said.
std::optional<int> read_handlers(const WorkerFlags& flags, std::string_view name, const CommandContext& context,
                                 WorkerHandlers& handlers);

}  // namespace ferry::cli
