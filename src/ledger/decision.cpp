#include "ledger/decision.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "ledger/text.h"

namespace ferry::ledger {
namespace {

constexpr std::string_view kLost = "lost";

// What a claim that is granted makes of the record before it.
Row claimed(Row row, const ClaimRequest& request, const Moment& moment) {
  row.key = request.key;
  row.state = State::Claimed;
  ++row.fence;
  ++row.attempts;
  row.owner = request.owner;
  row.lease_until = moment.now + request.lease;
  row.not_before = {};
  row.payload = request.payload;
  row.message_id = request.message_id;
  row.claimed_at = moment.now;
  row.expires_at = {};
  row.receive_count_max = std::max(row.receive_count_max, request.receive_count);
  row.sender = request.sender;
  row.config_hash = request.config_hash;
  return row;
}

Claim answer(ClaimAnswer what, const Row& row) {
  Claim claim;
  claim.answer = what;
  claim.attempt = row.attempts;
  claim.interrupts = row.interrupts;
  claim.message_id = row.message_id;
  if (what == ClaimAnswer::Run || what == ClaimAnswer::Mine) claim.fence = row.fence;
  return claim;
}

ClaimDecision run(Row before, const ClaimRequest& request, const Moment& moment) {
  Row row = claimed(std::move(before), request, moment);
  Claim claim = answer(ClaimAnswer::Run, row);
  return {std::move(claim), std::move(row)};
}

ClaimDecision ended(ClaimAnswer what, const Row& row) {
  Claim claim = answer(what, row);
  claim.detail = row.detail.empty() ? row.outcome : row.detail;
  if (what == ClaimAnswer::AlreadyDone) claim.result_hash = hex_encode(row.result_hash.bytes);
  return {std::move(claim), std::nullopt};
}

ClaimDecision wait(ClaimAnswer what, const Row& row, Millis how_long) {
  Claim claim = answer(what, row);
  claim.wait = how_long;
  return {std::move(claim), std::nullopt};
}

ClaimDecision meet_claim(const Row& row, const ClaimRequest& request, const Moment& moment) {
  if (is_live(row, moment.now)) {
    // Another message with this key is no newer receipt of the one that is being worked on.
    if (row.owner == request.owner && row.message_id == request.message_id) return {answer(ClaimAnswer::Mine, row), std::nullopt};
    return wait(ClaimAnswer::Deferred, row, row.lease_until - moment.now);
  }
  if (request.on_lost == OnLost::Retry) {
    ClaimDecision decision = run(row, request, moment);
    decision.answer.after_loss = true;
    return decision;
  }
  // The fence stays: nobody else has run it, so a holder that was only slow may still bring its outcome.
  Row parked = row;
  parked.state = State::Parked;
  parked.outcome = kLost;
  parked.detail = fmt::format("{} let its lease run out; whether it did its work is not known", row.owner);
  parked.finished_at = moment.now;
  ClaimDecision decision = ended(ClaimAnswer::Parked, parked);
  decision.answer.after_loss = true;
  decision.write = std::move(parked);
  return decision;
}

bool holds(const Row& row, Fence fence, const std::string& owner) {
  return row.fence == fence && row.owner == owner;
}

// A holder that is back before anybody else has run it.
bool may_end(const Row& row) {
  return row.state == State::Claimed || (row.state == State::Parked && row.outcome == kLost);
}

State state_after(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::Done:
      return State::Done;
    case OutcomeKind::Rejected:
      return State::Rejected;
    case OutcomeKind::Parked:
      return State::Parked;
    case OutcomeKind::Retry:
    case OutcomeKind::Interrupted:
    case OutcomeKind::Released:
      return State::Retry;
  }
  return State::Retry;
}

std::string_view class_of(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::Done:
      return "done";
    case OutcomeKind::Retry:
      return "retry";
    case OutcomeKind::Rejected:
      return "rejected";
    case OutcomeKind::Parked:
      return "parked";
    case OutcomeKind::Interrupted:
      return "interrupted";
    case OutcomeKind::Released:
      return "released";
  }
  return "";
}

