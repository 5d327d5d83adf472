#include "worker/process_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "worker/control_message.h"
#include "worker/handler_output.h"

namespace ferry::worker {
namespace {

constexpr Millis kLongestWait{1'000};
constexpr int kExitUsage = 64;
constexpr int kExitDataError = 65;
constexpr int kExitUnavailable = 69;
constexpr int kExitNoPermission = 77;
constexpr int kExitConfig = 78;
constexpr int kExitNotExecutable = 126;
constexpr int kExitNotFound = 127;

// Why a run is being stopped, and how far that has got.
struct Stopping {
  HandlerEnd reason = HandlerEnd::Done;  // Done: it is not being stopped
  SteadyTime kill_at;
  bool killed = false;

  bool began() const { return reason != HandlerEnd::Done; }
  void begin(HandlerEnd why, Process& process, SteadyTime kill_when) {
    if (began()) return;
    reason = why;
    kill_at = kill_when;
    process.signal(GroupSignal::Terminate);
  }
  void kill(Process& process) {
    if (!killed) process.signal(GroupSignal::Kill);
    killed = true;
  }
};
}  // namespace

HandlerResult classify_exit(const ExitStatus& status) {
  HandlerResult result;
  if (status.signalled) {
    result.end = HandlerEnd::Crashed;
    result.detail = fmt::format("killed by signal {}", status.value);
    return result;
  }
  result.detail = fmt::format("exit {}", status.value);
  result.code = status.value;
  switch (status.value) {
    case 0:
      result.end = HandlerEnd::Done;
      break;
    case kExitUsage:
    case kExitDataError:
      result.end = HandlerEnd::Rejected;
      break;
    case kExitUnavailable:
      result.end = HandlerEnd::Unavailable;
      break;
    case kExitNoPermission:
    case kExitConfig:
    case kExitNotExecutable:
    case kExitNotFound:
      result.end = HandlerEnd::OurFault;
      break;
    default:
      result.end = HandlerEnd::Retry;
  }
  return result;
}

struct ProcessRunner::Run {
  Run(Asked asked, std::unique_ptr<Process> started, Reporter& reporter, SteadyTime now)
      : call(std::move(asked.call)),
        done(std::move(asked.done)),
        process(std::move(started)),
        input(call.input()),
        began(now),
        deadline(now + call.spec->timeout),
        out([this, &reporter](std::string_view line) { say(reporter, "stdout", line); }),
        err([this, &reporter](std::string_view line) { say(reporter, "stderr", line); }),
        control(
            [this, &reporter](const ControlMessage& message) { hear(reporter, message); },
            [this, &reporter](std::string_view what) { reporter.note(fmt::format("{} descriptor 3: {}", call.label, what)); }) {}

  void say(Reporter& reporter, std::string_view stream, std::string_view line) {
    reporter.note(fmt::format("{} {}: {}", call.label, stream, line));
    tail.add(line);
  }
  void hear(Reporter& reporter, const ControlMessage& message) {
    said.apply(message);
    if (message.progress) reporter.step(fmt::format("{} progress: {:.0f} %", call.label, *message.progress * 100));
    if (message.extend && !stopping.began()) deadline = extended_deadline(deadline, *message.extend, {began, heard_at});
  }
  HandlerResult result() {
    HandlerResult result = classify_exit(*process->exit_status());
    result.output_tail = tail.take();
    if (!stopping.began() || result.end == HandlerEnd::Done) said.conclude(result);
    // One that finishes its work after it was asked to stop has done its work.
    if (!stopping.began() || result.end == HandlerEnd::Done) return result;
    result.end = stopping.reason;
    result.detail = fmt::format("{}, {}", stopping.reason == HandlerEnd::TimedOut ? "timed out" : "interrupted", result.detail);
    return result;
  }

