#pragma once
// Whether a message may reach its handler: the check of trust.h, for one queue and with the worker's rule for unsigned messages.

#include <optional>
#include <string>
#include <variant>

#include "base/clock.h"
#include "config/trust_settings.h"
#include "signing/trust.h"
#include "signing/trust_file.h"
#include "sqs/api.h"

namespace ferry::signing {

/// Thread-safe.
class Admission {
 public:
  struct Options {
    std::string queue;  ///< its name, without URL and account
    config::UnsignedMessages unsigned_messages = config::UnsignedMessages::Refuse;
  };
  /// Everything outlives the admission.
  Admission(Options options, const Trust& trust, const Clock& clock)
      : options_(std::move(options)), fixed_(&trust), clock_(clock) {}
  /// By what the file says when a message is checked.
  Admission(Options options, TrustFile& file, const Clock& clock) : options_(std::move(options)), file_(&file), clock_(clock) {}

  /// The message may be handled; nothing in it: it is unsigned, and such messages are allowed.
  using Admitted = std::optional<Verified>;
  /// No I/O but TrustFile's. `request` is what the message asks for; empty when every message goes to one handler.
  std::variant<Admitted, Refused> check(const sqs::Message& message, const std::string& request) const;

 private:
  Options options_;
  const Trust* fixed_ = nullptr;  // one of the two is there
  TrustFile* file_ = nullptr;
  const Clock& clock_;
};

}  // namespace ferry::signing
