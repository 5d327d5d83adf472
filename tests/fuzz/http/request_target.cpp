#include "request_target.h"

#include "base/check.h"
#include "base/encoding.h"
#include "base/random.h"
#include "reader_harness.h"

namespace ferry::http::fuzz {
namespace {

using test::ReadRequest;
using test::ReadStream;

Limits limits_from(std::uint8_t choice) {
  Limits limits;
  if ((choice & 1) != 0) {
    limits.request_line_bytes_max = 64;
    limits.header_bytes_max = 256;
    limits.header_count_max = 5;
    limits.body_bytes_max = 100;
  }
  return limits;
}

void check_same(const ReadStream& whole, const ReadStream& pieces) {
  FERRY_CHECK(whole.status == pieces.status);
  FERRY_CHECK(whole.reason == pieces.reason);
  FERRY_CHECK(whole.requests.size() == pieces.requests.size());
  for (std::size_t i = 0; i < whole.requests.size(); ++i) {
    ReadRequest request = pieces.requests[i];
    request.continued = whole.requests[i].continued;  // depends on what has come by then
    FERRY_CHECK(request == whole.requests[i]);
  }
}

void check_limits(const ReadRequest& request, const Limits& limits) {
  FERRY_CHECK(!request.method.empty() && !request.target.empty());
  FERRY_CHECK(request.method.size() + request.target.size() + 10 <= limits.request_line_bytes_max);
  FERRY_CHECK(request.target ==
              (request.target.find('?') == std::string::npos ? request.path : request.path + "?" + request.query));
  FERRY_CHECK(request.headers.size() <= limits.header_count_max);
  FERRY_CHECK(request.body.size() <= limits.body_bytes_max);
  for (const std::string* text : {&request.method, &request.target}) {
    for (unsigned char c : *text) FERRY_CHECK(c > 0x20 && c < 0x7f);
  }
  for (const auto& [name, value] : request.headers) {
    FERRY_CHECK(!name.empty());
    for (unsigned char c : value) FERRY_CHECK((c >= 0x20 || c == '\t') && c != 0x7f);
  }
}

// A request that was taken, written down plainly, is taken again and means the same.
void check_plain_form(const ReadRequest& request) {
  std::string plain = request.method + " " + request.target + " HTTP/1.1\r\n";
  bool has_host = false;
  for (const auto& [name, value] : request.headers) {
    if (name.size() == 4 && equals_ignore_case(name, "host")) has_host = true;
    if (equals_ignore_case(name, "content-length") || equals_ignore_case(name, "transfer-encoding")) continue;
    plain += name + ": " + value + "\r\n";
  }
  if (!has_host) plain += "Host: a\r\n";
  plain += "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" + request.body;
  Limits wide;
  wide.request_line_bytes_max = wide.header_bytes_max = 1 << 20;
  wide.header_count_max = 1000;
  auto again = test::read_whole(plain, wide);
  FERRY_CHECK(again.status == 0 && again.requests.size() == 1);
  FERRY_CHECK(again.requests[0].method == request.method && again.requests[0].target == request.target);
  FERRY_CHECK(again.requests[0].body == request.body);
}

}  // namespace

std::size_t check_request_reader(std::string_view data) {
  if (data.size() < 2) return 0;
  Limits limits = limits_from(static_cast<std::uint8_t>(data[0]));
  SeededRandom random(static_cast<std::uint8_t>(data[1]));
  data.remove_prefix(2);
  auto whole = test::read_whole(data, limits);
  check_same(whole, test::read_bytewise(data, limits));
  check_same(whole, test::read_stream(data, limits, [&](std::size_t rest) { return 1 + random.below(rest); }));
  for (const ReadRequest& request : whole.requests) {
    check_limits(request, limits);
    check_plain_form(request);
  }
  return whole.requests.size();
}

}  // namespace ferry::http::fuzz
