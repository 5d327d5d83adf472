#pragma once
// What every command that talks to a server has in common: flags, the connection made from them, what a failed call means.

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "cli/command.h"
#include "cli/output.h"
#include "client/client.h"
#include "client/endpoint.h"
#include "client/session.h"
#include "config/handoff.h"
#include "worker/transcript.h"

namespace ferry::cli {

struct ClientOptions {
  std::string endpoint_url;
  std::string region;
  std::string profile;
  bool amazon = false;
  std::string output = "auto";
  int verbose = 0;
  bool quiet = false;
  std::string transcript;
};

enum class TranscriptFlag { No, Yes };
void add_client_options(CLI::App& app, ClientOptions& options, TranscriptFlag transcript);

/// Parses. An exit code: the command ends with it, everything is said (help 0, usage 2 with a suggestion for a mistyped option).
std::optional<int> parse_arguments(CLI::App& app, std::span<const std::string> arguments, const CommandContext& context);

/// A duration for CLI11 options: "30", "30s", "5m". Throws what CLI11 expects.
std::function<void(const std::string&)> duration_into(std::optional<Millis>& target);

/// --output, and for auto whether a terminal is at stdout: Table, or `otherwise`.
OutputFormat resolve_format(const ClientOptions& options, const CommandContext& context, OutputFormat otherwise);

/// "ferry COMMAND: message" on stderr; returns `exit_code`.
int complain(const CommandContext& context, std::string_view command, std::string_view message, int exit_code);
/// The same for a failed call, with a hint when nobody answers.
int complain(const CommandContext& context, std::string_view command, const client::CallError& error, std::string_view endpoint);
/// 3 no such queue, 4 not authorised, 5 not reachable, 130 cancelled, 1 anything else.
int exit_code_of(const client::CallError& error);

/// A client as the flags ask for it, and where it says what it does.
class Session {
 public:
  /// Endpoint, region and credentials for calls about `queue` (name, URL, ARN or empty). No call is made yet.
  static Result<std::unique_ptr<Session>> open(const ClientOptions& options, const std::string& queue,
                                               const CommandContext& context);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  client::Client& client() { return session_->client(); }
  const client::Endpoint& endpoint() const { return session_->endpoint(); }

 private:
  Session(const ClientOptions& options, const CommandContext& context);

  Logger log_;
  std::unique_ptr<client::Session> session_;
};

/// The URL of a queue argument; an exit code when there is none, everything said.
struct QueueOrExit {
  std::string url;
  std::optional<int> exit_code;
};
QueueOrExit find_queue(Session& session, const std::string& queue, const CommandContext& context, std::string_view command);

/// `path`, or ./handoff.toml when `path` is empty and that file exists, or nothing. Errors are said, one a line, with exit
/// code 2.
struct HandoffOrExit {
  std::optional<config::Handoff> handoff;
  std::optional<int> exit_code;
};
HandoffOrExit find_handoff(const std::string& path, const CommandContext& context, std::string_view command);

/// --transcript; null when not asked for.
Result<std::unique_ptr<worker::Transcript>> open_transcript(const ClientOptions& options, const CommandContext& context);

}  // namespace ferry::cli
