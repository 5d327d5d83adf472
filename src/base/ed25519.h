#pragma once
// Ed25519 signatures (RFC 8032), by OpenSSL. All functions are thread-safe.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/random.h"

namespace ferry {

inline constexpr std::size_t kEd25519SecretBytes = 32;
inline constexpr std::size_t kEd25519SignatureBytes = 64;

using Ed25519Public = std::array<std::uint8_t, 32>;
using Ed25519Signature = std::array<std::uint8_t, kEd25519SignatureBytes>;

/// The private half of a key: the 32 bytes from which RFC 8032 derives everything. Wiped from memory at the end.
class Ed25519Secret {
 public:
  static Ed25519Secret make(Random& random);
  /// Nothing unless there are exactly kEd25519SecretBytes.
  static std::optional<Ed25519Secret> from_bytes(std::string_view bytes);
  ~Ed25519Secret();
  Ed25519Secret(const Ed25519Secret&) = default;
  Ed25519Secret& operator=(const Ed25519Secret&) = default;

  Ed25519Public public_key() const;
  Ed25519Signature sign(std::string_view bytes) const;
  /// The secret itself, for a key file; the caller wipes what is made of it.
  std::string_view bytes() const { return {reinterpret_cast<const char*>(seed_.data()), seed_.size()}; }

 private:
  Ed25519Secret() = default;
  std::array<std::uint8_t, kEd25519SecretBytes> seed_{};
};

/// Whether `signature` is by the owner of `key` over exactly these bytes. False for a key or a signature that is none, and for
/// the second form that every signature has in mathematics (S + L): only one is accepted.
bool ed25519_verify(const Ed25519Public& key, std::string_view bytes, const Ed25519Signature& signature);

/// What a key is called: the first 16 bytes of the SHA-256 of its public half, 32 hexadecimal digits in lower case.
std::string ed25519_key_id(const Ed25519Public& key);

/// Overwrites the text, which held a secret, and empties it.
void wipe(std::string& text);

}  // namespace ferry
