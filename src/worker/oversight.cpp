#include "worker/oversight.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/log.h"
#include "base/trace_context.h"
#include "worker/handler_input.h"

namespace ferry::worker {
namespace {

std::string system_text(const sqs::Message& message, std::string_view name) {
  for (const auto& [key, value] : message.attributes) {
    if (key == name) return value;
  }
  return {};
}

std::int64_t receives(const sqs::Message& message) {
  return parse_integer(system_text(message, "ApproximateReceiveCount")).value_or(1);
}
}  // namespace

void Oversight::check(const Result<void>& done) {
  if (done || failed_.exchange(true)) return;
  parts_.reporter.warn(
      fmt::format("the audit trail cannot be written ({}): no further handler is started; mend that and start the worker anew",
                  done.error().message));
}

void Oversight::record(const audit::Entry& entry) {
  if (parts_.trail == nullptr) return;
  const auto placed = parts_.trail->append(entry);
  if (!placed) check(Unexpected(placed.error()));
}

// The sender's span is the message's.
audit::Ids Oversight::ids(const sqs::Message& message, const std::string& request) const {
  audit::Ids ids{message.message_id, signing::request_id_of(message).value_or(""), parts_.queue, request, {}};
  const auto trace = trace_context(message);
  const auto span = trace ? parse_traceparent(trace->parent) : std::nullopt;
  if (span) ids.trace = {span->trace_id, {}, span->span_id};
  return ids;
}

audit::Ids Oversight::ids(const Job& job) const {
  audit::Ids found = ids(job.message, job.route.request->name);
  if (job.trace) found.trace.span_id = job.trace->span.span_id;
  return found;
}

void Oversight::received(const sqs::Message& message) {
  if (parts_.trail == nullptr) return;
  const auto sent = parse_integer(system_text(message, "SentTimestamp"));
  record(audit::received(ids(message), {receives(message), sent ? format_utc(from_epoch_millis(*sent)) : std::string(),
                                        system_text(message, "SenderId")}));
}

std::optional<std::string> Oversight::refusal(const sqs::Message& message, Route& route) {
  if (parts_.admission == nullptr) return std::nullopt;
  const auto outcome = parts_.admission->check(message, route.request->name);
  if (const auto* refused = std::get_if<signing::Refused>(&outcome)) {
    record(audit::refused(ids(message, route.request->name),
                          {std::string(signing::name_of(refused->code)), refused->reason, refused->key_id}));
    return refused->reason;
  }
  const auto& admitted = std::get<signing::Admission::Admitted>(outcome);
  if (!admitted) return std::nullopt;
  route.signed_by = admitted->sender;
  record(audit::verified(ids(message, route.request->name), {admitted->sender, admitted->key_id, admitted->signed_at}));
  return std::nullopt;
}

void Oversight::refused(const sqs::Message& message, std::string_view reason) {
  record(audit::refused(ids(message), {"unmatched", std::string(reason), {}}));
}

void Oversight::claimed(const Job& job, const ClaimAnswered& claim) {
  record(audit::claimed(ids(job), {std::string(claim.answer), claim.fence, claim.attempt}));
}

void Oversight::started(const Job& job, const Started& what) {
  const std::string handler = job.route.argv.empty() ? std::string() : job.route.argv.front();
  record(audit::attempt_started(ids(job), {what.attempt, handler, what.deadline}));
}

void Oversight::ended(const Job& job, const HandlerResult& result, const Ended& what) {
  record(audit::attempt_ended(ids(job),
                              {what.attempt, std::string(name_of(result.end)), result.detail, what.took, result.output_tail}));
  if (parts_.trail != nullptr) check(parts_.trail->flush());
}

void Oversight::settled(const sqs::Message& message, std::string_view how, std::optional<Seconds> visible_in) {
  record(audit::settled(ids(message), {std::string(how), visible_in, {}}));
}

}  // namespace ferry::worker
