#include "worker/http_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/digest.h"
#include "base/encoding.h"
#include "base/log.h"
#include "worker/handler_input.h"
#include "worker/transcript.h"

namespace ferry::worker {
namespace {

constexpr std::string_view kOurPrefix = "X-Aws-Sqsd-";
constexpr std::string_view kAttributePrefix = "X-Aws-Sqsd-Attr-";
constexpr std::string_view kKeyHeader = "Idempotency-Key";
constexpr std::string_view kSignedByHeader = "X-Ferry-Signed-By";
constexpr std::size_t kShownBytesMax = 100;
constexpr std::size_t kAroundHeader = 4;  // ": " and CR LF

bool is_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

Result<void> add_attributes(const sqs::Message& message, HttpHeaders& headers) {
  std::vector<std::string> seen;
  for (const auto& [name, value] : message.message_attributes) {
    if (!value.string_value) continue;  // Binary: in the envelope only
    if (!is_header_name(name)) {
      return fail(ErrorKind::InvalidArgument,
                  fmt::format("its attribute \"{}\" cannot be the name of a header", clip(name, kShownBytesMax)));
    }
    std::string lower = to_lower(name);
    if (std::find(seen.begin(), seen.end(), lower) != seen.end()) {
      return fail(ErrorKind::InvalidArgument,
                  fmt::format("two of its attributes are {} but for upper and lower case, which headers do not tell apart "
                              "(content = \"envelope\" does)",
                              clip(name, kShownBytesMax)));
    }
    seen.push_back(std::move(lower));
    headers.emplace_back(std::string(kAttributePrefix) + name, header_encode(*value.string_value));
  }
  return {};
}

std::string hex(const Sha256Digest& digest) {
  return hex_encode(std::span(digest));
}

std::string base64(const Sha256Digest& digest) {
  return base64_encode(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::string_view as_text(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}
}  // namespace

std::string header_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '%') {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 15];
    }
  }
  return encoded;
}

std::string string_to_sign(const HttpHeaders& headers, SignedParts parts) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : headers) {
    if (name.starts_with(kOurPrefix) || name == kKeyHeader || name == kSignedByHeader)
      lines.push_back(fmt::format("{}:{}\n", to_lower(name), value));
  }
  std::sort(lines.begin(), lines.end());
  std::string text = fmt::format("ferry-v1\n{}\n{}\n", parts.seconds, hex(sha256(parts.body)));
  for (const std::string& line : lines) text += line;
  return text;
}

Result<HttpHeaders> build_headers(const HandlerCall& call, const CompletionOffer& offer, Timestamp now) {
  const sqs::Message& message = *call.message;
  const config::HttpEndpoint& endpoint = *call.spec->http;
  const std::string_view body = call.input();
  HttpHeaders headers;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) headers.emplace_back(std::string(name), header_encode(value));
  };
  add("X-Aws-Sqsd-Msgid", message.message_id);
  add("X-Aws-Sqsd-Queue", call.queue);
  add("X-Aws-Sqsd-First-Received-At", system_time(message, "ApproximateFirstReceiveTimestamp"));
  add("X-Aws-Sqsd-Receive-Count", std::to_string(receive_count(message)));
  add("X-Aws-Sqsd-Sender-Id", system_attribute(message, "SenderId").value_or(""));
  add(kKeyHeader, call.idempotency_key);
  add(kSignedByHeader, call.signed_by);
  if (call.trace) {
    headers.emplace_back("traceparent", call.trace->parent);
    if (!call.trace->state.empty()) headers.emplace_back("tracestate", call.trace->state);
  }
  if (call.spec->input != config::HandlerInput::Envelope) FERRY_TRY_VOID(add_attributes(message, headers));
  std::size_t bytes = 0;
  for (const auto& [name, value] : headers) bytes += name.size() + value.size() + kAroundHeader;
  if (bytes > kMessageHeaderBytesMax) {
    return fail(
        ErrorKind::InvalidArgument,
        fmt::format("its attributes make {} bytes of headers; an endpoint is sent at most {} (content = \"envelope\" puts "
                    "them into the body)",
                    bytes, kMessageHeaderBytesMax));
  }
  headers.emplace_back("Content-Type", endpoint.content_type);
  headers.emplace_back("Content-Digest", fmt::format("sha-256=:{}:", base64(sha256(body))));
  add("X-Ferry-Request", call.request);
  add("X-Ferry-Deadline", format_utc(call.deadline));
  if (call.fence > 0) {
    add("X-Ferry-Fence", std::to_string(call.fence));
    add("X-Ferry-Attempt", std::to_string(call.attempt));
  }
  add(kCompletionTokenHeader, offer.token);
  if (!offer.url.empty()) headers.emplace_back("X-Ferry-Completion-Url", offer.url);
  if (!endpoint.signing_key.empty()) {
    const std::int64_t seconds = to_epoch_millis(now) / 1000;
    const std::string text = string_to_sign(headers, {seconds, body});
    headers.emplace_back("X-Ferry-Timestamp", std::to_string(seconds));
    headers.emplace_back("X-Ferry-Signature", "v1=" + hex_encode(as_text(hmac_sha256(endpoint.signing_key, text))));
  }
  return headers;
}

}  // namespace ferry::worker
