// What a message, a handler's end and a visibility timeout are to the ledger.

#include <fmt/format.h>

#include <algorithm>

#include "signing/envelope.h"
#include "worker/claims.h"
#include "worker/handler_input.h"

namespace ferry::worker {
namespace {

constexpr Millis kMarginMin{2'000};
constexpr Millis kMarginMax{30'000};

// What a repeated delivery, or a sender that repeats itself, may change: who asks and when, and where in a trace.
bool is_transport(std::string_view attribute) {
  return attribute == signing::kReservedAttribute || attribute == "traceparent" || attribute == "tracestate" ||
         attribute == "idempotency-key";
}

std::string as_bytes(const sqs::MessageAttributeValue& value) {
  return value.data_type + '\0' + value.string_value.value_or("") + value.binary_value.value_or("");
}
}  // namespace

Millis lease_for(Seconds visibility) {
  return Millis(visibility) + std::clamp(Millis(visibility) / 10, kMarginMin, kMarginMax);
}

ledger::ClaimRequest claim_request(const Job& job, std::string_view queue) {
  const sqs::Message& message = job.message;
  const std::string& handler = job.route.request->name;
  std::vector<std::pair<std::string, std::string>> attributes;
  for (const auto& [name, value] : message.message_attributes) {
    if (!is_transport(name)) attributes.emplace_back(name, as_bytes(value));
  }
  ledger::ClaimRequest request;
  request.key = ledger::make_key(fmt::format("{}/{}", queue, handler), idempotency_key(message));
  request.payload = ledger::payload_hash(handler, message.body, std::move(attributes));
  request.message_id = message.message_id;
  request.on_lost = job.route.request->ledger.on_lost == config::OnLost::Park ? ledger::OnLost::Park : ledger::OnLost::Retry;
  request.receive_count = receive_count(message);
  request.sender = system_attribute(message, "SenderId").value_or("");
  return request;
}

std::string_view name_of(ledger::ClaimAnswer answer) {
  switch (answer) {
    case ledger::ClaimAnswer::Run:
      return "run";
    case ledger::ClaimAnswer::Mine:
      return "mine";
    case ledger::ClaimAnswer::Deferred:
      return "deferred";
    case ledger::ClaimAnswer::NotYet:
      return "not-yet";
    case ledger::ClaimAnswer::AlreadyDone:
      return "already-done";
    case ledger::ClaimAnswer::Rejected:
      return "rejected";
    case ledger::ClaimAnswer::Parked:
      return "parked";
    case ledger::ClaimAnswer::Conflict:
      return "conflict";
  }
  return "";
}

bool is_granted(const ledger::Claim& claim) {
  // Mine: a message in hand never gets as far as a claim, so no run of it is in hand.
  return claim.answer == ledger::ClaimAnswer::Run || claim.answer == ledger::ClaimAnswer::Mine;
}

ledger::Outcome outcome_of(const HandlerResult& result, Seconds delay) {
  ledger::Outcome outcome;
  switch (result.end) {
    case HandlerEnd::Done:
      outcome.kind = ledger::OutcomeKind::Done;
      break;
    case HandlerEnd::Rejected:
      outcome.kind = ledger::OutcomeKind::Rejected;
      break;
    case HandlerEnd::Interrupted:
    case HandlerEnd::OurFault:
    case HandlerEnd::NotStarted:
      outcome.kind = ledger::OutcomeKind::Interrupted;
      outcome.retry_after = delay;
      break;
    case HandlerEnd::Retry:
    case HandlerEnd::Unavailable:
    case HandlerEnd::TimedOut:
    case HandlerEnd::Crashed:
    case HandlerEnd::Unknown:
      outcome.kind = ledger::OutcomeKind::Retry;
      outcome.retry_after = delay;
      break;
  }
  outcome.outcome_class = std::string(name_of(result.end));
  outcome.code = result.code;
  outcome.detail = result.detail;
  if (!result.result.empty()) outcome.result = result.result;
  return outcome;
}

}  // namespace ferry::worker
