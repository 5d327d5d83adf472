#include "worker/message_flow.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/backoff.h"

namespace ferry::worker {
namespace {

constexpr std::size_t kShownBodyBytesMax = 1'000;
constexpr std::size_t kShownParameterBytesMax = 300;
constexpr Seconds kUnrecordedDelay{60};     // of what comes when nothing can be recorded any more
constexpr Seconds kInterruptedDelayMax{5};  // jitter, so that what one worker drops does not hit the next one at once

std::string shown_parameter(const Job& job) {
  return job.route.parameter.empty() ? std::string() : fmt::format(" \"{}\"", clip(job.route.parameter, kShownParameterBytesMax));
}

std::string shown_name(const config::RequestType& type) {
  return type.name.empty() ? std::string("the command") : type.name;
}
}  // namespace

MessageFlow::MessageFlow(FlowOptions options, Parts parts)
    : options_(std::move(options)),
      parts_(parts),
      gate_(parts.clock),
      done_(options_.remembered_ids_max),
      refused_(options_.remembered_ids_max),
      failed_(options_.remembered_ids_max) {}

MessageFlow::Taken MessageFlow::take(sqs::Message message, SteadyTime arrival) {
  // First whether it is in hand, then whether it is done: what leaves our hands done is noted as done before that.
  if (parts_.heartbeat.adopt(message.message_id, {message.receipt_handle, arrival})) {
    parts_.reporter.step(fmt::format("{} came again while it is in hand", message.message_id));
    const std::lock_guard lock(mutex_);
    ++tally_.duplicates;
    return {};
  }
  bool done_before = false;
  bool tried_before = false;
  bool refused_before = false;
  {
    const std::lock_guard lock(mutex_);
    done_before = done_.contains(message.message_id);
    refused_before = refused_.contains(message.message_id);
    tried_before = failed_.contains(message.message_id);
    if (done_before) ++tally_.duplicates;
  }
  if (done_before) {
    parts_.reporter.step(fmt::format("{} came again after it was done; deleting it", message.message_id));
    parts_.settler.remove({message.message_id, message.receipt_handle});
    return {};
  }
  parts_.heartbeat.hold(message.message_id, {message.receipt_handle, arrival});
  if (options_.mode == RunMode::Poll && tried_before) {
    give_back(message, retry_delay(message));
    return {};
  }
  const bool is_new = !refused_before && !tried_before;
  if (is_new) {
    const std::lock_guard lock(mutex_);
    ++tally_.taken;
  }
  if (held_up(message)) return {is_new, std::nullopt};
  auto decision = parts_.router.route(message);
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    if (options_.oversight != nullptr) options_.oversight->refused(message, refusal->reason);
    refuse(message, refusal->reason);
    return {is_new, std::nullopt};
  }
  Route& route = std::get<Route>(decision);
  if (options_.oversight != nullptr) {
    if (const auto reason = options_.oversight->refusal(message, route)) {
      refuse(message, *reason);
      return {is_new, std::nullopt};
    }
  }
  if (const auto pause = gate_.closed_for(*route.request)) {
    give_back(message, *pause);
    failed_attempt(message, fmt::format("{}: given back, because its handler is paused", message.message_id));
    return {is_new, std::nullopt};
  }
  return {is_new, Job{std::move(message), std::move(route)}};
}

HandlerCall MessageFlow::call_for(const Job& job) const {
  const config::RequestType& type = *job.route.request;
  HandlerCall call;
  call.spec = &*type.handler;
  call.message = &job.message;
  call.request = type.name;
  call.parameter = job.route.parameter;
  call.queue = options_.queue;
  call.label = type.name.empty() ? job.message.message_id : fmt::format("{} {}", job.message.message_id, type.name);
  call.idempotency_key = idempotency_key(job.message);
  call.trace = trace_context(job.message);
  call.deadline = parts_.clock.wall() + type.handler->timeout;
  if (type.handler->input == config::HandlerInput::Envelope) call.envelope = build_envelope(call);
  if (type.handler->http) return call;
  call.argv = job.route.argv;
  call.environment = build_environment(call, {&options_.settings, options_.environment});
  call.working_folder = options_.working_folder;
  return call;
}

