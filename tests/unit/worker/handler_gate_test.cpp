#include "worker/handler_gate.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"

namespace ferry::worker {
namespace {

class HandlerGateTest : public testing::Test {
 protected:
  HandlerGateTest() { type_.handler.emplace(); }
  std::optional<Seconds> ended(HandlerEnd end) { return gate_.ended(type_, end); }
  std::optional<Seconds> closed() { return gate_.closed_for(type_); }

  ManualClock clock_;
  config::RequestType type_;
  HandlerGate gate_{clock_};
};

TEST_F(HandlerGateTest, FaultsPauseLongerEachTimeAndSeveralAtOnceAreOne) {
  EXPECT_FALSE(closed());
  EXPECT_EQ(ended(HandlerEnd::OurFault), Seconds(5));
  EXPECT_EQ(ended(HandlerEnd::NotStarted), Seconds(5));
  EXPECT_EQ(closed(), Seconds(5));
  clock_.advance(Millis(4'999));
  EXPECT_EQ(closed(), Seconds(1));
  clock_.advance(Millis(1));
  EXPECT_FALSE(closed());
  for (const int expected : {10, 20, 40, 80, 160, 300, 300}) {
    EXPECT_EQ(ended(HandlerEnd::OurFault), Seconds(expected));
    clock_.advance(Seconds(expected));
  }
  EXPECT_FALSE(ended(HandlerEnd::Done));
  EXPECT_EQ(ended(HandlerEnd::OurFault), Seconds(5));
}

TEST_F(HandlerGateTest, BreakerOpensAtItsNumberAndLetsOneTry) {
  type_.handler->breaker = config::BreakerSettings{3, Seconds(30)};
  EXPECT_FALSE(ended(HandlerEnd::Unavailable));
  EXPECT_FALSE(ended(HandlerEnd::TimedOut));
  EXPECT_FALSE(closed());
  EXPECT_EQ(ended(HandlerEnd::Retry), Seconds(30));
  EXPECT_FALSE(ended(HandlerEnd::Crashed));  // one that ran already
  EXPECT_EQ(closed(), Seconds(30));
  clock_.advance(Seconds(30));
  EXPECT_FALSE(closed());            // this one tries
  EXPECT_EQ(closed(), Seconds(30));  // the others wait for it
  EXPECT_EQ(ended(HandlerEnd::Unknown), Seconds(30));
  clock_.advance(Seconds(30));
  EXPECT_FALSE(closed());
  gate_.not_begun(type_);
  EXPECT_FALSE(closed());
  EXPECT_FALSE(ended(HandlerEnd::Done));
  EXPECT_FALSE(closed());
  EXPECT_FALSE(closed());
  EXPECT_FALSE(ended(HandlerEnd::Retry));
}

TEST_F(HandlerGateTest, TellsWhereHandlersStand) {
  using Standing = HandlerGate::Standing;
  type_.name = "Enable";
  type_.handler->breaker = config::BreakerSettings{1, Seconds(30)};
  const auto standing = [&] { return gate_.standings().at(0); };
  EXPECT_TRUE(gate_.standings().empty());
  EXPECT_EQ(ended(HandlerEnd::Retry), Seconds(30));
  EXPECT_EQ(standing(), std::make_pair(std::string("Enable"), Standing::Paused));
  clock_.advance(Millis(29'999));
  EXPECT_EQ(standing().second, Standing::Paused);
  clock_.advance(Millis(1));
  EXPECT_EQ(standing().second, Standing::Trying);
  EXPECT_FALSE(closed());
  EXPECT_EQ(standing().second, Standing::Trying);
  EXPECT_FALSE(ended(HandlerEnd::Done));
  EXPECT_EQ(standing().second, Standing::Through);
}

TEST_F(HandlerGateTest, OnlyFailuresInARowCount) {
  type_.handler->breaker = config::BreakerSettings{2, Seconds(30)};
  for (const HandlerEnd well : {HandlerEnd::Done, HandlerEnd::Rejected}) {
    EXPECT_FALSE(ended(HandlerEnd::Retry));
    EXPECT_FALSE(ended(well));
  }
  EXPECT_FALSE(ended(HandlerEnd::Retry));
  EXPECT_FALSE(ended(HandlerEnd::Interrupted));
  EXPECT_EQ(ended(HandlerEnd::Retry), Seconds(30));
}

TEST_F(HandlerGateTest, WithoutABreakerFailuresPauseNothing) {
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(ended(HandlerEnd::Retry));
  EXPECT_FALSE(closed());
}

TEST_F(HandlerGateTest, RateIsABucketThatFills) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(gate_.take_token(type_));
  type_.handler->rate = config::RateLimit{3, Seconds(1)};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(gate_.take_token(type_));
  EXPECT_FALSE(gate_.take_token(type_));
  clock_.advance(Millis(330));
  EXPECT_FALSE(gate_.take_token(type_));
  clock_.advance(Millis(10));
  EXPECT_TRUE(gate_.take_token(type_));
  EXPECT_FALSE(gate_.take_token(type_));
  clock_.advance(Seconds(100));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(gate_.take_token(type_));
  EXPECT_FALSE(gate_.take_token(type_));
}

}  // namespace
}  // namespace ferry::worker
