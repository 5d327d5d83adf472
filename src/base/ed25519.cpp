#include "base/ed25519.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/digest.h"
#include "base/encoding.h"

namespace ferry {
namespace {

constexpr std::size_t kKeyIdBytes = 16;

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Key private_key(std::string_view seed) {
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes_of(seed), seed.size()));
  FERRY_CHECK(key != nullptr);  // every 32 bytes are a key
  return key;
}
}  // namespace

Ed25519Secret Ed25519Secret::make(Random& random) {
  Ed25519Secret secret;
  random.fill(std::as_writable_bytes(std::span(secret.seed_)));
  return secret;
}

std::optional<Ed25519Secret> Ed25519Secret::from_bytes(std::string_view bytes) {
  if (bytes.size() != kEd25519SecretBytes) return std::nullopt;
  Ed25519Secret secret;
  std::copy(bytes.begin(), bytes.end(), secret.seed_.begin());
  return secret;
}

Ed25519Secret::~Ed25519Secret() {
  OPENSSL_cleanse(seed_.data(), seed_.size());
}

Ed25519Public Ed25519Secret::public_key() const {
  Ed25519Public out{};
  std::size_t size = out.size();
  FERRY_CHECK(EVP_PKEY_get_raw_public_key(private_key(bytes()).get(), out.data(), &size) == 1 && size == out.size());
  return out;
}

Ed25519Signature Ed25519Secret::sign(std::string_view text) const {
  const Key key = private_key(bytes());
  const Context context(EVP_MD_CTX_new());
  FERRY_CHECK(context != nullptr);
  FERRY_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
  Ed25519Signature signature{};
  std::size_t size = signature.size();
  FERRY_CHECK(EVP_DigestSign(context.get(), signature.data(), &size, bytes_of(text), text.size()) == 1);
  FERRY_CHECK(size == signature.size());
  return signature;
}

bool ed25519_verify(const Ed25519Public& public_key, std::string_view bytes, const Ed25519Signature& signature) {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.data(), public_key.size()));
  const Context context(EVP_MD_CTX_new());
  if (key == nullptr || context == nullptr) return false;
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), bytes_of(bytes), bytes.size()) == 1;
}

std::string ed25519_key_id(const Ed25519Public& key) {
  const Sha256Digest digest = sha256({reinterpret_cast<const char*>(key.data()), key.size()});
  return hex_encode(std::span(digest).first(kKeyIdBytes));
}

void wipe(std::string& text) {
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

}  // namespace ferry
