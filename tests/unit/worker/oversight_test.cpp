// A worker that is looked over: who may not ask is refused, what happens is on record, and without a record nothing happens.

#include "worker/oversight.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <filesystem>
#include <mutex>

#include "audit/story.h"
#include "base/posix_file.h"
#include "capture.h"
#include "memory_queue.h"
#include "signing/signer.h"
#include "worker/worker.h"

namespace ferry::worker {
namespace {

using testing_support::Capture;
using testing_support::MemoryQueue;
using testing_support::TemporaryFolder;
using testing_support::ThreadRunner;

class OversightTest : public testing::Test {
 protected:
  OversightTest() {
    auto parsed = config::parse_handoff({"[request.Enable]\nhandler = [\"./enable\", \"{attr:Enable}\"]\n", "handoff.toml", "/"});
    FERRY_CHECK(parsed.has_value());
    handoff_ = std::move(*parsed);
    options_.flow.mode = RunMode::Poll;
    options_.flow.queue = "q";
    options_.flow.settings.visibility = Seconds(3);
    options_.flow.settings.wait = Seconds(0);
    options_.flow.backoff = {Seconds(30), Seconds(60)};
    options_.flow.environment = [](const std::string&) { return std::nullopt; };
    options_.settler.gather = Millis(1);
    options_.settler.pause = {Millis(1), Millis(5)};
    options_.receive_pause = {Millis(1), Millis(5)};
    audit::WriterOptions writer;
    writer.folder = folder_.file("trail");
    auto opened = audit::Writer::open(writer, files_, clock_, random_);
    FERRY_CHECK(opened.has_value());
    trail_ = std::move(*opened);
  }

  RunSummary run(const signing::Admission* admission) {
    Oversight oversight({admission, trail_.get(), capture_.reporter(), "q"});
    options_.flow.oversight = &oversight;
    ThreadRunner runner([this](const HandlerCall& call, const InterruptLevel&) {
      ++handled_;
      const std::lock_guard lock(given_mutex_);
      given_.push_back({call.signed_by, fmt::format("{}", fmt::join(call.environment, "\n")), call.trace});
      return HandlerResult{end_, "as told"};
    });
    const Router router(handoff_);
    Worker worker(options_, router, queue_, runner, clock_, random_, capture_.reporter(), stop_);
    return worker.run();
  }
  std::vector<std::string> told(const std::string& id) {
    EXPECT_TRUE(trail_->flush());
    const auto story = audit::find_story(files_, {folder_.file("trail")}, id);
    std::vector<std::string> events;
    for (const audit::StoryLine& line : story->lines) {
      const std::string_view how = line.record.text("how");
      events.push_back(line.record.entry.event + (how.empty() ? "" : " " + std::string(how)));
    }
    return events;
  }

