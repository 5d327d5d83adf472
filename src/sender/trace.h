#pragma once
// Sending the trace along that a message is a part of: the attributes traceparent and tracestate.

#include <string>

#include "base/result.h"
#include "signing/signer.h"
#include "sqs/api.h"

namespace ferry::sender {

struct Trace {
  std::string parent;   ///< parse_traceparent() takes it
  std::string state{};  ///< is_tracestate(), or empty
};

/// How a message that was stamped carries the trace.
enum class TraceFit {
  Whole,    ///< as attributes, or there is none
  NoState,  ///< there was no room for tracestate
  NoRoom,   ///< not as an attribute; a stamped one has the traceparent in its reserved attribute
  Own,      ///< it had an attribute traceparent before: that one stands
};

/// Stamps a message that is complete but for that, with the trace in front of the stamp: a signature covers it. `trace` null:
/// there is none. A trace never is the reason for a refusal: when the attributes or the bytes of a message do not suffice, it
/// is left out. Errors are those of Stamper::stamp(); `stamp.traceparent` is not looked at.
Result<TraceFit> stamp_traced(const signing::Stamper& stamper, sqs::SendMessageEntry& entry, signing::Stamp stamp,
                              const Trace* trace);

}  // namespace ferry::sender
