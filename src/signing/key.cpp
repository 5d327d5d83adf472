#include "signing/key.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "base/encoding.h"

namespace ferry::signing {
namespace {

constexpr std::string_view kPublicTag = "ferry-ed25519-v1";
constexpr std::string_view kPrivateTag = "ferry-ed25519-private-v1";

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

struct Words {
  std::string_view tag;
  std::string_view key;
  std::string_view name;
};

// Exactly three words, one space apart.
std::optional<Words> split(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const Words words{line.substr(0, first), line.substr(first + 1, second - first - 1), line.substr(second + 1)};
  if (words.tag.empty() || words.key.empty() || words.name.empty()) return std::nullopt;
  return words;
}

Unexpected<Error> wrong(std::string why) {
  return fail(ErrorKind::InvalidArgument, std::move(why));
}
}  // namespace

Result<void> check_key_name(std::string_view name) {
  const auto legal = [](char c) { return is_plain(c) || c == '.' || c == '_' || c == '@' || c == '-'; };
  if (!name.empty() && name.size() <= kKeyNameBytesMax && is_plain(name.front()) && std::all_of(name.begin(), name.end(), legal))
    return {};
  return wrong(
      fmt::format("\"{}\" cannot name a key: 1 to {} letters, digits, '.', '_', '@' and '-', the first one a letter or a digit",
                  escape_control(name.substr(0, 2 * kKeyNameBytesMax)), kKeyNameBytesMax));
}

std::string format_public_key(const PublicKey& key) {
  return fmt::format("{} {} {}", kPublicTag, base64_encode({reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()}),
                     key.name);
}

Result<PublicKey> parse_public_key(std::string_view line) {
  if (trim(line).starts_with(kPrivateTag))
    return wrong("this is a private key; what others are given is its public line (ferry key public FILE)");
  const std::optional<Words> words = split(line);
  if (!words)
    return wrong(fmt::format("no public key; one is a line \"{} BASE64 NAME\" (ferry key public FILE prints it)", kPublicTag));
  if (words->tag != kPublicTag) {
    return wrong(fmt::format("\"{}\" is no kind of key that is known here; public keys start with \"{}\"",
                             escape_control(words->tag.substr(0, 64)), kPublicTag));
  }
  FERRY_TRY_VOID(check_key_name(words->name));
  const std::optional<std::string> bytes = base64_decode(words->key);
  PublicKey key;
  if (!bytes || bytes->size() != key.bytes.size()) return wrong("the second word of a public key is 32 bytes in base64");
  std::copy(bytes->begin(), bytes->end(), key.bytes.begin());
  key.name = words->name;
  return key;
}

std::string format_private_key(const PrivateKey& key) {
  std::string encoded = base64_encode(key.secret.bytes());
  std::string line = fmt::format("{} {} {}\n", kPrivateTag, encoded, key.name);
  wipe(encoded);
  return line;
}

Result<PrivateKey> parse_private_key(std::string_view line) {
  const std::optional<Words> words = split(line);
  if (words && words->tag == kPublicTag) return wrong("this is a public key; signing needs the private one");
  if (!words || words->tag != kPrivateTag)
    return wrong(
        fmt::format("no private key; one is a single line that starts with \"{}\" (ferry key new makes one)", kPrivateTag));
  FERRY_TRY_VOID(check_key_name(words->name));
  std::optional<std::string> bytes = base64_decode(words->key);
  auto secret = Ed25519Secret::from_bytes(bytes.value_or(""));
  if (bytes) wipe(*bytes);
  if (!secret) return wrong("the second word of a private key is 32 bytes in base64");
  return PrivateKey{*secret, std::string(words->name)};
}

}  // namespace ferry::signing
