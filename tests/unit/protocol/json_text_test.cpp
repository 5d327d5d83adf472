#include "protocol/json_text.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/random.h"

namespace ferry::protocol {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  append_json_escaped(out, text);
  return out;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out = "left over";
  if (!json_unescape(text, out)) return std::nullopt;
  return out;
}

TEST(JsonEscape, what_json_demands_and_nothing_else) {
  EXPECT_EQ(escaped(""), "");
  EXPECT_EQ(escaped("plain / text \x7f \u00e9 \U0001F600"), "plain / text \x7f \u00e9 \U0001F600");
  EXPECT_EQ(escaped("\"\\\b\f\n\r\t"), R"(\"\\\b\f\n\r\t)");
  EXPECT_EQ(escaped(std::string_view("\0\x01\x1f", 3)), R"(\u0000\u0001\u001f)");
}

TEST(JsonEscape, at_every_place_around_the_block_size) {
  for (std::size_t length : {1U, 15U, 16U, 17U, 31U, 33U, 511U, 512U, 513U, 1100U}) {
    for (std::size_t at = 0; at < length; ++at) {
      std::string text(length, 'x');
      text[at] = '"';
      const std::string expected = std::string(at, 'x') + "\\\"" + std::string(length - at - 1, 'x');
      ASSERT_EQ(escaped(text), expected) << length << " " << at;
      ASSERT_EQ(unescaped(expected), text) << length << " " << at;
    }
  }
}

TEST(JsonEscape, worst_case_of_a_piece) {
  const std::string zeros(2000, '\0');
  EXPECT_EQ(escaped(zeros).size(), 12'000U);
  EXPECT_EQ(unescaped(escaped(zeros)), zeros);
}

TEST(JsonUnescape, every_escape) {
  EXPECT_EQ(unescaped(""), "");
  EXPECT_EQ(unescaped(R"(\"\\\/\b\f\n\r\t)"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(unescaped(R"(\u0041\u00e9\u20AC\uD83D\uDE00)"), "A\u00e9\u20ac\U0001F600");
  EXPECT_EQ(unescaped(R"(\u0000)"), std::string(1, '\0'));
}

TEST(JsonUnescape, unpaired_surrogates_are_seen_afterwards) {
  for (const std::string_view text :
       {R"(\uD83D)", R"(\uDE00)", R"(\uD83Dx)", R"(\uD83D\n)", R"(\uD83D\u0041)", R"(\uDE00\uD83D)"}) {
    const auto out = unescaped(text);
    ASSERT_TRUE(out) << text;
    EXPECT_FALSE(is_utf8(*out)) << text;
  }
  EXPECT_EQ(unescaped(R"(\uD83D\uD83D\uDE00)")->substr(3), "\U0001F600");
}

TEST(JsonUnescape, what_is_no_escape) {
  for (const std::string_view text : {R"(\)", R"(\x)", R"(\u)", R"(\u12)", R"(\u123)", R"(\u12g4)", R"(\U0041)", R"(abc\)",
                                      "\\\xff", R"(aaaaaaaaaaaaaaaaaaaaaaaaa\q)", R"(\0)", R"(\')"}) {
    EXPECT_FALSE(unescaped(text)) << text;
  }
}

TEST(JsonEscape, random_text_comes_back) {
  SeededRandom random(1);
  constexpr std::string_view kAlphabet = "ab\"\\\n\r\t\x01/\xC3\xA9";
  for (int round = 0; round < 2'000; ++round) {
    std::string text(random.below(200), ' ');
    for (char& c : text) c = kAlphabet[random.below(kAlphabet.size())];
    ASSERT_EQ(unescaped(escaped(text)), text);
  }
}

TEST(JsonNumber, grammar) {
  for (const std::string_view good :
       {"0", "-0", "1", "-12", "1.5", "0.5", "1e5", "1E+5", "1.25e-300", "123456789012345678901234567890"}) {
    EXPECT_TRUE(is_json_number(good)) << good;
  }
  for (const std::string_view bad :
       {"", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x1", "1 ", "NaN", "Infinity", "1.5.5", "--1"}) {
    EXPECT_FALSE(is_json_number(bad)) << bad;
  }
}

}  // namespace
}  // namespace ferry::protocol
