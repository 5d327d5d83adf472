#pragma once
// One request out of a buffer: head, then the body by its length or its chunks. No I/O: the caller reads and calls advance().

#include "http/chunked_decoder.h"
#include "http/head_parser.h"

namespace ferry::http {

class RequestReader {
 public:
  void reset();

  enum class State {
    NeedMore,
    Continue,  ///< the peer waits for "100 Continue"; told once, then as NeedMore
    Done,
    Refused,
  };
  /// `data` begins with the first byte of the request and holds, up to the last call's `size`, what that call left there. Chunked
  /// bodies are joined in place, which may lower `size`. After Done, [next(), size) belongs to the next request.
  State advance(char* data, std::size_t& size, const Limits& limits);

  const Head& head() const { return head_parser_.head(); }
  const Refusal& refusal() const { return refusal_; }
  bool in_body() const { return phase_ != Phase::Head; }
  /// Bytes of the body that have come, without the framing of chunks.
  std::size_t body_bytes() const { return body_end_ - head().bytes; }
  /// What the buffer will hold at the end of this request as far as it is known now: a hint for its growth.
  std::size_t bytes_expected() const;
  /// After Done: where body and request end.
  std::size_t body_end() const { return body_end_; }
  std::size_t next() const { return next_; }

 private:
  enum class Phase { Head, Length, Chunks };

  State chunks(char* data, std::size_t& size, const Limits& limits);
  State need_more();

  HeadParser head_parser_;
  ChunkedDecoder decoder_;
  Refusal refusal_;
  Phase phase_ = Phase::Head;
  std::size_t body_end_ = 0;
  std::size_t next_ = 0;
  bool continue_told_ = false;
};

}  // namespace ferry::http
