#include "worker/handler_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/encoding.h"
#include "base/log.h"

namespace ferry::worker {
namespace {

std::string time_of(const std::string& epoch_millis) {
  const auto millis = parse_integer(epoch_millis);
  return millis ? format_utc(from_epoch_millis(*millis)) : std::string();
}
}  // namespace

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
