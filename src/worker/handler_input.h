#pragma once
// What a handler is given of a message.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/handoff.h"
#include "sqs/api.h"

namespace ferry::worker {

struct EnvironmentInput {
  const config::HandlerSpec* spec = nullptr;
  const config::WorkerSettings* settings = nullptr;
  const sqs::Message* message = nullptr;
  std::string request;
  std::string queue;
  Timestamp deadline;
  std::function<std::optional<std::string>(const std::string&)> own;  ///< the worker's environment, for pass_environment and HOME
};
/// "NAME=VALUE" each, sorted: PATH, HOME, LANG, constants, passed names, and the FERRY_… names of docs/worker.md. Nothing else.
std::vector<std::string> build_environment(const EnvironmentInput& input);

/// A system attribute, or nothing.
std::optional<std::string> system_attribute(const sqs::Message& message, std::string_view name);
/// ApproximateReceiveCount; 1 when it is not told.
int receive_count(const sqs::Message& message);

}  // namespace ferry::worker
