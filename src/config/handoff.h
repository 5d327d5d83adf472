#pragma once
// handoff.toml: request names with their parameter types and the handler of each. One file for both ends: `send` validates
// against it, `work` and `poll` run it. docs/worker.md describes every key.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/argument.h"
#include "config/handler_spec.h"
#include "config/ledger_settings.h"
#include "config/match.h"
#include "config/parameter.h"
#include "config/trust_settings.h"

namespace ferry::config {

/// What happens to a message that is refused for good.
enum class OnUnmatched { Keep, DeadLetter, Delete };

struct RequestType {
  std::string name;
  std::string description;
  Match match;  ///< how it is recognised: by an attribute of its name unless the file says otherwise; case matters
  ParameterType parameter;
  std::map<std::string, ParameterType> attributes;  ///< further attributes that its handler uses
  std::optional<HandlerSpec> handler;
  LedgerRules ledger;
  int line = 0;

  /// Why this parameter cannot be sent or handled; nothing when it can. Includes the refusals of the handler's placeholders.
  std::optional<std::string> parameter_refusal(std::string_view value) const;
  /// Its name; "the command" for that of a COMMAND, which has none.
  std::string shown_name() const;
};

inline constexpr int kConcurrencyMax = 4'096;

/// A place to listen on that only this machine reaches.
struct LoopbackAddress {
  std::string host;
  std::uint16_t port = 0;  ///< 0: any free one
};
/// "127.0.0.1:8090", "[::1]:0", "localhost:8090". Nothing for anything else.
std::optional<LoopbackAddress> parse_loopback(std::string_view text);

struct WorkerSettings {
  int concurrency = 4;
  Seconds visibility{60};
  Seconds wait{20};
  Millis drain_timeout{Seconds(30)};
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  std::string home;  ///< the worker's own when empty
  std::string lang = "C.UTF-8";
  std::optional<LoopbackAddress> completion;  ///< where endpoints tell that work of theirs is done
  std::optional<LoopbackAddress> metrics;     ///< where Prometheus reads what the worker counts
};

struct BackoffSettings {
  Millis base{Seconds(5)};
  Millis max{Seconds(900)};
};

struct Handoff {
  std::string file;    ///< as named; for messages
  std::string folder;  ///< relative programs start here, and handlers run here
  OnUnmatched on_unmatched = OnUnmatched::Keep;
  std::string dead_letter_queue;  ///< set exactly when on_unmatched is DeadLetter
  WorkerSettings worker;
  BackoffSettings backoff;
  TrustTable trust;
  AuditTable audit;
  SenderTable sender;
  LedgerTable ledger;
  std::vector<RequestType> requests;  ///< in the order of the file

  const RequestType* find(std::string_view name) const;
  std::vector<std::string> request_names() const;
  /// The longest `kill_grace` of a handler.
  Millis longest_kill_grace() const;
};

/// Everything that is wrong, each a sentence that starts with "FILE:LINE: ".
struct ConfigErrors {
  std::vector<std::string> messages;
  /// One a line, no newline at the end.
  std::string text() const;
};

/// Checks everything that does not depend on this machine. `file` is for messages; `folder` is where it lies.
struct HandoffSource {
  std::string_view text;
  std::string file;
  std::string folder;
};
Result<Handoff, ConfigErrors> parse_handoff(const HandoffSource& source);
/// Reads and parses. At most 1 MiB.
Result<Handoff, ConfigErrors> load_handoff(const std::string& path);

/// What only the worker needs: every request has a handler, every program is there, executable, and not for everybody to write,
/// every key file is there and for its owner alone. Fills in HandlerSpec::program and HttpEndpoint::signing_key and makes paths
/// absolute. A program with '/' is relative to the folder of the file, another is looked up in worker.path.
Result<void, ConfigErrors> resolve_programs(Handoff& handoff);

/// "90" or "90s", "500ms", "5m", "2h": a duration. For flags and for the file.
std::optional<Millis> parse_duration(std::string_view text);

}  // namespace ferry::config
