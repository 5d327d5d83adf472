#pragma once
// What a worker was given, checked and brought into the form that the configuration file has. Opens nothing.

#include <map>
#include <string>
#include <vector>

#include "config/handoff.h"
#include "ferry/worker.h"

namespace ferry::library {

struct Registration {
  std::string request;  ///< empty: every message
  Handler handler;
  HandlerOptions options;
};

struct Plan {
  config::Handoff handoff;            ///< settings; the requests, unless every message goes to one handler
  config::RequestType every_message;  ///< that one
  bool takes_every_message = false;
};

/// InvalidArgument: everything that is wrong, one a line.
Expected<Plan> make_plan(const WorkerOptions& options, const std::vector<Registration>& registrations);

}  // namespace ferry::library
