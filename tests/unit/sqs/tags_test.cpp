#include "sqs/tags.h"

#include <gtest/gtest.h>

namespace ferry::sqs {
namespace {

TextMap numbered(int count) {
  TextMap tags;
  for (int i = 0; i < count; ++i) tags.emplace_back("k" + std::to_string(100 + i), "v");
  return tags;
}
ApiError refusal(const TextMap& current, const TextMap& tags) {
  const auto result = with_tags(current, "jobs", tags);
  EXPECT_FALSE(result.has_value());
  return result ? ApiError{ErrorCode::InternalFailure, ""} : result.error();
}

TEST(Tags, AreMergedAndSorted) {
  EXPECT_EQ(*with_tags({{"b", "1"}, {"c", "2"}}, "q", {{"c", "3"}, {"a", ""}, {"C", "4"}}),
            (TextMap{{"C", "4"}, {"a", ""}, {"b", "1"}, {"c", "3"}}));
  EXPECT_EQ(*with_tags({}, "q", {{"a", "1"}, {"a", "2"}}), (TextMap{{"a", "2"}}));
  EXPECT_EQ(*with_tags({{"a", "1"}}, "q", {}), (TextMap{{"a", "1"}}));
}

TEST(Tags, NumberAtItsLimit) {
  const auto full = with_tags(numbered(49), "jobs", {{"z", ""}});
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->size(), 50u);
  EXPECT_TRUE(with_tags(*full, "jobs", {{"z", "again"}}).has_value()) << "none is added";
  EXPECT_EQ(refusal(*full, {{"zz", ""}}).code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(refusal({}, numbered(51)).message, "Too many tags added for queue jobs.");
}

TEST(Tags, LengthsAreInCharacters) {
  std::string key, value;
  for (int i = 0; i < 128; ++i) key += "é";
  for (int i = 0; i < 256; ++i) value += "😀";
  EXPECT_TRUE(with_tags({}, "q", {{key, value}}).has_value());
  for (const std::string& bad : {key + "é", std::string(), std::string(129, 'k'), std::string("\xff"), std::string("a\x01")}) {
    EXPECT_EQ(refusal({}, {{bad, "v"}}).code, ErrorCode::InvalidParameterValue);
    EXPECT_EQ(refusal({}, {{bad, "v"}}).message, "Tag keys must be between 1 and 128 characters in length.");
    EXPECT_FALSE(validate_tag_key(bad).has_value());
  }
  for (const std::string& bad : {value + "v", std::string(257, 'v'), std::string("\xff"), std::string("\x01")}) {
    EXPECT_EQ(refusal({}, {{"k", bad}}).message, "Tag values must be between 0 and 256 characters in length.");
  }
}

TEST(Tags, AreTakenAway) {
  const TextMap tags = {{"A", "1"}, {"a", "2"}, {"b", "3"}};
  EXPECT_EQ(without_tags(tags, {"a", "unknown"}), (TextMap{{"A", "1"}, {"b", "3"}}));
  EXPECT_EQ(without_tags(tags, {}), tags);
  EXPECT_TRUE(without_tags(tags, {"A", "a", "b"}).empty());
}

}  // namespace
}  // namespace ferry::sqs
