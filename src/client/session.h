#pragma once
// A client and what it is made of, from what people and the environment say.

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "client/client.h"
#include "client/credentials.h"
#include "client/endpoint.h"
#include "client/environment.h"
#include "client/shared_config.h"

namespace ferry::client {

struct SessionRequest {
  EndpointRequest endpoint;
  std::string profile;                             ///< --profile; empty when not given
  std::optional<access::Credentials> credentials;  ///< instead of the chain's
  std::optional<int> attempts_max;                 ///< not given: environment, profile, 3
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds read_timeout{60'000};  ///< beyond WaitTimeSeconds for a long poll
};

/// Thread-safe but for its making.
class Session {
 public:
  /// Finds endpoint, region and credentials; makes no call. Everything but `request` and `environment` outlives the session.
  /// Errors are about what was given: InvalidArgument, and those of the shared files.
  static Result<std::unique_ptr<Session>> open(const SessionRequest& request, Environment environment, const Clock& clock,
                                               Random& random, const Logger& log);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Client& client() { return *client_; }
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  explicit Session(Environment environment) : environment_(std::move(environment)) {}

  Environment environment_;
  Profile profile_;
  Endpoint endpoint_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Transport> metadata_;
  std::unique_ptr<CredentialSource> credentials_;
  std::unique_ptr<Client> client_;
};

}  // namespace ferry::client
