#include "sqs/receipt_handle.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/encoding.h"

namespace ferry::sqs {
namespace {

ReceiptSecret secret(std::uint8_t fill) {
  ReceiptSecret bytes;
  bytes.fill(fill);
  return bytes;
}

const ReceiptHandle kHandle{7, 0x123456789ABCDEF0, 3, from_epoch_millis(1'700'000'000'123)};

TEST(ReceiptHandle, ComesBackAsItWas) {
  const std::string text = encode_receipt_handle(kHandle, secret(1));
  EXPECT_EQ(text.size(), 60u);
  EXPECT_EQ(decode_receipt_handle(text, 7, secret(1)), kHandle);
}

TEST(ReceiptHandle, IsAuthenticatedWithHmacSha256) {
  const std::string bytes = *base64_decode(encode_receipt_handle(kHandle, secret(9)));
  const Sha256Digest expected = hmac_sha256(std::string(32, '\x09'), std::string_view(bytes).substr(0, 29));
  EXPECT_EQ(bytes.substr(29), std::string(expected.begin(), expected.begin() + 16));
}

TEST(ReceiptHandle, IsDifferentForEveryReceive) {
  ReceiptHandle again = kHandle;
  ++again.receive_count;
  EXPECT_NE(encode_receipt_handle(again, secret(1)), encode_receipt_handle(kHandle, secret(1)));
}

TEST(ReceiptHandle, DoesNotMoveBetweenQueues) {
  const std::string text = encode_receipt_handle(kHandle, secret(1));
  EXPECT_EQ(decode_receipt_handle(text, 8, secret(1)), std::nullopt);
  EXPECT_EQ(decode_receipt_handle(text, 7, secret(2)), std::nullopt);
}

TEST(ReceiptHandle, EveryChangedBitIsNoticed) {
  const std::string bytes = *base64_decode(encode_receipt_handle(kHandle, secret(1)));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(decode_receipt_handle(base64_encode(changed), 7, secret(1)), std::nullopt) << bit;
  }
}

TEST(ReceiptHandle, AnythingElseIsNone) {
  const std::string text = encode_receipt_handle(kHandle, secret(1));
  for (const std::string& bad : {std::string(), std::string("x"), std::string(60, 'A'), std::string(60, '!'), text + " ",
                                 text + "AAAA", text.substr(0, 56), std::string(5'000, 'A'), std::string(60, '\0')}) {
    EXPECT_EQ(decode_receipt_handle(bad, 7, secret(1)), std::nullopt);
  }
}

}  // namespace
}  // namespace ferry::sqs
