// What the trail tells of one request.

#include "audit/story.h"

#include "audit_fixture.h"

namespace ferry::audit {
namespace {

class StoryTest : public testing_support::TrailTest {
 protected:
  // A request that fails once and is done when it comes again under another message id.
  void live() {
    const auto writer = open();
    const Ids first{"m-1", "order-1", "work", "Enable"};
    const Ids second{"m-2", "order-1", "work", "Enable"};
    const Ids other{"m-3", "order-2", "work", "Enable"};
    const std::vector<Entry> entries = {
        received(first, {1, "2026-11-23T07:59:59.000Z", "AIDA"}),
        verified(first, {"alice", "0123", from_epoch_millis(1'795'420'799'000)}),
        received(other, {}),
        claimed(first, {"run", 4, 1}),
        attempt_started(first, {1, "./enable.sh", from_epoch_millis(1'795'420'900'000)}),
        attempt_ended(first, {1, "retry", "exit 3", Millis(120), "first\n\x1b[2Jsecond"}),
        settled(first, {"returned", Seconds(5), "exit 3"}),
        refused(other, {"altered", "its body was changed", "0123"}),
        received(second, {2, "", ""}),
        claimed(second, {"done-already", 4, 1}),
        settled(second, {"deleted", {}, ""}),
    };
    for (const Entry& entry : entries) {
      clock_.advance(Millis(10));
      ASSERT_TRUE(writer->append(entry));
    }
    ASSERT_TRUE(writer->close());
  }
  std::vector<std::string> told(std::string_view id) {
    std::vector<std::string> sentences;
    const auto story = find_story(files_, {options_.folder}, id);
    for (const StoryLine& line : story->lines) sentences.push_back(tell(line.record));
    return sentences;
  }
};

TEST_F(StoryTest, TellsTheLifeOfAMessageInPlainWords) {
  live();
  EXPECT_EQ(told("m-1"), (std::vector<std::string>{
                             "received from work, sent at 2026-11-23T07:59:59.000Z by AIDA",
                             "signed by alice with the key 0123 at 2026-11-23T07:59:59.000Z",
                             "ledger as Enable: run, attempt 1, fence 4",
                             "attempt 1 started as Enable: ./enable.sh, until 2026-11-23T08:01:40.000Z",
                             "attempt 1 ended: retry, exit 3 after 120 ms\n    | first\n    | \\x1b[2Jsecond",
                             "settled: returned, seen again in 5 s, exit 3",
                         }));
  EXPECT_EQ(told("m-3"), (std::vector<std::string>{
                             "received from work",
                             "refused as Enable: its body was changed (altered)",
                         }));
}

TEST_F(StoryTest, ATraceIdTellsAllItsMessages) {
  const auto writer = open();
  for (const char* message : {"m-1", "m-2"}) {
    Ids ids{message, std::string("order-") + message, "work", "Enable", {"0af7", {}, "b7ad"}};
    ASSERT_TRUE(writer->append(received(ids, {})));
    ids.trace.span_id = "cafe";
    ASSERT_TRUE(writer->append(attempt_started(ids, {1, "./x", {}})));
  }
  ASSERT_TRUE(writer->append(received({"m-3", {}, "work", "Enable", {"ffff", {}, "b7ad"}}, {})));
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(told("0af7"), (std::vector<std::string>{
                              "received from work, trace 0af7 span b7ad", "attempt 1 started as Enable: ./x, span cafe",
                              "received from work, trace 0af7 span b7ad", "attempt 1 started as Enable: ./x, span cafe"}));
  EXPECT_TRUE(find_story(files_, {options_.folder}, "0af7")->other_messages.empty());
}

TEST_F(StoryTest, ARequestIdTellsAllItsMessages) {
  live();
  EXPECT_EQ(told("order-1").size(), 9u);
  EXPECT_EQ(told("order-1").back(), "settled: deleted");
  const auto story = find_story(files_, {options_.folder}, "m-1");
  EXPECT_EQ(story->other_messages, (std::vector<std::string>{"m-2"}));
}

TEST_F(StoryTest, EveryLineHasItsPlaceAndItsBytes) {
  live();
  const std::vector<std::string> lines = split(read(path()));
  const auto story = find_story(files_, {options_.folder}, "m-2");
  ASSERT_TRUE(story);
  ASSERT_EQ(story->lines.size(), 3u);
  EXPECT_EQ(story->lines[0].line, 10u);
  EXPECT_EQ(story->lines[0].file, path());
  EXPECT_EQ(story->lines[0].json, lines[9]);
}

TEST_F(StoryTest, SeveralChainsAreToldByTime) {
  auto first = open();
  auto second = open();
  ASSERT_TRUE(second->append(received({"m", "", "a", ""}, {})));
  clock_.advance(Millis(1));
  ASSERT_TRUE(first->append(received({"m", "", "b", ""}, {})));
  first.reset();
  second.reset();
  EXPECT_EQ(told("m"), (std::vector<std::string>{"received from a", "received from b"}));
}

TEST_F(StoryTest, NothingIsToldOfWhatIsNotThere) {
  EXPECT_EQ(find_story(files_, {root_}, "m").error().kind, ErrorKind::NotFound);
  live();
  EXPECT_TRUE(told("m-").empty());
  EXPECT_TRUE(told("Enable").empty());
  EXPECT_TRUE(told("no \"such\" id").empty());
}

TEST_F(StoryTest, TooManyLinesAreRefused) {
  {
    options_.sync = Sync::Interval;
    const auto writer = open();
    for (std::size_t i = 0; i < kStoryLinesMax; ++i) ASSERT_TRUE(writer->append(received({"m", "", "", ""}, {})));
  }
  EXPECT_EQ(find_story(files_, {options_.folder}, "m")->lines.size(), kStoryLinesMax);
  {
    const auto writer = open();
    ASSERT_TRUE(writer->append(received({"m", "", "", ""}, {})));
  }
  EXPECT_EQ(find_story(files_, {options_.folder}, "m").error().kind, ErrorKind::NoSpace);
}

TEST_F(StoryTest, UnknownEventsAreToldByTheirFields) {
  Record record;
  record.entry = {"strange\x1b", "m", "", "", "", {{"a", "b\x07"}, {"n", std::int64_t{5}}}};
  EXPECT_EQ(tell(record), "strange\\x1b a=b\\x07 n=5");
}

}  // namespace
}  // namespace ferry::audit
