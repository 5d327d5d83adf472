#pragma once
// What texts of a record may look like: UTF-8 without control characters, bounded.

#include <string>
#include <string_view>

namespace ferry::ledger {

/// `text` with control characters and invalid bytes escaped, at most `bytes_max` of it; "…" at the end of what was clipped.
std::string readable(std::string_view text, std::size_t bytes_max);

}  // namespace ferry::ledger
