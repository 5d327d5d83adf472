#include "cli/dlq_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <span>

#include "cli/client_options.h"
#include "cli/queue_scan.h"
#include "sqs/limits.h"

namespace ferry::cli {
namespace {

constexpr int kReceiveFailuresMax = 5;
constexpr int kRemoveAttempts = 3;
constexpr Millis kRetryPause{500};
constexpr Millis kPaceTick{50};
constexpr std::chrono::minutes kForgetAfter{15};

// Failures after which nobody knows whether the call happened.
bool is_unknown(const client::CallError& error) {
  return error.kind == client::CallError::Kind::Unknown || error.kind == client::CallError::Kind::BadAnswer;
}
}  // namespace

int exit_code_of(const ReplaySummary& summary, int signal) {
  const bool did_something = summary.replayed + summary.finished > 0;
  if (summary.stopped) return 128 + signal;
  if (summary.call_error) return did_something ? kExitPartly : exit_code_of(*summary.call_error);
  if (summary.state_error) return did_something ? kExitPartly : kExitFailed;
  const std::uint64_t trouble = summary.failed + summary.held_back + summary.came_back;
  if (trouble > 0) return did_something ? kExitPartly : kExitFailed;
  if (summary.dry_run) return kExitDone;
  if (summary.undeleted > 0) return kExitWorkLeft;
  if (!summary.left) return summary.limit_reached ? kExitWorkLeft : kExitDone;
  const auto count = static_cast<std::uint64_t>(summary.left->visible + summary.left->in_flight + summary.left->delayed);
  return count > summary.skipped ? kExitWorkLeft : kExitDone;
}

void RecentIds::add(const std::string& id) {
  if (!set_.insert(id).second) return;
  order_.push_back(id);
  if (order_.size() <= kMax) return;
  set_.erase(order_.front());
  order_.pop_front();
}

ReplaySummary Replay::run() {
  summary_.dry_run = options_.dry_run;
  next_send_ = seams_.clock.steady();
  std::vector<sqs::Message> messages;
  while (!over() && receive(messages)) {
    if (messages.empty()) continue;
    process(messages);
    remove_sent();
    seams_.observer.progress(summary_);
  }
  finish();
  return summary_;
}

bool Replay::over() const {
  return drained_ || (options_.limit && taken_ >= *options_.limit) || summary_.call_error || summary_.state_error ||
         seams_.stop.requests() > 0;
}

std::size_t Replay::batch_size() const {
  std::uint64_t size = sqs::kReceiveMessagesMax;
  if (options_.rate) size = std::min(size, static_cast<std::uint64_t>(*options_.rate));
  // With a filter the next ten may all be skipped.
  if (options_.limit && options_.where.empty()) size = std::min(size, *options_.limit - taken_);
  return std::max<std::size_t>(size, 1);
}

// False: the run is over.
bool Replay::receive(std::vector<sqs::Message>& messages) {
  const std::atomic<bool> never{false};
  auto answer = seams_.source.receive({static_cast<int>(batch_size()), wait_, options_.visibility}, never);
  messages.clear();
  if (!answer) {
    const bool may_pass = worker::classify(answer.error()) == worker::Fault::Transient;
    if (!may_pass || ++receive_failures_ >= kReceiveFailuresMax) {
      summary_.call_error = answer.error();
      return false;
    }
    seams_.pause(kRetryPause * receive_failures_);
    return true;
  }
  receive_failures_ = 0;
  messages = std::move(*answer);
  // Only a long poll asks every part of the service.
  if (messages.empty() && wait_.count() > 0) drained_ = true;
  wait_ = messages.empty() ? Seconds(1) : Seconds(0);
  return true;
}

void Replay::process(const std::vector<sqs::Message>& messages) {
  std::vector<Item> items;
  std::unordered_set<std::string> in_hand;
  for (const sqs::Message& message : messages) {
    if (!in_hand.insert(message.message_id).second) continue;
    Item item{&message, {}, {}};
    if (over()) {
      hold(message);
    } else if (judge(message, item) == Verdict::Send) {
      items.push_back(std::move(item));
      // The next of its group is judged when this one is known to be sent.
      if (options_.source_kind == sqs::QueueKind::Fifo) send_items(items);
    }
  }
  send_items(items);
}

bool Replay::seen_before(const sqs::Message& message) {
  const auto found = held_.find(message.message_id);
  if (found == held_.end()) {
    seen_again_ = 0;
    return false;
  }
  found->second = message.receipt_handle;
  // Each held one was seen again since the last new one: there is nothing new.
  if (++seen_again_ > held_.size()) drained_ = true;
  return true;
}

Replay::Verdict Replay::judge(const sqs::Message& message, Item& item) {
  if (seen_before(message)) return Verdict::Handled;
  using Known = ReplayState::Known;
  const Known known = seams_.state != nullptr ? seams_.state->known(message.message_id) : Known::Nothing;
  if (known == Known::Sent || done_.contains(message.message_id)) {
    if (!done_.contains(message.message_id)) ++summary_.finished;
    if (options_.dry_run) {
      hold(message);
    } else {
      to_remove_.emplace_back(message.message_id, message.receipt_handle);
    }
    return Verdict::Handled;
  }
  if (sent_ids_.contains(std::hash<std::string>()(message.message_id))) {
    ++summary_.came_back;
    seams_.observer.came_back(message);
    hold(message);
    return Verdict::Handled;
  }
  if (options_.source_kind == sqs::QueueKind::Fifo &&
      held_groups_.contains(system_value(message, "MessageGroupId").value_or(""))) {
    ++summary_.held_back;
    hold(message);
    return Verdict::Handled;
  }
  if (!matches_all(options_.where, message, seams_.clock.wall())) {
    ++summary_.skipped;
    hold(message);
    return Verdict::Handled;
  }
  auto target = seams_.target(message);
  if (!target) {
    fail_message(message, target.error().message);
    return Verdict::Handled;
  }
  auto entry = compose_replay(message, options_.edits, target->kind);
  if (!entry) {
    fail_message(message, entry.error().message);
    return Verdict::Handled;
  }
  ++taken_;
  if (options_.dry_run) {
    ++summary_.replayed;
    seams_.observer.would_send(message, *target, *entry);
    hold(message);
    return Verdict::Handled;
  }
  if (known == Known::Doubtful) {
    ++summary_.maybe_twice;
    seams_.observer.maybe_twice(message);
  }
  item.target = std::move(*target);
  item.entry = std::move(*entry);
  return Verdict::Send;
}

void Replay::fail_message(const sqs::Message& message, const std::string& why) {
  ++summary_.failed;
  seams_.observer.failed(message, why);
  if (options_.source_kind == sqs::QueueKind::Fifo) held_groups_.insert(system_value(message, "MessageGroupId").value_or(""));
  hold(message);
}

// Consecutive items of one target go together. All of them are sent, failed or held afterwards.
void Replay::send_items(std::vector<Item>& items) {
  for (std::size_t at = 0; at < items.size();) {
    std::size_t end = at + 1;
    while (end < items.size() && items[end].target.queue_url == items[at].target.queue_url) ++end;
    const std::span<Item> chunk = std::span(items).subspan(at, end - at);
    const bool failed = summary_.call_error || summary_.state_error;
    if (!failed && pace(chunk.size())) {
      send_chunk(chunk);
    } else {
      for (const Item& item : chunk) hold(*item.message);
    }
    at = end;
  }
  items.clear();
}

void Replay::send_chunk(std::span<Item> chunk) {
  std::vector<std::string> ids;
  std::vector<sqs::SendMessageEntry> entries;
  for (Item& item : chunk) {
    ids.push_back(item.message->message_id);
    entries.push_back(std::move(item.entry));
  }
  if (!remember(seams_.state->sending(ids, seams_.clock.wall()))) {
    for (const Item& item : chunk) hold(*item.message);
    return;
  }
  take_report(chunk, seams_.send(chunk.front().target.queue_url, entries));
}

void Replay::take_report(std::span<Item> chunk, const sender::SendReport& report) {
  std::vector<std::string> sent;
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < chunk.size(); ++i) {
    const sqs::Message& message = *chunk[i].message;
    const sender::SendOutcome& outcome = report.outcomes[i];
    if (outcome.sent) {
      sent.push_back(message.message_id);
      sent_ids_.insert(std::hash<std::string>()(outcome.sent->message_id));
      to_remove_.emplace_back(message.message_id, message.receipt_handle);
      done_.add(message.message_id);
      ++summary_.replayed;
      continue;
    }
    // Of a call that may have happened nothing is written: the next run finds the message doubtful.
    if (!report.call_error || !is_unknown(*report.call_error)) kept.push_back(message.message_id);
    if (report.call_error) {
      hold(message);
    } else {
      fail_message(message, outcome.code.empty() ? outcome.message : fmt::format("{} ({})", outcome.message, outcome.code));
    }
  }
  if (report.call_error) summary_.call_error = report.call_error;
  if (!remember(seams_.state->sent(sent))) return;
  remember(seams_.state->kept(kept));
}

