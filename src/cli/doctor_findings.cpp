#include "cli/doctor_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/encoding.h"
#include "cli/queue_scan.h"
#include "sqs/names.h"
#include "sqs/redrive.h"

namespace ferry::cli {
namespace {

constexpr Seconds kVisibilityLeast{10};

// What a message can take until it is a dead letter, at the longest.
Seconds longest_life(const config::Handoff& handoff, std::int64_t receives, Millis handler_time) {
  Millis total{0};
  Millis pause = handoff.backoff.base;
  for (std::int64_t i = 0; i < receives; ++i) {
    total += handler_time + pause;
    pause = std::min(handoff.backoff.max, pause * 2);
  }
  return std::chrono::ceil<Seconds>(total);
}

class Examination {
 public:
  explicit Examination(const DoctorFacts& facts) : facts_(facts) {
    if (facts.handoff == nullptr) return;
    for (const config::RequestType& request : facts.handoff->requests) {
      if (request.handler) handler_time_ = std::max(handler_time_, request.handler->timeout + request.handler->kill_grace);
    }
  }

  std::vector<Finding> run() {
    look_at_clock();
    look_at_rights();
    look_at_worker();
    if (facts_.attributes) {
      retention_ = number("MessageRetentionPeriod");
      look_at_visibility();
      look_at_dead_letters();
      look_at_ledger();
      look_at_polling();
      look_at_fifo();
    }
    sort_findings(findings_);
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string_view check, std::string text, std::string mend) {
    findings_.push_back({severity, std::string(check), std::move(text), std::move(mend)});
  }
  std::string text_of(std::string_view name) const { return attribute_of(*facts_.attributes, name); }
  std::int64_t number(std::string_view name) const { return parse_integer(text_of(name)).value_or(0); }
  std::string set(std::string_view queue, std::string_view assignment) const {
    return fmt::format("ferry queue set {} -a {}", queue, assignment);
  }

  void look_at_clock() {
    if (!facts_.clock_lead) return;
    const Millis distance{std::abs(facts_.clock_lead->count())};
    if (distance < kClockLeadNoted) return;
    Severity severity = Severity::Note;
    if (distance >= kClockLeadWarned) severity = Severity::Warning;
    if (distance >= kClockLeadRefused) severity = Severity::Error;
    add(severity, "clock",
        fmt::format("the server's clock is {} s {} this machine's{}", distance.count() / 1000,
                    facts_.clock_lead->count() > 0 ? "ahead of" : "behind",
                    severity == Severity::Error ? "; signed requests are refused at five minutes on Amazon SQS" : ""),
        "set this machine's clock by NTP (timedatectl set-ntp true), or the server's");
  }

  void look_at_rights() {
    for (const RightFact& right : facts_.rights) {
      if (right.allowed) continue;
      const bool needed = right.action != "GetQueueAttributes";
      add(needed ? Severity::Error : Severity::Warning, "rights",
          fmt::format("this key may not {} on {}: {}", right.action, right.queue, right.answer),
          needed ? fmt::format("grant {} on {} to the key, or use another profile", right.action, right.queue)
                 : "grant GetQueueAttributes: without it the queue's settings cannot be looked at and poll tells no counts");
    }
  }

  void look_at_worker() {
    if (facts_.handoff == nullptr) return;
    const Seconds visibility = facts_.handoff->worker.visibility;
    if (visibility < kVisibilityLeast) {
      add(Severity::Warning, "worker-visibility",
          fmt::format("worker.visibility is {} s: a pause of the network that long lets another worker take the message as well",
                      visibility.count()),
          "set worker.visibility to 60s in " + facts_.handoff->file);
    }
  }

