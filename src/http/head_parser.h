#pragma once
// The request line and the header block of HTTP/1.1 (RFC 9112), strictly: what two readers could understand differently is
// refused. No I/O; the bytes stay where they are and results are offsets, so the caller may move the bytes between calls.
//
// Stricter than RFC 9112 asks for: lines end in CR LF only; one Content-Length at most, digits only; Transfer-Encoding is
// exactly "chunked", in HTTP/1.1 only and never beside Content-Length; POST, PUT and PATCH say their length (411); one Host, not
// empty; no folding; no characters in a target that RFC 3986 or a browser would have escaped.

#include <cstdint>
#include <string_view>
#include <vector>

#include "http/server.h"

namespace ferry::http {

/// A piece of the buffer, counted from the first byte of the request.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t size = 0;
  std::string_view in(const char* data) const { return {data + begin, size}; }
};

struct HeaderSpan {
  Span name;
  Span value;
};

/// Why a request is refused; status 0 means that it is not. `reason` is a constant sentence for people.
struct Refusal {
  int status = 0;
  const char* reason = "";
  explicit operator bool() const { return status != 0; }
};

struct Head {
  Span method;
  Span target;  ///< path and query; what follows the authority when an absolute URI was sent
  Span path;
  Span query;
  std::vector<HeaderSpan> headers;
  std::uint64_t content_length = 0;
  std::uint32_t bytes = 0;  ///< with the empty line at the end
  bool http_1_0 = false;
  bool keep_alive = true;
  bool chunked = false;
  bool expect_continue = false;
};

enum class ParseState { NeedMore, Done, Refused };

/// Fed with all bytes of the request so far; each byte is looked at once. One request; reset() for the next.
class HeadParser {
 public:
  void reset();
  /// `data` begins with the first byte of the request and holds what was there at the last call.
  ParseState parse(std::string_view data, const Limits& limits);
  const Head& head() const { return head_; }
  const Refusal& refusal() const { return refusal_; }

 private:
  ParseState refuse(int status, const char* reason);
  bool request_line(std::string_view data, Span line);
  bool target(std::string_view data, Span sent);
  bool absolute_target(std::string_view data, Span sent);
  bool header_line(std::string_view data, Span line);
  bool known_header(std::string_view name, std::string_view value, Span value_span);
  bool content_length(std::string_view value);
  bool connection(std::string_view value);
  bool finish(std::string_view data, const Limits& limits);
  bool bad(int status, const char* reason);

  Head head_;
  Refusal refusal_;
  Span host_;
  Span authority_;
  std::uint32_t line_begin_ = 0;
  std::uint32_t scanned_ = 0;  ///< no line end before it, from line_begin_
  std::uint32_t headers_begin_ = 0;
  bool have_line_ = false;
  bool have_length_ = false;
  bool have_encoding_ = false;
  bool have_host_ = false;
  bool have_expect_ = false;
  bool have_authority_ = false;
  bool close_asked_ = false;
  bool keep_alive_asked_ = false;
  bool blank_skipped_ = false;
};

/// Whether `line` is a well-formed header line without its CR LF; the parts when it is. Trailers use it too.
bool split_header_line(std::string_view line, std::string_view& name, std::string_view& value, const char*& reason);

}  // namespace ferry::http
