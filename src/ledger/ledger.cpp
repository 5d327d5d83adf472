#include "ledger/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <future>
#include <memory>

#include "base/check.h"
#include "base/encoding.h"
#include "base/process.h"
#include "base/uuid.h"
#include "ledger/text.h"

namespace ferry::ledger {
namespace {

constexpr std::array kStates = {State::Claimed, State::Done, State::Retry, State::Rejected, State::Parked};

void append_with_length(std::string& bytes, std::string_view text) {
  const std::uint64_t size = text.size();
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>((size >> shift) & 0xFF));
  bytes.append(text);
}
}  // namespace

Key make_key(std::string_view scope, std::string_view key) {
  FERRY_CHECK(!scope.empty() && !key.empty() && scope.find('\0') == std::string_view::npos);
  std::string bytes(scope);
  bytes.push_back('\0');
  bytes.append(key);
  return {sha256(bytes), readable(scope, kKeyTextBytesMax), readable(key, kKeyTextBytesMax)};
}

Sha256Digest payload_hash(std::string_view handler, std::string_view body,
                          std::vector<std::pair<std::string, std::string>> attributes) {
  std::sort(attributes.begin(), attributes.end());
  std::string bytes;
  append_with_length(bytes, handler);
  append_with_length(bytes, body);
  for (const auto& [name, value] : attributes) {
    append_with_length(bytes, name);
    append_with_length(bytes, value);
  }
  return sha256(bytes);
}

std::string make_owner(Random& random) {
  return fmt::format("{}/{}/{}", current_host_name(), current_process_id(), to_string(make_uuid(random)));
}

std::string_view state_name(State state) {
  switch (state) {
    case State::Claimed:
      return "claimed";
    case State::Done:
      return "done";
    case State::Retry:
      return "retry";
    case State::Rejected:
      return "rejected";
    case State::Parked:
      return "parked";
  }
  return "";
}

std::optional<State> parse_state(std::string_view name) {
  const auto found = std::find_if(kStates.begin(), kStates.end(), [&](State state) { return state_name(state) == name; });
  if (found == kStates.end()) return std::nullopt;
  return *found;
}

Result<std::vector<Answer>> Ledger::carry_out(std::vector<Operation> operations) {
  // Shared with the ledger's thread, which may still be inside set_value() when we go on.
  const auto promise = std::make_shared<std::promise<Result<std::vector<Answer>>>>();
  auto answered = promise->get_future();
  submit(std::move(operations), [promise](Result<std::vector<Answer>> answers) { promise->set_value(std::move(answers)); });
  return answered.get();
}

Result<Claim> Ledger::claim(ClaimRequest request) {
  std::vector<Operation> operations;
  operations.emplace_back(std::move(request));
  FERRY_TRY(auto answers, carry_out(std::move(operations)));
  return std::get<Claim>(std::move(answers.front()));
}

Result<std::vector<Verdict>> Ledger::renew(std::span<const Renewal> renewals) {
  if (renewals.empty()) return std::vector<Verdict>{};
  FERRY_TRY(const auto answers, carry_out({renewals.begin(), renewals.end()}));
  std::vector<Verdict> verdicts;
  verdicts.reserve(answers.size());
  for (const Answer& answer : answers) verdicts.push_back(std::get<Verdict>(answer));
  return verdicts;
}

Result<Verdict> Ledger::commit(Settlement settlement) {
  std::vector<Operation> operations;
  operations.emplace_back(std::move(settlement));
  FERRY_TRY(const auto answers, carry_out(std::move(operations)));
  return std::get<Verdict>(answers.front());
}

}  // namespace ferry::ledger
