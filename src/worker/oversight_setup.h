#pragma once
// [trust] and [audit] of the configuration made into what looks over a worker's messages.

#include <memory>
#include <optional>
#include <string>

#include "audit/writer.h"
#include "base/clock.h"
#include "base/posix_file.h"
#include "base/random.h"
#include "config/handoff.h"
#include "signing/admission.h"
#include "signing/key_file.h"
#include "worker/oversight.h"

namespace ferry::worker {

/// Everything but `environment` outlives what is made with it.
struct OversightSeams {
  signing::EnvironmentGetter environment;
  const Clock& clock;
  Random& random;
  Reporter& reporter;
};

class WorkerOversight {
 public:
  /// Reads the file of allowed senders and opens the trail, as far as the configuration names them; `queue` is a name, URL or
  /// ARN. Blocks for the disk. Errors are about the configuration: a message, one line for each of them.
  static Result<std::unique_ptr<WorkerOversight>> open(const config::Handoff& handoff, const std::string& queue,
                                                       const OversightSeams& seams);
  /// Null when neither is named.
  Oversight* get() { return oversight_ ? &*oversight_ : nullptr; }
  /// The file of allowed senders is read again before the next message is checked, and the outcome told. False: none is named.
  /// Thread-safe.
  bool reload_trust();
  /// The trail is whole and durable up to here. Nothing may be recorded afterwards.
  Result<void> close();

 private:
  WorkerOversight() = default;
  Result<void> open_trust(const config::TrustTable& table, const std::string& queue, const OversightSeams& seams);
  Result<void> open_trail(const config::AuditTable& table, const OversightSeams& seams);

  PosixFileSystem files_;
  std::unique_ptr<signing::TrustFile> trust_;
  std::optional<signing::Admission> admission_;
  std::unique_ptr<audit::Writer> trail_;
  std::optional<Oversight> oversight_;
};

}  // namespace ferry::worker
