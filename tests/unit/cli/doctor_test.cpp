// The rules of doctor, one by one: what is found just past each bound, and not at it.

#include <gtest/gtest.h>

#include "cli/doctor_findings.h"

namespace ferry::cli {
namespace {

void set(sqs::TextMap& attributes, const std::string& name, const std::string& value) {
  for (auto& [key, old] : attributes) {
    if (key == name) {
      old = value;
      return;
    }
  }
  attributes.emplace_back(name, value);
}

class DoctorRules : public ::testing::Test {
 protected:
  DoctorRules() {
    facts_.queue = "work";
    facts_.attributes = {
        {"QueueArn", "arn:aws:sqs:us-east-1:1:work"},
        {"VisibilityTimeout", "600"},
        {"MessageRetentionPeriod", "345600"},
        {"ReceiveMessageWaitTimeSeconds", "20"},
        {"DelaySeconds", "0"},
        {"RedrivePolicy", R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:dead","maxReceiveCount":5})"},
    };
    facts_.dead_letter_name = "dead";
    facts_.dead_letter_attributes = {{"MessageRetentionPeriod", "1209600"}, {"ApproximateNumberOfMessages", "0"}};
    config::RequestType request;
    request.name = "Enable";
    request.handler.emplace();
    request.handler->timeout = Seconds(300);
    request.handler->kill_grace = Seconds(5);
    handoff_.requests.push_back(request);
    handoff_.file = "handoff.toml";
    facts_.handoff = &handoff_;
  }
  void queue(const std::string& name, const std::string& value) { set(*facts_.attributes, name, value); }
  /// "severity check" of each finding.
  std::vector<std::string> found() const {
    std::vector<std::string> list;
    for (const Finding& finding : examine(facts_)) {
      EXPECT_FALSE(finding.text.empty());
      EXPECT_FALSE(finding.mend.empty()) << finding.text;
      list.push_back(std::string(name_of(finding.severity)) + " " + finding.check);
    }
    return list;
  }
  std::string mend() const { return examine(facts_).at(0).mend; }
  using List = std::vector<std::string>;

