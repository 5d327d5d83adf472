#pragma once
// Reading `match` of a request, and finding routes that overlap. Only for the sources of this folder.

#include <string>
#include <string_view>
#include <vector>

#include "config/handoff.h"
#include "config/toml_reader.h"

namespace ferry::config {

/// Letters, digits, _, - and ., at most 256, and no name that Amazon keeps for itself.
bool is_attribute_name(std::string_view name);

/// By the request's name when there is no `match`; what is wrong is noted.
Match read_match(TableReader& request, const std::string& name, Problems& problems);

/// Notes every two requests of which it is sure that a message would match both.
void check_overlaps(const std::vector<RequestType>& requests, Problems& problems);

}  // namespace ferry::config
