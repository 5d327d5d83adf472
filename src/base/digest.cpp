#include "base/digest.h"

#include <isa-l.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/md5_lanes.h"

namespace ferry {
namespace {
struct Free {
  void operator()(EVP_MD* p) const { EVP_MD_free(p); }
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
  void operator()(EVP_MAC* p) const { EVP_MAC_free(p); }
  void operator()(EVP_MAC_CTX* p) const { EVP_MAC_CTX_free(p); }
};

const EVP_MD* fetched(const char* name) {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, name, nullptr);
  FERRY_CHECK(algorithm != nullptr);
  return algorithm;  // one per process and algorithm, for its whole life
}

EVP_MD_CTX* thread_context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  return context.get();
}

template <std::size_t N>
std::array<std::uint8_t, N> digest(const EVP_MD* algorithm, std::string_view bytes) {
  std::array<std::uint8_t, N> out;
  EVP_MD_CTX* context = thread_context();
  unsigned length = 0;
  FERRY_CHECK(EVP_DigestInit_ex2(context, algorithm, nullptr) == 1);
  FERRY_CHECK(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
  FERRY_CHECK(EVP_DigestFinal_ex(context, out.data(), &length) == 1 && length == N);
  return out;
}
}  // namespace

Md5Digest md5(std::string_view bytes) {
  static const EVP_MD* const algorithm = fetched("MD5");
  return digest<16>(algorithm, bytes);
}

void md5_each(std::span<const std::string_view> inputs, std::span<Md5Digest> digests) {
  FERRY_CHECK(inputs.size() == digests.size());
  constexpr std::size_t kWorthwhile = 3;  // below that, one after another is as fast
  while (inputs.size() >= kWorthwhile) {
    const std::size_t take = std::min(inputs.size(), kMd5Lanes);
    md5_lanes(inputs.first(take), digests.first(take));
    inputs = inputs.subspan(take);
    digests = digests.subspan(take);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) digests[i] = md5(inputs[i]);
}

Sha256Digest sha256(std::string_view bytes) {
  static const EVP_MD* const algorithm = fetched("SHA256");
  return digest<32>(algorithm, bytes);
}

Sha256Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  thread_local const std::unique_ptr<EVP_MAC_CTX, Free> context(EVP_MAC_CTX_new(mac));
  FERRY_CHECK(mac != nullptr && context != nullptr);
  static char kSha256[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, kSha256, 0), OSSL_PARAM_construct_end()};
  static const unsigned char kEmpty = 0;  // OpenSSL takes a null key as "keep the old one"
  const auto* key_bytes = key.empty() ? &kEmpty : reinterpret_cast<const unsigned char*>(key.data());
  Sha256Digest out;
  std::size_t length = 0;
  FERRY_CHECK(EVP_MAC_init(context.get(), key_bytes, key.size(), params) == 1);
  FERRY_CHECK(EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == 1);
  FERRY_CHECK(EVP_MAC_final(context.get(), out.data(), &length, out.size()) == 1 && length == out.size());
  return out;
}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t start) {
  // isa-l wants a non-const pointer and a signed length, and leaves the two inversions of the standard CRC to its caller.
  std::uint32_t crc = ~start;
  while (!bytes.empty()) {
    const std::size_t take = std::min<std::size_t>(bytes.size(), 1U << 30);
    crc = crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data())), static_cast<int>(take), crc);
    bytes = bytes.subspan(take);
  }
  return ~crc;
}

bool constant_time_equals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace ferry
