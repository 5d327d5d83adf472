#pragma once
// Handlers that are web endpoints. One thread has all requests on their way; a request that waits, for an answer or for its
// completion, costs memory and no thread.
//
// Each call is one POST and never a second one: whether an endpoint that went away after the request was sent has done its work
// is not known, so its message is tried again later, with the same Idempotency-Key. Connections are kept and used again;
// redirects are not followed.

#include <memory>

#include "base/clock.h"
#include "worker/completions.h"
#include "worker/handler.h"
#include "worker/transcript.h"

namespace ferry::worker {

class HttpRunner final : public HandlerRunner {
 public:
  /// `completions` may be null: then an endpoint cannot accept work and finish it later. All outlive the runner.
  HttpRunner(Completions* completions, const Clock& clock, Reporter& reporter);
  ~HttpRunner() override;
  HttpRunner(const HttpRunner&) = delete;
  HttpRunner& operator=(const HttpRunner&) = delete;

  void start(HandlerCall call, Done done) override;
  /// Any level but 0 ends requests at once: an endpoint cannot be asked to hurry.
  void interrupt(int level) override;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace ferry::worker
