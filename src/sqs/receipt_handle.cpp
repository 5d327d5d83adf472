#include "sqs/receipt_handle.h"

#include <cstddef>

#include "base/digest.h"
#include "base/encoding.h"

namespace ferry::sqs {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kSignedBytes = 1 + 8 + 8 + 4 + 8;
constexpr std::size_t kHandleBytes = kSignedBytes + kMacBytes;
constexpr std::size_t kTextChars = kHandleBytes / 3 * 4;
static_assert(kHandleBytes % 3 == 0, "base64 without padding: one text for one handle");

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::uint64_t get(std::string_view& in, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= std::uint64_t{static_cast<std::uint8_t>(in[static_cast<std::size_t>(i)])} << (8 * i);
  in.remove_prefix(static_cast<std::size_t>(bytes));
  return value;
}

Sha256Digest mac(std::string_view signed_bytes, const ReceiptSecret& secret) {
  return hmac_sha256(std::string_view(reinterpret_cast<const char*>(secret.data()), secret.size()), signed_bytes);
}

}  // namespace

std::string encode_receipt_handle(const ReceiptHandle& handle, const ReceiptSecret& secret) {
  std::string bytes;
  bytes.reserve(kHandleBytes);
  bytes.push_back(kVersion);
  put(bytes, handle.queue_id, 8);
  put(bytes, handle.sequence, 8);
  put(bytes, handle.receive_count, 4);
  put(bytes, static_cast<std::uint64_t>(to_epoch_millis(handle.received)), 8);
  const Sha256Digest digest = mac(bytes, secret);
  bytes.append(reinterpret_cast<const char*>(digest.data()), kMacBytes);
  return base64_encode(bytes);
}

std::optional<ReceiptHandle> decode_receipt_handle(std::string_view text, std::uint64_t queue_id, const ReceiptSecret& secret) {
  if (text.size() != kTextChars) return std::nullopt;
  const auto bytes = base64_decode(text);
  if (!bytes || bytes->size() != kHandleBytes || bytes->front() != kVersion) return std::nullopt;
  const std::string_view signed_bytes = std::string_view(*bytes).substr(0, kSignedBytes);
  const Sha256Digest digest = mac(signed_bytes, secret);
  const std::string_view wanted(reinterpret_cast<const char*>(digest.data()), kMacBytes);
  if (!constant_time_equals(std::string_view(*bytes).substr(kSignedBytes), wanted)) return std::nullopt;
  std::string_view rest = signed_bytes.substr(1);
  ReceiptHandle handle;
  handle.queue_id = get(rest, 8);
  handle.sequence = get(rest, 8);
  handle.receive_count = static_cast<std::uint32_t>(get(rest, 4));
  handle.received = from_epoch_millis(static_cast<std::int64_t>(get(rest, 8)));
  if (handle.queue_id != queue_id) return std::nullopt;
  return handle;
}

}  // namespace ferry::sqs
