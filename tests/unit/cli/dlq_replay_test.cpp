// The order of sending, remembering and deleting, and what each failure leaves behind. The queue is in memory, its clock stands
// still until it is moved.

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "../worker/capture.h"
#include "base/manual_clock.h"
#include "base/posix_file.h"
#include "cli/dlq_replay.h"
#include "cli/queue_scan.h"
#include "letter_box.h"

namespace ferry::cli {
namespace {
using client::CallError;
using testing_support::LetterBox;
using worker::testing_support::TemporaryFolder;

class Observer final : public ReplayObserver {
 public:
  void would_send(const sqs::Message& message, const ReplayTarget&, const sqs::SendMessageEntry&) override {
    would.push_back(message.message_id);
  }
  void failed(const sqs::Message& message, const std::string& why) override {
    failures.push_back(message.message_id + ": " + why);
  }
  void maybe_twice(const sqs::Message& message) override { doubtful.push_back(message.message_id); }
  void came_back(const sqs::Message& message) override { back.push_back(message.message_id); }
  void progress(const ReplaySummary&) override {}
  std::vector<std::string> would, failures, doubtful, back;
};

const CallError kUnknown{CallError::Kind::Unknown, "", 0, "no answer"};
const CallError kNotReachable{CallError::Kind::NotReachable, "", 0, "nobody there"};

class ReplayTest : public ::testing::Test {
 protected:
  /// One run as a process of its own would do it.
  ReplaySummary run(LetterBox& box, bool fifo = false) {
    if (!options_.dry_run) {
      auto opened = ReplayState::open(files_, folder_.file("state"), "dead");
      EXPECT_TRUE(opened) << opened.error().message;
      state_ = std::move(*opened);
    }
    options_.source_kind = fifo ? sqs::QueueKind::Fifo : sqs::QueueKind::Standard;
    const ReplaySeams seams{
        box,
        [&](const sqs::Message&) -> Result<ReplayTarget> {
          return ReplayTarget{"work", options_.source_kind};
        },
        [&](const std::string& url, std::span<const sqs::SendMessageEntry> entries) { return send(url, entries); },
        state_.get(),
        clock_,
        [&](Millis time) {
          paused_ += time;
          clock_.advance(time);
        },
        stop_,
        observer_};
    const ReplaySummary summary = Replay(options_, seams).run();
    state_.reset();
    return summary;
  }

  sender::SendReport send(const std::string&, std::span<const sqs::SendMessageEntry> entries) {
    sender::SendReport report;
    report.outcomes.resize(entries.size());
    batches_.push_back(entries.size());
    if (send_error_) {
      report.call_error = send_error_;
      return report;
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (refused_.contains(*entries[i].message_body)) {
        report.outcomes[i] = {std::nullopt, "InvalidMessageContents", "told to"};
        continue;
      }
      sent_.push_back(*entries[i].message_body);
      report.outcomes[i].sent = sqs::SendMessageResponse();
      report.outcomes[i].sent->message_id = "new-" + std::to_string(sent_.size());
      if (after_send_) after_send_(report.outcomes[i].sent->message_id);
    }
    return report;
  }
  bool state_exists() const { return std::filesystem::exists(folder_.file("state")); }

