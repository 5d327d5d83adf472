// Values and failures as users meet them.

#include <gtest/gtest.h>

#include <memory>

#include "ferry/ferry.h"

namespace ferry {
namespace {

Failure no() {
  return {FailureKind::Refused, "the service says no", "SaysNo"};
}

TEST(Expected, HoldsAValue) {
  Expected<int> answer = 5;
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, 5);
  EXPECT_EQ(answer.value_or(7), 5);
  EXPECT_THROW(static_cast<void>(answer.error()), std::bad_variant_access);
}

TEST(Expected, HoldsAFailureAndThrowsItWhenTheValueIsAskedFor) {
  const Expected<int> answer = no();
  EXPECT_FALSE(answer.has_value());
  EXPECT_EQ(answer.value_or(7), 7);
  EXPECT_EQ(answer.error().code, "SaysNo");
  try {
    static_cast<void>(answer.value());
    FAIL() << "no failure was thrown";
  } catch (const FailureError& error) {
    EXPECT_EQ(error.failure().kind, FailureKind::Refused);
    EXPECT_STREQ(error.what(), "the service says no");
  }
}

TEST(Expected, GivesAwayWhatCannotBeCopied) {
  Expected<std::unique_ptr<int>> answer = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = std::move(answer).value();
  EXPECT_EQ(*taken, 3);
}

TEST(Expected, AValueOfATemporaryLivesAsLongAsALoopOverIt) {
  const auto answer = [] { return Expected<std::vector<std::string>>({"a string that is on the heap", "another one of these"}); };
  std::size_t bytes = 0;
  for (const std::string& one : answer().value()) bytes += one.size();
  for (const std::string& one : *answer()) bytes += one.size();
  EXPECT_EQ(bytes, 96u);
}

TEST(Expected, OfNothingIsDoneOrNot) {
  const Expected<void> done;
  EXPECT_TRUE(done);
  EXPECT_NO_THROW(done.value());
  EXPECT_THROW(static_cast<void>(done.error()), std::bad_optional_access);
  const Expected<void> failed = no();
  EXPECT_FALSE(failed);
  EXPECT_THROW(failed.value(), FailureError);
  EXPECT_EQ(failed.error().kind, FailureKind::Refused);
}

TEST(Failure, EveryKindHasAName) {
  for (int kind = 0; kind <= static_cast<int>(FailureKind::Cancelled); ++kind)
    EXPECT_FALSE(name_of(static_cast<FailureKind>(kind)).empty()) << kind;
}

}  // namespace
}  // namespace ferry
