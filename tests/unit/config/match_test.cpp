#include "config/match.h"

#include <gtest/gtest.h>

namespace ferry::config {
namespace {

using Kind = MatchValue::Kind;

std::string refusal(std::string_view pointer) {
  const auto parsed = parse_json_pointer(pointer);
  return parsed ? "(" + format_json_pointer(*parsed) + ")" : parsed.error().message;
}

TEST(JsonPointers, AreTakenApartAndPutTogether) {
  EXPECT_EQ(*parse_json_pointer(""), JsonPointer{});
  EXPECT_EQ(*parse_json_pointer("/"), JsonPointer{""});
  EXPECT_EQ(*parse_json_pointer("/a~1b/m~0n/~01/0"), (JsonPointer{"a/b", "m~n", "~1", "0"}));
  for (const char* pointer : {"", "/", "//", "/a~1b/m~0n/~01/0", "/ä b"})
    EXPECT_EQ(refusal(pointer), "(" + std::string(pointer) + ")");
}

TEST(JsonPointers, BadOnesAreRefused) {
  EXPECT_NE(refusal("detail").find("begin with '/'"), std::string::npos);
  EXPECT_NE(refusal("#/detail").find("begin with '/'"), std::string::npos);
  for (const char* bad : {"/~", "/a~2", "/a~", "/~/b"}) EXPECT_NE(refusal(bad).find("neither ~0"), std::string::npos) << bad;
  std::string deep;
  for (std::size_t i = 0; i < kBodyDepthMax; ++i) deep += "/a";
  EXPECT_EQ(refusal(deep), "(" + deep + ")");
  EXPECT_NE(refusal(deep + "/a").find("33 levels deep"), std::string::npos);
  const std::string longest = "/" + std::string(kPointerBytesMax - 1, 'a');
  EXPECT_EQ(refusal(longest), "(" + longest + ")");
  EXPECT_NE(refusal(longest + "a").find("has 1025 bytes; at most 1024"), std::string::npos);
}

Match by_attribute(const std::string& name, const std::string& value) {
  Match match;
  match.kind = MatchKind::Attribute;
  match.attribute = name;
  match.value = MatchValue{Kind::String, value};
  return match;
}

Match by_pattern(const std::string& name, const std::string& pattern) {
  Match match;
  match.kind = MatchKind::Attribute;
  match.attribute = name;
  match.pattern = pattern;
  match.pattern_type = *ParameterType::pattern(pattern, {1, kMatchCharsMax});
  return match;
}

TEST(Matches, ValuesAreComparedWithTheirKind) {
  Match match = by_attribute("kind", "5");
  EXPECT_TRUE(match.accepts({Kind::String, "5"}));
  EXPECT_FALSE(match.accepts({Kind::Number, "5"}));
  EXPECT_FALSE(match.accepts({Kind::String, "5 "}));
  match.value = MatchValue{Kind::Boolean, "true"};
  EXPECT_FALSE(match.accepts({Kind::String, "true"}));
  EXPECT_TRUE(match.accepts({Kind::Boolean, "true"}));
}

TEST(Matches, PatternsMatchWholeTextsOnly) {
  const Match match = by_pattern("kind", "a+");
  EXPECT_TRUE(match.accepts({Kind::String, "aaa"}));
  EXPECT_FALSE(match.accepts({Kind::String, "aab"}));
  EXPECT_FALSE(match.accepts({Kind::String, ""}));
  EXPECT_FALSE(match.accepts({Kind::Other, "aaa"}));
  EXPECT_TRUE(match.accepts({Kind::String, std::string(kMatchCharsMax, 'a')}));
  EXPECT_FALSE(match.accepts({Kind::String, std::string(kMatchCharsMax + 1, 'a')}));
}

TEST(Matches, OverlapsThatAreSureAreFound) {
  EXPECT_TRUE(surely_overlap(by_attribute("kind", "a"), by_attribute("kind", "a")));
  EXPECT_FALSE(surely_overlap(by_attribute("kind", "a"), by_attribute("kind", "b")));
  EXPECT_FALSE(surely_overlap(by_attribute("kind", "a"), by_attribute("Kind", "a")));
  EXPECT_TRUE(surely_overlap(by_attribute("kind", "aa"), by_pattern("kind", "a+")));
  EXPECT_TRUE(surely_overlap(by_pattern("kind", "a+"), by_attribute("kind", "aa")));
  EXPECT_FALSE(surely_overlap(by_attribute("kind", "b"), by_pattern("kind", "a+")));
  EXPECT_TRUE(surely_overlap(by_pattern("kind", "a+"), by_pattern("kind", "a+")));
  EXPECT_FALSE(surely_overlap(by_pattern("kind", "a+"), by_pattern("kind", "aa*")));  // they do; nobody proves it
  Match name;
  name.attribute = "kind";
  EXPECT_TRUE(surely_overlap(name, by_attribute("kind", "a")));
  Match type;
  type.kind = MatchKind::Type;
  type.attribute = "type";
  type.pointer = {"type"};
  type.value = MatchValue{Kind::String, "a"};
  EXPECT_TRUE(surely_overlap(type, by_attribute("type", "a")));
  Match pointer;
  pointer.kind = MatchKind::Pointer;
  pointer.pointer = {"type"};
  pointer.value = MatchValue{Kind::String, "a"};
  EXPECT_TRUE(surely_overlap(type, pointer));
  EXPECT_FALSE(surely_overlap(pointer, by_attribute("type", "a")));
  pointer.value = MatchValue{Kind::Number, "1"};
  EXPECT_FALSE(surely_overlap(type, pointer));
}

TEST(Matches, AreDescribed) {
  Match match;
  match.attribute = "Enable";
  EXPECT_EQ(match.describe(), "attribute Enable");
  EXPECT_EQ(by_attribute("kind", "a").describe(), "attribute kind = \"a\"");
  EXPECT_EQ(by_pattern("kind", "a+").describe(), "attribute kind matching a+");
  match.kind = MatchKind::Pointer;
  match.pointer = {"a/b", "0"};
  match.value = MatchValue{Kind::Number, "7"};
  EXPECT_EQ(match.describe(), "/a~1b/0 = 7");
  EXPECT_EQ((MatchValue{Kind::String, "a\nb"}).shown(), "\"a\\nb\"");
}

}  // namespace
}  // namespace ferry::config
