#pragma once
// Handlers that are processes. One thread starts them, reads what they write, stops them when their time is over, and sees them
// end.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/process.h"
#include "worker/handler.h"
#include "worker/transcript.h"

namespace ferry::worker {

/// What an exit status means (docs/worker.md, "Exit codes").
HandlerResult classify_exit(const ExitStatus& status);

/// Their output goes to the reporter line by line, capped.
class ProcessRunner final : public HandlerRunner {
 public:
  /// Both outlive the runner.
  ProcessRunner(const Clock& clock, Reporter& reporter);
  ~ProcessRunner() override;
  ProcessRunner(const ProcessRunner&) = delete;
  ProcessRunner& operator=(const ProcessRunner&) = delete;

  void start(HandlerCall call, Done done) override;
  void interrupt(int level) override;

 private:
  struct Run;
  struct Asked {
    HandlerCall call;
    Done done;
  };
  void loop();
  void begin(Asked asked);
  void look_after(Run& run);
  Millis until_next_timer() const;
  void end_finished();

  const Clock& clock_;
  Reporter& reporter_;
  InterruptLevel interrupt_{0};
  ProcessSet set_;
  std::mutex mutex_;
  std::vector<Asked> asked_;  // guarded by mutex_, like the next
  bool stopped_ = false;
  std::map<std::uint64_t, std::unique_ptr<Run>> runs_;  // the thread's own, like the next
  std::uint64_t next_tag_ = 0;
  std::thread thread_;
};

}  // namespace ferry::worker
