#pragma once
// Reading [ledger] and what requests say about it. Only for the sources of this folder.

#include <string>

#include "config/ledger_settings.h"
#include "config/toml_reader.h"

namespace ferry::config {

/// A path is taken from `folder`. What is wrong is noted; an absent table is as its struct begins.
LedgerTable read_ledger(TableReader& root, const std::string& folder, Problems& problems);
/// The keys `on_lost` and `require_key` of a request.
void read_ledger_rules(TableReader& request, LedgerRules& rules);

}  // namespace ferry::config
