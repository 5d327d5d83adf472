#pragma once
// Receipt handles: they name one receive of one message of one queue, and cannot be guessed, changed or moved between queues.
// 45 bytes in base64: version, queue, sequence number, receive count, time of the receive, and 16 bytes of HMAC-SHA256 over
// all that, with a secret that the queue got when it was created.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace ferry::sqs {

using ReceiptSecret = std::array<std::uint8_t, 32>;

struct ReceiptHandle {
  std::uint64_t queue_id = 0;
  std::uint64_t sequence = 0;
  std::uint32_t receive_count = 0;  ///< of the receive that gave the handle out
  Timestamp received;               ///< engine time of that receive
  bool operator==(const ReceiptHandle&) const = default;
};

/// 60 characters.
std::string encode_receipt_handle(const ReceiptHandle& handle, const ReceiptSecret& secret);

/// Nothing unless exactly this text was made with `secret` for queue `queue_id`.
std::optional<ReceiptHandle> decode_receipt_handle(std::string_view text, std::uint64_t queue_id, const ReceiptSecret& secret);

}  // namespace ferry::sqs
