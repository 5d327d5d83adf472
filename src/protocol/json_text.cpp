#include "protocol/json_text.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace ferry::protocol {
namespace {

constexpr std::size_t kBlock = 16;
constexpr auto kBlockLength = static_cast<std::ptrdiff_t>(kBlock);
// A block is looked at when as much follows it that 16 bytes can be copied from any place in it.
constexpr std::ptrdiff_t kLookAhead = 2 * kBlockLength + 2;

#ifdef __SSE2__
// Copies 16 bytes and tells at which of them an escape is needed or begins (bit i: byte i).
unsigned copy_and_find_escapable(const char* from, char* to) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)));
}
unsigned copy_and_find_backslash(const char* from, char* to) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
}
#else
unsigned copy_and_find_escapable(const char* from, char* to) {
  std::memcpy(to, from, kBlock);
  unsigned found = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const auto c = static_cast<unsigned char>(from[i]);
    found |= static_cast<unsigned>(c < 0x20 || c == '"' || c == '\\') << i;
  }
  return found;
}
unsigned copy_and_find_backslash(const char* from, char* to) {
  std::memcpy(to, from, kBlock);
  unsigned found = 0;
  for (std::size_t i = 0; i < kBlock; ++i) found |= static_cast<unsigned>(from[i] == '\\') << i;
  return found;
}
#endif

// What stands behind the backslash for a character below 0x80: 0 for none needed, 'u' for \u00XX.
constexpr std::array<char, 128> make_escapes() {
  std::array<char, 128> escapes{};
  for (std::size_t c = 0; c < 0x20; ++c) escapes[c] = 'u';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  return escapes;
}
constexpr auto kEscapes = make_escapes();

// Writes one byte, escaped when it must be; returns the end.
char* write_escaped(char* to, char c) {
  const auto byte = static_cast<unsigned char>(c);
  const char escape = byte < 0x80 ? kEscapes[byte] : '\0';
  if (escape == '\0') {
    *to++ = c;
    return to;
  }
  *to++ = '\\';
  *to++ = escape;
  if (escape == 'u') {
    to[0] = to[1] = '0';
    to[2] = "0123456789abcdef"[byte >> 4];
    to[3] = "0123456789abcdef"[byte & 15];
    to += 4;
  }
  return to;
}

