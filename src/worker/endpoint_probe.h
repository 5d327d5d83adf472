#pragma once
// Whether an endpoint could be posted to: a connection to it, with the handshake of TLS, and nothing sent.

#include <optional>
#include <string>

#include "base/clock.h"
#include "config/handler_spec.h"

namespace ferry::worker {

struct EndpointProbe {
  std::string error;                             ///< why there is no connection; empty: there is one
  bool untrusted = false;                        ///< the certificate was refused
  std::optional<Timestamp> certificate_expires;  ///< of the endpoint's own certificate; none without TLS
};
/// Connects as HttpRunner would. Blocks for `timeout` at most.
EndpointProbe probe_endpoint(const config::HttpEndpoint& endpoint, Millis timeout);

}  // namespace ferry::worker
