#pragma once
// What a worker needs besides its queue and its programs: the file of allowed senders, the audit trail, the ledger, endpoints.

#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/doctor_findings.h"
#include "config/handoff.h"

namespace ferry::cli {

/// Of this machine alone: reads files, changes none.
std::vector<Finding> examine_files(const config::Handoff& handoff, const CommandContext& context);
/// Also asks: opens the ledger if it is there, connects to each endpoint and sends nothing. Blocks for 5 s at most for each.
std::vector<Finding> examine_live(const config::Handoff& handoff, const CommandContext& context);

}  // namespace ferry::cli