  void look_at_visibility() {
    const std::int64_t visibility = number("VisibilityTimeout");
    if (visibility == 0) {
      add(Severity::Warning, "visibility",
          "VisibilityTimeout is 0: consumers that do not set their own get every message at once again",
          set(facts_.queue, "VisibilityTimeout=60"));
      return;
    }
    const std::int64_t handler = std::chrono::ceil<Seconds>(handler_time_).count();
    if (handler <= visibility) return;
    add(Severity::Note, "visibility",
        fmt::format(
            "VisibilityTimeout is {} s and a handler may take {} s: ferry work extends it while handlers run, other consumers "
            "see the message again meanwhile",
            visibility, handler),
        set(facts_.queue, fmt::format("VisibilityTimeout={}", std::min<std::int64_t>(handler, 43'200))));
  }

  void look_at_dead_letters() {
    const std::string text = text_of("RedrivePolicy");
    const auto policy = sqs::parse_redrive_policy(text);
    if (!policy) {
      if (facts_.is_dead_letter_queue) return;
      const std::string fifo = facts_.queue.ends_with(".fifo") ? ".fifo" : "";
      const std::string dead = facts_.queue.substr(0, facts_.queue.size() - fifo.size()) + "-dead" + fifo;
      std::string arn = text_of("QueueArn");
      arn = arn.substr(0, arn.rfind(':') + 1) + dead;
      add(Severity::Warning, "dead-letter-queue",
          "there is no dead-letter queue: what fails is tried again until it is too old, and is lost then",
          fmt::format(
              "ferry queue create {} -a MessageRetentionPeriod=1209600{} && {}", dead, fifo.empty() ? "" : " -a FifoQueue=true",
              set(facts_.queue, fmt::format("'RedrivePolicy={{\"deadLetterTargetArn\":\"{}\",\"maxReceiveCount\":5}}'", arn))));
      return;
    }
    look_at_receives(*policy);
    if (facts_.is_dead_letter_queue) {
      add(Severity::Note, "dead-letter-queue", "this dead-letter queue has one itself: looking at its messages can move them on",
          set(facts_.queue, "RedrivePolicy="));
    }
    if (facts_.dead_letter_missing) {
      add(Severity::Error, "dead-letter-queue",
          fmt::format("the dead-letter queue {} is not there: what fails stays and is lost when it is too old",
                      facts_.dead_letter_name),
          fmt::format("ferry queue create {}", facts_.dead_letter_name));
    }
    if (facts_.dead_letter_attributes) look_at_dead_letter_queue();
  }

  void look_at_receives(const sqs::RedrivePolicy& policy) {
    const std::int64_t most = policy.max_receive_count;
    if (most < kReceivesLeast) {
      add(Severity::Warning, "max-receive-count",
          fmt::format("maxReceiveCount is {}: a worker that dies, is stopped, or gives a message back costs a receive too, so "
                      "messages become "
                      "dead letters that were never tried",
                      most),
          fmt::format("raise maxReceiveCount to 5 in the RedrivePolicy of {}", facts_.queue));
    }
    if (facts_.handoff == nullptr) return;
    const Seconds life = longest_life(*facts_.handoff, most, handler_time_);
    if (life.count() > retention_) {
      add(Severity::Warning, "retention",
          fmt::format("{} attempts with their pauses can take {} s, and messages are kept for {} s: they are lost before they "
                      "become dead "
                      "letters",
                      most, life.count(), retention_),
          set(facts_.queue,
              fmt::format("MessageRetentionPeriod={}", std::clamp<std::int64_t>(life.count() * 2, 345'600, 1'209'600))));
    }
  }

  void look_at_dead_letter_queue() {
    const sqs::TextMap& dead = *facts_.dead_letter_attributes;
    const std::int64_t kept = parse_integer(attribute_of(dead, "MessageRetentionPeriod")).value_or(0);
    // On a standard queue a message's age counts from its first send, also in the dead-letter queue.
    if (kept <= retention_ && !facts_.queue.ends_with(".fifo")) {
      add(kept < retention_ ? Severity::Warning : Severity::Note, "dead-letter-retention",
          fmt::format("{} keeps messages for {} s and {} for {} s, counted from the first send: a late dead letter is gone soon",
                      facts_.queue, retention_, facts_.dead_letter_name, kept),
          set(facts_.dead_letter_name, "MessageRetentionPeriod=1209600"));
    } else if (kept < retention_) {
      add(Severity::Warning, "dead-letter-retention",
          fmt::format("{} keeps messages for {} s, {} for only {} s", facts_.queue, retention_, facts_.dead_letter_name, kept),
          set(facts_.dead_letter_name, "MessageRetentionPeriod=1209600"));
    }
    const std::int64_t letters = parse_integer(attribute_of(dead, "ApproximateNumberOfMessages")).value_or(0);
    if (letters > 0) {
      add(Severity::Note, "dead-letters", fmt::format("about {} dead letters wait in {}", letters, facts_.dead_letter_name),
          fmt::format("ferry dlq show {}; ferry dlq replay {}", facts_.dead_letter_name, facts_.dead_letter_name));
    }
  }

  // What is done has to be known for as long as its message can come again.
  void look_at_ledger() {
    if (facts_.handoff == nullptr || !facts_.handoff->ledger.enabled) return;
    std::int64_t life = retention_;
    if (facts_.dead_letter_attributes) {
      const std::int64_t kept = parse_integer(attribute_of(*facts_.dead_letter_attributes, "MessageRetentionPeriod")).value_or(0);
      life = facts_.queue.ends_with(".fifo") ? life + kept : std::max(life, kept);
    }
    const std::int64_t known = std::chrono::duration_cast<Seconds>(facts_.handoff->ledger.retention).count();
    if (known >= life) return;
    add(Severity::Warning, "ledger-retention",
        fmt::format("the ledger knows what is done for {} s, and a message can come again for {} s: it would be done twice",
                    known, life),
        fmt::format("ledger.retention = \"{}d\" or more in {}", (life + 86'399) / 86'400, facts_.handoff->file));
  }

  void look_at_polling() {
    if (number("ReceiveMessageWaitTimeSeconds") == 0) {
      add(Severity::Note, "long-polling",
          "ReceiveMessageWaitTimeSeconds is 0: consumers that do not ask for long polls (ferry does) poll in vain, and pay for "
          "it",
          set(facts_.queue, "ReceiveMessageWaitTimeSeconds=20"));
    }
    if (number("DelaySeconds") > 0) {
      add(Severity::Note, "delay", fmt::format("every message is hidden for {} s first", number("DelaySeconds")),
          set(facts_.queue, "DelaySeconds=0"));
    }
    if (retention_ < 3'600) {
      add(Severity::Warning, "retention", fmt::format("messages are lost after {} s if no worker runs", retention_),
          set(facts_.queue, "MessageRetentionPeriod=345600"));
    }
  }

  void look_at_fifo() {
    if (!facts_.queue.ends_with(".fifo")) return;
    const bool by_content = text_of("ContentBasedDeduplication") == "true";
    if (by_content && facts_.handoff != nullptr) {
      add(Severity::Warning, "deduplication",
          "ContentBasedDeduplication compares bodies alone: two requests of one second have equal bodies and differ in an "
          "attribute, so the "
          "second one is dropped",
          set(facts_.queue, "ContentBasedDeduplication=false") + ", and send with --deduplication-id");
    } else if (!by_content) {
      add(Severity::Note, "deduplication",
          "senders have to give each message a deduplication id: ContentBasedDeduplication is off",
          "ferry send --group-id GROUP --deduplication-id ID");
    }
    const bool per_group = text_of("FifoThroughputLimit") == "perMessageGroupId";
    if (text_of("DeduplicationScope") == "messageGroup" && !per_group) {
      add(Severity::Note, "throughput", "deduplication is per group, but the throughput limit is that of the whole queue",
          set(facts_.queue, "FifoThroughputLimit=perMessageGroupId"));
    }
  }

  const DoctorFacts& facts_;
  Millis handler_time_{0};
  std::int64_t retention_ = 0;
  std::vector<Finding> findings_;
};
}  // namespace

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::Note:
      return "note";
    case Severity::Warning:
      return "warning";
    case Severity::Error:
      break;
  }
  return "error";
}

void sort_findings(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
}

std::vector<Finding> examine(const DoctorFacts& facts) {
  return Examination(facts).run();
}

}  // namespace ferry::cli