Row ended_with(Row row, const Outcome& outcome, Timestamp now, Millis retention) {
  row.state = state_after(outcome.kind);
  row.finished_at = now;
  row.not_before = row.state == State::Retry ? now + outcome.retry_after : Timestamp{};
  row.outcome = readable(outcome.outcome_class.empty() ? class_of(outcome.kind) : outcome.outcome_class, kKeyTextBytesMax);
  row.code = outcome.code;
  row.detail = readable(outcome.detail, kTextBytesMax);
  if (outcome.kind == OutcomeKind::Interrupted || outcome.kind == OutcomeKind::Released) {
    row.attempts = std::max<std::int64_t>(0, row.attempts - 1);
  }
  if (outcome.kind == OutcomeKind::Interrupted) ++row.interrupts;
  if (outcome.result) {
    const Sha256Digest digest = sha256(*outcome.result);
    row.result_hash.bytes.assign(digest.begin(), digest.end());
    row.result_bytes = static_cast<std::int64_t>(outcome.result->size());
    row.result.bytes = outcome.result->substr(0, kResultBytesMax);
  }
  // What is parked waits for a person, however long that takes.
  row.expires_at = row.state == State::Parked ? Timestamp{} : std::max(now, row.not_before) + retention;
  return row;
}

Unexpected<Error> in_use(const Row& row, Timestamp now, std::string_view instead) {
  return fail(ErrorKind::Busy, fmt::format("{} runs \"{}\" and holds it for {} s more; wait for it, or {}", row.owner,
                                           row.key.text, std::chrono::ceil<Seconds>(row.lease_until - now).count(), instead));
}
}  // namespace

bool is_live(const Row& row, Timestamp now) {
  return row.state == State::Claimed && row.lease_until > now;
}

ClaimDecision decide_claim(const std::optional<Row>& row, const ClaimRequest& request, const Moment& moment) {
  if (!row) {
    Row fresh;
    fresh.fence = moment.fence_floor;
    fresh.first_seen = moment.now;
    return run(std::move(fresh), request, moment);
  }
  if (row->payload != request.payload) return {answer(ClaimAnswer::Conflict, *row), std::nullopt};
  switch (row->state) {
    case State::Claimed:
      return meet_claim(*row, request, moment);
    case State::Retry:
      if (row->not_before > moment.now) return wait(ClaimAnswer::NotYet, *row, row->not_before - moment.now);
      return run(*row, request, moment);
    case State::Done:
      return ended(ClaimAnswer::AlreadyDone, *row);
    case State::Rejected:
      return ended(ClaimAnswer::Rejected, *row);
    case State::Parked:
      return ended(ClaimAnswer::Parked, *row);
  }
  return ended(ClaimAnswer::Parked, *row);
}

Decision decide_renewal(const std::optional<Row>& row, const Renewal& renewal, Timestamp now) {
  if (!row || !holds(*row, renewal.fence, renewal.owner) || !may_end(*row)) return {};
  Row renewed = *row;
  if (row->state == State::Parked) {  // it was thought lost
    renewed.state = State::Claimed;
    renewed.outcome.clear();
    renewed.detail.clear();
    renewed.finished_at = {};
  }
  renewed.lease_until = std::max(row->lease_until, now + renewal.lease);
  return {Verdict::Accepted, std::move(renewed)};
}

Decision decide_settlement(const std::optional<Row>& row, const Settlement& settlement, Timestamp now, Millis retention) {
  if (!row || !holds(*row, settlement.fence, settlement.owner)) return {};
  if (may_end(*row)) return {Verdict::Accepted, ended_with(*row, settlement.outcome, now, retention)};
  // Said again, because the answer to the first time was lost.
  if (row->state == state_after(settlement.outcome.kind)) return {Verdict::Accepted, std::nullopt};
  return {};
}

Result<Row> decide_retry(const Row& row, Timestamp now) {
  if (row.state == State::Done) {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("\"{}\" is done and does not run again; forget it if its next delivery shall run", row.key.text));
  }
  if (is_live(row, now)) return in_use(row, now, "park it, which takes it away");
  Row again = row;
  again.state = State::Retry;
  ++again.fence;
  again.owner.clear();
  again.not_before = now;
  again.attempts = 0;
  again.interrupts = 0;
  again.expires_at = {};
  return again;
}

Result<Row> decide_park(const Row& row, std::string_view reason, Timestamp now) {
  if (row.state == State::Done) {
    return fail(ErrorKind::InvalidArgument, fmt::format("\"{}\" is done; there is nothing to park", row.key.text));
  }
  Row parked = row;
  parked.state = State::Parked;
  ++parked.fence;
  parked.owner.clear();
  parked.not_before = {};
  parked.finished_at = now;
  parked.outcome = "parked";
  parked.detail = readable(reason, kTextBytesMax);
  parked.expires_at = {};
  return parked;
}

Result<void> decide_forget(const Row& row, Timestamp now) {
  if (is_live(row, now)) return in_use(row, now, "park it first, which takes it away");
  return {};
}

}  // namespace ferry::ledger
