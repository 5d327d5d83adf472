#include "worker/body_values.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace ferry::worker {
namespace {

using Kind = config::MatchValue::Kind;

BodyValue look(std::string_view body, std::string_view pointer) {
  return look_into(body, {*config::parse_json_pointer(pointer)}).at(0);
}

std::string found(std::string_view body, std::string_view pointer) {
  const BodyValue value = look(body, pointer);
  return value.value ? value.value->shown() : "(" + value.why_not + ")";
}

// The examples of RFC 6901, section 5.
TEST(BodyValues, FindsWhatTheStandardSays) {
  constexpr std::string_view kBody =
      R"({"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8})";
  EXPECT_EQ(found(kBody, "/foo/0"), "\"bar\"");
  EXPECT_EQ(found(kBody, "/foo/1"), "\"baz\"");
  const std::vector<std::pair<std::string, std::string>> numbers = {{"/", "0"},     {"/a~1b", "1"}, {"/c%d", "2"},
                                                                    {"/e^f", "3"},  {"/g|h", "4"},  {"/i\\j", "5"},
                                                                    {"/k\"l", "6"}, {"/ ", "7"},    {"/m~0n", "8"}};
  for (const auto& [pointer, number] : numbers) EXPECT_EQ(found(kBody, pointer), number) << pointer;
  EXPECT_EQ(found(kBody, ""), "an object");
  EXPECT_EQ(found(kBody, "/foo"), "an array");
  for (const char* absent : {"/foo/2", "/foo/00", "/foo/-", "/foo/01", "/Foo", "/foo/0/0", "/a", "//"})
    EXPECT_EQ(found(kBody, absent), std::string("(its body has nothing at ") + absent + ")");
  EXPECT_EQ(found(R"("x")", ""), "\"x\"");
}

TEST(BodyValues, TellsKindsApart) {
  EXPECT_EQ(look(R"({"a":"1"})", "/a").value->kind, Kind::String);
  for (const char* one : {"1", "1.0", "10e-1", "1e0"})
    EXPECT_EQ(*look(fmt::format("{{\"a\":{}}}", one), "/a").value, (config::MatchValue{Kind::Number, "1"})) << one;
  EXPECT_EQ(found(R"({"a":18446744073709551615})", "/a"), "18446744073709551615");
  EXPECT_EQ(found(R"({"a":-9223372036854775808})", "/a"), "-9223372036854775808");
  EXPECT_EQ(found(R"({"a":0.5})", "/a"), "0.5");
  EXPECT_EQ(*look(R"({"a":true})", "/a").value, (config::MatchValue{Kind::Boolean, "true"}));
  EXPECT_EQ(look(R"({"a":null})", "/a").value->kind, Kind::Other);
  EXPECT_EQ(*look(R"({"a":"\u00e4\n"})", "/a").value, (config::MatchValue{Kind::String, "ä\n"}));
}

TEST(BodyValues, WhatReadersDisagreeAboutIsNotFound) {
  EXPECT_EQ(found(R"({"type":"a","type":"b"})", "/type"), "(its body has /type twice)");
  EXPECT_EQ(found(R"({"type":"a","t\u0079pe":"b"})", "/type"), "(its body has /type twice)");
  EXPECT_EQ(found(R"({"d":{"s":1},"d":{}})", "/d/s"), "(its body has /d/s twice)");
  EXPECT_EQ(found(R"({"d":7,"d":{"s":1}})", "/d/s"), "(its body has /d/s twice)");
  EXPECT_EQ(found(R"({"d":{"s":1},"e":{"s":2},"s":3})", "/d/s"), "1");
  EXPECT_EQ(found(R"([{"s":1},{"s":2}])", "/1/s"), "2");
}

TEST(BodyValues, WhatIsNoWholeTextHoldsNothing) {
  for (const std::string_view body : {"", " ", "{", R"({"a":1)", R"({"a":1}})", R"({"a":1} x)", R"({"a":1}{"a":2})", R"({'a':1})",
                                      R"({"a":1,})", R"({"a":NaN})", "{\"a\":\"\xff\"}", R"(// c
                                      {"a":1})"}) {
    EXPECT_EQ(found(body, "/a"), "(its body is no JSON)") << body;
  }
  EXPECT_EQ(found(" {\"a\":1}\r\n", "/a"), "1");
}

TEST(BodyValues, LimitsHoldToTheLast) {
  const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  EXPECT_EQ(found(nested(config::kBodyDepthMax), ""), "an array");
  EXPECT_EQ(found(nested(config::kBodyDepthMax + 1), ""), "(its body is nested deeper than 32 levels)");
  EXPECT_EQ(found(std::string(100'000, '['), "/0"), "(its body is nested deeper than 32 levels)");
  const std::string start = R"({"a":1,"pad":")";
  const auto padded = [&](std::size_t bytes) { return start + std::string(bytes - start.size() - 2, 'x') + "\"}"; };
  EXPECT_EQ(found(padded(kRoutedBodyBytesMax), "/a"), "1");
  EXPECT_EQ(found(padded(kRoutedBodyBytesMax + 1), "/a"), "(its body has 1048577 bytes, too many to look into)");
  const auto text = [](std::size_t bytes) { return "{\"a\":\"" + std::string(bytes, 'x') + "\"}"; };
  EXPECT_EQ(look(text(4'096), "/a").value->kind, Kind::String);
  EXPECT_EQ(*look(text(4'097), "/a").value, (config::MatchValue{Kind::Other, "a text of 4097 bytes"}));
  const auto member = [](std::size_t bytes) { return "{\"" + std::string(bytes, 'k') + "\":1}"; };
  const std::string longest = "/" + std::string(config::kPointerBytesMax - 1, 'k');
  EXPECT_EQ(found(member(longest.size() - 1), longest), "1");
  EXPECT_EQ(look(member(100'000), longest).value, std::nullopt);
}

TEST(BodyValues, OnePassServesAllPointers) {
  std::vector<config::JsonPointer> pointers;
  for (const char* pointer : {"/a/b", "/a", "/c/1", "/a/b"}) pointers.push_back(*config::parse_json_pointer(pointer));
  const auto values = look_into(R"({"c":[0,"x",{"a":{"b":9}}],"a":{"b":true}})", pointers);
  ASSERT_EQ(values.size(), 4u);
  EXPECT_EQ(values[0].value->text, "true");
  EXPECT_EQ(values[1].value->text, "an object");
  EXPECT_EQ(values[2].value->text, "x");
  EXPECT_EQ(values[3].value->text, "true");
  EXPECT_TRUE(look_into("{}", {}).empty());
}

// Whatever bytes come, they are answered.
TEST(BodyValues, DamagedBodiesAreAnswered) {
  SeededRandom random(7);
  const std::string whole = R"({"a":{"b":["x",1.5e3,true,null,{"c":"\u00e4"}]},"type":"t"})";
  std::vector<config::JsonPointer> pointers;
  for (const char* pointer : {"/a/b/4/c", "/type", ""}) pointers.push_back(*config::parse_json_pointer(pointer));
  for (int i = 0; i < 20'000; ++i) {
    std::string body = whole;
    const std::size_t changes = 1 + random.next() % 3;
    for (std::size_t n = 0; n < changes; ++n) body[random.next() % body.size()] = static_cast<char>(random.next() & 0xff);
    body.resize(random.next() % (body.size() + 1));
    EXPECT_EQ(look_into(body, pointers).size(), 3u);
  }
}

}  // namespace
}  // namespace ferry::worker