  DoctorFacts facts_;
  config::Handoff handoff_;
};

TEST_F(DoctorRules, NothingIsWrongWithAGoodQueue) {
  EXPECT_EQ(found(), List{});
}

TEST_F(DoctorRules, ClockInBothDirections) {
  const auto at = [&](std::int64_t ms) {
    facts_.clock_lead = Millis(ms);
    return found();
  };
  EXPECT_EQ(at(4'999), List{});
  EXPECT_EQ(at(5'000), List{"note clock"});
  EXPECT_EQ(at(-59'999), List{"note clock"});
  EXPECT_EQ(at(-60'000), List{"warning clock"});
  EXPECT_EQ(at(299'999), List{"warning clock"});
  EXPECT_EQ(at(300'000), List{"error clock"});
}

TEST_F(DoctorRules, VisibilityAgainstHandlers) {
  queue("VisibilityTimeout", "305");
  EXPECT_EQ(found(), List{});
  queue("VisibilityTimeout", "304");
  EXPECT_EQ(found(), List{"note visibility"});
  EXPECT_EQ(mend(), "ferry queue set work -a VisibilityTimeout=305");
  queue("VisibilityTimeout", "0");
  EXPECT_EQ(found(), List{"warning visibility"});
}

TEST_F(DoctorRules, WorkerVisibility) {
  handoff_.worker.visibility = Seconds(10);
  EXPECT_EQ(found(), List{});
  handoff_.worker.visibility = Seconds(9);
  EXPECT_EQ(found(), List{"warning worker-visibility"});
}

TEST_F(DoctorRules, MaxReceiveCount) {
  queue("RedrivePolicy", R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:dead","maxReceiveCount":3})");
  EXPECT_EQ(found(), List{});
  queue("RedrivePolicy", R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:dead","maxReceiveCount":"2"})");
  EXPECT_EQ(found(), List{"warning max-receive-count"});
}

TEST_F(DoctorRules, RetentionAgainstRetries) {
  // Five attempts of 305 s and pauses of 5, 10, 20, 40 and 80 s.
  set(*facts_.dead_letter_attributes, "MessageRetentionPeriod", "1209600");
  handoff_.requests[0].handler->timeout = Seconds(3'600);
  handoff_.requests[0].handler->kill_grace = Seconds(0);
  queue("VisibilityTimeout", "3600");
  queue("MessageRetentionPeriod", std::to_string(5 * 3'600 + 155));
  EXPECT_EQ(found(), List{});
  queue("MessageRetentionPeriod", std::to_string(5 * 3'600 + 154));
  EXPECT_EQ(found(), List{"warning retention"});
}

TEST_F(DoctorRules, LedgerRetention) {
  handoff_.ledger.retention = Seconds(1'209'600);  // as long as a dead letter of a standard queue is kept
  EXPECT_EQ(found(), List{});
  handoff_.ledger.retention = Seconds(1'209'599);
  EXPECT_EQ(found(), List{"warning ledger-retention"});
  EXPECT_EQ(mend(), "ledger.retention = \"14d\" or more in handoff.toml");
  handoff_.ledger.enabled = false;
  EXPECT_EQ(found(), List{});
}

TEST_F(DoctorRules, ShortRetention) {
  facts_.handoff = nullptr;
  queue("MessageRetentionPeriod", "3600");
  EXPECT_EQ(found(), List{});
  queue("MessageRetentionPeriod", "3599");
  EXPECT_EQ(found(), List{"warning retention"});
}

TEST_F(DoctorRules, NoDeadLetterQueue) {
  queue("RedrivePolicy", "");
  EXPECT_EQ(found(), List{"warning dead-letter-queue"});
  EXPECT_EQ(mend(),
            "ferry queue create work-dead -a MessageRetentionPeriod=1209600 && ferry queue set work -a "
            "'RedrivePolicy={\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:1:work-dead\",\"maxReceiveCount\":5}'");
  facts_.is_dead_letter_queue = true;
  EXPECT_EQ(found(), List{});
}

TEST_F(DoctorRules, TheDeadLetterQueueItself) {
  facts_.dead_letter_missing = true;
  facts_.dead_letter_attributes.reset();
  EXPECT_EQ(found(), List{"error dead-letter-queue"});
  facts_.dead_letter_missing = false;
  facts_.is_dead_letter_queue = true;
  EXPECT_EQ(found(), List{"note dead-letter-queue"}) << "one behind another";
}

TEST_F(DoctorRules, DeadLetterRetention) {
  sqs::TextMap& dead = *facts_.dead_letter_attributes;
  set(dead, "MessageRetentionPeriod", "345601");
  EXPECT_EQ(found(), List{});
  set(dead, "MessageRetentionPeriod", "345600");
  EXPECT_EQ(found(), List{"note dead-letter-retention"});
  set(dead, "MessageRetentionPeriod", "345599");
  EXPECT_EQ(found(), List{"warning dead-letter-retention"});
}

TEST_F(DoctorRules, DeadLettersThatWait) {
  set(*facts_.dead_letter_attributes, "ApproximateNumberOfMessages", "1");
  EXPECT_EQ(found(), List{"note dead-letters"});
}

TEST_F(DoctorRules, PollingAndDelay) {
  queue("ReceiveMessageWaitTimeSeconds", "0");
  queue("DelaySeconds", "1");
  EXPECT_EQ(found(), (List{"note long-polling", "note delay"}));
}

TEST_F(DoctorRules, Rights) {
  facts_.rights = {
      {"ReceiveMessage", "work", true, ""}, {"DeleteMessage", "work", false, "no"}, {"GetQueueAttributes", "work", false, "no"}};
  facts_.attributes.reset();
  EXPECT_EQ(found(), (List{"error rights", "warning rights"}));
}

TEST_F(DoctorRules, FifoSettings) {
  facts_.queue = "work.fifo";
  queue("ContentBasedDeduplication", "true");
  EXPECT_EQ(found(), List{"warning deduplication"}) << "requests differ in an attribute";
  facts_.handoff = nullptr;
  EXPECT_EQ(found(), List{});
  queue("ContentBasedDeduplication", "false");
  EXPECT_EQ(found(), List{"note deduplication"});
  queue("DeduplicationScope", "messageGroup");
  queue("FifoThroughputLimit", "perQueue");
  EXPECT_EQ(found(), (List{"note deduplication", "note throughput"}));
}

TEST_F(DoctorRules, WorstFirst) {
  queue("DelaySeconds", "1");
  queue("RedrivePolicy", "");
  facts_.clock_lead = Millis(400'000);
  EXPECT_EQ(found(), (List{"error clock", "warning dead-letter-queue", "note delay"}));
}
}  // namespace
}  // namespace ferry::cli
