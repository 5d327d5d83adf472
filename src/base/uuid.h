#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace ferry {

/// Of any version of RFC 9562.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
};

/// Version 4: random.
Uuid make_uuid(Random& random);
/// Version 7: 48 bits of `time` in milliseconds, then 74 random ones, so that later ones sort behind earlier ones.
Uuid make_uuid_v7(Timestamp time, Random& random);
/// Lower case, 36 characters.
std::string to_string(const Uuid& uuid);
/// Accepts exactly the 36-character form, either case.
std::optional<Uuid> parse_uuid(std::string_view text);

}  // namespace ferry
