#pragma once
// The environment variables, as an argument.

#include <map>
#include <string>
#include <string_view>

namespace ferry::client {

using Environment = std::map<std::string, std::string, std::less<>>;

/// Those of this process, now.
Environment process_environment();

/// Empty when it is not set: to all variables that are read here, empty means the same as not set.
std::string_view value_of(const Environment& environment, std::string_view name);

/// Whether it is set to "true", in any case.
bool is_true(std::string_view text);

}  // namespace ferry::client
