#pragma once
// Whether a handler may be given work now: paused because this machine is at fault, behind its breaker, or over its rate.

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "config/handoff.h"
#include "worker/handler.h"

namespace ferry::worker {

/// Thread-safe; `clock` outlives it.
class HandlerGate {
 public:
  explicit HandlerGate(const Clock& clock) : clock_(clock) {}

  /// Nothing: the handler may be given one more message, for which ended() follows. Else how long a message that is for it should
  /// go back. After the pause of an open breaker one message is let through; the others wait for what becomes of it.
  std::optional<Seconds> closed_for(const config::RequestType& type);
  /// What became of a message that was let through. How long the handler is paused, if it is from now on.
  std::optional<Seconds> ended(const config::RequestType& type, HandlerEnd end);
  /// A message that was let through was not begun.
  void not_begun(const config::RequestType& type);
  /// Takes a token of the handler's rate, if there is one to take or it has no rate.
  bool take_token(const config::RequestType& type);

  enum class Standing {
    Through,  ///< it is given messages
    Paused,   ///< it is given none for a while
    Trying,   ///< after a pause: one message goes through, or is on its way
  };
  /// By the name of the request; handlers that are not named have had no reason to be paused.
  std::vector<std::pair<std::string, Standing>> standings() const;

 private:
  struct State {
    SteadyTime closed_until{};
    int faults = 0;    // of this machine, in a row
    int failures = 0;  // of the handler, in a row
    bool breaker_open = false;
    bool trying = false;  // the one message after the pause is on its way
    double tokens = 0;
    std::optional<SteadyTime> filled{};
  };
  Seconds fault(State& state) const;
  std::optional<Seconds> failure(State& state, const config::RequestType& type) const;
  Seconds left(const State& state) const;

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<const config::RequestType*, State> states_;  // guarded by mutex_
};

}  // namespace ferry::worker
