#pragma once
// How far something is, for people, on stderr. The one mechanism for everything that takes more than a moment.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "cli/command.h"

namespace ferry::cli {

enum class ProgressUnit { Things, Bytes };

/// What a line of progress tells. Pure.
struct ProgressState {
  std::string_view verb;
  ProgressUnit unit = ProgressUnit::Things;
  std::uint64_t done = 0;
  std::uint64_t total = 0;     ///< 0: not known
  std::optional<double> rate;  ///< a second, of late
};
/// "verb: 12 of 40 (30 %), 4/s, 7s left"
std::string progress_text(const ProgressState& state);
/// The same with a bar in front, at most `columns` characters: the bar gives way first.
std::string progress_bar(const ProgressState& state, std::size_t columns);

/// A bar that is drawn over itself on a terminal, from 300 ms on and ten times a second; else a line every five seconds; nothing
/// with --quiet. Rate and time left are those of the last ten seconds. One thread at a time.
class Progress {
 public:
  struct About {
    std::string verb;  ///< "backing up"
    ProgressUnit unit = ProgressUnit::Things;
    bool quiet = false;
  };
  Progress(const CommandContext& context, About about);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  struct Position {
    std::uint64_t done = 0;
    std::uint64_t total = 0;  ///< 0: not known
  };
  /// Cheap: call it as often as there is something new.
  void tell(Position position);
  /// Takes the bar away, so that something else can be said.
  void clear();

  static constexpr Millis kFirstBar{300};
  static constexpr Millis kBarInterval{100};
  static constexpr Millis kLineInterval{5'000};

 private:
  struct Sample {
    SteadyTime at;
    std::uint64_t done;
  };
  std::optional<double> rate_now(Sample now);

  const CommandContext& context_;
  const About about_;
  const bool terminal_;
  SteadyTime next_;
  std::deque<Sample> samples_;  // of the last ten seconds, and one before them
  bool shown_ = false;
};

}  // namespace ferry::cli
