#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/store_tools.h"
#include "cli/terminal.h"

namespace ferry::cli {
namespace {

constexpr Millis kWindow{10'000};
constexpr Millis kSampleGap{500};
constexpr std::size_t kBarCells = 30;
constexpr std::size_t kBarCellsMin = 5;
constexpr double kSecondsShownMax = 359'999;  // 99 hours

std::string amount(std::uint64_t value, ProgressUnit unit) {
  return unit == ProgressUnit::Bytes ? human_bytes(value) : std::to_string(value);
}

std::string shown_rate(double rate, ProgressUnit unit) {
  if (unit == ProgressUnit::Bytes || rate >= 9.95) return amount(static_cast<std::uint64_t>(std::llround(rate)), unit) + "/s";
  return fmt::format("{:.1f}/s", rate);
}

std::string shown_time(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::min(seconds, kSecondsShownMax));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3'600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3'600, whole / 60 % 60);
}

// What stands behind the verb and the bar.
std::string numbers(const ProgressState& state) {
  std::string text = amount(state.done, state.unit);
  if (state.total > 0) {
    const std::uint64_t total = std::max(state.total, state.done);
    const auto percent = static_cast<std::uint64_t>(static_cast<double>(state.done) * 100 / static_cast<double>(total));
    text += fmt::format(" of {} ({} %)", amount(total, state.unit), percent);
  }
  if (!state.rate) return text;
  text += fmt::format(", {}", shown_rate(*state.rate, state.unit));
  if (state.total > state.done && *state.rate > 0)
    text += fmt::format(", {} left", shown_time(static_cast<double>(state.total - state.done) / *state.rate));
  return text;
}
}  // namespace

std::string progress_text(const ProgressState& state) {
  return fmt::format("{}: {}", state.verb, numbers(state));
}

std::string progress_bar(const ProgressState& state, std::size_t columns) {
  const std::string behind = numbers(state);
  const std::size_t fixed = state.verb.size() + behind.size() + 4;  // verb [] numbers
  const std::size_t cells = columns > fixed ? std::min(kBarCells, columns - fixed) : 0;
  if (state.total == 0 || cells < kBarCellsMin) return progress_text(state).substr(0, columns);
  const double part = static_cast<double>(state.done) / static_cast<double>(std::max(state.total, state.done));
  const auto full = std::min(cells, static_cast<std::size_t>(part * static_cast<double>(cells)));
  return fmt::format("{} [{}{}] {}", state.verb, std::string(full, '#'), std::string(cells - full, '-'), behind);
}

Progress::Progress(const CommandContext& context, About about)
    : context_(context),
      about_(std::move(about)),
      terminal_(is_terminal(context.err) && context.environment("TERM").value_or("") != "dumb"),
      next_(context.clock.steady() + (terminal_ ? kFirstBar : kLineInterval)) {
  samples_.push_back({context.clock.steady(), 0});
}

std::optional<double> Progress::rate_now(Sample now) {
  if (now.at - samples_.back().at >= kSampleGap) samples_.push_back(now);
  while (samples_.size() > 2 && now.at - samples_[1].at >= kWindow) samples_.pop_front();
  const Sample& first = samples_.front();
  const double seconds = std::chrono::duration<double>(now.at - first.at).count();
  if (seconds <= 0 || now.done < first.done) return std::nullopt;
  return static_cast<double>(now.done - first.done) / seconds;
}

void Progress::tell(Position position) {
  if (about_.quiet) return;
  const SteadyTime now = context_.clock.steady();
  if (now < next_) return;
  next_ = now + (terminal_ ? kBarInterval : kLineInterval);
  const ProgressState state{about_.verb, about_.unit, position.done, position.total, rate_now({now, position.done})};
  if (!terminal_) return write_text(context_.err, progress_text(state) + "\n");
  shown_ = true;
  write_text(context_.err, "\r\x1b[K" + progress_bar(state, terminal_size(context_.err).columns - 1));
}

void Progress::clear() {
  if (shown_) write_text(context_.err, "\r\x1b[K");
  shown_ = false;
}

}  // namespace ferry::cli
