#include "worker/worker_metrics.h"

#include <algorithm>

#include "base/encoding.h"
#include "metrics/prometheus_page.h"
#include "worker/handler_input.h"

namespace ferry::worker {
namespace {

using metrics::Label;
using metrics::PrometheusPage;
using Type = PrometheusPage::Type;
using Standing = HandlerGate::Standing;

constexpr std::string_view kOther = "(other)";

constexpr std::array kHandlerEnds = {HandlerEnd::Done,     HandlerEnd::Retry,      HandlerEnd::Unavailable, HandlerEnd::Rejected,
                                     HandlerEnd::OurFault, HandlerEnd::NotStarted, HandlerEnd::TimedOut,    HandlerEnd::Crashed,
                                     HandlerEnd::Unknown,  HandlerEnd::Interrupted};
static_assert(kHandlerEnds.size() == WorkerMetrics::Series::kEnds);

constexpr std::array<std::pair<Standing, std::string_view>, 3> kStandings = {
    {{Standing::Through, "closed"}, {Standing::Paused, "open"}, {Standing::Trying, "half-open"}}};

std::uint64_t not_negative(std::int64_t value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
}

void write_calls(PrometheusPage& page, const WorkerMetrics::Calls& calls) {
  const auto counter = [&](std::string_view name, std::string_view help, const metrics::Counter& value) {
    page.family(name, Type::Counter, help).sample(value.value());
  };
  counter("ferry_worker_receives_total", "Receive calls that were answered.", calls.receives);
  counter("ferry_worker_empty_receives_total", "Receive calls that brought nothing.", calls.empty_receives);
  counter("ferry_worker_receive_errors_total", "Receive calls that failed.", calls.receive_errors);
  counter("ferry_worker_messages_received_total", "Messages received, repeated deliveries included.", calls.received);
  counter("ferry_worker_messages_deleted_total", "Messages deleted from the queue.", calls.deleted);
  counter("ferry_worker_delete_failures_total", "Deletions that failed, each attempt of each message.", calls.delete_failures);
  counter("ferry_worker_visibility_changes_total", "Messages kept hidden for longer, or given back.", calls.visibility_changes);
  counter("ferry_worker_visibility_failures_total", "Changes of visibility that failed, each attempt of each message.",
          calls.visibility_failures);
  counter("ferry_worker_dead_lettered_total", "Refused messages that were copied to the dead-letter queue.", calls.dead_lettered);
  page.family("ferry_worker_pollers", Type::Gauge, "Receive calls under way.").sample(not_negative(calls.pollers.load()));
}

void write_tally(PrometheusPage& page, const Tally& tally) {
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    page.family(name, Type::Counter, help).sample(value);
  };
  counter("ferry_worker_messages_taken_total", "Messages met for the first time in this run.", tally.taken);
  counter("ferry_worker_messages_handled_total", "Messages whose handler has done its work.", tally.handled);
  counter("ferry_worker_messages_refused_total", "Messages refused: no route, not allowed, or rejected by their handler.",
          tally.refused);
  counter("ferry_worker_messages_failed_total", "Messages with at least one failed attempt.", tally.failed);
  counter("ferry_worker_failed_attempts_total", "Attempts that failed, and messages given back because their handler is paused.",
          tally.attempts_failed);
  counter("ferry_worker_interrupted_total", "Handlers stopped because the worker stops.", tally.interrupted);
  counter("ferry_worker_duplicates_total", "Deliveries of messages that were in hand or done already.", tally.duplicates);
  counter("ferry_worker_deferred_total", "Messages given back because another worker has the request, or it is not due.",
          tally.deferred);
}
}  // namespace

WorkerMetrics::WorkerMetrics(About about, const Clock& clock) : about_(std::move(about)), clock_(clock), started_(clock.wall()) {
  for (const std::string& request : about_.requests)
    series_.emplace(request.empty() ? std::string(kCommandLabel) : request, std::make_unique<Series>());
  series_.emplace(kOther, std::make_unique<Series>());
}

WorkerMetrics::Series& WorkerMetrics::series(std::string_view request) {
  const auto found = series_.find(request.empty() ? kCommandLabel : request);
  return found == series_.end() ? *series_.find(kOther)->second : *found->second;
}

std::int64_t WorkerMetrics::running() const {
  std::int64_t sum = 0;
  for (const auto& [request, series] : series_) sum += series->running.load();
  return sum;
}

