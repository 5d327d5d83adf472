#pragma once
// Who asks, and may they: signatures, grants, and the guard against web pages that post to a server on loopback.

#include <string>
#include <string_view>

#include "access/keys.h"
#include "access/sigv4.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "http/server.h"
#include "sqs/error.h"

namespace ferry::service {

inline constexpr std::string_view kDefaultAccount = "000000000000";
inline constexpr std::string_view kDefaultRegion = "us-east-1";

struct Identity {
  engine::Caller caller;
  std::string account;
  std::string region;
  const access::Key* key = nullptr;  ///< null: signatures are not asked for, everything is allowed
};

/// Thread-safe.
class IdentityCheck {
 public:
  /// `keys` may be null (no signatures asked for); else it outlives the check.
  IdentityCheck(const access::KeyRing* keys, const Clock& clock);

  /// Without keys: refuses what a web page elsewhere can send (Origin, Sec-Fetch-Site, a Host that DNS rebinding can reach),
  /// and takes account and region from whatever signature there is, unverified. With keys: the verified signer.
  sqs::ApiResult<Identity> identify(const http::Request& request);

  /// AccessDenied unless the identity's key may call `action` on `queue_name` (empty: an action without a queue).
  static sqs::ApiResult<void> authorize(const Identity& identity, std::string_view action, std::string_view queue_name);

 private:
  sqs::ApiResult<Identity> identify_unsigned(const http::Request& request) const;

  const access::KeyRing* keys_;
  const Clock& clock_;
  access::SignatureVerifier verifier_;
};

/// Whether a Host header names something that a web page's own domain cannot be made to resolve to: an address, a single
/// label, *.localhost or host.docker.internal; any port.
bool is_local_host(std::string_view host);

}  // namespace ferry::service
