#pragma once
// The Date header of HTTP.

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace ferry::client {

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, IMF-fixdate), to the second. Nothing for anything else; the obsolete forms are not
/// read, and whether the day of the week fits is not asked.
std::optional<Timestamp> parse_http_date(std::string_view text);

}  // namespace ferry::client
