#pragma once
// Send, receive, delete, over and over, each connection for itself, until the time is up.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages.h"
#include "pool.h"
#include "requests.h"

namespace ferry::bench {

struct CycleOptions {
  std::size_t batch = 1;
  bool sends = true;    ///< otherwise only what is there already is received
  bool deletes = true;  ///< otherwise what was received stays in flight
  bool blind = false;   ///< takes any answer for a good one and deletes with a made-up handle
  std::optional<int> visibility_timeout;
  std::chrono::milliseconds warm_up{0};  ///< not counted
  std::chrono::milliseconds time{1000};  ///< counted
};

class Cycles final : public Job {
 public:
  enum Step : std::size_t { Send, Receive, Delete };
  static constexpr std::size_t kSteps = 3;

  Cycles(const Target& target, MessageSource& source, const CycleOptions& options, std::size_t connections);
  Turn next(std::size_t connection) override;
  void answered(std::size_t connection, std::string_view body, SteadyTime asked, SteadyTime now) override;

  /// Cycles that were finished, in messages; without deletes: messages received.
  std::uint64_t messages() const { return messages_; }
  double seconds() const { return std::chrono::duration<double>(options_.time).count(); }
  /// One object of JSON.
  std::string report();

 private:
  struct State {
    Step step = Send;
    bool begun = false;
    std::vector<std::string> handles;
  };
  Step first() const { return options_.sends ? Send : Receive; }

  const Target& target_;
  MessageSource& source_;
  const CycleOptions options_;
  const std::string receive_;
  const SteadyTime counting_from_, stop_at_;
  std::vector<State> states_;
  std::uint64_t messages_ = 0, requests_ = 0, empty_ = 0;
  std::array<std::vector<std::uint32_t>, kSteps> micros_;
};

}  // namespace ferry::bench
