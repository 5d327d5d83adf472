#pragma once
// What a handler may say while it runs, a JSON object each: programs on descriptor 3, endpoints at the completion port.
//
//   {"progress": 0.4}       how far it is, for people
//   {"extend": 120}         its time shall end 120 seconds from now, if that is later
//   {"result": ANY}         kept with the record of the request; the last one counts
//   {"retry_after": 30}     try again in 30 seconds: the delay when it fails; with exit 0 it has not done its work
//   {"reject": "reason"}    this message will never do
//
// One object may hold several. Who writes here is not trusted: everything is bounded, nothing ends the worker.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "worker/handler.h"

namespace ferry::worker {

inline constexpr std::size_t kControlLineBytesMax = kResultBytesMax + 1024;  // a result and what stands around it
inline constexpr std::size_t kControlBytesMax = 1024 * 1024;                 // of one run; the rest is read and dropped
inline constexpr std::size_t kRejectBytesMax = 1'000;                        // of a reason; longer ones are cut
inline constexpr Seconds kExtendMax{43'200};

struct ControlMessage {
  std::optional<double> progress;      ///< 0 to 1
  std::optional<Seconds> extend;       ///< 1 s to kExtendMax
  std::optional<std::string> result;   ///< JSON, at most kResultBytesMax
  std::optional<Seconds> retry_after;  ///< 0 to kRetryAfterMax
  std::optional<std::string> reject;

  /// Whether it says how the work has ended.
  bool is_final() const { return result || retry_after || reject || (!progress && !extend); }
};
/// InvalidArgument: a sentence about the text.
Result<ControlMessage> parse_control(std::string_view json);

/// When a run's time is over after it asked for more: never earlier than before, and never so late that its message could not be
/// kept hidden until then.
struct RunTimes {
  SteadyTime began;
  SteadyTime now;
};
SteadyTime extended_deadline(SteadyTime deadline, Seconds extend, RunTimes times);

/// What a run has said so far and what that means for its end.
class ControlState {
 public:
  void apply(const ControlMessage& message);
  /// Changes the result of a run that ended by itself.
  void conclude(HandlerResult& result) const;

 private:
  std::string result_;
  std::optional<Seconds> retry_after_;
  std::optional<std::string> reject_;
};

/// Cuts descriptor 3 into lines.
class ControlReader {
 public:
  using Sink = std::function<void(const ControlMessage&)>;
  using Complaint = std::function<void(std::string_view)>;
  /// `complain` is given a few sentences a run at most.
  ControlReader(Sink sink, Complaint complain) : sink_(std::move(sink)), complain_(std::move(complain)) {}
  void feed(std::string_view bytes);
  /// The last line, which may have no end.
  void finish();

 private:
  void take_line();
  void complain(std::string_view what);

  Sink sink_;
  Complaint complain_;
  std::string line_;
  bool line_too_long_ = false;
  std::size_t bytes_ = 0;
  int complaints_ = 0;
};

}  // namespace ferry::worker