// False: the state file failed, and nothing more is sent.
bool Replay::remember(Result<void> done) {
  if (!done && !summary_.state_error) summary_.state_error = done.error();
  return done.has_value();
}

// Waits for the moment from which on `messages` may be sent. False: told to stop meanwhile.
bool Replay::pace(std::size_t messages) {
  if (!options_.rate) return seams_.stop.requests() == 0;
  while (seams_.clock.steady() < next_send_) {
    if (seams_.stop.requests() > 0) return false;
    const auto left = std::chrono::ceil<Millis>(next_send_ - seams_.clock.steady());
    seams_.pause(std::min(left, kPaceTick));
  }
  const auto share = std::chrono::nanoseconds(std::chrono::seconds(1)) * static_cast<std::int64_t>(messages) / *options_.rate;
  next_send_ = std::max(next_send_, seams_.clock.steady()) + share;
  return seams_.stop.requests() == 0;
}

void Replay::remove_sent() {
  for (int attempt = 1; !to_remove_.empty() && attempt <= kRemoveAttempts; ++attempt) {
    if (attempt > 1) seams_.pause(kRetryPause);
    std::vector<std::pair<std::string, std::string>> again;
    std::vector<std::string> gone;
    for (std::size_t at = 0; at < to_remove_.size(); at += sqs::kBatchEntriesMax) {
      const std::size_t end = std::min(to_remove_.size(), at + sqs::kBatchEntriesMax);
      std::vector<std::string> handles;
      for (std::size_t i = at; i < end; ++i) handles.push_back(to_remove_[i].second);
      const auto failures = seams_.source.remove(handles);
      std::vector<bool> failed(handles.size(), !failures.has_value());
      if (failures) {
        for (const worker::EntryFailure& failure : *failures) failed[failure.index] = true;
      }
      for (std::size_t i = at; i < end; ++i) {
        if (failed[i - at]) {
          again.push_back(to_remove_[i]);
        } else {
          unremoved_.erase(to_remove_[i].first);
          gone.push_back(to_remove_[i].first);
        }
      }
    }
    if (!remember(seams_.state->gone(gone))) return;
    to_remove_ = std::move(again);
  }
  // They are seen again when their visibility timeout is over, by this run or another, and deleted then.
  for (const auto& [id, handle] : to_remove_) unremoved_.insert(id);
  to_remove_.clear();
}

void Replay::finish() {
  summary_.drained = drained_;
  summary_.stopped = seams_.stop.requests() > 0 && !drained_;
  std::vector<std::string> handles;
  handles.reserve(held_.size());
  for (const auto& [id, handle] : held_) handles.push_back(handle);
  summary_.not_returned = give_back(seams_.source, handles);
  summary_.limit_reached = options_.limit && taken_ >= *options_.limit;
  summary_.undeleted = unremoved_.size();
  if (const auto counts = seams_.source.counts()) summary_.left = *counts;
  if (seams_.state == nullptr || options_.dry_run || summary_.state_error) return;
  // What was sent long ago and has not come again although the queue is drained and nothing is hidden was deleted. The counts
  // of Amazon lag by a minute, and a message is hidden for ten minutes at most.
  const bool settled = drained_ && !summary_.call_error && unremoved_.empty() && summary_.left && summary_.left->in_flight == 0 &&
                       seams_.state->newest().value_or(from_epoch_millis(0)) + kForgetAfter < seams_.clock.wall();
  if (settled || seams_.state->open_count() == 0) remember(seams_.state->forget());
}

}  // namespace ferry::cli
