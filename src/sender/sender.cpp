#include "sender/sender.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "sender/batches.h"
#include "sqs/message_attributes.h"

namespace ferry::sender {
namespace {

constexpr std::string_view kNotTried = "not tried, because a call before it failed";

// Full jitter: anything between nothing and the doubled base.
Millis backoff(const SenderOptions& options, int failures, Random& random) {
  const std::int64_t ceiling =
      std::min<std::int64_t>(options.backoff_max.count(), options.backoff_base.count() << std::min(failures - 1, 16));
  return Millis(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(ceiling) + 1)));
}

// Takes the answer for the entries at `tried`; returns those that are worth another attempt.
std::vector<std::size_t> take_answer(const sqs::SendMessageBatchResponse& answer, const std::vector<std::size_t>& tried,
                                     std::span<SendOutcome> outcomes) {
  std::vector<std::size_t> again;
  std::vector<bool> mentioned(outcomes.size(), false);
  const auto position = [&](const std::string& id) -> std::optional<std::size_t> {
    const auto number = parse_integer(id);
    if (!number || *number < 0 || static_cast<std::size_t>(*number) >= outcomes.size()) return std::nullopt;
    return static_cast<std::size_t>(*number);
  };
  for (const sqs::SendMessageBatchResultEntry& entry : answer.successful) {
    if (const auto at = position(entry.id)) {
      outcomes[*at] = SendOutcome{entry.sent, {}, {}};
      mentioned[*at] = true;
    }
  }
  for (const sqs::BatchResultErrorEntry& entry : answer.failed) {
    const auto at = position(entry.id);
    if (!at || mentioned[*at]) continue;
    mentioned[*at] = true;
    outcomes[*at] = SendOutcome{std::nullopt, entry.code, entry.message.value_or(entry.code)};
    const bool throttled = entry.code.find("Throttl") != std::string::npos || entry.code == "OverLimit";
    if (!entry.sender_fault || throttled) again.push_back(*at);
  }
  for (const std::size_t at : tried) {
    if (!mentioned[at]) outcomes[at] = SendOutcome{std::nullopt, {}, "the answer does not say whether it was sent"};
  }
  return again;
}
}  // namespace

std::size_t SendReport::sent_count() const {
  return static_cast<std::size_t>(
      std::count_if(outcomes.begin(), outcomes.end(), [](const SendOutcome& outcome) { return outcome.sent.has_value(); }));
}

std::optional<client::CallError> Sender::send_one_batch(const std::string& queue_url,
                                                        std::span<const sqs::SendMessageEntry> entries,
                                                        std::span<SendOutcome> outcomes) {
  std::vector<std::size_t> open(entries.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  for (int attempt = 1; !open.empty(); ++attempt) {
    sqs::SendMessageBatchRequest request;
    request.queue_url = queue_url;
    request.entries.emplace();
    for (const std::size_t at : open) {
      request.entries->push_back(entries[at]);
      request.entries->back().id = std::to_string(at);
    }
    const auto answer = port_.send_batch(request);
    if (!answer) {
      for (const std::size_t at : open) outcomes[at] = SendOutcome{std::nullopt, answer.error().code, answer.error().message};
      return answer.error();
    }
    open = take_answer(*answer, open, outcomes);
    if (open.empty() || attempt >= options_.attempts_max) break;
    pause_(backoff(options_, attempt, random_));
  }
  return std::nullopt;
}

SendReport Sender::send(const std::string& queue_url, std::span<const sqs::SendMessageEntry> entries) {
  SendReport report;
  report.outcomes.assign(entries.size(), SendOutcome{std::nullopt, {}, std::string(kNotTried)});
  std::vector<std::size_t> sizes;
  sizes.reserve(entries.size());
  for (const sqs::SendMessageEntry& entry : entries) sizes.push_back(sqs::message_bytes(entry));
  for (const Batch& batch : plan_batches(sizes)) {
    report.call_error = send_one_batch(queue_url, entries.subspan(batch.first, batch.count),
                                       std::span(report.outcomes).subspan(batch.first, batch.count));
    if (report.call_error) break;
  }
  return report;
}

}  // namespace ferry::sender
