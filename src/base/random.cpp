#include "base/random.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"

namespace ferry {

std::uint64_t Random::next() {
  std::uint64_t value = 0;
  fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
  FERRY_DCHECK(bound > 0);
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const std::uint64_t value = next();
    if (value < limit) return value % bound;
  }
}

void SystemRandom::fill(std::span<std::byte> out) {
  constexpr std::size_t kBlockBytes = 4096;
  thread_local std::array<std::byte, kBlockBytes> block;
  thread_local std::size_t used = kBlockBytes;
  while (!out.empty()) {
    if (used == kBlockBytes) {
      FERRY_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(block.data()), kBlockBytes) == 1);
      used = 0;
    }
    const std::size_t take = std::min(out.size(), kBlockBytes - used);
    std::memcpy(out.data(), block.data() + used, take);
    std::memset(block.data() + used, 0, take);  // what was handed out does not stay behind
    used += take;
    out = out.subspan(take);
  }
}

void SeededRandom::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    const std::uint64_t value = engine_();
    const std::size_t take = std::min(out.size(), sizeof value);
    std::memcpy(out.data(), &value, take);
    out = out.subspan(take);
  }
}

}  // namespace ferry
