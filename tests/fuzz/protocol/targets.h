#pragma once
// What is tried with arbitrary bytes: nothing may crash, and what the codec says must be true. A broken promise aborts.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ferry::protocol {

/// The first byte picks the action, the rest is the body; the body is also read as every answer and as an error.
void fuzz_json_decode(std::string_view input);

/// "path\nquery\nbody"; missing lines are empty.
void fuzz_query_decode(std::string_view input);

}  // namespace ferry::protocol
