#pragma once
// What a run says: steps for people on stderr as far as they want them, everything into the transcript.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace ferry::worker {

/// A file that is appended to and never truncated. Each line is one write with O_APPEND, so that lines stay whole when runs
/// overlap. Thread-safe.
class Transcript {
 public:
  /// Creates the file (mode 0600) when it is not there.
  static Result<std::unique_ptr<Transcript>> open(const std::string& path, const Clock& clock);
  ~Transcript();
  Transcript(const Transcript&) = delete;
  Transcript& operator=(const Transcript&) = delete;

  /// "2026-11-23T08:00:00.000Z [PID] TEXT", control characters escaped.
  void line(std::string_view text);

 private:
  Transcript(int descriptor, const Clock& clock) : descriptor_(descriptor), clock_(clock) {}
  int descriptor_;
  const Clock& clock_;
};

enum class Verbosity { Quiet, Normal, Verbose };

/// Thread-safe; one write a line.
class Reporter {
 public:
  /// Given every text, control characters escaped, and the least verbosity that shows it. Any thread. Null: nobody is told.
  using Sink = std::function<void(Verbosity least, std::string_view text)>;
  explicit Reporter(Sink sink) : sink_(std::move(sink)) {}
  /// `transcript` may be null; both outlive the reporter.
  Reporter(Verbosity verbosity, int descriptor, Transcript* transcript)
      : verbosity_(verbosity), descriptor_(descriptor), transcript_(transcript) {}

  /// Whether anybody is told: lines that come with every message need not be made for nobody.
  bool hears_steps() const { return hears(Verbosity::Verbose); }
  bool hears_notes() const { return hears(Verbosity::Normal); }
  void step(std::string_view text) { say(Verbosity::Verbose, text); }  ///< every move
  void note(std::string_view text) { say(Verbosity::Normal, text); }   ///< results and counts
  void warn(std::string_view text) { say(Verbosity::Quiet, text); }    ///< always shown

 private:
  bool hears(Verbosity least) const { return sink_ || transcript_ != nullptr || (descriptor_ >= 0 && verbosity_ >= least); }
  void say(Verbosity least, std::string_view text);

  Sink sink_;
  Verbosity verbosity_ = Verbosity::Quiet;
  int descriptor_ = -1;
  Transcript* transcript_ = nullptr;
};

/// At most `bytes_max` bytes of text, cut between characters, "…" behind a cut; control characters escaped.
std::string clip(std::string_view text, std::size_t bytes_max);

}  // namespace ferry::worker
