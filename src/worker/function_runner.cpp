#include "worker/function_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "worker/transcript.h"

namespace ferry::worker {
namespace {
constexpr std::size_t kShownBytesMax = 300;

HandlerResult failed(HandlerEnd end, std::string detail) {
  HandlerResult result;
  result.end = end;
  result.detail = std::move(detail);
  return result;
}

// The wall of what is not ours: whatever a function throws is a failed attempt.
HandlerResult call_function(const HandlerFunction& function, const HandlerCall& call, const Cancellation& cancellation) {
  try {
    return function(call, cancellation);
  } catch (const std::exception& error) {
    return failed(HandlerEnd::Retry, fmt::format("it threw: {}", clip(error.what(), kShownBytesMax)));
  } catch (...) {
    return failed(HandlerEnd::Retry, "it threw something that is no std::exception");
  }
}
}  // namespace

bool Cancellation::wait_for(Millis duration) const {
  const SteadyTime until = std::min(clock_.steady() + duration, deadline_);
  std::unique_lock lock(mutex_);
  while (!interrupted_.load()) {
    const auto left = until - clock_.steady();
    if (left <= std::chrono::nanoseconds(0)) break;
    changed_.wait_for(lock, left);
  }
  return cancelled();
}

void Cancellation::interrupt() {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  changed_.notify_all();
}

FunctionRunner::FunctionRunner(std::map<std::string, HandlerFunction> functions, std::size_t threads, const Clock& clock)
    : functions_(std::move(functions)), clock_(clock), pool_(threads) {}

FunctionRunner::~FunctionRunner() {
  interrupt(2);
}

void FunctionRunner::start(HandlerCall call, Done done) {
  auto found = functions_.find(call.request);
  if (found == functions_.end()) found = functions_.find("");
  if (found == functions_.end()) {
    return done(failed(HandlerEnd::OurFault, fmt::format("there is no function for {}", call.request)));
  }
  pool_.post([this, function = &found->second, call = std::move(call), done = std::move(done)] { done(run(*function, call)); });
}

HandlerResult FunctionRunner::run(const HandlerFunction& function, const HandlerCall& call) {
  Cancellation cancellation(clock_, clock_.steady() + call.spec->timeout);
  {
    const std::lock_guard lock(mutex_);
    if (interrupt_.load() > 0) return failed(HandlerEnd::Interrupted, "interrupted before it began");
    running_.push_back(&cancellation);
  }
  HandlerResult result = call_function(function, call, cancellation);
  {
    const std::lock_guard lock(mutex_);
    running_.remove(&cancellation);
  }
  if (result.end == HandlerEnd::Done || !cancellation.cancelled()) return result;
  const bool interrupted = cancellation.interrupted();
  result.detail = fmt::format("{}, {}", interrupted ? "interrupted" : "timed out", result.detail);
  result.end = interrupted ? HandlerEnd::Interrupted : HandlerEnd::TimedOut;
  return result;
}

void FunctionRunner::interrupt(int level) {
  const std::lock_guard lock(mutex_);
  interrupt_ = level;
  if (level == 0) return;
  for (Cancellation* cancellation : running_) cancellation->interrupt();
}

}  // namespace ferry::worker
