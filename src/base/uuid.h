#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace ferry {

/// RFC 9562 version 4.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
};

Uuid make_uuid(Random& random);
/// Lower case, 36 characters.
std::string to_string(const Uuid& uuid);
/// Accepts exactly the 36-character form, either case.
std::optional<Uuid> parse_uuid(std::string_view text);

}  // namespace ferry