void MessageFlow::begin(const JobPtr& job, const Finish& finish) {
  if (!before_handler(*job)) {
    return finish([this, job] { give_up(*job); });
  }
  const SteadyTime began = parts_.clock.steady();
  parts_.runner.start(call_for(*job), [this, job, finish, began](HandlerResult result) {
    const auto took = std::chrono::duration_cast<Millis>(parts_.clock.steady() - began);
    finish([this, job, took, result = std::move(result)] { after_handler(*job, result, took); });
  });
}

// The last moment at which nothing of the request has happened. False: its handler is not started and the message goes back.
bool MessageFlow::before_handler(const Job& job) {
  if (parts_.interrupt.load() > 0) return false;
  if (options_.oversight != nullptr) {
    if (options_.oversight->failed()) return false;
    options_.oversight->started(job, parts_.clock.wall() + job.route.request->handler->timeout);
  }
  parts_.reporter.step(
      fmt::format("processing {} that was {}", job.message.message_id, clip(job.message.body, kShownBodyBytesMax)));
  parts_.reporter.note(fmt::format("{}: {}{}", job.message.message_id, shown_name(*job.route.request), shown_parameter(job)));
  return true;
}

// The handler has ended and its message is still in hand: what has to be on record before the message is deleted or goes back
// is recorded here.
void MessageFlow::after_handler(const Job& job, const HandlerResult& result, Millis took) {
  if (options_.oversight != nullptr) options_.oversight->ended(job, result, took);
  conclude(job, result, took);
}

void MessageFlow::conclude(const Job& job, const HandlerResult& result, Millis took) {
  const std::string& id = job.message.message_id;
  const std::string name = shown_name(*job.route.request);
  const std::optional<Seconds> pause = gate_.ended(*job.route.request, result.end);
  switch (result.end) {
    case HandlerEnd::Done: {
      parts_.reporter.note(fmt::format("{}: {} done in {} ms", id, name, took.count()));
      parts_.reporter.step(fmt::format("done and deleting {}", id));
      remove(job.message);
      const std::lock_guard lock(mutex_);
      ++tally_.handled;
      return;
    }
    case HandlerEnd::Rejected:
      return refuse(job.message, fmt::format("{} rejected it ({})", name, result.detail));
    case HandlerEnd::Interrupted: {
      give_back(
          job.message,
          Seconds(static_cast<std::int64_t>(parts_.random.below(static_cast<std::uint64_t>(kInterruptedDelayMax.count()) + 1))));
      parts_.reporter.warn(fmt::format("{}: {} was {}; the message goes back", id, name, result.detail));
      const std::lock_guard lock(mutex_);
      ++tally_.interrupted;
      return;
    }
    case HandlerEnd::OurFault:
    case HandlerEnd::NotStarted: {
      give_back(job.message, pause.value_or(retry_delay(job.message)));
      return failed_attempt(job.message, fmt::format("{}: {} cannot do its work here ({}); it is paused for {} s", id, name,
                                                     result.detail, pause.value_or(Seconds(0)).count()));
    }
    case HandlerEnd::Retry:
    case HandlerEnd::Unavailable:
    case HandlerEnd::TimedOut:
    case HandlerEnd::Crashed:
    case HandlerEnd::Unknown:
      attempt_again(job, result, took);
      if (pause)
        parts_.reporter.warn(fmt::format("{} has failed too often in a row; it is paused for {} s", name, pause->count()));
      return;
  }
}

void MessageFlow::attempt_again(const Job& job, const HandlerResult& result, Millis took) {
  const Seconds delay = result.retry_after.value_or(retry_delay(job.message));
  give_back(job.message, delay);
  failed_attempt(job.message, fmt::format("{}: {} failed ({}) after {} ms; it is seen again in {} s", job.message.message_id,
                                          shown_name(*job.route.request), result.detail, took.count(), delay.count()));
}

void MessageFlow::failed_attempt(const sqs::Message& message, const std::string& text) {
  parts_.reporter.warn(text);
  const std::lock_guard lock(mutex_);
  ++tally_.attempts_failed;
  if (failed_.add(message.message_id)) ++tally_.failed;
}

