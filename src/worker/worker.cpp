#include "worker/worker.h"

#include <fmt/format.h>

#include <algorithm>

#include "sqs/limits.h"
#include "worker/background_loop.h"

namespace ferry::worker {
namespace {

constexpr Millis kWatchTick{50};
constexpr Millis kWaitTick{50};
constexpr Millis kErrorsToldEvery{60'000};
constexpr Millis kCountsToldEvery{5'000};
constexpr Millis kCountsAgain{250};       // between two looks when only the counts hold the end up
constexpr Millis kSettleTimeMax{60'000};  // for what is left to settle at the end
constexpr std::size_t kSettleCalls = 4;   // of the settler, under way at the same time
constexpr std::size_t kReceiveMost = static_cast<std::size_t>(sqs::kReceiveMessagesMax);
constexpr Millis kRoomTick{2};  // for a whole receive's room, when there is some
// What waits for a heartbeat that is on its way waits on the pool, at most ten messages for one call; with an audit trail each
// handler's end waits for the disk, and shares that with the others that wait.
constexpr std::size_t kPoolThreads = 16;
constexpr std::size_t kPoolThreadsAudited = 64;

std::string describe(const QueueCounts& counts) {
  return fmt::format("about {} messages waiting, {} in flight, {} delayed", counts.visible, counts.in_flight, counts.delayed);
}
}  // namespace

// In this order: what stops last is made first.
struct Worker::Loops {
  BackgroundLoop watch;
  BackgroundLoop heartbeat;
  std::vector<std::unique_ptr<BackgroundLoop>> settle;
  std::atomic<std::size_t> next_settle{0};
  void flush_soon() { settle[next_settle++ % settle.size()]->poke(); }
};

Worker::Worker(WorkerOptions options, const Router& router, QueuePort& queue, HandlerRunner& runner, const Clock& clock,
               Random& random, Reporter& reporter, const StopFlag& stop)
    : options_(std::move(options)),
      queue_(queue),
      runner_(runner),
      clock_(clock),
      random_(random),
      reporter_(reporter),
      stop_(stop),
      plan_(options_.flow.settings.drain_timeout, options_.end_time),
      life_sign_(options_.life_sign, clock.steady()),
      heartbeat_(options_.flow.settings.visibility, queue, clock, random_, reporter),
      settler_(options_.settler, queue, clock, random_, reporter),
      flow_(options_.flow, {router, queue, heartbeat_, settler_, runner, clock, random_, reporter, interrupt_}),
      drain_(options_.goal) {}

RunSummary Worker::run() {
  began_ = clock_.steady();
  runner_.interrupt(0);
  dispatcher_ = std::make_unique<Dispatcher>(
      Dispatcher::Size{static_cast<std::size_t>(options_.flow.settings.concurrency), pool_threads()},
      [this](const std::vector<JobPtr>& jobs) { flow_.begin(jobs); }, [this](const Job& job) { return flow_.may_begin(job); });
  flow_.attach({[this](std::vector<Job> jobs) { dispatcher_->submit(std::move(jobs)); },
                [this](std::function<void()> task) { dispatcher_->post(std::move(task)); },
                [this](const Job& job) { dispatcher_->free_slot(job); }, [this] { dispatcher_->done(); }});
  Loops loops{BackgroundLoop([this] {
                const StopPlan::Demands demands = plan_.update(stop_.requests(), clock_.steady());
                if (demands.cancel_poll) cancel_poll_ = true;
                if (interrupt_.exchange(demands.interrupt) != demands.interrupt) runner_.interrupt(demands.interrupt);
                if (demands.give_up) give_up();
                dispatcher_->look_again();
                life_sign_.look(clock_.steady(), [this](std::function<void()> task) { dispatcher_->post(std::move(task)); });
                flow_.bring_outcomes();
                return kWatchTick;
              }),
              BackgroundLoop([this] {
                flow_.renew_claims();  // first, and without waiting: a slow database must not cost a visibility
                return heartbeat_.beat();
              }),
              {}};
  for (std::size_t i = 0; i < kSettleCalls; ++i)
    loops.settle.push_back(std::make_unique<BackgroundLoop>([this] { return settler_.flush(); }));
  settler_.on_added([&loops] { loops.flush_soon(); });
  if (!is_poll() && options_.receives_max > 1)
    receivers_ = std::make_unique<Receivers>(options_.receives_max - 1, [this] { return receive_beside(); });
  if (is_poll()) tell_counts("at the start");
  std::optional<RunEnd> end;
  while (!end) end = next_step();
  finish(loops);
  RunSummary summary;
  summary.end = *end;
  summary.tally = flow_.tally();
  summary.unsettled = settler_.given_up();
  if (summary.end == RunEnd::Stopped && summary.tally.interrupted > 0) summary.end = RunEnd::Forced;
  if (is_poll() && summary.end != RunEnd::Failed && summary.end != RunEnd::Forced) summary.counts = look_at_counts();
  if (summary.end == RunEnd::LimitReached && summary.counts) {
    const QueueCounts& left = *summary.counts;
    const std::int64_t own = static_cast<std::int64_t>(summary.tally.refused + summary.tally.failed);
    if (left.visible + left.in_flight + left.delayed <= own) summary.end = RunEnd::Drained;
  }
  summary.error = error_;
  summary.ledger_error = flow_.ledger_broken();
  if (summary.ledger_error) summary.end = RunEnd::Failed;
  return summary;
}

WorkerStatus Worker::status() const {
  WorkerStatus now = flow_.status();
  now.in_hand = heartbeat_.held();
  now.stopping = stop_.requests() > 0;
  return now;
}

std::optional<RunEnd> Worker::next_step() {
  life_sign_.stepped(clock_.steady());
  if (stop_.requests() > 0) return RunEnd::Stopped;
  if (is_poll() && options_.time_max && clock_.steady() - began_ >= *options_.time_max) return RunEnd::LimitReached;
  if (is_poll() && options_.messages_max && in_the_count() >= *options_.messages_max) {
    if (dispatcher_->idle()) return RunEnd::LimitReached;
    dispatcher_->wait_for_change(kWaitTick);
    return std::nullopt;
  }
  if (flow_.ledger_broken()) return RunEnd::Failed;
  // While the ledger fails nothing could be run; receiving would only bring messages nearer to the dead letters.
  if (!is_poll() && flow_.ledger_pause() > Millis(0)) {
    dispatcher_->wait_for_change(kWaitTick);
    return std::nullopt;
  }
  if (dispatcher_->room() == 0) {
    dispatcher_->wait_for_room(1, kWaitTick);
    return std::nullopt;
  }
  const auto slots = static_cast<std::size_t>(options_.flow.settings.concurrency);
  dispatcher_->wait_for_room(std::min(kReceiveMost, slots), kRoomTick);
  if (is_poll() && drain_.quiet()) return end_when_drained();
  std::size_t wanted = kReceiveMost;
  if (options_.messages_max)
    wanted = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, *options_.messages_max - in_the_count()));
  const std::size_t reserved = dispatcher_->reserve(flow_.is_cautious() ? 1 : wanted);
  if (reserved == 0) return std::nullopt;
  auto end = receive_once(reserved);
  dispatcher_->give_room_back(reserved);
  return end;
}

std::optional<RunEnd> Worker::end_when_drained() {
  if (drain_.needs_counts()) {
    const auto counts = queue_.counts();
    if (!counts) return on_receive_error(counts.error());
    drain_.counted(*counts, flow_.own_in_flight(), clock_.steady());
    if (!drain_.drained()) {
      if (counts->visible > 0) {
        drain_ = DrainRule(options_.goal);
      } else {
        pause(kCountsAgain);
      }
    }
  }
  if (drain_.drained()) return RunEnd::Drained;
  return std::nullopt;
}

// Short enough that a stop need not cancel a poll, by which messages can be stranded; and no longer than the run may last.
Seconds Worker::wait_time() const {
  const config::WorkerSettings& settings = options_.flow.settings;
  Seconds wait = std::min(settings.wait, std::max(Seconds(1), std::chrono::floor<Seconds>(settings.drain_timeout / 4)));
  if (is_poll() && !dispatcher_->idle()) wait = std::min(wait, Seconds(1));  // this one cannot be the last
  if (is_poll() && options_.time_max) {
    wait = std::min(wait, std::max(Seconds(0), std::chrono::ceil<Seconds>(began_ + *options_.time_max - clock_.steady())));
  }
  return wait;
}

// Messages that --max-messages counts: those that wait for others of their group will be taken.
std::uint64_t Worker::in_the_count() const {
  return flow_.tally().taken + flow_.waiting_in_lanes();
}

std::size_t Worker::pool_threads() const {
  return options_.flow.oversight != nullptr ? kPoolThreadsAudited : kPoolThreads;
}

std::optional<RunEnd> Worker::receive_once(std::size_t wanted) {
  const bool began_idle = dispatcher_->idle() && settler_.waiting() == 0;
  reporter_.step("polling");
  auto messages = queue_.receive({static_cast<int>(wanted), wait_time(), options_.flow.settings.visibility}, cancel_poll_);
  const SteadyTime arrival = clock_.steady();
  if (!messages) return on_receive_error(messages.error());
  errors_in_row_ = 0;
  reached_ = true;
  const std::size_t found = messages->size();
  const bool stopping = is_closing();
  if (found == 0) {
    reporter_.step("nothing");
  } else if (reporter_.hears_steps()) {
    reporter_.step(fmt::format("found {}{}", found, stopping ? "; giving them back, because we stop" : ""));
  }
  const std::size_t fresh = accept(std::move(*messages), arrival);
  if (receivers_ && found == kReceiveMost) receivers_->add_one();
  drain_.polled({began_idle, fresh});
  const bool tell = is_poll() && fresh > 0 && !stopping && (!counts_told_ || clock_.steady() - *counts_told_ >= kCountsToldEvery);
  if (tell) tell_counts("now");
  return std::nullopt;
}

// On a thread of the receivers. It does not wait for messages, and what fails is left to the one that does.
Receivers::Answer Worker::receive_beside() {
  const bool may_receive = !is_closing() && !flow_.is_cautious() && flow_.ledger_pause() == Millis(0) && !flow_.ledger_broken();
  if (!may_receive || dispatcher_->wait_for_room(kReceiveMost, kWaitTick) < kReceiveMost) return Receivers::Answer::Empty;
  const std::size_t reserved = dispatcher_->reserve(kReceiveMost);
  std::size_t found = 0;
  if (reserved > 0) {
    auto messages = queue_.receive({static_cast<int>(reserved), Seconds(0), options_.flow.settings.visibility}, cancel_poll_);
    const SteadyTime arrival = clock_.steady();
    if (messages) {
      found = messages->size();
      accept(std::move(*messages), arrival);
    }
  }
  dispatcher_->give_room_back(reserved);
  if (found == 0) return Receivers::Answer::Empty;
  return found == kReceiveMost ? Receivers::Answer::Full : Receivers::Answer::Part;
}

// How many of them this run sees for the first time.
std::size_t Worker::accept(std::vector<sqs::Message> messages, SteadyTime arrival) {
  std::unique_lock<std::mutex> order;
  if (flow_.keeps_order()) order = std::unique_lock(accepting_);
  if (is_closing()) {
    for (const sqs::Message& message : messages) settler_.give_back({message.message_id, message.receipt_handle}, Seconds(0));
    return 0;
  }
  MessageFlow::Taken taken = flow_.take(std::move(messages), arrival);
  dispatcher_->submit(std::move(taken.jobs));
  return taken.fresh;
}

std::optional<RunEnd> Worker::on_receive_error(const client::CallError& error) {
  const Fault fault = classify(error);
  if (fault == Fault::Cancelled) return std::nullopt;
  ++errors_in_row_;
  ++errors_untold_;
  const bool never_reached = is_poll() && error.kind == client::CallError::Kind::NotReachable && !reached_;
  const bool final = fault == Fault::NoQueue || fault == Fault::NotAuthorised || never_reached ||
                     (is_poll() && errors_in_row_ >= options_.poll_errors_max);
  const SteadyTime now = clock_.steady();
  if (final || !error_told_ || now - *error_told_ >= kErrorsToldEvery) {
    reporter_.warn(fmt::format("receiving failed{}: {}{}",
                               errors_untold_ > 1 ? fmt::format(" ({} times since last told)", errors_untold_) : "",
                               error.message, final ? "" : "; trying again"));
    error_told_ = now;
    errors_untold_ = 0;
  }
  if (final) {
    error_ = error;
    return RunEnd::Failed;
  }
  pause(full_jitter(options_.receive_pause, errors_in_row_, random_) + options_.receive_pause.base / 2);
  return std::nullopt;
}

std::optional<QueueCounts> Worker::look_at_counts() {
  if (!counts_available_) return std::nullopt;
  auto counts = queue_.counts();
  if (counts) return *counts;
  if (classify(counts.error()) == Fault::NotAuthorised) {
    counts_available_ = false;
    reporter_.note(fmt::format("how many messages wait cannot be told: {}", counts.error().message));
  }
  return std::nullopt;
}

void Worker::tell_counts(std::string_view when) {
  counts_told_ = clock_.steady();
  if (const auto counts = look_at_counts()) reporter_.note(fmt::format("{}: {}", when, describe(*counts)));
}

void Worker::pause(Millis duration) {
  const SteadyTime until = clock_.steady() + duration;
  while (stop_.requests() == 0) {
    const auto left = std::chrono::ceil<Millis>(until - clock_.steady());
    if (left <= Millis(0)) return;
    dispatcher_->wait_for_change(std::min(left, kWaitTick));
  }
}

// Calls that hang end now, and nothing is tried again.
void Worker::give_up() {
  if (given_up_.exchange(true)) return;
  queue_.give_up();
  flow_.give_up_outcomes();
}

void Worker::finish(Loops& loops) {
  closing_ = true;
  life_sign_.ending();
  if (receivers_) receivers_->stop();
  flow_.close_lanes();
  for (const JobPtr& job : dispatcher_->take_waiting()) flow_.give_up(*job);
  if (!dispatcher_->idle() && stop_.requests() > 0) reporter_.note("stopping; waiting for the handlers that run");
  while (!dispatcher_->idle()) dispatcher_->wait_for_change(kWaitTick);
  flow_.give_back_refused();
  const SteadyTime began = clock_.steady();
  loops.flush_soon();
  while (settler_.waiting() > 0) {
    if (given_up_ || clock_.steady() - began >= kSettleTimeMax) {
      give_up();
      reporter_.warn(fmt::format("{} messages could not be settled before the end; they come again", settler_.waiting()));
      break;
    }
    dispatcher_->wait_for_change(std::min(kWaitTick, options_.settler.gather));
  }
  loops.watch.stop();
  dispatcher_.reset();
  for (const auto& settle : loops.settle) settle->stop();
  loops.heartbeat.stop();
}

}  // namespace ferry::worker
