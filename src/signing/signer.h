#pragma once
// Puts the reserved attribute into messages: signed, or as an idempotency key alone.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "signing/key.h"
#include "sqs/api.h"

namespace ferry::signing {

struct Stamp {
  std::string queue;                           ///< name of the queue that the message is sent to; needed to sign
  std::optional<std::string> idempotency_key;  ///< absent: a fresh UUIDv7 when signing
  std::optional<std::string> traceparent;      ///< carried when it is one, else left out
  std::optional<Millis> valid_for;             ///< signed messages: refused by workers after so long
};

class Stamper {
 public:
  /// `key` null: nothing is signed. Everything outlives the stamper.
  Stamper(const PrivateKey* key, const Clock& clock, Random& random) : key_(key), clock_(clock), random_(random) {}

  /// Adds the attribute to a message that is complete but for it. Without a key and without an idempotency key nothing is
  /// added. InvalidArgument: the message has the attribute already (in any spelling), has as many attributes as SQS takes, the
  /// idempotency key or the queue name is none, or the message is larger with it than SQS takes.
  Result<void> stamp(sqs::SendMessageEntry& entry, const Stamp& stamp) const;

 private:
  const PrivateKey* key_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace ferry::signing
