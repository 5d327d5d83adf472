#pragma once
// The chunked transfer coding (RFC 9112 §7.1), strictly, decoded where the bytes lie: the data of the chunks is moved together at
// the front, framing and trailers are dropped. No I/O.

#include <cstdint>
#include <string>

#include "http/head_parser.h"

namespace ferry::http {

/// One body; reset() for the next.
class ChunkedDecoder {
 public:
  void reset();

  struct Progress {
    std::size_t consumed = 0;  ///< raw bytes eaten; all of them unless Done or Refused
    std::size_t produced = 0;  ///< bytes of the body written to `out`
    ParseState state = ParseState::NeedMore;
  };
  /// Decodes raw[0, size) to `out`; out ≤ raw, and the two may overlap.
  Progress decode(const char* raw, std::size_t size, char* out, const Limits& limits);
  const Refusal& refusal() const { return refusal_; }

 private:
  enum class State : std::uint8_t { Size, Extension, SizeLineFeed, Data, DataReturn, DataLineFeed, Trailer, TrailerLineFeed };

  bool byte(char c, const Limits& limits, bool& done);
  bool size_digit(char c, const Limits& limits);
  bool size_line_end(const Limits& limits);
  bool trailer_byte(char c, const Limits& limits);
  bool bad(int status, const char* reason);

  State state_ = State::Size;
  Refusal refusal_;
  std::uint64_t chunk_left_ = 0;
  std::uint64_t total_ = 0;
  std::uint32_t digits_ = 0;
  std::uint32_t extension_bytes_ = 0;
  std::uint32_t trailer_bytes_ = 0;
  std::string trailer_line_;
};

}  // namespace ferry::http
