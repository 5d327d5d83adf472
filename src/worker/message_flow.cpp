#include "worker/message_flow.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/backoff.h"

namespace ferry::worker {
namespace {

constexpr std::size_t kShownBodyBytesMax = 1'000;
constexpr std::string_view kFifoSuffix = ".fifo";
constexpr Seconds kUnrecordedDelay{60};  // of what comes when nothing can be recorded any more

}  // namespace

MessageFlow::MessageFlow(FlowOptions options, Parts parts)
    : options_(std::move(options)),
      parts_(parts),
      gate_(parts.clock),
      done_(options_.remembered_ids_max),
      refused_(options_.remembered_ids_max),
      failed_(options_.remembered_ids_max),
      deferred_(options_.remembered_ids_max),
      crashed_(options_.remembered_ids_max),
      fifo_(options_.queue.ends_with(kFifoSuffix)) {
  if (options_.ledger.ledger != nullptr)
    claims_.emplace(options_.ledger, options_.settings.visibility,
                    Claims::Parts{parts.clock, parts.random, parts.reporter,
                                  [this](std::function<void()> task) { hands_.post(std::move(task)); }});
}

MessageFlow::Taken MessageFlow::take(std::vector<sqs::Message> messages, SteadyTime arrival) {
  // First whether it is in hand, then whether it is done: what leaves our hands done is noted as done before that.
  std::erase_if(messages, [&](const sqs::Message& message) {
    if (parts_.heartbeat.hold_or_adopt(message.message_id, {message.receipt_handle, arrival})) return false;
    parts_.reporter.step(fmt::format("{} came again while it is in hand", message.message_id));
    const std::lock_guard lock(mutex_);
    ++tally_.duplicates;
    return true;
  });
  Taken taken;
  for (sqs::Message& message : messages) {
    if (!is_to_be_examined(message)) continue;
    Turn turn = enter_lane(std::move(message));
    if (turn.is_new) ++taken.fresh;
    if (turn.job) taken.jobs.push_back(std::move(*turn.job));
  }
  return taken;
}

// False: it was done before, and is deleted.
bool MessageFlow::is_to_be_examined(const sqs::Message& message) {
  bool done_before = false;
  {
    const std::lock_guard lock(mutex_);
    done_before = done_.contains(message.message_id);
    if (done_before) ++tally_.duplicates;
  }
  if (done_before) {
    parts_.reporter.step(fmt::format("{} came again after it was done; deleting it", message.message_id));
    const Heartbeat::Released released = parts_.heartbeat.release(message.message_id);
    parts_.settler.remove({message.message_id, released.handle});
    return false;
  }
  if (options_.oversight != nullptr) options_.oversight->received(message);
  return true;
}

// Its turn has come: a job, or it is on its way out of our hands.
MessageFlow::Turn MessageFlow::examine(sqs::Message message) {
  bool tried_before = false;
  bool is_new = false;
  {
    const std::lock_guard lock(mutex_);
    tried_before = failed_.contains(message.message_id);
    is_new = !tried_before && !refused_.contains(message.message_id) && !deferred_.contains(message.message_id);
    if (is_new) ++tally_.taken;
  }
  if (options_.mode == RunMode::Poll && tried_before) {
    give_back(message, retry_delay(message));
    return {};
  }
  if (cannot_be_recorded(message)) return {is_new, std::nullopt};
  auto decision = parts_.router.route(message);
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    if (options_.oversight != nullptr) options_.oversight->refused(message, refusal->reason);
    refuse(message, refusal->reason, refusal->kind == RefusalKind::Several ? Deletion::Never : Deletion::Allowed);
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
  std::optional<AttemptTrace> trace = attempt_trace(message, parts_.random);
  return {is_new, Job{std::move(message), std::move(route), std::move(trace)}};
}

void MessageFlow::conclude(const Job& job, const HandlerResult& result, const Ending& ending) {
  const std::string& id = job.message.message_id;
  const std::string name = job.route.request->shown_name();
  switch (result.end) {
    case HandlerEnd::Done: {
      if (parts_.reporter.hears_notes())
        parts_.reporter.note(fmt::format("{}: {} done in {} ms{}", id, name, ending.took.count(), shown_trace(job.trace)));
      if (parts_.reporter.hears_steps()) parts_.reporter.step(fmt::format("done and deleting {}", id));
      remove(job.message);
      const std::lock_guard lock(mutex_);
      ++tally_.handled;
      return;
    }
    case HandlerEnd::Rejected:
      return refuse(job.message, fmt::format("{} rejected it ({})", name, result.detail));
    case HandlerEnd::Interrupted: {
      give_back(job.message, ending.delay);
      parts_.reporter.warn(
          fmt::format("{}: {} was {}; the message goes back{}", id, name, result.detail, shown_trace(job.trace)));
      const std::lock_guard lock(mutex_);
      ++tally_.interrupted;
      return;
    }
    case HandlerEnd::OurFault:
    case HandlerEnd::NotStarted: {
      give_back(job.message, ending.delay);
      return failed_attempt(job.message, fmt::format("{}: {} cannot do its work here ({}); it is paused for {} s", id, name,
                                                     result.detail, ending.pause.value_or(Seconds(0)).count()));
    }
    case HandlerEnd::Retry:
    case HandlerEnd::Unavailable:
    case HandlerEnd::TimedOut:
    case HandlerEnd::Crashed:
    case HandlerEnd::Unknown:
      attempt_again(job, result, ending);
      if (ending.pause)
        parts_.reporter.warn(fmt::format("{} has failed too often in a row; it is paused for {} s", name, ending.pause->count()));
      return;
  }
}

void MessageFlow::attempt_again(const Job& job, const HandlerResult& result, const Ending& ending) {
  give_back(job.message, ending.delay);
  failed_attempt(job.message, fmt::format("{}: {} failed ({}) after {} ms; it is seen again in {} s{}", job.message.message_id,
                                          job.route.request->shown_name(), result.detail, ending.took.count(),
                                          ending.delay.count(), shown_trace(job.trace)));
}

void MessageFlow::failed_attempt(const sqs::Message& message, const std::string& text) {
  parts_.reporter.warn(text);
  const std::lock_guard lock(mutex_);
  ++tally_.attempts_failed;
  if (failed_.add(message.message_id)) ++tally_.failed;
}

void MessageFlow::refuse(const sqs::Message& message, const std::string& reason, Deletion deletion) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = refused_.add(message.message_id);
    if (first) ++tally_.refused;
  }
  const std::string text = fmt::format("REFUSED {}: {}", message.message_id, reason);
  const bool spared = deletion == Deletion::Never && options_.on_unmatched == config::OnUnmatched::Delete;
  switch (spared ? config::OnUnmatched::Keep : options_.on_unmatched) {
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
    std::unique_lock lock(mutex_);
    if (refused_held_.size() < options_.refused_held_max) {
      refused_held_.push_back(message.message_id);
      lock.unlock();
      if (options_.oversight != nullptr) options_.oversight->settled(message, "kept");
      return stop_lane(message);
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

// True: nothing can be recorded any more, and it went back.
bool MessageFlow::cannot_be_recorded(const sqs::Message& message) {
  if (options_.oversight == nullptr || !options_.oversight->failed()) return false;
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
  if (released.lost) return stop_lane(message);
  pass_lane(message);
}

void MessageFlow::give_back(const sqs::Message& message, Seconds timeout) {
  const Heartbeat::Released released = parts_.heartbeat.release(message.message_id);
  if (released.lost) return stop_lane(message);  // somebody else may have it: its visibility is theirs
  if (options_.oversight != nullptr) options_.oversight->settled(message, "returned", timeout);
  parts_.settler.give_back({message.message_id, released.handle},
                           clamp_visibility(timeout, parts_.clock.steady() - released.arrival), hold_lane(message, timeout));
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

WorkerStatus MessageFlow::status() const {
  WorkerStatus now;
  now.handlers = gate_.standings();
  if (claims_)
    now.ledger = claims_->broken() || claims_->pause_left() > Millis(0) ? LedgerStanding::Failing : LedgerStanding::Working;
  const std::lock_guard lock(mutex_);
  now.tally = tally_;
  now.kept = refused_held_.size();
  return now;
}

std::int64_t MessageFlow::own_in_flight() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(refused_held_.size() + failed_.size());
}

}  // namespace ferry::worker
