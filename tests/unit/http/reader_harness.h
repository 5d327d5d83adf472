#pragma once
// Runs the request reader over a stream that comes in pieces.

#include <functional>
#include <string>
#include <vector>

#include "http/request_reader.h"

namespace ferry::http::test {

struct ReadRequest {
  std::string method, target, path, query, body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool keep_alive = false;
  bool continued = false;  ///< the reader asked for 100 Continue
  bool operator==(const ReadRequest&) const = default;
};

struct ReadStream {
  std::vector<ReadRequest> requests;
  int status = 0;  ///< of the refusal that ended it; 0: more is awaited
  std::string reason;
};

inline ReadRequest copy_request(const RequestReader& reader, const char* data, bool continued) {
  const Head& head = reader.head();
  ReadRequest request;
  request.method = head.method.in(data);
  request.target = head.target.in(data);
  request.path = head.path.in(data);
  request.query = head.query.in(data);
  request.body = std::string(data + head.bytes, reader.body_end() - head.bytes);
  for (const HeaderSpan& header : head.headers) request.headers.emplace_back(header.name.in(data), header.value.in(data));
  request.keep_alive = head.keep_alive;
  request.continued = continued;
  return request;
}

/// `piece(rest)` says how many of the bytes that are left come next, ≥ 1.
inline ReadStream read_stream(std::string_view input, const Limits& limits,
                              const std::function<std::size_t(std::size_t)>& piece) {
  ReadStream stream;
  RequestReader reader;
  std::string buffer;
  bool continued = false;
  bool again = false;
  while (!input.empty() || again) {
    if (!again) {
      std::size_t count = std::min(input.size(), std::max<std::size_t>(1, piece(input.size())));
      buffer.append(input.substr(0, count));
      input.remove_prefix(count);
    }
    again = false;
    std::size_t size = buffer.size();
    switch (reader.advance(buffer.data(), size, limits)) {
      case RequestReader::State::Continue:
        continued = true;
        [[fallthrough]];
      case RequestReader::State::NeedMore:
        buffer.resize(size);
        break;
      case RequestReader::State::Refused:
        stream.status = reader.refusal().status;
        stream.reason = reader.refusal().reason;
        return stream;
      case RequestReader::State::Done:
        stream.requests.push_back(copy_request(reader, buffer.data(), std::exchange(continued, false)));
        buffer.erase(0, reader.next());
        reader.reset();
        again = !buffer.empty();
        break;
    }
  }
  return stream;
}

inline ReadStream read_whole(std::string_view input, const Limits& limits = {}) {
  return read_stream(input, limits, [](std::size_t rest) { return rest; });
}
inline ReadStream read_bytewise(std::string_view input, const Limits& limits = {}) {
  return read_stream(input, limits, [](std::size_t) { return std::size_t{1}; });
}

}  // namespace ferry::http::test
