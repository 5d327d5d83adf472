#include "cli/queue_scan.h"

#include <algorithm>
#include <atomic>
#include <span>
#include <unordered_set>

#include "base/encoding.h"
#include "sqs/limits.h"

namespace ferry::cli {
namespace {
constexpr int kGiveBackAttempts = 3;
}  // namespace

std::optional<std::string> system_value(const sqs::Message& message, std::string_view name) {
  for (const auto& [key, value] : message.attributes) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::int64_t receives_of(const sqs::Message& message) {
  return parse_integer(system_value(message, "ApproximateReceiveCount").value_or("")).value_or(1);
}

std::optional<Timestamp> sent_at(const sqs::Message& message) {
  const auto millis = parse_integer(system_value(message, "SentTimestamp").value_or(""));
  return millis ? std::optional(from_epoch_millis(*millis)) : std::nullopt;
}

std::string attribute_of(const sqs::TextMap& attributes, std::string_view name) {
  for (const auto& [key, value] : attributes) {
    if (key == name) return value;
  }
  return {};
}

std::size_t give_back(worker::QueuePort& port, const std::vector<std::string>& receipt_handles) {
  std::size_t failed = 0;
  for (std::size_t at = 0; at < receipt_handles.size(); at += sqs::kBatchEntriesMax) {
    const std::size_t end = std::min(receipt_handles.size(), at + sqs::kBatchEntriesMax);
    std::vector<worker::VisibilityChange> changes;
    for (std::size_t i = at; i < end; ++i) changes.push_back({receipt_handles[i], Seconds(0)});
    for (int attempt = 1; !changes.empty(); ++attempt) {
      const auto failures = port.change_visibility(changes);
      std::vector<worker::VisibilityChange> again;
      if (!failures) {
        again = changes;
      } else {
        for (const worker::EntryFailure& failure : *failures) {
          // A handle that holds nothing any more: there is nothing to give back.
          if (failure.fault != worker::Fault::Lost) again.push_back(changes[failure.index]);
        }
      }
      changes = std::move(again);
      if (attempt < kGiveBackAttempts) continue;
      failed += changes.size();
      break;
    }
  }
  return failed;
}

ScanReport scan_queue(worker::QueuePort& port, const Clock& clock, const ScanOptions& options, const StopFlag& stop,
                      const std::function<bool(const sqs::Message&)>& see) {
  ScanReport report;
  const std::atomic<bool> never{false};
  const SteadyTime until = clock.steady() + std::chrono::milliseconds(options.visibility) * 3 / 4;
  std::unordered_set<std::string> ids;
  std::vector<std::string> handles;
  bool more = true;
  Seconds wait(0);
  while (more && stop.requests() == 0 && clock.steady() < until && report.seen < options.messages_max) {
    const std::size_t room = options.messages_max - report.seen;
    const auto received =
        port.receive({static_cast<int>(std::min<std::size_t>(room, sqs::kReceiveMessagesMax)), wait, options.visibility}, never);
    if (!received) {
      report.error = received.error();
      break;
    }
    if (received->empty()) {
      // Only a long poll asks every part of the service.
      report.whole = wait.count() > 0;
      if (report.whole) break;
      wait = Seconds(1);
      continue;
    }
    wait = Seconds(0);
    for (const sqs::Message& message : *received) {
      handles.push_back(message.receipt_handle);
      if (!more || !ids.insert(message.message_id).second) continue;
      ++report.seen;
      more = see(message);
    }
  }
  report.not_returned = give_back(port, handles);
  return report;
}

}  // namespace ferry::cli
