#include "base/md5_lanes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"

// Wider instructions are chosen when the program starts, from what the processor has.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define FERRY_WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FERRY_WIDEST
#endif

namespace ferry {
namespace {

constexpr std::size_t kBlockBytes = 64;
using Words = std::uint32_t __attribute__((vector_size(4 * kMd5Lanes)));  // one 32-bit word of each lane

struct State {
  Words a, b, c, d;
};

// A text as blocks of 64 bytes: whole ones where they lie, then the padded end.
struct Lane {
  const char* data = nullptr;
  std::size_t whole_blocks = 0;
  std::size_t blocks = 0;
  std::array<char, 2 * kBlockBytes> tail{};

  void set(std::string_view text) {
    data = text.data();
    whole_blocks = text.size() / kBlockBytes;
    const std::size_t rest = text.size() % kBlockBytes;
    if (rest > 0) std::memcpy(tail.data(), data + whole_blocks * kBlockBytes, rest);
    tail[rest] = static_cast<char>(0x80);
    const std::size_t tail_blocks = rest + 9 > kBlockBytes ? 2 : 1;
    const std::uint64_t bits = static_cast<std::uint64_t>(text.size()) * 8;
    for (std::size_t i = 0; i < 8; ++i) tail[tail_blocks * kBlockBytes - 8 + i] = static_cast<char>(bits >> (8 * i));
    blocks = whole_blocks + tail_blocks;
  }
  const char* block(std::size_t n) const {
    return n < whole_blocks ? data + n * kBlockBytes : tail.data() + (n - whole_blocks) * kBlockBytes;
  }
};

constexpr std::array<std::uint32_t, 64> kSines = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af,
    0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa,
    0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
    0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97,
    0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
    0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr std::array<int, 16> kShifts = {7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};

// One block of every lane; a lane whose mask word is zero keeps its state.
FERRY_WIDEST void add_block(State& state, const std::array<Words, 16>& block, const Words& mask) {
  Words a = state.a, b = state.b, c = state.c, d = state.d;
#pragma GCC unroll 64
  for (int i = 0; i < 64; ++i) {
    Words mix;
    int word = 0;
    if (i < 16) {
      mix = d ^ (b & (c ^ d)), word = i;
    } else if (i < 32) {
      mix = c ^ (d & (b ^ c)), word = (5 * i + 1) % 16;
    } else if (i < 48) {
      mix = b ^ c ^ d, word = (3 * i + 5) % 16;
    } else {
      mix = c ^ (b | ~d), word = (7 * i) % 16;
    }
    const Words sum = a + mix + block[static_cast<std::size_t>(word)] + kSines[static_cast<std::size_t>(i)];
    const int shift = kShifts[static_cast<unsigned>(i) / 16 * 4 + static_cast<unsigned>(i) % 4];
    const Words turned = (sum << shift) | (sum >> (32 - shift));
    a = d, d = c, c = b, b = b + turned;
  }
  state.a += a & mask;
  state.b += b & mask;
  state.c += c & mask;
  state.d += d & mask;
}

}  // namespace

void md5_lanes(std::span<const std::string_view> inputs, std::span<Md5Digest> digests) {
  static_assert(std::endian::native == std::endian::little);
  FERRY_CHECK(inputs.size() <= kMd5Lanes && inputs.size() == digests.size());
  std::array<Lane, kMd5Lanes> lanes;
  std::size_t blocks = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    lanes[i].set(inputs[i]);
    blocks = std::max(blocks, lanes[i].blocks);
  }
  State state{Words{} + 0x67452301U, Words{} + 0xefcdab89U, Words{} + 0x98badcfeU, Words{} + 0x10325476U};
  for (std::size_t n = 0; n < blocks; ++n) {
    alignas(64) std::array<Words, 16> block{};
    Words mask{};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (n >= lanes[i].blocks) continue;
      mask[i] = ~0U;
      std::array<std::uint32_t, 16> words;
      std::memcpy(words.data(), lanes[i].block(n), kBlockBytes);
      for (std::size_t j = 0; j < 16; ++j) reinterpret_cast<std::uint32_t*>(&block[j])[i] = words[j];
    }
    add_block(state, block, mask);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::array<std::uint32_t, 4> words = {state.a[i], state.b[i], state.c[i], state.d[i]};
    std::memcpy(digests[i].data(), words.data(), sizeof words);
  }
}

}  // namespace ferry
