// W3C Trace Context: what is taken for a traceparent, and what a child of it is.

#include "base/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace ferry {
namespace {

constexpr std::string_view kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Traceparent, IsReadAndWrittenAsItStands) {
  const auto span = parse_traceparent(kGood);
  ASSERT_TRUE(span);
  EXPECT_EQ(span->trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(span->span_id, "b7ad6b7169203331");
  EXPECT_EQ(span->flags, 1);
  EXPECT_EQ(span->traceparent(), kGood);
  EXPECT_EQ(parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff")->flags, 0xff);
}

TEST(Traceparent, AnythingElseIsNone) {
  const std::string good(kGood);
  EXPECT_FALSE(parse_traceparent(""));
  EXPECT_FALSE(parse_traceparent(good.substr(0, 54)));
  EXPECT_FALSE(parse_traceparent(good + "1"));
  EXPECT_FALSE(parse_traceparent(good + "-more"));
  EXPECT_FALSE(parse_traceparent("01" + good.substr(2)));
  EXPECT_FALSE(parse_traceparent("ff" + good.substr(2)));
  EXPECT_FALSE(parse_traceparent("00-" + std::string(32, '0') + good.substr(35)));
  EXPECT_FALSE(parse_traceparent(good.substr(0, 36) + std::string(16, '0') + "-01"));
  for (const std::size_t at : {2U, 35U, 52U, 3U, 34U, 36U, 51U, 53U, 54U}) {
    for (const char wrong : {'A', 'g', ' ', '\0'}) {
      std::string text = good;
      text[at] = wrong;
      EXPECT_FALSE(parse_traceparent(text)) << text;
    }
  }
}

TEST(Tracestate, HasLimits) {
  EXPECT_FALSE(is_tracestate(""));
  EXPECT_TRUE(is_tracestate("a=b,c@d=1"));
  EXPECT_TRUE(is_tracestate(std::string(512, 'a')));
  EXPECT_FALSE(is_tracestate(std::string(513, 'a')));
  EXPECT_FALSE(is_tracestate("a=b\r\nX-Evil: 1"));
  EXPECT_FALSE(is_tracestate("a=\x7f"));
  EXPECT_FALSE(is_tracestate("a=\xc3\xb6"));
}

TEST(Spans, AChildHasTheTraceAndAnIdOfItsOwn) {
  SeededRandom random(7);
  const SpanContext parent = *parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fb");
  const SpanContext first = child_of(parent, random);
  const SpanContext second = child_of(parent, random);
  EXPECT_EQ(first.trace_id, parent.trace_id);
  EXPECT_NE(first.span_id, parent.span_id);
  EXPECT_NE(first.span_id, second.span_id);
  EXPECT_EQ(first.flags, 3) << "sampled and random stay, what is not known does not";
  EXPECT_EQ(parse_traceparent(first.traceparent()), first);
}

// Gives zeros first.
class ZerosFirst final : public Random {
 public:
  void fill(std::span<std::byte> out) override {
    for (std::byte& byte : out) byte = std::byte(calls_ == 0 ? 0 : 0x0a);
    ++calls_;
  }

 private:
  int calls_ = 0;
};

TEST(Spans, AnIdIsNeverAllZeros) {
  ZerosFirst random;
  EXPECT_EQ(child_of(*parse_traceparent(kGood), random).span_id, "0a0a0a0a0a0a0a0a");
}

}  // namespace
}  // namespace ferry
