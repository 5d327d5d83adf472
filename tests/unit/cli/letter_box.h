#pragma once
// A queue in memory for what looks after dead letters; its clock stands still until it is moved.

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "cli/queue_scan.h"
#include "worker/queue_port.h"

namespace ferry::cli::testing_support {
using client::CallError;
using client::CallResult;

/// Messages in the order in which they were put; on a FIFO queue a group with one in flight gives nothing more.
class LetterBox final : public worker::QueuePort {
 public:
  explicit LetterBox(ManualClock& clock, bool fifo = false) : clock_(clock), fifo_(fifo) {}

  void put(const std::string& id, const std::string& group = "") {
    Letter letter;
    letter.message.message_id = id;
    letter.message.body = "body of " + id;
    letter.message.attributes = {{"SentTimestamp", std::to_string(to_epoch_millis(clock_.wall()))},
                                 {"DeadLetterQueueSourceArn", "arn:aws:sqs:us-east-1:1:work"}};
    if (!group.empty()) letter.message.attributes.emplace_back("MessageGroupId", group);
    letters_.push_back(std::move(letter));
  }
  std::vector<std::string> left() const {
    std::vector<std::string> ids;
    for (const Letter& letter : letters_) ids.push_back(letter.message.message_id);
    return ids;
  }
  std::size_t hidden() const {
    return static_cast<std::size_t>(
        std::count_if(letters_.begin(), letters_.end(), [&](const Letter& one) { return !visible(one); }));
  }

  CallResult<std::vector<sqs::Message>> receive(const worker::ReceiveCall& call, const std::atomic<bool>&) override {
    if (receive_fault) return Unexpected(*receive_fault);
    if (call.wait.count() > 0) clock_.advance(call.wait);
    std::set<std::string> locked;
    for (const Letter& letter : letters_) {
      if (fifo_ && !visible(letter)) locked.insert(group_of(letter));
    }
    std::vector<sqs::Message> messages;
    for (Letter& letter : letters_) {
      if (static_cast<int>(messages.size()) == call.messages_max) break;
      if (!visible(letter) || (fifo_ && locked.contains(group_of(letter)))) continue;
      letter.until = clock_.steady() + call.visibility;
      letter.message.receipt_handle = letter.message.message_id + "#" + std::to_string(++receives_);
      messages.push_back(letter.message);
      if (twice) messages.push_back(letter.message);
    }
    return messages;
  }
  CallResult<std::vector<worker::EntryFailure>> remove(std::span<const std::string> handles) override {
    if (remove_fault) return Unexpected(*remove_fault);
    std::vector<worker::EntryFailure> failures;
    for (std::size_t i = 0; i < handles.size(); ++i) {
      if (std::erase_if(letters_, [&](const Letter& one) { return one.message.receipt_handle == handles[i]; }) == 0)
        failures.push_back({i, worker::Fault::Lost, "gone"});
    }
    return failures;
  }
  CallResult<std::vector<worker::EntryFailure>> change_visibility(std::span<const worker::VisibilityChange> changes) override {
    ++change_calls;
    if (change_fault) return Unexpected(*change_fault);
    std::vector<worker::EntryFailure> failures;
    for (const auto& change : changes) {
      for (Letter& letter : letters_) {
        if (letter.message.receipt_handle == change.receipt_handle) letter.until = clock_.steady() + change.timeout;
      }
    }
    return failures;
  }
  CallResult<worker::QueueCounts> counts() override {
    const auto in_flight = static_cast<std::int64_t>(hidden());
    return worker::QueueCounts{static_cast<std::int64_t>(letters_.size()) - in_flight, in_flight, 0};
  }
  CallResult<void> send_to_dead_letters(const sqs::Message&) override { return {}; }

  std::optional<CallError> receive_fault;
  std::optional<CallError> remove_fault;
  std::optional<CallError> change_fault;
  int change_calls = 0;
  bool twice = false;  ///< each message comes twice in one answer

 private:
  struct Letter {
    sqs::Message message;
    SteadyTime until{};
  };
  bool visible(const Letter& letter) const { return letter.until <= clock_.steady(); }
  static std::string group_of(const Letter& letter) { return system_value(letter.message, "MessageGroupId").value_or(""); }

  ManualClock& clock_;
  const bool fifo_;
  std::deque<Letter> letters_;
  int receives_ = 0;
};

}  // namespace ferry::cli::testing_support
