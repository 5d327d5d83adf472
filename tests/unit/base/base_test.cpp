#include <gtest/gtest.h>

#include <array>

#include "base/clock.h"
#include "base/digest.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "base/uuid.h"

namespace ferry {
namespace {

TEST(Digest, KnownAnswers) {
  const Md5Digest digest = md5("message");
  EXPECT_EQ(hex_encode(digest), "78e731027d8fd50ed642340b7c9a63b3");
  EXPECT_EQ(hex_encode(md5("é€😀")), "3b07a39fef0ac5d7ef21575e7315a482");
  EXPECT_EQ(hex_encode(sha256("same")), "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5");
  EXPECT_EQ(hex_encode(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex_encode(hmac_sha256("", "")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  EXPECT_EQ(hex_encode(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  const std::string_view digits = "123456789";
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits))), 0xE3069283U);
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits.substr(4))), crc32c(std::as_bytes(std::span(digits.substr(0, 4))))),
            0xE3069283U);
}

TEST(Digest, Sha256InPiecesEqualsSha256) {
  const std::string text(100'000, 'x');
  Sha256 pieces;
  for (std::size_t at = 0; at < text.size(); at += 7919)
    pieces.add(std::as_bytes(std::span(std::string_view(text).substr(at, 7919))));
  EXPECT_EQ(pieces.digest(), sha256(text));
  EXPECT_EQ(Sha256().digest(), sha256(""));
}

TEST(Digest, Md5EachEqualsMd5) {
  SeededRandom random(1);
  std::vector<std::string> texts;
  for (std::size_t size : {0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 121, 1024, 1000, 5000, 3, 64, 128, 70000}) {
    std::string text(size, '\0');
    random.fill(std::as_writable_bytes(std::span(text)));
    texts.push_back(text);
  }
  const std::vector<std::string_view> inputs(texts.begin(), texts.end());
  for (std::size_t count = 0; count <= inputs.size(); ++count) {
    std::vector<Md5Digest> digests(count);
    md5_each(std::span(inputs).first(count), digests);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(digests[i], md5(inputs[i])) << "input " << i << " of " << count;
  }
}

TEST(Digest, Md5EachOfVeryUnequalLengths) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 40; ++i) texts.emplace_back(i % 13 == 0 ? 300'000 + i : i * 7, static_cast<char>('a' + i % 26));
  const std::vector<std::string_view> inputs(texts.begin(), texts.end());
  std::vector<Md5Digest> digests(inputs.size());
  md5_each(inputs, digests);
  for (std::size_t i = 0; i < inputs.size(); ++i) EXPECT_EQ(digests[i], md5(inputs[i])) << i;
}

TEST(Base64, RoundTripAndStrictness) {
  EXPECT_EQ(base64_encode(""), "");
  EXPECT_EQ(base64_encode("f"), "Zg==");
  EXPECT_EQ(base64_encode("foobar"), "Zm9vYmFy");
  for (const std::string_view bad : {"Zg=", "Zg", "Zh==", "Z===", "Zm 9", "Zm9v\n", "====", "Zg==Zg==", "Zm9_"}) {
    EXPECT_FALSE(base64_decode(bad).has_value()) << bad;
  }
  SeededRandom random(7);
  for (std::size_t size = 0; size < 100; ++size) {
    std::string bytes(size, '\0');
    random.fill(std::as_writable_bytes(std::span(bytes)));
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
  }
}

TEST(Percent, EncodesAndDecodes) {
  EXPECT_EQ(percent_encode("a b/ü~"), "a%20b%2F%C3%BC~");
  EXPECT_EQ(percent_encode("a/b", SlashRule::Keep), "a/b");
  EXPECT_EQ(percent_decode("a%20b+c"), "a b+c");
  EXPECT_EQ(percent_decode("a%20b+c", PlusRule::Space), "a b c");
  EXPECT_FALSE(percent_decode("%").has_value());
  EXPECT_FALSE(percent_decode("%2").has_value());
  EXPECT_FALSE(percent_decode("%zz").has_value());
}

TEST(Utf8, AcceptsAndRefuses) {
  EXPECT_TRUE(is_utf8("plain, é€😀"));
  for (const std::string_view bad :
       {"\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "abcdefgh\xC3", "\xF8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(bad)) << hex_encode(bad);
    EXPECT_FALSE(is_sqs_text(bad)) << hex_encode(bad);
  }
}

TEST(SqsText, TakesExactlyTheDocumentedCharacters) {
  EXPECT_TRUE(is_sqs_text("\t\n\r ~\x7F"));
  EXPECT_TRUE(is_sqs_text("\xC2\x80\xEF\xBF\xBD\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
  for (int c = 0; c < 0x20; ++c) {
    const bool allowed = c == 9 || c == 10 || c == 13;
    EXPECT_EQ(is_sqs_text(std::string("12345678") + static_cast<char>(c) + "12345678"), allowed) << c;
    EXPECT_EQ(is_sqs_text(std::string(1, static_cast<char>(c)) + "1234567"), allowed) << c;
  }
  EXPECT_FALSE(is_sqs_text("\xEF\xBF\xBE"));
  EXPECT_FALSE(is_sqs_text("\xEF\xBF\xBF"));
}

TEST(EscapeControl, LeavesNothingThatDrivesATerminal) {
  EXPECT_EQ(escape_control("a\x1b[31m\n\xff\xC2\x9B"), "a\\x1b[31m\\n\\xff\\u009b");
  EXPECT_EQ(escape_control("é😀"), "é😀");
}

TEST(ParseInteger, WholeTextOnly) {
  EXPECT_EQ(parse_integer("-12"), -12);
  for (const std::string_view bad : {"", " 1", "1 ", "+1", "1.0", "99999999999999999999", "0x1"}) {
    EXPECT_FALSE(parse_integer(bad).has_value()) << bad;
  }
}

TEST(UuidText, RoundTrip) {
  SystemRandom random;
  const Uuid uuid = make_uuid(random);
  EXPECT_EQ(parse_uuid(to_string(uuid)), uuid);
  EXPECT_EQ(to_string(uuid)[14], '4');
  EXPECT_FALSE(parse_uuid("not a uuid").has_value());
  EXPECT_NE(make_uuid(random), uuid);
}

TEST(Random, BelowStaysBelow) {
  SeededRandom random(3);
  std::array<int, 5> seen{};
  for (int i = 0; i < 1000; ++i) ++seen[random.below(5)];
  for (const int count : seen) EXPECT_GT(count, 100);
}

Result<int> half(int n) {
  if (n % 2 != 0) return fail(ErrorKind::InvalidArgument, "odd");
  return n / 2;
}
Result<int> quarter(int n) {
  FERRY_TRY(const int h, half(n));
  return half(h);
}

TEST(ResultType, TryPropagates) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(3).error().kind, ErrorKind::InvalidArgument);
}

TEST(FormatUtc, Rfc3339) {
  EXPECT_EQ(format_utc(from_epoch_millis(1'795'420'800'123)), "2026-11-23T08:00:00.123Z");
}

}  // namespace
}  // namespace ferry
