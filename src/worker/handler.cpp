#include "worker/handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/encoding.h"
#include "base/log.h"

namespace ferry::worker {
namespace {

constexpr Millis kTick{50};  // how soon a run notices that it shall end
constexpr int kExitUsage = 64;
constexpr int kExitDataError = 65;
constexpr int kExitNoPermission = 77;
constexpr int kExitConfig = 78;
constexpr int kExitNotExecutable = 126;
constexpr int kExitNotFound = 127;

// Why a run is being stopped, and how far that has got.
struct Stopping {
  HandlerEnd reason = HandlerEnd::Done;  // Done: it is not being stopped
  SteadyTime kill_at;
  bool killed = false;

  void begin(HandlerEnd why, Process& process, SteadyTime kill_when) {
    if (reason != HandlerEnd::Done) return;
    reason = why;
    kill_at = kill_when;
    process.signal(GroupSignal::Terminate);
  }
  void kill(Process& process) {
    if (!killed) process.signal(GroupSignal::Kill);
    killed = true;
  }
};

std::string time_of(const std::string& epoch_millis) {
  const auto millis = parse_integer(epoch_millis);
  return millis ? format_utc(from_epoch_millis(*millis)) : std::string();
}
}  // namespace

HandlerResult classify_exit(const ExitStatus& status) {
  if (status.signalled) return {HandlerEnd::Crashed, fmt::format("killed by signal {}", status.value)};
  const std::string detail = fmt::format("exit {}", status.value);
  switch (status.value) {
    case 0:
      return {HandlerEnd::Done, detail};
    case kExitUsage:
    case kExitDataError:
      return {HandlerEnd::Rejected, detail};
    case kExitNoPermission:
    case kExitConfig:
    case kExitNotExecutable:
    case kExitNotFound:
      return {HandlerEnd::OurFault, detail};
    default:
      return {HandlerEnd::Retry, detail};
  }
}

HandlerResult ProcessRunner::run(const HandlerCall& call, const InterruptLevel& interrupt) {
  auto started = Process::start({call.spec->program, call.argv, call.environment, call.working_folder});
  if (!started) return {HandlerEnd::OurFault, started.error().message};
  Process& process = **started;
  LineFramer out([&](std::string_view line) { reporter_.note(fmt::format("{} stdout: {}", call.label, line)); });
  LineFramer err([&](std::string_view line) { reporter_.note(fmt::format("{} stderr: {}", call.label, line)); });
  const SteadyTime deadline = clock_.steady() + call.spec->timeout;
  std::string_view input = call.input;
  Stopping stopping;
  while (!process.exit_status()) {
    const SteadyTime now = clock_.steady();
    const int level = interrupt.load();
    if (level > 0) stopping.begin(HandlerEnd::Interrupted, process, now + call.spec->kill_grace);
    if (now >= deadline) stopping.begin(HandlerEnd::TimedOut, process, now + call.spec->kill_grace);
    if (stopping.reason != HandlerEnd::Done && (level > 1 || now >= stopping.kill_at)) stopping.kill(process);
    const Process::Events events = process.step(input, kTick);
    input.remove_prefix(events.input_taken);
    out.feed(events.out);
    err.feed(events.err);
  }
  out.finish();
  err.finish();
  const HandlerResult result = classify_exit(*process.exit_status());
  // One that finishes its work after it was asked to stop has done its work.
  if (stopping.reason == HandlerEnd::Done || result.end == HandlerEnd::Done) return result;
  if (stopping.reason == HandlerEnd::TimedOut) return {HandlerEnd::TimedOut, fmt::format("timed out, {}", result.detail)};
  return {HandlerEnd::Interrupted, fmt::format("interrupted, {}", result.detail)};
}

void LineFramer::emit(std::string_view line) {
  if (capped_) return;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (emitted_bytes_ + line.size() > kOutputBytesMax) {
    capped_ = true;
    sink_(fmt::format("… more than {} bytes; the rest is not shown", kOutputBytesMax));
    return;
  }
  emitted_bytes_ += line.size();
  sink_(line);
}

void LineFramer::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::size_t take = std::min(end, kOutputLineBytesMax - line_.size());
    line_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    const bool line_ends = !bytes.empty() && bytes.front() == '\n';
    if (line_ends) bytes.remove_prefix(1);
    if (line_ends || (line_.size() == kOutputLineBytesMax && !bytes.empty())) {
      emit(line_);
      line_.clear();
    }
  }
}

void LineFramer::finish() {
  if (!line_.empty()) emit(line_);
  line_.clear();
}

std::optional<std::string> system_attribute(const sqs::Message& message, std::string_view name) {
  for (const auto& [key, value] : message.attributes) {
    if (key == name) return value;
  }
  return std::nullopt;
}

int receive_count(const sqs::Message& message) {
  const auto count = parse_integer(system_attribute(message, "ApproximateReceiveCount").value_or("1"));
  return static_cast<int>(std::clamp<std::int64_t>(count.value_or(1), 1, std::numeric_limits<int>::max()));
}

std::vector<std::string> build_environment(const EnvironmentInput& input) {
  std::map<std::string, std::string> environment;
  environment["PATH"] = input.settings->path;
  environment["LANG"] = input.settings->lang;
  const std::string home = input.settings->home.empty() ? input.own("HOME").value_or("/") : input.settings->home;
  environment["HOME"] = home;
  for (const auto& [name, value] : input.spec->environment) environment[name] = value;
  for (const std::string& name : input.spec->pass_environment) {
    if (const auto value = input.own(name)) environment[name] = *value;
  }
  const sqs::Message& message = *input.message;
  environment["FERRY_PROTOCOL"] = "1";
  environment["FERRY_HANDLER"] = input.request;
  environment["FERRY_QUEUE"] = input.queue;
  environment["FERRY_MESSAGE_ID"] = message.message_id;
  environment["FERRY_RECEIVE_COUNT"] = std::to_string(receive_count(message));
  environment["FERRY_DEADLINE"] = format_utc(input.deadline);
  const auto add = [&](const char* name, std::optional<std::string> value) {
    if (value && !value->empty() && value->find('\0') == std::string::npos) environment[name] = *value;
  };
  add("FERRY_SENT_AT", time_of(system_attribute(message, "SentTimestamp").value_or("")));
  add("FERRY_FIRST_RECEIVED_AT", time_of(system_attribute(message, "ApproximateFirstReceiveTimestamp").value_or("")));
  add("FERRY_GROUP_ID", system_attribute(message, "MessageGroupId"));
  add("FERRY_SENDER", system_attribute(message, "SenderId"));
  std::vector<std::string> lines;
  lines.reserve(environment.size());
  for (const auto& [name, value] : environment) lines.push_back(fmt::format("{}={}", name, value));
  return lines;
}

}  // namespace ferry::worker
