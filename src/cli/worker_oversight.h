#pragma once
// [trust] and [audit] of handoff.toml made into what looks over a worker's messages.

#include <memory>
#include <optional>
#include <string>

#include "audit/writer.h"
#include "base/posix_file.h"
#include "cli/command.h"
#include "config/handoff.h"
#include "signing/admission.h"
#include "worker/oversight.h"

namespace ferry::cli {

class WorkerOversight {
 public:
  /// Reads the file of allowed senders and opens the trail, as far as the configuration names them; `queue` is the command's
  /// argument. Blocks for the disk. Errors are about the configuration: a message, one line for each of them.
  static Result<std::unique_ptr<WorkerOversight>> open(const config::Handoff& handoff, const std::string& queue,
                                                       const CommandContext& context, worker::Reporter& reporter);
  /// Null when neither is named.
  worker::Oversight* get() { return oversight_ ? &*oversight_ : nullptr; }
  /// The trail is whole and durable up to here. Nothing may be recorded afterwards.
  Result<void> close();

 private:
  WorkerOversight() = default;
  Result<void> open_trust(const config::TrustTable& table, const std::string& queue, const CommandContext& context);
  Result<void> open_trail(const config::AuditTable& table, const CommandContext& context);

  PosixFileSystem files_;
  std::optional<signing::Trust> trust_;
  std::optional<signing::Admission> admission_;
  std::unique_ptr<audit::Writer> trail_;
  std::optional<worker::Oversight> oversight_;
};

}  // namespace ferry::cli