void MessageFlow::refuse(const sqs::Message& message, const std::string& reason) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = refused_.add(message.message_id);
    if (first) ++tally_.refused;
  }
  const std::string text = fmt::format("REFUSED {}: {}", message.message_id, reason);
  switch (options_.on_unmatched) {
    case config::OnUnmatched::Keep:
      if (first) parts_.reporter.warn(fmt::format("{}; it stays in the queue", text));
      return keep_refused(message, first);
    case config::OnUnmatched::DeadLetter:
      parts_.reporter.warn(fmt::format("{}; it goes to the dead letters", text));
      return dead_letter(message);
    case config::OnUnmatched::Delete:
      parts_.reporter.warn(
          fmt::format("{}; DELETED, as on_unmatched says. Its body was {}", text, clip(message.body, kShownBodyBytesMax)));
      return remove(message);
  }
}

void MessageFlow::keep_refused(const sqs::Message& message, bool first) {
  if (!first) parts_.reporter.step(fmt::format("{} was refused before; it stays in the queue", message.message_id));
  if (options_.mode == RunMode::Poll) {
    // Out of the way until the run ends, or polls would bring it again and again before what is behind it.
    const std::lock_guard lock(mutex_);
    if (refused_held_.size() < options_.refused_held_max) {
      refused_held_.push_back(message.message_id);
      if (options_.oversight != nullptr) options_.oversight->settled(message, "kept");
      return;
    }
  }
  give_back(message, std::max(std::chrono::ceil<Seconds>(options_.backoff.base), retry_delay(message)));
}

void MessageFlow::dead_letter(const sqs::Message& message) {
  const auto sent = parts_.queue.send_to_dead_letters(message);
  if (sent) return remove(message, "dead-lettered");
  give_back(message, retry_delay(message));
  failed_attempt(message, fmt::format("{}: sending it to the dead letters failed: {}; it stays in the queue", message.message_id,
                                      sent.error().message));
}

// Records that it came. True: nothing can be recorded any more, and it went back.
bool MessageFlow::held_up(const sqs::Message& message) {
  if (options_.oversight == nullptr) return false;
  options_.oversight->received(message);
  if (!options_.oversight->failed()) return false;
  give_back(message, kUnrecordedDelay);
  failed_attempt(message, fmt::format("{}: given back, because the audit trail cannot be written", message.message_id));
  return true;
}

void MessageFlow::remove(const sqs::Message& message, std::string_view how) {
  if (options_.oversight != nullptr) options_.oversight->settled(message, how);
  {
    const std::lock_guard lock(mutex_);
    done_.add(message.message_id);  // before it leaves our hands: from then on the next delivery finds it here
  }
  const Heartbeat::Released released = parts_.heartbeat.release(message.message_id);
  parts_.settler.remove({message.message_id, released.handle});
}

void MessageFlow::give_back(const sqs::Message& message, Seconds timeout) {
  const Heartbeat::Released released = parts_.heartbeat.release(message.message_id);
  if (released.lost) return;  // somebody else may have it: its visibility is theirs
  if (options_.oversight != nullptr) options_.oversight->settled(message, "returned", timeout);
  parts_.settler.give_back({message.message_id, released.handle},
                           clamp_visibility(timeout, parts_.clock.steady() - released.arrival));
}

void MessageFlow::give_up(const Job& job) {
  gate_.not_begun(*job.route.request);
  parts_.reporter.step(fmt::format("{} was not begun; it goes back", job.message.message_id));
  give_back(job.message, Seconds(0));
}

void MessageFlow::give_back_refused() {
  std::vector<std::string> ids;
  {
    const std::lock_guard lock(mutex_);
    ids.swap(refused_held_);
  }
  for (const std::string& id : ids) {
    const Heartbeat::Released released = parts_.heartbeat.release(id);
    if (!released.lost) parts_.settler.give_back({id, released.handle}, Seconds(0));
  }
}

Seconds MessageFlow::retry_delay(const sqs::Message& message) {
  return retry_visibility(options_.backoff, receive_count(message), parts_.random);
}

Tally MessageFlow::tally() const {
  const std::lock_guard lock(mutex_);
  return tally_;
}

std::int64_t MessageFlow::own_in_flight() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(refused_held_.size() + failed_.size());
}

}  // namespace ferry::worker