// The value of four hex digits at `at`; -1 when they are none.
int hex4(const char* at, const char* end) {
  if (end - at < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit_value(at[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

char* write_utf8(char* to, std::uint32_t c) {
  if (c < 0x80) {
    *to++ = static_cast<char>(c);
  } else if (c < 0x800) {
    *to++ = static_cast<char>(0xC0 | (c >> 6));
    *to++ = static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    *to++ = static_cast<char>(0xE0 | (c >> 12));
    *to++ = static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    *to++ = static_cast<char>(0x80 | (c & 0x3F));
  } else {
    *to++ = static_cast<char>(0xF0 | (c >> 18));
    *to++ = static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    *to++ = static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    *to++ = static_cast<char>(0x80 | (c & 0x3F));
  }
  return to;
}

constexpr std::array<char, 128> make_simple_unescapes() {
  std::array<char, 128> meanings{};
  meanings['"'] = '"';
  meanings['\\'] = '\\';
  meanings['/'] = '/';
  meanings['b'] = '\b';
  meanings['f'] = '\f';
  meanings['n'] = '\n';
  meanings['r'] = '\r';
  meanings['t'] = '\t';
  return meanings;
}
constexpr auto kSimpleUnescapes = make_simple_unescapes();

// Reads the escape whose backslash is at `from`; false when it is none. Moves both positions.
bool read_escape(const char*& from, const char* end, char*& to) {
  if (end - from < 2) return false;
  const auto kind = static_cast<unsigned char>(from[1]);
  if (kind != 'u') {
    if (kind >= 0x80 || kSimpleUnescapes[kind] == '\0') return false;
    *to++ = kSimpleUnescapes[kind];
    from += 2;
    return true;
  }
  const int first = hex4(from + 2, end);
  if (first < 0) return false;
  from += 6;
  auto code_point = static_cast<std::uint32_t>(first);
  const bool high_surrogate = code_point >= 0xD800 && code_point <= 0xDBFF;
  if (high_surrogate && end - from >= 6 && from[0] == '\\' && from[1] == 'u') {
    const int second = hex4(from + 2, end);
    if (second >= 0xDC00 && second <= 0xDFFF) {
      code_point = 0x10000 + ((code_point - 0xD800) << 10) + (static_cast<std::uint32_t>(second) - 0xDC00);
      from += 6;
    }
  }
  to = write_utf8(to, code_point);
  return true;
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  // Through a buffer that holds the worst case of a piece: no size check per character.
  constexpr std::size_t kPiece = 512;
  std::array<char, kPiece * 6 + 2 * kBlock> buffer;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, kPiece);
    const char* from = piece.data();
    const char* const end = from + piece.size();
    char* to = buffer.data();
    while (end - from >= kLookAhead) {
      unsigned found = copy_and_find_escapable(from, to);
      if (found == 0) {
        from += kBlockLength;
        to += kBlockLength;
        continue;
      }
      std::ptrdiff_t done = 0;
      for (; found != 0; found &= found - 1) {
        const int at = std::countr_zero(found);
        std::memcpy(to, from + done, kBlock);
        to = write_escaped(to + (at - done), from[at]);
        done = at + 1;
      }
      std::memcpy(to, from + done, kBlock);
      to += kBlockLength - done;
      from += kBlockLength;
    }
    while (from < end) to = write_escaped(to, *from++);
    out.append(buffer.data(), static_cast<std::size_t>(to - buffer.data()));
    text.remove_prefix(piece.size());
  }
}

bool json_unescape(std::string_view between_quotes, std::string& out) {
  if (between_quotes.empty() || std::memchr(between_quotes.data(), '\\', between_quotes.size()) == nullptr) {
    out.assign(between_quotes);
    return true;
  }
  // Every escape is longer than what it means, so the output never overtakes the input.
  out.resize(between_quotes.size());
  const char* from = between_quotes.data();
  const char* const end = from + between_quotes.size();
  char* to = out.data();
  while (end - from >= kLookAhead) {
    unsigned found = copy_and_find_backslash(from, to);
    std::ptrdiff_t done = 0;
    while (found != 0) {
      const int at = std::countr_zero(found);
      const auto kind = static_cast<unsigned char>(from[at + 1]);
      std::memcpy(to, from + done, kBlock);
      to += at - done;
      done = at;
      if (kind >= 0x80 || kSimpleUnescapes[kind] == '\0') break;
      *to++ = kSimpleUnescapes[kind];
      done += 2;
      found &= ~(3U << at);  // this one, and what it escapes
    }
    if (found != 0) {  // \uXXXX, or no escape at all
      from += done;
      if (!read_escape(from, end, to)) return false;
      continue;
    }
    if (done < kBlockLength) {
      std::memcpy(to, from + done, kBlock);
      to += kBlockLength - done;
      done = kBlockLength;
    }
    from += done;
  }
  while (from < end) {
    if (*from != '\\') {
      *to++ = *from++;
    } else if (!read_escape(from, end, to)) {
      return false;
    }
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
  return true;
}

bool is_json_number(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t start = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - start;
  };
  const auto skip = [&](std::string_view any_of) {
    const bool found = at < text.size() && any_of.find(text[at]) != std::string_view::npos;
    if (found) ++at;
    return found;
  };
  skip("-");
  const std::size_t first = at;
  const std::size_t whole = digits();
  if (whole == 0 || (whole > 1 && text[first] == '0')) return false;
  if (skip(".") && digits() == 0) return false;
  if (skip("eE")) {
    skip("+-");
    if (digits() == 0) return false;
  }
  return at == text.size();
}

}  // namespace ferry::protocol
