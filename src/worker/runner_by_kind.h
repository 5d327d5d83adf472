#pragma once
// Programs to one runner, endpoints to another.

#include "worker/handler.h"

namespace ferry::worker {

class RunnerByKind final : public HandlerRunner {
 public:
  /// Both outlive this.
  RunnerByKind(HandlerRunner& programs, HandlerRunner& endpoints) : programs_(programs), endpoints_(endpoints) {}
  void start(HandlerCall call, Done done) override {
    HandlerRunner& runner = call.spec->http ? endpoints_ : programs_;
    runner.start(std::move(call), std::move(done));
  }
  void interrupt(int level) override {
    programs_.interrupt(level);
    endpoints_.interrupt(level);
  }

 private:
  HandlerRunner& programs_;
  HandlerRunner& endpoints_;
};

}  // namespace ferry::worker
