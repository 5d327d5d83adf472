#pragma once

namespace ferry::cli {
inline constexpr const char* kVersion = "0.1.0";
}  // namespace ferry::cli
