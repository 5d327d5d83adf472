#pragma once
// What stands for a text of up to 128 characters that came from outside (group, deduplication and attempt ids): the first
// 128 bits of a SHA-256. Nobody can make two texts of one hash, short of 2^64 tries, so no secret is needed and equal ids
// have equal hashes in every queue.

#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/digest.h"

namespace ferry::engine {

struct IdentityHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const IdentityHash&) const = default;
};

inline IdentityHash identity_hash(std::string_view text) {
  const Sha256Digest digest = sha256(text);
  IdentityHash hash;
  std::memcpy(&hash.high, digest.data(), 8);
  std::memcpy(&hash.low, digest.data() + 8, 8);
  return hash;
}

/// Of an id inside a group: neither can have the separator in it.
inline IdentityHash identity_hash(std::string_view group, std::string_view id) {
  std::string text;
  text.reserve(group.size() + id.size() + 1);
  text.append(group).append(1, '\0').append(id);
  return identity_hash(text);
}

}  // namespace ferry::engine
