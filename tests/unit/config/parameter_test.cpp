#include "config/parameter.h"

#include <gtest/gtest.h>

namespace ferry::config {
namespace {

TEST(ParameterType, TextCountsCodePointsAtBothEnds) {
  const ParameterType type = ParameterType::text({2, 4});
  EXPECT_TRUE(type.refusal("a"));
  EXPECT_FALSE(type.refusal("ab"));
  EXPECT_FALSE(type.refusal("äöüß"));
  EXPECT_TRUE(type.refusal("äöüßx"));
}

TEST(ParameterType, DefaultTextEndsAt1024) {
  EXPECT_FALSE(ParameterType().refusal(std::string(kParameterCharsDefault, 'a')));
  EXPECT_TRUE(ParameterType().refusal(std::string(kParameterCharsDefault + 1, 'a')));
}

TEST(ParameterType, EveryTypeRefusesEmptyControlAndBrokenText) {
  const ParameterType types[] = {ParameterType(), ParameterType::one_of({"a"}), *ParameterType::pattern(".*", {}),
                                 ParameterType::integer({})};
  for (const ParameterType& type : types) {
    for (const std::string& value :
         {std::string(), std::string("a\0b", 3), std::string("a\nb"), std::string("a\rb"), std::string("a\tb"),
          std::string("a\x7f"), std::string("\xC2\x85"), std::string("\xFF\xFE"), std::string("\x1b[2J")}) {
      EXPECT_TRUE(type.refusal(value)) << type.describe();
    }
  }
}

TEST(ParameterType, EnumMatchesExactlyAndSuggests) {
  const ParameterType type = ParameterType::one_of({"Red", "Green"});
  EXPECT_FALSE(type.refusal("Red"));
  const auto refused = type.refusal("red");
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->find("did you mean Red?"), std::string::npos) << *refused;
  EXPECT_NE(refused->find("Red and Green"), std::string::npos) << *refused;
  EXPECT_TRUE(type.refusal("Redd"));
}

TEST(ParameterType, PatternMatchesTheWholeValue) {
  const auto type = ParameterType::pattern("[A-Za-z0-9 ]+", {1, 10});
  ASSERT_TRUE(type);
  EXPECT_FALSE(type->refusal("All 3"));
  EXPECT_TRUE(type->refusal("All; rm"));
  EXPECT_TRUE(type->refusal("x$(id)"));
  EXPECT_FALSE(type->refusal("0123456789"));
  EXPECT_TRUE(type->refusal("0123456789a"));
}

TEST(ParameterType, PatternsAreLinearInTheValue) {
  const auto type = ParameterType::pattern("(a+)+b", {1, kPatternCharsMax});
  ASSERT_TRUE(type);
  EXPECT_TRUE(type->refusal(std::string(kPatternCharsMax, 'a')));  // would not end with a backtracking engine
}

TEST(ParameterType, WrongPatternIsAnError) {
  const auto type = ParameterType::pattern("[a-", {});
  ASSERT_FALSE(type);
  EXPECT_EQ(type.error().kind, ErrorKind::InvalidArgument);
}

TEST(ParameterType, IntegerRangeAtBothEnds) {
  const ParameterType type = ParameterType::integer({-5, 10});
  for (const char* good : {"-5", "0", "10", "010"}) EXPECT_FALSE(type.refusal(good)) << good;
  for (const char* bad : {"-6", "11", "1.0", " 1", "1 ", "0x1", "+1", "99999999999999999999", "-"})
    EXPECT_TRUE(type.refusal(bad)) << bad;
}

}  // namespace
}  // namespace ferry::config
