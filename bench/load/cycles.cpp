#include "cycles.h"

#include "percentiles.h"

namespace ferry::bench {
namespace {

constexpr std::string_view kMadeUp =
    "AQEBxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

}  // namespace

Cycles::Cycles(const Target& target, MessageSource& source, const CycleOptions& options, std::size_t connections)
    : target_(target),
      source_(source),
      options_(options),
      receive_(receive_request(target, {static_cast<int>(options.batch), 0, options.visibility_timeout})),
      counting_from_(SteadyClock::now() + options.warm_up),
      stop_at_(counting_from_ + options.time),
      states_(connections, State{first(), false, {}}) {}

Turn Cycles::next(std::size_t connection) {
  State& state = states_[connection];
  if (state.step == first()) {
    if (state.begun && SteadyClock::now() >= stop_at_) return {};
    state.begun = true;
  }
  switch (state.step) {
    case Send:
      return {send_request(target_, source_.take(options_.batch))};
    case Receive:
      return {receive_};
    case Delete:
      break;
  }
  return {delete_request(target_, state.handles)};
}

void Cycles::answered(std::size_t connection, std::string_view body, SteadyTime asked, SteadyTime now) {
  State& state = states_[connection];
  const bool counts = now >= counting_from_ && now < stop_at_;
  if (counts) {
    micros_[state.step].push_back(
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - asked).count()));
    ++requests_;
  }
  if (!options_.blind && state.step != Receive) check_batch(body);
  if (state.step == Send) {
    state.step = Receive;
  } else if (state.step == Receive) {
    state.handles = options_.blind ? std::vector<std::string>(options_.batch, std::string(kMadeUp)) : handles_in(body);
    if (counts && state.handles.empty()) ++empty_;
    if (counts && !options_.deletes) messages_ += state.handles.size();
    state.step = state.handles.empty() || !options_.deletes ? first() : Delete;
  } else {
    if (counts) messages_ += state.handles.size();
    state.step = first();
  }
}

std::string Cycles::report() {
  constexpr std::array<const char*, kSteps> kNames = {"send", "receive", "delete"};
  std::string text = "{\"seconds\":" + std::to_string(seconds()) + ",\"messages\":" + std::to_string(messages_) +
                     ",\"requests\":" + std::to_string(requests_) + ",\"empty_receives\":" + std::to_string(empty_);
  for (std::size_t step = 0; step < kSteps; ++step) {
    text.append(",\"").append(kNames[step]).append("_us\":").append(percentiles(micros_[step]));
  }
  return text + "}";
}

}  // namespace ferry::bench
