#include "cli/client_options.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/encoding.h"
#include "base/suggest.h"
#include "client/queue_reference.h"
#include "worker/queue_port.h"

namespace ferry::cli {
namespace {

LogLevel log_level(const ClientOptions& options) {
  if (options.quiet) return LogLevel::Error;
  return options.verbose > 1 ? LogLevel::Debug : LogLevel::Warn;
}

std::string suggest_option(const CLI::App& app, std::span<const std::string> arguments) {
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    const std::string name = argument.substr(0, argument.find('='));
    if (!name.starts_with("--") || std::find(known.begin(), known.end(), name) != known.end()) continue;
    return did_you_mean(name, known);
  }
  return {};
}
}  // namespace

void add_client_options(CLI::App& app, ClientOptions& options, TranscriptFlag transcript) {
  app.add_option("--endpoint-url", options.endpoint_url,
                 "the server [AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, the profile, the queue's URL, http://127.0.0.1:9324]");
  app.add_option("--region", options.region, "region that requests are signed for [AWS_REGION, the profile, us-east-1]");
  app.add_option("--profile", options.profile, "profile of ~/.aws/config and ~/.aws/credentials [AWS_PROFILE]");
  app.add_flag("--aws", options.amazon, "Amazon SQS itself");
  app.add_option("-o,--output", options.output, "auto, table, json or jsonl [auto: a table for a terminal, JSON otherwise]")
      ->check(CLI::IsMember({"auto", "table", "json", "jsonl"}));
  app.add_flag("-v,--verbose", options.verbose, "tell every step; twice: retries and signing as well");
  app.add_flag("-q,--quiet", options.quiet, "only errors");
  if (transcript == TranscriptFlag::Yes) {
    app.add_option("--transcript", options.transcript, "append everything that is done to this file");
  }
}

std::optional<int> parse_arguments(CLI::App& app, std::span<const std::string> arguments, const CommandContext& context) {
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // what CLI11 takes
  try {
    app.parse(reversed);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    write_text(context.out, app.help());
    return kExitDone;
  } catch (const CLI::ParseError& error) {
    write_text(context.err, fmt::format("{}: {}{}\nSee: {} --help\n", app.get_name(), escape_control(error.what()),
                                        suggest_option(app, arguments), app.get_name()));
    return kExitUsage;
  }
}

std::function<void(const std::string&)> duration_into(std::optional<Millis>& target) {
  return [&target](const std::string& text) {
    target = config::parse_duration(text);
    if (!target) throw CLI::ValidationError(fmt::format("\"{}\" is no duration (30, 30s, 500ms, 5m, 2h)", escape_control(text)));
  };
}

OutputFormat resolve_format(const ClientOptions& options, const CommandContext& context, OutputFormat otherwise) {
  const OutputFormat format = parse_output_format(options.output).value_or(OutputFormat::Auto);
  if (format != OutputFormat::Auto) return format;
  return is_terminal(context.out) ? OutputFormat::Table : otherwise;
}

int complain(const CommandContext& context, std::string_view command, std::string_view message, int exit_code) {
  std::string text;
  for (std::size_t at = 0; at <= message.size();) {
    const std::size_t end = std::min(message.find('\n', at), message.size());
    text += fmt::format("ferry {}: {}\n", command, escape_control(message.substr(at, end - at)));
    at = end + 1;
  }
  write_text(context.err, text);
  return exit_code;
}

int complain(const CommandContext& context, std::string_view command, const client::CallError& error, std::string_view endpoint) {
  std::string message = error.message;
  if (error.kind == client::CallError::Kind::Service && !error.code.empty() && message.find(error.code) == std::string::npos) {
    message = message.empty() ? error.code : fmt::format("{} ({})", message, error.code);
  }
  if (error.kind == client::CallError::Kind::NotReachable) {
    if (message.find(endpoint) == std::string::npos) message += fmt::format(" at {}", endpoint);
    message += " (ferry serve starts a server; --endpoint-url names another one)";
  }
  return complain(context, command, message, exit_code_of(error));
}

int exit_code_of(const client::CallError& error) {
  switch (worker::classify(error)) {
    case worker::Fault::NoQueue:
      return kExitNotFound;
    case worker::Fault::NotAuthorised:
      return kExitNotAuthorised;
    case worker::Fault::Cancelled:
      return 130;
    default:
      break;
  }
  const bool silent = error.kind == client::CallError::Kind::NotReachable || error.kind == client::CallError::Kind::Unknown;
  return silent ? kExitNotReachable : kExitFailed;
}

Session::Session(const ClientOptions& options, const CommandContext& context)
    : log_(context.clock, log_level(options), LogFormat::Text, context.err) {}

Result<std::unique_ptr<Session>> Session::open(const ClientOptions& options, const std::string& queue,
                                               const CommandContext& context) {
  std::unique_ptr<Session> session(new Session(options, context));
  client::SessionRequest request;
  request.endpoint = {options.endpoint_url, options.region, options.amazon, queue};
  request.profile = options.profile;
  FERRY_TRY(session->session_,
            client::Session::open(request, context.variables != nullptr ? *context.variables : client::process_environment(),
                                  context.clock, context.random, session->log_));
  return session;
}

QueueOrExit find_queue(Session& session, const std::string& queue, const CommandContext& context, std::string_view command) {
  const Result<client::QueueReference> reference = client::parse_queue_argument(queue);
  if (!reference) return {{}, complain(context, command, reference.error().message, kExitUsage)};
  const client::CallResult<std::string> url = client::resolve_queue(session.client(), *reference);
  if (url) return {*url, std::nullopt};
  client::CallError error = url.error();
  if (worker::classify(error) == worker::Fault::NoQueue)
    error.message = fmt::format("there is no queue {} at {}", queue, session.endpoint().url);
  return {{}, complain(context, command, error, session.endpoint().url)};
}

HandoffOrExit find_handoff(const std::string& path, const CommandContext& context, std::string_view command) {
  std::error_code ignored;
  if (path.empty() && !std::filesystem::exists("handoff.toml", ignored)) return {};
  auto handoff = config::load_handoff(path.empty() ? "handoff.toml" : path);
  if (!handoff) return {std::nullopt, complain(context, command, handoff.error().text(), kExitUsage)};
  return {std::move(*handoff), std::nullopt};
}

Result<std::unique_ptr<worker::Transcript>> open_transcript(const ClientOptions& options, const CommandContext& context) {
  if (options.transcript.empty()) return std::unique_ptr<worker::Transcript>();
  return worker::Transcript::open(options.transcript, context.clock);
}

}  // namespace ferry::cli
