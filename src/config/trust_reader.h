#pragma once
// Reading [trust], [audit] and [sender]. Only for the sources of this folder.

#include <string>

#include "config/toml_reader.h"
#include "config/trust_settings.h"

namespace ferry::config {

/// Paths are taken from `folder`. What is wrong is noted; absent tables are as their structs begin.
TrustTable read_trust(TableReader& root, const std::string& folder, Problems& problems);
AuditTable read_audit(TableReader& root, const std::string& folder, Problems& problems);
SenderTable read_sender(TableReader& root, const std::string& folder, Problems& problems);

}  // namespace ferry::config
