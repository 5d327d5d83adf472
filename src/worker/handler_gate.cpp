#include "worker/handler_gate.h"

#include <algorithm>

namespace ferry::worker {
namespace {
constexpr Millis kFaultPauseBase{5'000};  // of a handler that is our fault; doubled by each further fault
constexpr Millis kFaultPauseMax{300'000};
}  // namespace

Seconds HandlerGate::left(const State& state) const {
  return std::chrono::ceil<Seconds>(state.closed_until - clock_.steady());
}

std::optional<Seconds> HandlerGate::closed_for(const config::RequestType& type) {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(&type);
  if (found == states_.end()) return std::nullopt;
  State& state = found->second;
  if (clock_.steady() < state.closed_until) return left(state);
  if (!state.breaker_open) return std::nullopt;
  if (state.trying) return std::chrono::ceil<Seconds>(type.handler->breaker->pause);
  state.trying = true;
  return std::nullopt;
}

void HandlerGate::not_begun(const config::RequestType& type) {
  const std::lock_guard lock(mutex_);
  states_[&type].trying = false;
}

std::optional<Seconds> HandlerGate::ended(const config::RequestType& type, HandlerEnd end) {
  const std::lock_guard lock(mutex_);
  State& state = states_[&type];
  switch (end) {
    case HandlerEnd::Interrupted:
      state.trying = false;
      return std::nullopt;
    case HandlerEnd::OurFault:
    case HandlerEnd::NotStarted:
      state.trying = false;
      return fault(state);
    case HandlerEnd::Done:
    case HandlerEnd::Rejected:  // it works: it is the message that does not
      state.trying = false;
      state.breaker_open = false;
      state.faults = 0;
      state.failures = 0;
      return std::nullopt;
    default:
      return failure(state, type);
  }
}

Seconds HandlerGate::fault(State& state) const {
  const SteadyTime now = clock_.steady();
  if (state.faults == 0 || now >= state.closed_until) {  // several at once are one fault
    const Millis length = std::min(kFaultPauseMax, kFaultPauseBase * (std::int64_t{1} << std::min(state.faults, 10)));
    ++state.faults;
    state.closed_until = std::max(state.closed_until, now + length);
  }
  return left(state);
}

std::optional<Seconds> HandlerGate::failure(State& state, const config::RequestType& type) const {
  const auto& breaker = type.handler->breaker;
  state.trying = false;
  if (!breaker) return std::nullopt;
  ++state.failures;
  const SteadyTime now = clock_.steady();
  if (state.failures < breaker->failures || now < state.closed_until) return std::nullopt;
  state.breaker_open = true;
  state.closed_until = now + breaker->pause;
  return left(state);
}

bool HandlerGate::take_token(const config::RequestType& type) {
  const auto& rate = type.handler->rate;
  if (!rate) return true;
  const std::lock_guard lock(mutex_);
  State& state = states_[&type];
  const SteadyTime now = clock_.steady();
  const double most = rate->count;
  if (state.filled) {
    const std::chrono::duration<double> passed = now - *state.filled;
    state.tokens = std::min(most, state.tokens + passed / std::chrono::duration<double>(rate->per) * most);
  } else {
    state.tokens = most;
  }
  state.filled = now;
  if (state.tokens < 1) return false;
  state.tokens -= 1;
  return true;
}

std::vector<std::pair<std::string, HandlerGate::Standing>> HandlerGate::standings() const {
  std::vector<std::pair<std::string, Standing>> all;
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  for (const auto& [type, state] : states_) {
    Standing standing = state.breaker_open ? Standing::Trying : Standing::Through;
    if (now < state.closed_until) standing = Standing::Paused;
    all.emplace_back(type->name, standing);
  }
  return all;
}

}  // namespace ferry::worker
