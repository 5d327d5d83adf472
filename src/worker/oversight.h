#pragma once
// Looks over messages on their way through the worker: says whose may not pass, and keeps the record of what happens to them.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/life.h"
#include "audit/writer.h"
#include "base/clock.h"
#include "signing/admission.h"
#include "sqs/api.h"
#include "worker/dispatcher.h"
#include "worker/handler.h"
#include "worker/transcript.h"

namespace ferry::worker {

/// Thread-safe. Without a trail nothing is recorded, without an admission everybody passes.
class Oversight {
 public:
  struct Parts {
    const signing::Admission* admission = nullptr;
    audit::Writer* trail = nullptr;
    Reporter& reporter;
    std::string queue;  ///< as people call it
  };
  /// Everything outlives the oversight.
  explicit Oversight(Parts parts) : parts_(std::move(parts)) {}

  /// The trail cannot be written any more: nothing may be begun. Said once.
  bool failed() const { return failed_.load(); }

  void received(const sqs::Message& message);
  /// Why the message may not reach its handler; nothing when it may: then `route` is told who signed it. No I/O but for the
  /// record and the file of allowed senders.
  std::optional<std::string> refusal(const sqs::Message& message, Route& route);
  /// Whoever refused it: `reason` is what people are told.
  void refused(const sqs::Message& message, std::string_view reason);
  /// What the ledger answered: one of the names that claims.h has; fence 0 when it was not granted.
  struct ClaimAnswered {
    std::string_view answer;
    std::int64_t fence = 0;
    std::int64_t attempt = 0;
  };
  void claimed(const Job& job, const ClaimAnswered& claim);
  /// `attempt`: the ledger's number; without a ledger the receive count.
  struct Started {
    std::int64_t attempt = 0;
    Timestamp deadline;
  };
  void started(const Job& job, const Started& what);
  /// On record when it returns: blocks for the disk.
  struct Ended {
    std::int64_t attempt = 0;  ///< like Started's
    Millis took{0};
  };
  void ended(const Job& job, const HandlerResult& result, const Ended& what);
  /// "deleted", "returned", "dead-lettered", "kept".
  void settled(const sqs::Message& message, std::string_view how, std::optional<Seconds> visible_in = std::nullopt);

 private:
  void record(const audit::Entry& entry);
  void check(const Result<void>& done);
  audit::Ids ids(const sqs::Message& message, const std::string& request = {}) const;
  audit::Ids ids(const Job& job) const;

  Parts parts_;
  std::atomic<bool> failed_{false};
};

}  // namespace ferry::worker
