#pragma once
// Which handler a message is for, and whether it may reach it. No process exists before this has said yes.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/handoff.h"
#include "sqs/api.h"

namespace ferry::worker {

struct Route {
  const config::RequestType* request = nullptr;
  std::string parameter;          ///< empty for a route that takes every message
  std::vector<std::string> argv;  ///< placeholders filled in
};
struct Refusal {
  std::string reason;  ///< a sentence part: "unknown request: …"
};

class Router {
 public:
  /// By the names of the requests: exactly one message attribute must be one. `handoff` outlives the router.
  explicit Router(const config::Handoff& handoff) : handoff_(&handoff) {}
  /// Every message to one handler, which must outlive the router.
  explicit Router(const config::RequestType& every_message) : every_message_(&every_message) {}

  std::variant<Route, Refusal> route(const sqs::Message& message) const;

 private:
  const config::Handoff* handoff_ = nullptr;
  const config::RequestType* every_message_ = nullptr;
};

}  // namespace ferry::worker
