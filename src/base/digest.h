#pragma once
// Hashes and checksums. OpenSSL's algorithms are fetched once, contexts are kept per thread: all functions are thread-safe.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ferry {

using Md5Digest = std::array<std::uint8_t, 16>;
using Sha256Digest = std::array<std::uint8_t, 32>;

Md5Digest md5(std::string_view bytes);
/// digests[i] = md5(inputs[i]); cheaper than one by one. Both spans have the same size.
void md5_each(std::span<const std::string_view> inputs, std::span<Md5Digest> digests);
Sha256Digest sha256(std::string_view bytes);
/// Of what does not fit into memory. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(std::span<const std::byte> bytes);
  /// Of all that was added. Once, last.
  Sha256Digest digest();

 private:
  void* context_;
};
Sha256Digest hmac_sha256(std::string_view key, std::string_view bytes);

/// CRC-32C (Castagnoli) of bytes, continuing from `start` (0 for the first piece).
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t start = 0);

/// Time does not depend on where the two differ.
bool constant_time_equals(std::string_view a, std::string_view b);

}  // namespace ferry
