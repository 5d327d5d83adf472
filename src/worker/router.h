#pragma once
// Which handler a message is for, and whether it may reach it. No process exists before this has said yes.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/handoff.h"
#include "sqs/api.h"

namespace ferry::worker {

struct Route {
  const config::RequestType* request = nullptr;
  std::string parameter;          ///< empty for a route that takes every message, or that is not found by its name
  std::vector<std::string> argv;  ///< placeholders filled in
  std::string signed_by{};        ///< whose signature was found right (Oversight::refusal()); empty: nobody's
};

/// Why a message goes nowhere.
enum class RefusalKind {
  Unmatched,   ///< no request is in it
  Several,     ///< it is for more than one; on_unmatched = "delete" does not count for such
  NotAllowed,  ///< it is for one, and may not reach it as it is
};
struct Refusal {
  std::string reason;  ///< a sentence part: "unknown request: …"
  RefusalKind kind = RefusalKind::NotAllowed;
};

/// How one request and one message fit.
struct Trial {
  const config::RequestType* request = nullptr;
  bool matches = false;
  std::string why;  ///< a sentence part: "its attribute kind is \"photo\"", "it has no attribute kind"
};

class Router {
 public:
  /// By the rules of the requests, of which exactly one must match. `handoff` outlives the router and does not change.
  explicit Router(const config::Handoff& handoff);
  /// Every message to one handler, which must outlive the router.
  explicit Router(const config::RequestType& every_message) : every_message_(&every_message) {}

  std::variant<Route, Refusal> route(const sqs::Message& message) const;
  /// Each request against the message, in the order of the file; nothing when every message goes to one handler.
  std::vector<Trial> try_all(const sqs::Message& message) const;

 private:
  struct Ruled {
    const config::RequestType* request = nullptr;
    std::optional<std::size_t> pointer;  // of pointers_
  };
  class Look;
  std::vector<const config::RequestType*> matching(const sqs::Message& message) const;
  Refusal unmatched(const sqs::Message& message) const;

  const config::Handoff* handoff_ = nullptr;
  const config::RequestType* every_message_ = nullptr;
  std::map<std::string, const config::RequestType*, std::less<>> by_name_;
  std::vector<Ruled> ruled_;  // the others, in the order of the file
  std::vector<config::JsonPointer> pointers_;
};

}  // namespace ferry::worker
