#pragma once
/// @file
/// Which server is talked to, and as whom.

#include <chrono>
#include <optional>
#include <string>

namespace ferry {

/// A key of the service.
struct Credentials {
  std::string access_key_id;      ///< Not secret.
  std::string secret_access_key;  ///< Secret; never logged.
  std::string session_token{};    ///< Of temporary credentials; empty when there is none.
};

/// How to reach the service. What is left empty is found where all AWS tools look: the environment, then the files below ~/.aws.
/// Without any of it: a server of this machine, http://127.0.0.1:9324. Amazon is talked to only when something names it.
struct Connection {
  /// URL of the server; empty: AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, the profile's, the host of a queue's URL, the server of
  /// this machine.
  std::string endpoint_url{};
  /// Region that requests are signed for; empty: the host's, AWS_REGION, the profile's, us-east-1.
  std::string region{};
  /// Profile of ~/.aws/config and ~/.aws/credentials; empty: AWS_PROFILE, then "default".
  std::string profile{};
  /// Amazon SQS itself, in `region`. Not together with `endpoint_url`.
  bool amazon = false;
  /// Used instead of what environment, files, container and instance offer, which is what `std::nullopt` asks for. Those are
  /// fetched and refreshed by the calls that need them; a server of this machine may be called without any.
  std::optional<Credentials> credentials{};
  /// Attempts of one call, the first included: 1 to 100. Repeated is what may pass (no connection, throttling, 5xx), after
  /// pauses with jitter. Not given: AWS_MAX_ATTEMPTS, the profile's, 3.
  std::optional<int> attempts_max{};
  /// 1 ms to 10 min.
  std::chrono::milliseconds connect_timeout{5'000};
  /// Until the whole answer is there, beyond the wait of a long poll: 1 ms to 10 min.
  std::chrono::milliseconds read_timeout{60'000};
};

}  // namespace ferry
