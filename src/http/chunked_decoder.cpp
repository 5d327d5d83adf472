#include "http/chunked_decoder.h"

#include <algorithm>
#include <cstring>

namespace ferry::http {
namespace {
constexpr std::uint32_t kSizeDigitsMax = 16;
// Extensions are ignored, so more than this over a whole body is only a way to make us read for nothing.
constexpr std::uint32_t kExtensionBytesMax = 4096;
}  // namespace

void ChunkedDecoder::reset() {
  state_ = State::Size;
  refusal_ = {};
  chunk_left_ = total_ = 0;
  digits_ = extension_bytes_ = trailer_bytes_ = 0;
  trailer_line_.clear();
}

bool ChunkedDecoder::bad(int status, const char* reason) {
  refusal_ = {status, reason};
  return false;
}

ChunkedDecoder::Progress ChunkedDecoder::decode(const char* raw, std::size_t size, char* out, const Limits& limits) {
  Progress progress;
  while (progress.consumed < size) {
    if (state_ == State::Data) {
      std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, size - progress.consumed));
      std::memmove(out + progress.produced, raw + progress.consumed, count);
      progress.produced += count;
      progress.consumed += count;
      chunk_left_ -= count;
      if (chunk_left_ == 0) state_ = State::DataReturn;
      continue;
    }
    bool done = false;
    if (!byte(raw[progress.consumed], limits, done)) {
      progress.state = ParseState::Refused;
      return progress;
    }
    ++progress.consumed;
    if (done) {
      progress.state = ParseState::Done;
      return progress;
    }
  }
  return progress;
}

bool ChunkedDecoder::byte(char c, const Limits& limits, bool& done) {
  switch (state_) {
    case State::Size:
      return size_digit(c, limits);
    case State::Extension:
      if (c == '\r') {
        state_ = State::SizeLineFeed;
        return true;
      }
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
        return bad(400, "a chunk extension holds a control character");
      if (++extension_bytes_ > kExtensionBytesMax) return bad(400, "the chunk extensions are too long");
      return true;
    case State::SizeLineFeed:
      if (c != '\n') return bad(400, "a chunk size does not end in CR LF");
      return size_line_end(limits);
    case State::DataReturn:
      if (c != '\r') return bad(400, "a chunk is longer than its size");
      state_ = State::DataLineFeed;
      return true;
    case State::DataLineFeed:
      if (c != '\n') return bad(400, "a chunk does not end in CR LF");
      state_ = State::Size;
      digits_ = 0;
      return true;
    case State::Trailer:
      return trailer_byte(c, limits);
    case State::TrailerLineFeed: {
      if (c != '\n') return bad(400, "a trailer line does not end in CR LF");
      if (trailer_line_.empty()) {
        done = true;
        return true;
      }
      std::string_view name;
      std::string_view value;
      const char* reason = "";
      if (!split_header_line(trailer_line_, name, value, reason)) return bad(400, reason);
      trailer_line_.clear();
      state_ = State::Trailer;
      return true;
    }
    case State::Data:
      break;
  }
  return bad(400, "the chunked body cannot be read");
}

bool ChunkedDecoder::size_digit(char c, const Limits& limits) {
  int digit = -1;
  if (c >= '0' && c <= '9') digit = c - '0';
  if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
  if (digit >= 0) {
    if (++digits_ > kSizeDigitsMax) return bad(400, "a chunk size is too long");
    chunk_left_ = (digits_ == 1 ? 0 : chunk_left_ << 4) | static_cast<std::uint64_t>(digit);
    return true;
  }
  if (digits_ == 0) return bad(400, "a chunk size is not a hexadecimal number");
  if (chunk_left_ > limits.body_bytes_max - total_) return bad(413, "the body is too large");
  if (c == ';') {
    state_ = State::Extension;
  } else if (c == '\r') {
    state_ = State::SizeLineFeed;
  } else {
    return bad(400, "a chunk size is not a hexadecimal number");
  }
  return true;
}

bool ChunkedDecoder::size_line_end(const Limits&) {
  total_ += chunk_left_;
  state_ = chunk_left_ == 0 ? State::Trailer : State::Data;
  return true;
}

bool ChunkedDecoder::trailer_byte(char c, const Limits& limits) {
  if (c == '\r') {
    state_ = State::TrailerLineFeed;
    return true;
  }
  if (c == '\n') return bad(400, "a trailer line does not end in CR LF");
  if (++trailer_bytes_ > limits.header_bytes_max) return bad(431, "the trailers are too long");
  trailer_line_.push_back(c);
  return true;
}

}  // namespace ferry::http