  HandlerCall call;
  Done done;
  std::unique_ptr<Process> process;
  std::string_view input;  // what is left of it
  SteadyTime began;
  SteadyTime deadline;
  SteadyTime heard_at;  // when the last bytes were read
  Stopping stopping;
  ControlState said;
  std::optional<SteadyTime> silent_until;  // after the child's end
  OutputTail tail{kOutputTailBytesMax};
  LineFramer out;
  LineFramer err;
  ControlReader control;
};

ProcessRunner::ProcessRunner(const Clock& clock, Reporter& reporter)
    : clock_(clock), reporter_(reporter), thread_([this] { loop(); }) {}

ProcessRunner::~ProcessRunner() {
  interrupt(2);
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  set_.wake();
  thread_.join();
}

void ProcessRunner::start(HandlerCall call, Done done) {
  {
    const std::lock_guard lock(mutex_);
    asked_.push_back({std::move(call), std::move(done)});
  }
  set_.wake();
}

void ProcessRunner::interrupt(int level) {
  if (interrupt_.exchange(level) != level) set_.wake();
}

void ProcessRunner::loop() {
  for (;;) {
    std::vector<Asked> asked;
    bool stopped = false;
    {
      const std::lock_guard lock(mutex_);
      asked.swap(asked_);
      stopped = stopped_;
    }
    for (Asked& one : asked) begin(std::move(one));
    if (stopped && runs_.empty()) return;
    for (const std::uint64_t tag : set_.wait(until_next_timer())) {
      const auto found = runs_.find(tag);
      if (found != runs_.end()) look_after(*found->second);
    }
    end_finished();
  }
}

void ProcessRunner::begin(Asked asked) {
  const config::HandlerSpec& spec = *asked.call.spec;
  if (interrupt_.load() > 0) return asked.done({HandlerEnd::Interrupted, "interrupted before it began"});
  ProcessOptions options;
  options.program = spec.program;
  options.argv = asked.call.argv;
  options.environment = asked.call.environment;
  options.working_folder = asked.call.working_folder;
  options.control = true;
  options.ends_with_us = true;
  options.no_new_privileges = spec.no_new_privileges;
  options.limits = spec.limits;
  auto process = Process::start(options);
  if (!process) return asked.done({HandlerEnd::OurFault, process.error().message});
  const std::uint64_t tag = next_tag_++;
  set_.add(**process, tag);
  auto run = std::make_unique<Run>(std::move(asked), std::move(*process), reporter_, clock_.steady());
  look_after(*run);
  runs_.emplace(tag, std::move(run));
}

void ProcessRunner::look_after(Run& run) {
  const Process::Events events = run.process->advance(run.input);
  run.input.remove_prefix(events.input_taken);
  run.heard_at = clock_.steady();
  run.control.feed(events.control);
  run.out.feed(events.out);
  run.err.feed(events.err);
  const bool spoke = !events.out.empty() || !events.err.empty();
  if (run.process->ended() && (spoke || !run.silent_until)) run.silent_until = run.heard_at + kSilenceAfterExit;
}

// Of what has nothing to do with its pipes: deadlines, interruptions, grandchildren that keep the pipes open.
void ProcessRunner::end_finished() {
  const SteadyTime now = clock_.steady();
  const int level = interrupt_.load();
  for (auto at = runs_.begin(); at != runs_.end();) {
    Run& run = *at->second;
    Process& process = *run.process;
    const Millis grace = run.call.spec->kill_grace;
    if (level > 0) run.stopping.begin(HandlerEnd::Interrupted, process, now + grace);
    if (now >= run.deadline) run.stopping.begin(HandlerEnd::TimedOut, process, now + grace);
    if (run.stopping.began() && (level > 1 || now >= run.stopping.kill_at)) run.stopping.kill(process);
    if (run.silent_until && now >= *run.silent_until) run.control.feed(process.finish());
    if (!process.exit_status()) {
      ++at;
      continue;
    }
    run.out.finish();
    run.err.finish();
    run.control.finish();
    const std::unique_ptr<Run> ended = std::move(at->second);
    set_.remove(at->first);
    at = runs_.erase(at);
    ended->done(ended->result());
  }
}

Millis ProcessRunner::until_next_timer() const {
  const SteadyTime now = clock_.steady();
  SteadyTime next = now + kLongestWait;
  for (const auto& [tag, run] : runs_) {
    if (run->silent_until) next = std::min(next, *run->silent_until);
    if (!run->stopping.began()) {
      next = std::min(next, run->deadline);
    } else if (!run->stopping.killed) {
      next = std::min(next, run->stopping.kill_at);
    }
  }
  return std::max(Millis(0), std::chrono::ceil<Millis>(next - now));
}

}  // namespace ferry::worker