  TemporaryFolder folder_;
  PosixFileSystem files_;
  ManualClock clock_;
  StopFlag stop_;
  ReplayOptions options_;
  Observer observer_;
  std::unique_ptr<ReplayState> state_;
  std::vector<std::string> sent_;
  std::vector<std::size_t> batches_;
  std::set<std::string> refused_;
  std::optional<CallError> send_error_;
  std::function<void(const std::string& new_id)> after_send_;
  Millis paused_{0};
};

TEST_F(ReplayTest, SendsThenDeletesAndForgets) {
  LetterBox box(clock_);
  for (int i = 0; i < 25; ++i) box.put("m" + std::to_string(i));
  const ReplaySummary summary = run(box);
  EXPECT_EQ(summary.replayed, 25u);
  EXPECT_TRUE(summary.drained);
  EXPECT_EQ(batches_, (std::vector<std::size_t>{10, 10, 5}));
  EXPECT_TRUE(box.left().empty());
  EXPECT_FALSE(state_exists());
  EXPECT_EQ(exit_code_of(summary, 0), kExitDone);
}

TEST_F(ReplayTest, WhatWasSentAndNotDeletedIsDeletedByTheNextRun) {
  LetterBox box(clock_);
  box.put("a");
  box.put("b");
  box.remove_fault = kUnknown;
  ReplaySummary summary = run(box);
  EXPECT_EQ(summary.replayed, 2u);
  EXPECT_EQ(summary.undeleted, 2u);
  EXPECT_EQ(exit_code_of(summary, 0), kExitWorkLeft);
  EXPECT_TRUE(state_exists());
  box.remove_fault.reset();
  summary = run(box);  // they are hidden still
  EXPECT_EQ(summary.finished, 0u);
  EXPECT_EQ(exit_code_of(summary, 0), kExitWorkLeft);
  clock_.advance(Seconds(120));
  summary = run(box);
  EXPECT_EQ(summary.finished, 2u);
  EXPECT_EQ(summary.replayed, 0u);
  EXPECT_EQ(exit_code_of(summary, 0), kExitDone);
  EXPECT_EQ(sent_.size(), 2u) << "sent once";
  EXPECT_TRUE(box.left().empty());
  EXPECT_FALSE(state_exists());
}

TEST_F(ReplayTest, ACallWithoutAnAnswerIsDoubtfulAndSaid) {
  LetterBox box(clock_);
  box.put("a");
  send_error_ = kUnknown;
  ReplaySummary summary = run(box);
  EXPECT_EQ(exit_code_of(summary, 0), kExitNotReachable);
  EXPECT_EQ(box.hidden(), 0u) << "given back";
  send_error_.reset();
  summary = run(box);
  EXPECT_EQ(observer_.doubtful, std::vector<std::string>{"a"});
  EXPECT_EQ(summary.maybe_twice, 1u);
  EXPECT_EQ(summary.replayed, 1u);
}

TEST_F(ReplayTest, ACallThatWasNeverMadeIsNotDoubtful) {
  LetterBox box(clock_);
  box.put("a");
  send_error_ = kNotReachable;
  EXPECT_EQ(exit_code_of(run(box), 0), kExitNotReachable);
  send_error_.reset();
  EXPECT_EQ(run(box).maybe_twice, 0u);
}

TEST_F(ReplayTest, ARefusedOneStaysAndTheOthersGo) {
  LetterBox box(clock_);
  for (const char* id : {"a", "b", "c"}) box.put(id);
  refused_ = {"body of b"};
  const ReplaySummary summary = run(box);
  EXPECT_EQ(box.left(), std::vector<std::string>{"b"});
  EXPECT_EQ(observer_.failures, std::vector<std::string>{"b: told to (InvalidMessageContents)"});
  EXPECT_EQ(exit_code_of(summary, 0), kExitPartly);
  EXPECT_FALSE(state_exists()) << "nothing is open";
}

TEST_F(ReplayTest, OnlyRefusedIsFailure) {
  LetterBox box(clock_);
  box.put("b");
  refused_ = {"body of b"};
  EXPECT_EQ(exit_code_of(run(box), 0), kExitFailed);
}

TEST_F(ReplayTest, FilteredOnesAreGivenBackAtTheEnd) {
  LetterBox box(clock_);
  for (int i = 0; i < 30; ++i) box.put("m" + std::to_string(i));
  options_.where = {*parse_condition("id=m17")};
  const ReplaySummary summary = run(box);
  EXPECT_EQ(summary.replayed, 1u);
  EXPECT_EQ(summary.skipped, 29u);
  EXPECT_EQ(box.left().size(), 29u);
  EXPECT_EQ(box.hidden(), 0u);
  EXPECT_EQ(exit_code_of(summary, 0), kExitDone);
}

TEST_F(ReplayTest, EndsWhenOnlySkippedOnesComeAgain) {
  LetterBox box(clock_);
  for (int i = 0; i < 12; ++i) box.put("m" + std::to_string(i));
  options_.where = {*parse_condition("id=none")};
  options_.visibility = Seconds(0);  // every receive brings the first ten again
  const ReplaySummary summary = run(box);
  EXPECT_EQ(summary.skipped, 10u);
  EXPECT_EQ(exit_code_of(summary, 0), kExitWorkLeft);
}

TEST_F(ReplayTest, DryRunTouchesNothing) {
  LetterBox box(clock_);
  box.put("a");
  box.put("b");
  options_.dry_run = true;
  options_.where = {*parse_condition("id=b")};
  const ReplaySummary summary = run(box);
  EXPECT_EQ(observer_.would, std::vector<std::string>{"b"});
  EXPECT_TRUE(sent_.empty());
  EXPECT_EQ(box.left().size(), 2u);
  EXPECT_EQ(box.hidden(), 0u);
  EXPECT_FALSE(state_exists());
  EXPECT_EQ(exit_code_of(summary, 0), kExitDone);
}

TEST_F(ReplayTest, LimitIsExact) {
  LetterBox box(clock_);
  for (int i = 0; i < 12; ++i) box.put("m" + std::to_string(i));
  options_.limit = 11;
  ReplaySummary summary = run(box);
  EXPECT_EQ(summary.replayed, 11u);
  EXPECT_TRUE(summary.limit_reached);
  EXPECT_EQ(exit_code_of(summary, 0), kExitWorkLeft);
  EXPECT_EQ(box.left().size(), 1u);
  options_.limit = 1;
  summary = run(box);
  EXPECT_EQ(exit_code_of(summary, 0), kExitDone) << "the limit was reached, and nothing is left";
}

TEST_F(ReplayTest, LimitCountsOnlyWhatIsMeant) {
  LetterBox box(clock_);
  for (int i = 0; i < 8; ++i) box.put("m" + std::to_string(i));
  options_.limit = 2;
  options_.where = {*parse_condition("!id=m0")};
  EXPECT_EQ(run(box).replayed, 2u);
  EXPECT_EQ(box.left().size(), 6u);
  EXPECT_EQ(box.hidden(), 0u);
}

TEST_F(ReplayTest, RateIsKept) {
  LetterBox box(clock_);
  for (int i = 0; i < 30; ++i) box.put("m" + std::to_string(i));
  options_.rate = 10;
  const SteadyTime start = clock_.steady();
  EXPECT_EQ(run(box).replayed, 30u);
  EXPECT_GE(paused_, Seconds(2)) << "the last ten go at the third second";
  EXPECT_LE(clock_.steady() - start, Seconds(4));
}

TEST_F(ReplayTest, ALowRateTakesFewAtATime) {
  LetterBox box(clock_);
  for (int i = 0; i < 5; ++i) box.put("m" + std::to_string(i));
  options_.rate = 2;
  run(box);
  EXPECT_EQ(batches_.front(), 2u);
}

TEST_F(ReplayTest, StopsBetweenMessagesAndGivesBack) {
  LetterBox box(clock_, true);
  for (int i = 0; i < 8; ++i) box.put("m" + std::to_string(i), "g");
  after_send_ = [&](const std::string&) {
    if (sent_.size() == 3) stop_.request(15);
  };
  const ReplaySummary summary = run(box, true);
  EXPECT_EQ(summary.replayed, 3u);
  EXPECT_EQ(box.left(), (std::vector<std::string>{"m3", "m4", "m5", "m6", "m7"}));
  EXPECT_EQ(box.hidden(), 0u);
  EXPECT_EQ(exit_code_of(summary, 15), 143);
}

TEST_F(ReplayTest, FifoKeepsTheOrderOfAGroupAndHoldsItBackBehindAFailure) {
  LetterBox box(clock_, true);
  for (const char* id : {"a1", "a2", "a3"}) box.put(id, "a");
  for (const char* id : {"b1", "b2"}) box.put(id, "b");
  refused_ = {"body of a2"};
  const ReplaySummary summary = run(box, true);
  EXPECT_EQ(sent_, (std::vector<std::string>{"body of a1", "body of b1", "body of b2"}));
  EXPECT_EQ(box.left(), (std::vector<std::string>{"a2", "a3"}));
  EXPECT_EQ(summary.failed, 1u);
  EXPECT_EQ(summary.held_back, 1u);
  EXPECT_EQ(exit_code_of(summary, 0), kExitPartly);
}

TEST_F(ReplayTest, FifoBehindSkippedOnesIsWorkLeft) {
  LetterBox box(clock_, true);
  for (int i = 0; i < 12; ++i) box.put("m" + std::to_string(i), "g");
  options_.where = {*parse_condition("id=m11")};
  EXPECT_EQ(exit_code_of(run(box, true), 0), kExitWorkLeft);
}

TEST_F(ReplayTest, WhatFailsAgainIsNotReplayedForEver) {
  LetterBox box(clock_);
  box.put("a");
  after_send_ = [&](const std::string& new_id) { box.put(new_id); };  // its worker fails at once
  const ReplaySummary summary = run(box);
  EXPECT_EQ(summary.replayed, 1u);
  EXPECT_EQ(summary.came_back, 1u);
  EXPECT_EQ(observer_.back, std::vector<std::string>{"new-1"});
  EXPECT_EQ(exit_code_of(summary, 0), kExitPartly);
  EXPECT_EQ(run(box).replayed, 1u) << "another run is another attempt";
}

TEST_F(ReplayTest, ASecondDeliveryIsNotSentAgain) {
  LetterBox box(clock_);
  box.put("a");
  box.twice = true;
  EXPECT_EQ(run(box).replayed, 1u);
  EXPECT_EQ(sent_.size(), 1u);
}

TEST_F(ReplayTest, AReceiveThatFailsForAPassingReasonIsTriedFiveTimes) {
  LetterBox box(clock_);
  box.put("a");
  box.receive_fault = kNotReachable;
  const ReplaySummary summary = run(box);
  EXPECT_EQ(exit_code_of(summary, 0), kExitNotReachable);
  EXPECT_EQ(paused_, Millis(500 + 1000 + 1500 + 2000));
}

TEST_F(ReplayTest, OldRemainsOfACrashAreForgotten) {
  folder_.write("state", "ferry-replay 1 dead\nsending a " + std::to_string(to_epoch_millis(clock_.wall())) + "\nsent a\n");
  LetterBox box(clock_);
  EXPECT_EQ(exit_code_of(run(box), 0), kExitDone);
  EXPECT_TRUE(state_exists()) << "it may be hidden still";
  clock_.advance(std::chrono::minutes(16));
  EXPECT_EQ(exit_code_of(run(box), 0), kExitDone);
  EXPECT_FALSE(state_exists());
}

// What is sent.

sqs::Message signed_letter() {
  sqs::Message message;
  message.message_id = "m-1";
  message.body = "body";
  message.attributes = {{"MessageGroupId", "g"}, {"AWSTraceHeader", "Root=1"}};
  message.message_attributes = {{"Enable", {"String", "x", {}, false}}, {"Ferry", {"String", "sig", {}, false}}};
  return message;
}

Edits edits_of(std::vector<std::string> texts) {
  Edits edits;
  for (const std::string& text : texts) {
    auto edit = parse_edit(text, [](const std::string&) -> Result<std::string> { return std::string("file"); });
    EXPECT_TRUE(edit) << edit.error().message;
    edits.attributes.push_back(*edit);
  }
  return edits;
}

TEST(ReplayEntry, KeepsEverythingAndDerivesTheDeduplicationId) {
  const auto standard = compose_replay(signed_letter(), {}, sqs::QueueKind::Standard);
  ASSERT_TRUE(standard);
  EXPECT_EQ(standard->message_body, "body");
  EXPECT_EQ(standard->message_attributes, signed_letter().message_attributes);
  EXPECT_EQ(standard->message_group_id, "g");
  EXPECT_EQ(standard->message_system_attributes.at(0).second.string_value, "Root=1");
  EXPECT_FALSE(standard->message_deduplication_id);
  const auto fifo = compose_replay(signed_letter(), {}, sqs::QueueKind::Fifo);
  EXPECT_EQ(fifo->message_deduplication_id, "ferry-replay-m-1");
  sqs::Message ungrouped = signed_letter();
  ungrouped.attributes.clear();
  EXPECT_FALSE(compose_replay(ungrouped, {}, sqs::QueueKind::Fifo));
}

TEST(ReplayEntry, EditsInTheirOrder) {
  const auto entry = compose_replay(
      signed_letter(), edits_of({"drop:Ferry", "set:Enable=new", "set:Count:Number=5", "drop:Absent"}), sqs::QueueKind::Standard);
  ASSERT_TRUE(entry) << entry.error().message;
  const sqs::MessageAttributes expected = {{"Enable", {"String", "new", {}, false}}, {"Count", {"Number", "5", {}, false}}};
  EXPECT_EQ(entry->message_attributes, expected);
}

TEST(ReplayEntry, AnEditDoesNotKeepASignature) {
  const auto entry = compose_replay(signed_letter(), edits_of({"set:Enable=new"}), sqs::QueueKind::Standard);
  ASSERT_FALSE(entry);
  EXPECT_NE(entry.error().message.find("--edit drop:Ferry"), std::string::npos);
  Edits mark;
  mark.mark = "ReplayOf";
  EXPECT_FALSE(compose_replay(signed_letter(), mark, sqs::QueueKind::Standard));
  mark.attributes = edits_of({"drop:Ferry"}).attributes;
  const auto marked = compose_replay(signed_letter(), mark, sqs::QueueKind::Standard);
  ASSERT_TRUE(marked);
  EXPECT_EQ(marked->message_attributes.back().first, "ReplayOf");
  EXPECT_EQ(marked->message_attributes.back().second.string_value, "m-1");
}

TEST(ReplayEntry, WhatSqsWouldRefuseIsRefusedBefore) {
  Edits empty;
  empty.body = [](const sqs::Message&) -> Result<std::string> { return std::string(); };
  sqs::Message message = signed_letter();
  message.message_attributes.clear();
  EXPECT_FALSE(compose_replay(message, empty, sqs::QueueKind::Standard));
  Edits many;
  for (int i = 0; i < 10; ++i) many.attributes.push_back(*parse_edit("set:A" + std::to_string(i) + "=v", nullptr));
  EXPECT_TRUE(compose_replay(message, many, sqs::QueueKind::Standard));
  many.attributes.push_back(*parse_edit("set:A10=v", nullptr));
  EXPECT_FALSE(compose_replay(message, many, sqs::QueueKind::Standard)) << "eleven attributes";
}

TEST(ReplayEntry, WrongEditsAreTold) {
  for (const char* text : {"", "drop:", "drop:A=b", "set:", "set:A", "rename:A=B", "A=B"}) {
    const auto edit = parse_edit(text, nullptr);
    ASSERT_FALSE(edit) << text;
    EXPECT_TRUE(edit.error().message.starts_with(std::string("--edit \"") + text)) << edit.error().message;
  }
}

class BodyCommand : public ::testing::Test {
 protected:
  Result<std::string> edit(const std::string& script, const std::string& body = "old") {
    folder_.write("edit.sh", "#!/bin/sh\n" + script + "\n", 0755);
    auto editor = make_body_editor({folder_.file("edit.sh")}, context_);
    EXPECT_TRUE(editor) << editor.error().message;
    sqs::Message message;
    message.message_id = "m-1";
    message.body = body;
    return (*editor)(message);
  }
  TemporaryFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  CommandContext context_{clock_, random_, [](const std::string& name) -> std::optional<std::string> {
                            if (name == "PATH") return "/usr/bin:/bin";
                            return std::nullopt;
                          }};
};

TEST_F(BodyCommand, MakesTheNewBody) {
  EXPECT_EQ(edit("tr a-z A-Z").value(), "OLD");
  EXPECT_EQ(edit("printf %s \"$FERRY_MESSAGE_ID $AWS_SECRET_ACCESS_KEY\"").value(), "m-1 ");
  EXPECT_EQ(edit("cat", std::string(1024 * 1024, 'x')).value().size(), 1024u * 1024u);
}

TEST_F(BodyCommand, FailsThatMessage) {
  EXPECT_NE(edit("exit 3").error().message.find("ended with 3"), std::string::npos);
  EXPECT_NE(edit("kill -9 $$").error().message.find("killed by signal 9"), std::string::npos);
  EXPECT_NE(edit("cat; echo x", std::string(1024 * 1024, 'x')).error().message.find("larger than 1 MiB"), std::string::npos);
}

TEST_F(BodyCommand, AMissingProgramIsToldAtOnce) {
  EXPECT_FALSE(make_body_editor({"no-such-program-here"}, context_));
  EXPECT_FALSE(make_body_editor({folder_.file("absent")}, context_));
}
}  // namespace
}  // namespace ferry::cli