std::string WorkerMetrics::page(const WorkerStatus& status) const {
  PrometheusPage page;
  const std::array info = {Label{"queue", about_.queue}, Label{"version", about_.version}};
  page.family("ferry_worker_info", Type::Gauge, "What runs here.").sample(std::uint64_t{1}, info);
  page.family("ferry_worker_start_time_seconds", Type::Gauge, "When the run began, in Unix time.")
      .sample(static_cast<double>(to_epoch_millis(started_)) / 1000);
  write_calls(page, calls_);
  write_tally(page, status.tally);
  const auto gauge = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    page.family(name, Type::Gauge, help).sample(value);
  };
  gauge("ferry_worker_concurrency", "Handlers that may run at a time.", about_.concurrency);
  gauge("ferry_worker_messages_in_hand", "Messages that this worker keeps hidden from others.", status.in_hand);
  const auto busy = running() + static_cast<std::int64_t>(status.kept);
  gauge("ferry_worker_messages_waiting", "Messages in hand that no handler has: not begun yet, or about to be settled.",
        not_negative(static_cast<std::int64_t>(status.in_hand) - busy));
  if (status.ledger != LedgerStanding::None)
    gauge("ferry_worker_ledger_ok", "1 while the ledger answers, 0 while nothing is run because it does not.",
          status.ledger == LedgerStanding::Working ? 1 : 0);
  const auto each = [&](const auto& write) {
    for (const auto& [request, series] : series_) {
      const bool unused = std::all_of(series->ends.begin(), series->ends.end(), [](const auto& end) { return end.value() == 0; });
      if (request != kOther || !unused || series->running.load() != 0) write(request, *series);
    }
  };
  page.family("ferry_worker_handlers_running", Type::Gauge, "Handlers that run now.");
  each([&](const std::string& request, const Series& series) {
    const std::array labels = {Label{"request", request}};
    page.sample(not_negative(series.running.load()), labels);
  });
  page.family("ferry_worker_attempts_total", Type::Counter, "Handlers that have ended, by how they ended.");
  each([&](const std::string& request, const Series& series) {
    for (const HandlerEnd end : kHandlerEnds) {
      const std::array labels = {Label{"request", request}, Label{"outcome", name_of(end)}};
      page.sample(series.ends.at(static_cast<std::size_t>(end)).value(), labels);
    }
  });
  page.family("ferry_worker_breaker_state", Type::Gauge,
              "1 for the state a handler is in: closed (messages go through), open (paused), half-open (one message tries).");
  each([&](const std::string& request, const Series&) {
    const auto named = std::find_if(status.handlers.begin(), status.handlers.end(), [&](const auto& handler) {
      return request == (handler.first.empty() ? kCommandLabel : std::string_view(handler.first));
    });
    const Standing standing = named == status.handlers.end() ? Standing::Through : named->second;
    for (const auto& [one, state] : kStandings) {
      const std::array labels = {Label{"request", request}, Label{"state", state}};
      page.sample(std::uint64_t{one == standing ? 1U : 0U}, labels);
    }
  });
  page.family("ferry_worker_handler_seconds", Type::Histogram, "How long handlers ran.");
  each([&](const std::string& request, const Series& series) {
    const std::array labels = {Label{"request", request}};
    page.histogram(series.took.snapshot(), labels);
  });
  page.family("ferry_worker_dwell_seconds", Type::Histogram,
              "From the send of a message to the start of its handler, for messages received once.");
  each([&](const std::string& request, const Series& series) {
    const std::array labels = {Label{"request", request}};
    page.histogram(series.dwelt.snapshot(), labels);
  });
  return page.text();
}

void MeteredRunner::start(HandlerCall call, Done done) {
  WorkerMetrics::Series& series = metrics_.series(call.request);
  const Clock& clock = metrics_.clock();
  if (receive_count(*call.message) == 1) {
    if (const auto sent = parse_integer(system_attribute(*call.message, "SentTimestamp").value_or("")))
      series.dwelt.add(clock.wall() - from_epoch_millis(*sent));
  }
  series.running.fetch_add(1);
  // Not this object, which need not live as long as handlers do.
  inner_.start(std::move(call), [&series, &clock, began = clock.steady(), done = std::move(done)](HandlerResult result) {
    series.took.add(clock.steady() - began);
    series.ends.at(static_cast<std::size_t>(result.end)).add();
    series.running.fetch_sub(1);
    done(std::move(result));
  });
}

client::CallResult<std::vector<sqs::Message>> MeteredPort::receive(const ReceiveCall& call, const std::atomic<bool>& cancel) {
  calls_.pollers.fetch_add(1);
  auto messages = inner_.receive(call, cancel);
  calls_.pollers.fetch_sub(1);
  if (messages) {
    calls_.receives.add();
    calls_.received.add(messages->size());
    if (messages->empty()) calls_.empty_receives.add();
  } else if (classify(messages.error()) != Fault::Cancelled) {
    calls_.receive_errors.add();
  }
  return messages;
}

client::CallResult<std::vector<EntryFailure>> MeteredPort::remove(std::span<const std::string> receipt_handles) {
  auto failures = inner_.remove(receipt_handles);
  const std::size_t failed = failures ? failures->size() : receipt_handles.size();
  calls_.delete_failures.add(failed);
  calls_.deleted.add(receipt_handles.size() - failed);
  return failures;
}

client::CallResult<std::vector<EntryFailure>> MeteredPort::change_visibility(std::span<const VisibilityChange> changes) {
  auto failures = inner_.change_visibility(changes);
  const std::size_t failed = failures ? failures->size() : changes.size();
  calls_.visibility_failures.add(failed);
  calls_.visibility_changes.add(changes.size() - failed);
  return failures;
}

client::CallResult<void> MeteredPort::send_to_dead_letters(const sqs::Message& message) {
  auto sent = inner_.send_to_dead_letters(message);
  if (sent) calls_.dead_lettered.add();
  return sent;
}

}  // namespace ferry::worker
