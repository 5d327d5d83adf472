#pragma once
// One origin of credentials. The order of origins, keeping and refreshing are the chain's (credentials.h).

#include <memory>
#include <optional>
#include <string>

#include "access/sigv4.h"
#include "base/clock.h"
#include "base/result.h"

namespace ferry::client {

struct FetchedCredentials {
  access::Credentials credentials;
  std::optional<Timestamp> expires;  ///< nothing: never
};

/// Probe: it is not known yet whether this origin exists; one attempt, and silence means that it does not.
/// Fetch: it has given credentials before; failures are tried again and are errors.
enum class FetchMode { Probe, Fetch };

/// Not thread-safe: the chain asks one thread at a time. Blocks.
class CredentialProvider {
 public:
  virtual ~CredentialProvider() = default;
  /// For people: "environment", "profile default", "instance metadata".
  virtual std::string name() const = 0;
  /// Nothing: this origin is not configured here. An error: it is, and does not work.
  virtual Result<std::optional<FetchedCredentials>> fetch(FetchMode mode) = 0;
};

}  // namespace ferry::client
