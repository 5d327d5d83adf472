#pragma once
// What must hold for any bytes given to the request reader; aborts when it does not.

#include <string_view>

namespace ferry::http::fuzz {

/// The first bytes of `data` choose limits and the pieces in which the rest arrives. Returns how many requests were read.
std::size_t check_request_reader(std::string_view data);

}  // namespace ferry::http::fuzz
