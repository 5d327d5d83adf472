#pragma once
// Keys of senders as text. One line each, in a format that says what it is:
//
//   ferry-ed25519-v1 BASE64 NAME            the public half: what a worker is given
//   ferry-ed25519-private-v1 BASE64 NAME    the private half: the whole content of a key file
//
// BASE64 is 32 bytes. Another algorithm or another meaning gets another first word; what is unknown is refused, never guessed.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/ed25519.h"
#include "base/result.h"

namespace ferry::signing {

inline constexpr std::size_t kKeyNameBytesMax = 64;

struct PublicKey {
  Ed25519Public bytes{};
  std::string name;
  std::string id() const { return ed25519_key_id(bytes); }
  bool operator==(const PublicKey&) const = default;
};

struct PrivateKey {
  Ed25519Secret secret;
  std::string name;
  PublicKey public_key() const { return {secret.public_key(), name}; }
};

/// InvalidArgument unless 1 to kKeyNameBytesMax letters, digits, '.', '_', '@' and '-', the first a letter or digit.
Result<void> check_key_name(std::string_view name);

/// The line, without a line break.
std::string format_public_key(const PublicKey& key);
/// InvalidArgument with the reason. One trailing line break is allowed. A private line is refused without being quoted.
Result<PublicKey> parse_public_key(std::string_view line);

/// With its line break. The caller wipes it.
std::string format_private_key(const PrivateKey& key);
/// InvalidArgument with the reason; never with any part of the text.
Result<PrivateKey> parse_private_key(std::string_view line);

}  // namespace ferry::signing