  SystemClock clock_;
  SeededRandom random_{3};
  TemporaryFolder folder_;
  PosixFileSystem files_;
  Capture capture_{clock_};
  MemoryQueue queue_{clock_};
  StopFlag stop_;
  config::Handoff handoff_;
  WorkerOptions options_;
  std::unique_ptr<audit::Writer> trail_;
  HandlerEnd end_ = HandlerEnd::Done;
  std::atomic<int> handled_{0};
  struct Given {
    std::string signed_by;
    std::string environment;
    std::optional<TraceContext> trace;
  };
  std::mutex given_mutex_;
  std::vector<Given> given_;  // guarded by given_mutex_
};

// What a sender can write into a message is no proof of who it is.
const sqs::MessageAttributes kForged = {{"Enable", {"String", "x", std::nullopt, false}},
                                        {"FERRY_SIGNED_BY", {"String", "alice", std::nullopt, false}},
                                        {"X-Ferry-Signed-By", {"String", "alice", std::nullopt, false}},
                                        {"signed_by", {"String", "alice", std::nullopt, false}}};

TEST_F(OversightTest, HandlersAreToldWhoSigned) {
  const signing::PrivateKey key{Ed25519Secret::make(random_), "alice@host"};
  signing::TrustSettings settings;
  settings.senders.push_back({"alice", {key.public_key().bytes}, {"Enable"}, {"q"}, {}, {}});
  const signing::Trust trust{settings};
  const signing::Admission admission({"q", config::UnsignedMessages::Allow}, trust, clock_);
  sqs::SendMessageEntry entry;
  entry.message_body = "body";
  entry.message_attributes = {{"Enable", {"String", "x", std::nullopt, false}}};
  ASSERT_TRUE(signing::Stamper(&key, clock_, random_).stamp(entry, {"q", {}, {}, {}}));
  queue_.add_message("body", entry.message_attributes);
  run(&admission);
  ASSERT_EQ(given_.size(), 1u);
  EXPECT_EQ(given_[0].signed_by, "alice");
  EXPECT_NE(given_[0].environment.find("\nFERRY_SIGNED_BY=alice\n"), std::string::npos) << given_[0].environment;
}

TEST_F(OversightTest, NoAttributeForgesWhoSigned) {
  const signing::Trust trust{signing::TrustSettings{}};
  const signing::Admission admission({"q", config::UnsignedMessages::Allow}, trust, clock_);
  queue_.add_message("body", kForged);
  run(&admission);
  queue_.add_message("body", kForged);
  run(nullptr);  // nobody checks at all
  ASSERT_EQ(given_.size(), 2u);
  for (const Given& given : given_) {
    EXPECT_EQ(given.signed_by, "");
    EXPECT_EQ(given.environment.find("FERRY_SIGNED_BY"), std::string::npos) << given.environment;
  }
}

TEST_F(OversightTest, EachAttemptIsALinkedSpanOfTheSendersTrace) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const sqs::MessageAttributes attributes = {
      {"Enable", {"String", "x", std::nullopt, false}},
      {"traceparent", {"String", "00-" + trace + "-b7ad6b7169203331-01", std::nullopt, false}},
      {"tracestate", {"String", "a=b", std::nullopt, false}}};
  const std::string id = queue_.add_message("body", attributes);
  run(nullptr);
  ASSERT_EQ(given_.size(), 1u);
  ASSERT_TRUE(given_[0].trace);
  const auto span = parse_traceparent(given_[0].trace->parent);
  ASSERT_TRUE(span);
  EXPECT_EQ(span->trace_id, trace);
  EXPECT_NE(span->span_id, "b7ad6b7169203331");
  EXPECT_NE(given_[0].environment.find("\nTRACEPARENT=" + given_[0].trace->parent + "\nTRACESTATE=a=b"), std::string::npos)
      << given_[0].environment;
  EXPECT_TRUE(trail_->flush());
  const auto story = audit::find_story(files_, {folder_.file("trail")}, id);
  ASSERT_EQ(story->lines.size(), 4u);
  for (const audit::StoryLine& line : story->lines) {
    const bool of_attempt = line.record.entry.event.starts_with("attempt-");
    EXPECT_EQ(line.record.text("trace_id"), trace) << line.json;
    EXPECT_EQ(line.record.text("parent_span_id"), "b7ad6b7169203331") << line.json;
    EXPECT_EQ(line.record.text("span_id"), of_attempt ? span->span_id : "") << line.json;
  }
  const std::string shown = fmt::format("[trace_id={} span_id={} parent_span_id=b7ad6b7169203331]", trace, span->span_id);
  EXPECT_TRUE(capture_.says(id + ": Enable \"x\" " + shown)) << "the log links it, too";
}

TEST_F(OversightTest, TheLifeOfAMessageIsOnRecord) {
  const std::string id = queue_.add("Enable", "x");
  run(nullptr);
  EXPECT_EQ(told(id), (std::vector<std::string>{"received", "attempt-started", "attempt-ended", "settled deleted"}));
}

TEST_F(OversightTest, AFailedAttemptIsReturnedOnRecord) {
  end_ = HandlerEnd::Retry;
  const std::string id = queue_.add("Enable", "x");
  run(nullptr);
  const std::vector<std::string> events = told(id);
  ASSERT_GE(events.size(), 4u);
  EXPECT_EQ(events[2], "attempt-ended");
  EXPECT_EQ(events[3], "settled returned");
}

TEST_F(OversightTest, WhatNoHandlerMayHaveIsRefusedOnRecord) {
  const std::string unknown = queue_.add("Explode", "x");
  const std::string unsigned_one = queue_.add("Enable", "x");
  const signing::Trust trust{signing::TrustSettings{}};
  const signing::Admission admission({"q", config::UnsignedMessages::Refuse}, trust, clock_);
  const RunSummary summary = run(&admission);
  EXPECT_EQ(handled_, 0);
  EXPECT_EQ(summary.tally.refused, 2u);
  EXPECT_EQ(told(unknown), (std::vector<std::string>{"received", "refused", "settled kept"}));
  EXPECT_EQ(told(unsigned_one), (std::vector<std::string>{"received", "refused", "settled kept"}));
  EXPECT_TRUE(capture_.says("it is not signed"));
}

TEST_F(OversightTest, WithoutARecordNoHandlerIsStarted) {
  ASSERT_TRUE(trail_->close());  // every further line is refused
  queue_.add("Enable", "x");
  queue_.add("Enable", "y");
  const RunSummary summary = run(nullptr);
  EXPECT_EQ(handled_, 0);
  EXPECT_EQ(summary.tally.failed, 2u);
  EXPECT_EQ(queue_.stored().size(), 2u);
  EXPECT_EQ(capture_.count("the audit trail cannot be written ("), 1);
}

}  // namespace
}  // namespace ferry::worker
