#include "worker/handler.h"

namespace ferry::worker {

std::string_view name_of(HandlerEnd end) {
  switch (end) {
    case HandlerEnd::Done:
      return "done";
    case HandlerEnd::Retry:
      return "retry";
    case HandlerEnd::Unavailable:
      return "unavailable";
    case HandlerEnd::Rejected:
      return "rejected";
    case HandlerEnd::OurFault:
      return "our-fault";
    case HandlerEnd::NotStarted:
      return "not-started";
    case HandlerEnd::TimedOut:
      return "timed-out";
    case HandlerEnd::Crashed:
      return "crashed";
    case HandlerEnd::Unknown:
      return "unknown";
    case HandlerEnd::Interrupted:
      return "interrupted";
  }
  return "unknown";
}

bool is_attempt(HandlerEnd end) {
  return end != HandlerEnd::OurFault && end != HandlerEnd::NotStarted && end != HandlerEnd::Interrupted;
}

std::string_view HandlerCall::input() const {
  switch (spec->input) {
    case config::HandlerInput::Body:
      return message->body;
    case config::HandlerInput::Line:
    case config::HandlerInput::Envelope:
      return envelope;
    case config::HandlerInput::None:
      return {};
  }
  return {};
}

}  // namespace ferry::worker
