#include "base/digest.h"

#include <isa-l.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "base/md5_lanes.h"

namespace ferry {
namespace {
struct Free {
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
};

const EVP_MD* fetched(const char* name) {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, name, nullptr);
  FERRY_CHECK(algorithm != nullptr);
  return algorithm;  // one per process and algorithm, for its whole life
}

const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = fetched("SHA256");
  return algorithm;
}

EVP_MD_CTX* thread_context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  return context.get();
}

// Of `bytes` followed by `more`.
template <std::size_t N>
std::array<std::uint8_t, N> digest(const EVP_MD* algorithm, std::string_view bytes, std::string_view more = {}) {
  std::array<std::uint8_t, N> out;
  EVP_MD_CTX* context = thread_context();
  unsigned length = 0;
  FERRY_CHECK(EVP_DigestInit_ex2(context, algorithm, nullptr) == 1);
  FERRY_CHECK(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
  if (!more.empty()) FERRY_CHECK(EVP_DigestUpdate(context, more.data(), more.size()) == 1);
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
  // A step of all lanes costs about twice a step of one text, and lanes run until the longest text ends: texts of like length
  // go together, and one that is much longer than the rest goes alone.
  constexpr std::size_t kStepCost = 2;
  const auto steps = [&](std::size_t i) { return inputs[i].size() / 64 + 1; };
  std::vector<std::size_t> order(inputs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return inputs[a].size() > inputs[b].size(); });
  for (std::size_t done = 0; done < order.size();) {
    const std::size_t count = std::min(order.size() - done, kMd5Lanes);
    std::size_t together = 0;
    for (std::size_t i = 0; i < count; ++i) together += steps(order[done + i]);
    if (kStepCost * steps(order[done]) >= together) {
      digests[order[done]] = md5(inputs[order[done]]);
      ++done;
      continue;
    }
    std::array<std::string_view, kMd5Lanes> texts;
    std::array<Md5Digest, kMd5Lanes> hashed;
    for (std::size_t i = 0; i < count; ++i) texts[i] = inputs[order[done + i]];
    md5_lanes(std::span(texts).first(count), std::span(hashed).first(count));
    for (std::size_t i = 0; i < count; ++i) digests[order[done + i]] = hashed[i];
    done += count;
  }
}

Sha256Digest sha256(std::string_view bytes) {
  return digest<32>(sha256_algorithm(), bytes);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  FERRY_CHECK(EVP_DigestInit_ex2(static_cast<EVP_MD_CTX*>(context_), sha256_algorithm(), nullptr) == 1);
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
}

void Sha256::add(std::span<const std::byte> bytes) {
  FERRY_CHECK(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size()) == 1);
}

Sha256Digest Sha256::digest() {
  Sha256Digest out;
  unsigned length = 0;
  FERRY_CHECK(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), out.data(), &length) == 1 && length == out.size());
  return out;
}

// RFC 2104 as its two plain hashes: for the few bytes of a receipt handle or a signing key OpenSSL's general HMAC costs three
// times as much.
Sha256Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  constexpr std::size_t kBlockBytes = 64;
  std::array<char, kBlockBytes> inner_pad{};
  if (key.size() <= kBlockBytes) {
    std::copy(key.begin(), key.end(), inner_pad.begin());
  } else {
    const Sha256Digest short_key = sha256(key);
    std::copy(short_key.begin(), short_key.end(), inner_pad.begin());
  }
  std::array<char, kBlockBytes> outer_pad = inner_pad;
  for (char& c : inner_pad) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer_pad) c = static_cast<char>(c ^ 0x5c);
  const Sha256Digest inner = digest<32>(sha256_algorithm(), {inner_pad.data(), inner_pad.size()}, bytes);
  const std::string_view inner_text(reinterpret_cast<const char*>(inner.data()), inner.size());
  const Sha256Digest outer = digest<32>(sha256_algorithm(), {outer_pad.data(), outer_pad.size()}, inner_text);
  OPENSSL_cleanse(inner_pad.data(), inner_pad.size());
  OPENSSL_cleanse(outer_pad.data(), outer_pad.size());
  return outer;
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
