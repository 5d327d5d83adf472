#include "http/head_parser.h"

#include <array>
#include <cstring>

#include "base/encoding.h"

namespace ferry::http {
namespace {

enum CharClass : std::uint8_t { kToken = 1, kPath = 2, kQuery = 4, kHost = 8 };

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  auto add = [&](std::string_view characters, std::uint8_t kind) {
    for (char c : characters) classes[static_cast<unsigned char>(c)] |= kind;
  };
  constexpr std::string_view kAlnum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  add(kAlnum, kToken | kPath | kQuery | kHost);
  add("!#$%&'*+-.^_`|~", kToken);
  add("-._~%!$&'()*+,;=:@/|[]", kPath);
  add("-._~%!$&'()*+,;=:@/|[]?\\^`{}", kQuery);
  add("-._~%!$&'()*+,;=", kHost);
  return classes;
}
constexpr auto kClasses = make_classes();

bool all_of(std::string_view text, CharClass kind) {
  for (char c : text) {
    if ((kClasses[static_cast<unsigned char>(c)] & kind) == 0) return false;
  }
  return true;
}

constexpr std::uint64_t repeat(std::uint8_t byte) {
  return 0x0101010101010101ULL * byte;
}

// Visible characters, space, tab and bytes from 0x80 on. Eight bytes at a time: the long values are signatures and tokens.
bool is_field_value(std::string_view text) {
  auto bad = [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; };
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    std::uint64_t below_space = (word - repeat(0x20)) & ~word & repeat(0x80);
    std::uint64_t delete_bits = word ^ repeat(0x7f);
    std::uint64_t is_delete = (delete_bits - repeat(1)) & ~delete_bits & repeat(0x80);
    if ((below_space | is_delete) == 0) continue;
    for (std::size_t k = i; k < i + 8; ++k) {
      if (bad(static_cast<unsigned char>(text[k]))) return false;
    }
  }
  for (; i < text.size(); ++i) {
    if (bad(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

Span span_of(std::string_view data, std::string_view part) {
  return {static_cast<std::uint32_t>(part.data() - data.data()), static_cast<std::uint32_t>(part.size())};
}

// uri-host [":" port] of RFC 3986; a registered name may not be empty.
bool is_host(std::string_view text) {
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (char c : text.substr(1, end - 1)) {
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.')) return false;
    }
    port = text.substr(end + 1);
  } else {
    std::size_t colon = text.find(':');
    std::string_view name = text.substr(0, colon);
    if (name.empty() || !all_of(name, kHost)) return false;
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (port.empty()) return true;
  if (port.front() != ':' || port.size() > 6) return false;
  unsigned number = 0;
  for (char c : port.substr(1)) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  return port.size() > 1 && number <= 65535;
}

}  // namespace

bool split_header_line(std::string_view line, std::string_view& name, std::string_view& value, const char*& reason) {
  if (is_blank(line.front())) {
    reason = "folded header lines are not accepted";
    return false;
  }
  std::size_t colon = 0;
  while (colon < line.size() && (kClasses[static_cast<unsigned char>(line[colon])] & kToken) != 0) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') {
    reason = "a header line is not a name, a colon and a value";
    return false;
  }
  name = line.substr(0, colon);
  std::size_t begin = colon + 1;
  std::size_t end = line.size();
  while (begin < end && is_blank(line[begin])) ++begin;
  while (end > begin && is_blank(line[end - 1])) --end;
  value = line.substr(begin, end - begin);
  if (!is_field_value(value)) {
    reason = "a header value holds a control character";
    return false;
  }
  return true;
}

void HeadParser::reset() {
  auto headers = std::move(head_.headers);  // keeps its memory
  headers.clear();
  head_ = Head{};
  head_.headers = std::move(headers);
  refusal_ = {};
  host_ = authority_ = {};
  line_begin_ = scanned_ = headers_begin_ = 0;
  have_line_ = have_length_ = have_encoding_ = have_host_ = have_expect_ = have_authority_ = false;
  close_asked_ = keep_alive_asked_ = blank_skipped_ = false;
}

ParseState HeadParser::refuse(int status, const char* reason) {
  refusal_ = {status, reason};
  return ParseState::Refused;
}

bool HeadParser::bad(int status, const char* reason) {
  refusal_ = {status, reason};
  return false;
}

ParseState HeadParser::parse(std::string_view data, const Limits& limits) {
  for (;;) {
    const void* found = scanned_ < data.size() ? std::memchr(data.data() + scanned_, '\n', data.size() - scanned_) : nullptr;
    std::size_t end = found != nullptr ? static_cast<std::size_t>(static_cast<const char*>(found) - data.data()) : data.size();
    // Without its CR LF; an unfinished line may end in the CR.
    std::size_t unfinished = end - line_begin_;
    bool ends_in_cr = unfinished > 0 && data[end - 1] == '\r';
    std::size_t length = unfinished - (ends_in_cr ? 1 : 0);
    if (!have_line_ && length > limits.request_line_bytes_max) return refuse(414, "the request line is too long");
    if (have_line_ && length > 0 && line_begin_ - headers_begin_ + length + 2 > limits.header_bytes_max) {
      return refuse(431, "the headers are too long");
    }
    if (found == nullptr) {
      scanned_ = static_cast<std::uint32_t>(data.size());
      return ParseState::NeedMore;
    }
    if (!ends_in_cr) return refuse(400, "a line does not end in CR LF");
    Span line{line_begin_, static_cast<std::uint32_t>(length)};
    line_begin_ = scanned_ = static_cast<std::uint32_t>(end + 1);
    if (!have_line_) {
      // RFC 9112 2.2: one empty line before the request line is forgiven.
      if (length == 0 && !blank_skipped_) {
        blank_skipped_ = true;
        continue;
      }
      if (!request_line(data, line)) return ParseState::Refused;
      have_line_ = true;
      headers_begin_ = line_begin_;
    } else if (length == 0) {
      head_.bytes = line_begin_;
      return finish(data, limits) ? ParseState::Done : ParseState::Refused;
    } else {
      if (head_.headers.size() >= limits.header_count_max) return refuse(431, "there are too many headers");
      if (!header_line(data, line)) return ParseState::Refused;
    }
  }
}

bool HeadParser::request_line(std::string_view data, Span line) {
  std::string_view text = line.in(data.data());
  std::size_t first = text.find(' ');
  std::size_t second = first == std::string_view::npos ? first : text.find(' ', first + 1);
  if (second == std::string_view::npos) return bad(400, "the request line is not a method, a target and a version");
  std::string_view method = text.substr(0, first);
  std::string_view version = text.substr(second + 1);
  if (method.empty() || !all_of(method, kToken)) return bad(400, "the method is not a token");
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[5] < '0' || version[5] > '9' || version[6] != '.' ||
      version[7] < '0' || version[7] > '9') {
    return bad(400, "the request line does not end in an HTTP version");
  }
  if (version == "HTTP/0.9") return bad(400, "HTTP/0.9 is not spoken here");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return bad(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  head_.http_1_0 = version[7] == '0';
  head_.method = span_of(data, method);
  return target(data, span_of(data, text.substr(first + 1, second - first - 1)));
}

bool HeadParser::target(std::string_view data, Span sent) {
  std::string_view text = sent.in(data.data());
  if (head_.method.in(data.data()) == "CONNECT") return bad(501, "CONNECT is not offered");
  if (text == "*") {
    if (head_.method.in(data.data()) != "OPTIONS") return bad(400, "the target * belongs to OPTIONS");
    head_.target = head_.path = sent;
    head_.query = {sent.begin + sent.size, 0};
    return true;
  }
  if (!text.starts_with('/')) {
    if (!absolute_target(data, sent)) return false;
    text = head_.target.in(data.data());
  } else {
    head_.target = sent;
  }
  std::size_t mark = text.find('?');
  std::string_view path = text.substr(0, mark);
  std::string_view query = mark == std::string_view::npos ? text.substr(text.size()) : text.substr(mark + 1);
  if (!all_of(path, kPath) || !all_of(query, kQuery)) return bad(400, "the target holds a character that must be escaped");
  head_.path = span_of(data, path);
  head_.query = span_of(data, query);
  return true;
}

bool HeadParser::absolute_target(std::string_view data, Span sent) {
  std::string_view text = sent.in(data.data());
  std::size_t scheme = 0;
  if (text.size() > 7 && equals_ignore_case(text.substr(0, 7), "http://")) scheme = 7;
  if (text.size() > 8 && equals_ignore_case(text.substr(0, 8), "https://")) scheme = 8;
  if (scheme == 0) return bad(400, "the target is neither a path nor an http URI");
  std::size_t path = text.find_first_of("/?#", scheme);
  if (path != std::string_view::npos && text[path] != '/') return bad(400, "the target's URI has no path");
  std::string_view authority = text.substr(scheme, path == std::string_view::npos ? path : path - scheme);
  if (!is_host(authority)) return bad(400, "the target's URI names no host");
  authority_ = span_of(data, authority);
  have_authority_ = true;
  // No path means "/"; the scheme's own slash serves, since results are pieces of the buffer.
  head_.target = span_of(data, path == std::string_view::npos ? text.substr(scheme - 1, 1) : text.substr(path));
  return true;
}

bool HeadParser::header_line(std::string_view data, Span line) {
  std::string_view name;
  std::string_view value;
  const char* reason = "";
  if (!split_header_line(line.in(data.data()), name, value, reason)) return bad(400, reason);
  Span value_span = span_of(data, value);
  head_.headers.push_back({span_of(data, name), value_span});
  return known_header(name, value, value_span);
}

bool HeadParser::known_header(std::string_view name, std::string_view value, Span value_span) {
  switch (name.size()) {
    case 4:
      if (equals_ignore_case(name, "host")) {
        if (have_host_) return bad(400, "there are two Host headers");
        if (!is_host(value)) return bad(400, "the Host header is not a host");
        have_host_ = true;
        host_ = value_span;
      }
      return true;
    case 6:
      if (equals_ignore_case(name, "expect")) {
        if (have_expect_ || !equals_ignore_case(value, "100-continue")) return bad(417, "only Expect: 100-continue is known");
        have_expect_ = true;
      }
      return true;
    case 10:
      return !equals_ignore_case(name, "connection") || connection(value);
    case 14:
      return !equals_ignore_case(name, "content-length") || content_length(value);
    case 17:
      if (equals_ignore_case(name, "transfer-encoding")) {
        if (have_encoding_) return bad(400, "there are two Transfer-Encoding headers");
        if (value != "chunked") return bad(400, "the only transfer encoding is chunked");
        have_encoding_ = head_.chunked = true;
      }
      return true;
    default:
      return true;
  }
}

bool HeadParser::content_length(std::string_view value) {
  if (have_length_) return bad(400, "there are two Content-Length headers");
  have_length_ = true;
  if (value.empty()) return bad(400, "Content-Length is not a number");
  constexpr std::uint64_t kHuge = UINT64_MAX / 16;  // far beyond any limit; larger numbers count as this one
  std::uint64_t number = 0;
  for (char c : value) {
    if (c < '0' || c > '9') return bad(400, "Content-Length is not a number");
    if (number < kHuge) number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  head_.content_length = number;
  return true;
}

bool HeadParser::connection(std::string_view value) {
  while (!value.empty()) {
    std::size_t comma = value.find(',');
    std::string_view option = trim(value.substr(0, comma));
    if (equals_ignore_case(option, "close")) close_asked_ = true;
    if (equals_ignore_case(option, "keep-alive")) keep_alive_asked_ = true;
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
  }
  return true;
}

bool HeadParser::finish(std::string_view data, const Limits& limits) {
  if (!have_host_ && !head_.http_1_0) return bad(400, "there is no Host header");
  if (have_host_ && have_authority_ && !equals_ignore_case(host_.in(data.data()), authority_.in(data.data()))) {
    return bad(400, "the target's URI and the Host header name different hosts");
  }
  if (have_encoding_ && have_length_) return bad(400, "there are both Content-Length and Transfer-Encoding");
  if (have_encoding_ && head_.http_1_0) return bad(400, "Transfer-Encoding does not belong to HTTP/1.0");
  // A request of HTTP/1.1 without either header has no body (RFC 9112, 6.3); in HTTP/1.0 some senders meant "until I close".
  if (!have_encoding_ && !have_length_ && head_.http_1_0) {
    std::string_view method = head_.method.in(data.data());
    if (method == "POST" || method == "PUT" || method == "PATCH") return bad(411, "the length of the body is not given");
  }
  if (head_.content_length > limits.body_bytes_max) return bad(413, "the body is too large");
  head_.keep_alive = !close_asked_ && (!head_.http_1_0 || keep_alive_asked_);
  head_.expect_continue = have_expect_ && !head_.http_1_0 && (head_.chunked || head_.content_length > 0);
  return true;
}

}  // namespace ferry::http
