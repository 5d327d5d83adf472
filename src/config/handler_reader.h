#pragma once
// Reading the keys of [request.NAME] that say who carries it out. Only for the sources of this folder.

#include <optional>
#include <string>

#include "base/result.h"
#include "config/handler_spec.h"
#include "config/toml_reader.h"

namespace ferry::config {

/// Nothing when the request names no handler, or a wrong one; what is wrong is noted.
std::optional<HandlerSpec> read_handler(TableReader& reader, Problems& problems);

/// The secret in a key file: without its last line break. Refuses a file that others than its owner may read.
Result<std::string> read_signing_key(const std::string& path);
/// `path` as it is when absolute, else from `folder`.
std::string absolute_from(const std::string& folder, const std::string& path);

}  // namespace ferry::config
