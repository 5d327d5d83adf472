// What handlers say while they run, and what that does to their end.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/encoding.h"
#include "worker/control_message.h"

namespace ferry::worker {
namespace {

std::string refusal_of(std::string_view text) {
  const auto message = parse_control(text);
  return message ? std::string("(taken)") : message.error().message;
}

TEST(Control, EveryMemberIsRead) {
  const auto message =
      parse_control(R"({"progress":0.4,"extend":120,"result":{"a":[1,2]},"retry_after":30,"reject":"no such customer"})");
  ASSERT_TRUE(message);
  EXPECT_DOUBLE_EQ(*message->progress, 0.4);
  EXPECT_EQ(message->extend, Seconds(120));
  EXPECT_EQ(message->result, R"({"a":[1,2]})");
  EXPECT_EQ(message->retry_after, Seconds(30));
  EXPECT_EQ(message->reject, "no such customer");
  EXPECT_TRUE(message->is_final());
  EXPECT_FALSE(parse_control(R"({"progress":1})")->is_final());
  EXPECT_FALSE(parse_control(R"({"extend":1.5})")->is_final());
  EXPECT_EQ(parse_control(R"({"extend":1.5})")->extend, Seconds(2));
  EXPECT_TRUE(parse_control("{}")->is_final());
  EXPECT_EQ(parse_control(R"({"result":null})")->result, "null");
}

TEST(Control, BoundsAreBounds) {
  EXPECT_EQ(refusal_of(R"({"progress":1.01})"), "progress must be a number from 0 to 1");
  EXPECT_EQ(refusal_of(R"({"progress":-0.1})"), "progress must be a number from 0 to 1");
  EXPECT_EQ(refusal_of(R"({"progress":"half"})"), "progress must be a number from 0 to 1");
  EXPECT_EQ(refusal_of(R"({"extend":43200})"), "(taken)");
  EXPECT_EQ(refusal_of(R"({"extend":43201})"), "extend must be a number of seconds from 1 to 43200");
  EXPECT_EQ(refusal_of(R"({"extend":0})"), "extend must be a number of seconds from 1 to 43200");
  EXPECT_EQ(refusal_of(R"({"retry_after":43200})"), "(taken)");
  EXPECT_EQ(refusal_of(R"({"retry_after":43201})"), "retry_after must be a number of seconds from 0 to 43200");
  EXPECT_EQ(refusal_of(R"({"retry_after":-1})"), "retry_after must be a number of seconds from 0 to 43200");
  EXPECT_EQ(refusal_of(R"({"retry_after":1e300})"), "retry_after must be a number of seconds from 0 to 43200");
  EXPECT_EQ(refusal_of(R"({"reject":3})"), "reject must be a string: the reason");
  EXPECT_EQ(refusal_of(R"({"reslt":3})"), "reslt is unknown; there are progress, extend, result, retry_after and reject");
  EXPECT_EQ(refusal_of("[1]"), "\"[1]\" is no JSON object");
  EXPECT_EQ(refusal_of("{\"progress\":"), "\"{\"progress\":\" is not JSON");
  EXPECT_NE(refusal_of(std::string(1'000, '[')).find("is not JSON"), std::string::npos);  // depth has a bound
  const std::string fits(kResultBytesMax - 2, 'x');
  EXPECT_EQ(parse_control("{\"result\":\"" + fits + "\"}")->result->size(), kResultBytesMax);
  EXPECT_EQ(refusal_of("{\"result\":\"" + fits + "x\"}"), "result has 65537 bytes; at most 65536 are kept");
  EXPECT_EQ(parse_control("{\"reject\":\"" + std::string(kRejectBytesMax, 'r') + "\"}")->reject->size(), kRejectBytesMax);
  EXPECT_EQ(*parse_control("{\"reject\":\"" + std::string(kRejectBytesMax + 1, 'r') + "\"}")->reject,
            std::string(kRejectBytesMax, 'r') + "…");
  EXPECT_EQ(parse_control("{\"reject\":\"a\\u001b[2Jb\"}")->reject, "a\\x1b[2Jb");
}

HandlerResult concluded(HandlerEnd end, std::string_view said) {
  HandlerResult result;
  result.end = end;
  result.detail = "exit";
  ControlState state;
  state.apply(*parse_control(said));
  state.conclude(result);
  return result;
}

TEST(Control, ChangesTheEndOfWhatEndedByItself) {
  for (const HandlerEnd end : {HandlerEnd::Done, HandlerEnd::Retry, HandlerEnd::Unavailable}) {
    EXPECT_EQ(concluded(end, R"({"reject":"no"})").end, HandlerEnd::Rejected);
    EXPECT_EQ(concluded(end, R"({"reject":"no","retry_after":5})").detail, "no");
  }
  EXPECT_EQ(concluded(HandlerEnd::Done, R"({"retry_after":5})").end, HandlerEnd::Retry);
  EXPECT_EQ(concluded(HandlerEnd::Done, R"({"retry_after":5})").retry_after, Seconds(5));
  EXPECT_EQ(concluded(HandlerEnd::Unavailable, R"({"retry_after":5})").end, HandlerEnd::Unavailable);
  EXPECT_EQ(concluded(HandlerEnd::Done, R"({"result":7})").result, "7");
  EXPECT_EQ(concluded(HandlerEnd::Done, R"({"progress":1})").end, HandlerEnd::Done);
  for (const HandlerEnd end : {HandlerEnd::Crashed, HandlerEnd::OurFault, HandlerEnd::Rejected}) {
    EXPECT_EQ(concluded(end, R"({"reject":"no","retry_after":5})").end, end);
    EXPECT_EQ(concluded(end, R"({"reject":"no","retry_after":5})").detail, "exit");
  }
}

TEST(Control, MoreTimeIsNeverLessAndEndsWhereTheMessageCannotBeHidden) {
  const SteadyTime began{Seconds(1'000)};
  const SteadyTime deadline = began + Seconds(300);
  EXPECT_EQ(extended_deadline(deadline, Seconds(10), {began, began + Seconds(100)}), deadline);
  EXPECT_EQ(extended_deadline(deadline, Seconds(250), {began, began + Seconds(100)}), began + Seconds(350));
  EXPECT_EQ(extended_deadline(deadline, Seconds(43'140), {began, began}), began + Seconds(43'140));
  EXPECT_EQ(extended_deadline(deadline, Seconds(43'141), {began, began}), began + Seconds(43'140));
}

class ControlReaderTest : public testing::Test {
 protected:
  std::vector<ControlMessage> heard_;
  std::vector<std::string> complaints_;
  ControlReader reader_{[this](const ControlMessage& message) { heard_.push_back(message); },
                        [this](std::string_view what) { complaints_.emplace_back(what); }};
};

TEST_F(ControlReaderTest, LinesInAnyPieces) {
  for (const char c : std::string("{\"extend\":3}\n\n  \r\n{\"progress\":0.5}\r\n{\"result\":1}"))
    reader_.feed(std::string(1, c));
  EXPECT_EQ(heard_.size(), 2u);
  reader_.finish();
  ASSERT_EQ(heard_.size(), 3u);
  EXPECT_EQ(heard_[2].result, "1");
  EXPECT_TRUE(complaints_.empty());
}

TEST_F(ControlReaderTest, LongLinesAreSkippedAndTheNextOneIsRead) {
  const std::string fits = "{\"reject\":\"" + std::string(kControlLineBytesMax - 13, 'x') + "\"}";
  ASSERT_EQ(fits.size(), kControlLineBytesMax);
  reader_.feed(fits + "\n");
  EXPECT_EQ(heard_.size(), 1u);
  reader_.feed(" " + fits + "\n{\"extend\":3}\n");
  EXPECT_EQ(heard_.size(), 2u);
  ASSERT_EQ(complaints_.size(), 1u);
  EXPECT_EQ(complaints_[0], "a line of more than 66560 bytes is ignored");
}

TEST_F(ControlReaderTest, NoiseIsBoundedAndSaidThreeTimes) {
  for (int i = 0; i < 50; ++i) reader_.feed("noise\x1b[2J\n");
  ASSERT_EQ(complaints_.size(), 3u);
  EXPECT_EQ(complaints_[0], "a line is ignored: \"noise\\x1b[2J\" is not JSON");
  EXPECT_TRUE(complaints_[2].ends_with("; no more is said of this"));
}

TEST_F(ControlReaderTest, TotalHasABound) {
  const std::string line = "{\"extend\":3}   \n";
  ASSERT_EQ(kControlBytesMax % line.size(), 0u);
  const std::size_t lines = kControlBytesMax / line.size();
  for (std::size_t i = 0; i < lines; ++i) reader_.feed(line);
  EXPECT_EQ(heard_.size(), lines);
  EXPECT_TRUE(complaints_.empty());
  reader_.feed(line);
  EXPECT_EQ(heard_.size(), lines);
  ASSERT_EQ(complaints_.size(), 1u);
  EXPECT_NE(complaints_[0].find("more than 1048576 bytes"), std::string::npos);
}

}  // namespace
}  // namespace ferry::worker
