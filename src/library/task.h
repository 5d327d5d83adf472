#pragma once
// What users' handlers are given, and what becomes of what they answer.

#include "ferry/handler.h"
#include "worker/function_runner.h"

namespace ferry {

/// What a Task looks at.
struct Task::View {
  const worker::HandlerCall& call;
  const worker::Cancellation& cancellation;
};

namespace library {

/// Told what is dropped, and why.
using Complaint = std::function<void(std::string_view text)>;

/// `complain` may be called on any thread of the worker.
worker::HandlerFunction function_for(Handler handler, Complaint complain);

}  // namespace library
}  // namespace ferry
