// Looking through a queue: each message once, and everything given back whatever happens.

#include "cli/queue_scan.h"

#include <gtest/gtest.h>

#include "letter_box.h"

namespace ferry::cli {
namespace {
using testing_support::LetterBox;

class Scan : public ::testing::Test {
 protected:
  ScanReport scan(LetterBox& box, const std::function<bool(const sqs::Message&)>& see) {
    return scan_queue(box, clock_, options_, stop_, [&](const sqs::Message& message) {
      seen_.push_back(message.message_id);
      return see(message);
    });
  }
  static bool go_on(const sqs::Message&) { return true; }

  ManualClock clock_;
  StopFlag stop_;
  ScanOptions options_;
  std::vector<std::string> seen_;
};

TEST_F(Scan, SeesEachOnceInOrderAndGivesAllBack) {
  LetterBox box(clock_);
  for (int i = 0; i < 23; ++i) box.put("m" + std::to_string(i));
  box.twice = true;
  const ScanReport report = scan(box, go_on);
  EXPECT_EQ(report.seen, 23u);
  EXPECT_TRUE(report.whole);
  EXPECT_EQ(seen_, box.left());
  EXPECT_EQ(box.hidden(), 0u);
}

TEST_F(Scan, StopsWhenToldAndAtItsBound) {
  LetterBox box(clock_);
  for (int i = 0; i < 15; ++i) box.put("m" + std::to_string(i));
  EXPECT_EQ(scan(box, [](const sqs::Message&) { return false; }).seen, 1u);
  EXPECT_EQ(box.hidden(), 0u) << "the other nine of the batch, too";
  options_.messages_max = 12;
  EXPECT_EQ(scan(box, go_on).seen, 12u);
  options_.messages_max = 15;
  EXPECT_FALSE(scan(box, go_on).whole);
  options_.messages_max = 16;
  EXPECT_TRUE(scan(box, go_on).whole);
  stop_.request(15);
  EXPECT_EQ(scan(box, go_on).seen, 0u);
}

TEST_F(Scan, EndsBeforeTheFirstIsVisibleAgain) {
  LetterBox box(clock_);
  for (int i = 0; i < 100; ++i) box.put("m" + std::to_string(i));
  const ScanReport report = scan(box, [&](const sqs::Message&) {
    clock_.advance(Seconds(2));
    return true;
  });
  EXPECT_EQ(report.seen, 30u) << "45 of 60 seconds are over within the third batch";
  EXPECT_FALSE(report.whole);
}

TEST_F(Scan, AFailureIsToldAndWhatWasHeldGoesBack) {
  LetterBox box(clock_);
  for (int i = 0; i < 20; ++i) box.put("m" + std::to_string(i));
  const ScanReport report = scan(box, [&](const sqs::Message&) {
    box.receive_fault = client::CallError{client::CallError::Kind::NotReachable, "", 0, "gone"};
    return true;
  });
  EXPECT_EQ(report.seen, 10u);
  ASSERT_TRUE(report.error);
  EXPECT_EQ(box.hidden(), 0u);
}

TEST_F(Scan, WhatCannotBeGivenBackIsCounted) {
  LetterBox box(clock_);
  for (int i = 0; i < 12; ++i) box.put("m" + std::to_string(i));
  box.change_fault = client::CallError{client::CallError::Kind::Unknown, "", 0, "no answer"};
  EXPECT_EQ(scan(box, go_on).not_returned, 12u);
  EXPECT_EQ(box.change_calls, 6) << "two batches, three times each";
}
}  // namespace
}  // namespace ferry::cli
