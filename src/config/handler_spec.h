#pragma once
// Who carries out a request: a program or a web endpoint, and within which bounds. A part of handoff.toml (handoff.h).

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/process.h"
#include "config/argument.h"

namespace ferry::config {

/// What a program finds on its standard input, and an endpoint as the body of the request.
enum class HandlerInput {
  Body,      ///< the message's body, byte for byte
  Line,      ///< programs only: the body, and a line break if it does not end with one
  Envelope,  ///< JSON: the whole message (docs/worker.md, "The envelope")
  None,      ///< programs only
};

struct HttpEndpoint {
  std::string url;               ///< http://… or https://…
  std::string socket;            ///< path of a Unix socket to connect to instead of the URL's host; empty: none
  std::string content_type;      ///< of the requests
  std::string proxy;             ///< URL; empty: none, whatever the environment says
  std::string ca_file;           ///< certificates to trust instead of the system's; empty: those
  std::string signing_key_file;  ///< empty: requests are not signed
  std::string signing_key{};     ///< what the file holds; a secret; set by resolve_programs()
};
inline constexpr std::size_t kSigningKeyBytesMin = 16;
inline constexpr std::size_t kSigningKeyBytesMax = 4'096;

/// At most `count` begun in any `per`, evenly: a bucket of `count` tokens that fills in `per`.
struct RateLimit {
  int count = 1;
  Millis per{Seconds(1)};
};

/// After `failures` in a row the handler is paused for `pause`; then one request tries.
struct BreakerSettings {
  int failures = 5;
  Millis pause{Seconds(30)};
};

struct HandlerSpec {
  std::vector<Argument> argv;        ///< of a program
  std::optional<HttpEndpoint> http;  ///< set: an endpoint, no program
  std::string program;               ///< absolute path; empty until resolve_programs()
  Millis timeout{Seconds(300)};
  Millis kill_grace{Seconds(5)};  ///< between SIGTERM and SIGKILL
  int poison_after = 3;           ///< a message whose attempts were so often killed by a signal is refused; 0: none is
  int concurrency = 0;            ///< at most so many at a time; 0: only the worker's slots limit it
  HandlerInput input = HandlerInput::Body;
  std::map<std::string, std::string> environment;  ///< constants
  std::vector<std::string> pass_environment;       ///< names taken over from the worker's environment
  ProcessLimits limits;                            ///< of the program and each process that it starts
  bool no_new_privileges = true;                   ///< sudo and its like do not work in it
  std::optional<RateLimit> rate;
  std::optional<BreakerSettings> breaker;
};

/// "512M" (K, M, G, T; powers of 1024) or bytes: a size. Nothing for anything else.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// "10/s", "100/m", "5/h". Nothing for anything else.
std::optional<RateLimit> parse_rate(std::string_view text);

}  // namespace ferry::config
