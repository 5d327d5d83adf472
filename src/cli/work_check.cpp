#include "cli/work_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "cli/dlq_parts.h"
#include "cli/queue_scan.h"
#include "cli/worker_handlers.h"
#include "cli/worker_parts.h"
#include "worker/client_queue_port.h"
#include "worker/router.h"
#include "worker/transcript.h"

namespace ferry::cli {
namespace {

constexpr std::size_t kMessagesMax = 1'000;
constexpr std::size_t kShownReasonBytes = 200;
constexpr std::size_t kShownArgvBytes = 120;

std::string as_text(const config::Argument& argument) {
  switch (argument.kind) {
    case config::PlaceholderKind::Attribute:
      return fmt::format("{}{{attr:{}}}", argument.prefix, argument.attribute);
    case config::PlaceholderKind::Body:
      return argument.prefix + "{body}";
    case config::PlaceholderKind::MessageId:
      return argument.prefix + "{message_id}";
    default:
      return argument.prefix;
  }
}

std::string in_short(Millis time) {
  return time.count() % 1000 == 0 ? fmt::format("{}s", time.count() / 1000) : fmt::format("{}ms", time.count());
}

class Check {
 public:
  Check(const WorkerFlags& flags, std::string_view name, const CommandContext& context)
      : flags_(flags), name_(name), context_(context) {}

  // As the worker itself reads them.
  std::optional<int> read_handlers() { return cli::read_handlers(flags_, name_, context_, handlers_); }

  // What else of this machine a run would stumble over. An exit code when there is something, everything said.
  std::optional<int> tell_faults() const {
    if (!flags_.command.empty()) return std::nullopt;
    const std::vector<Finding> faults = examine_files(handoff_, context_);
    for (const Finding& fault : faults)
      complain(context_, name_, fmt::format("{}: {}; {}", fault.check, fault.text, fault.mend), 0);
    if (faults.empty()) return std::nullopt;
    return kExitUsage;
  }

  int tell_routes() const {
    const OutputFormat format = resolve_format(flags_.client, context_, OutputFormat::Json);
    std::vector<const config::RequestType*> requests;
    if (!flags_.command.empty()) requests.push_back(&command_);
    for (const config::RequestType& request : handoff_.requests) requests.push_back(&request);
    if (format == OutputFormat::Table) {
      std::vector<std::vector<std::string>> rows;
      for (const config::RequestType* request : requests) {
        rows.push_back({name_of(*request), recognised_by(*request), allowed(*request), handler_of(*request),
                        in_short(request->handler->timeout), concurrency(*request)});
      }
      write_text(context_.out, format_table({"REQUEST", "RECOGNISED BY", "PARAMETER", "HANDLER", "TIMEOUT", "AT A TIME"}, rows));
      return kExitDone;
    }
    DocumentList list(format);
    std::string text;
    for (const config::RequestType* request : requests) {
      JsonWriter json;
      json.begin_object().key("Request").text(request->name).key("RecognisedBy").text(recognised_by(*request));
      json.key("Parameter").text(allowed(*request));
      if (request->handler->http) {
        json.key("Post").text(request->handler->http->url);
      } else {
        json.key("Argv").begin_array();
        for (const std::string& word : argv_of(*request)) json.text(word);
        json.end_array().key("Program").text(request->handler->program);
      }
      json.key("TimeoutMillis").number(request->handler->timeout.count());
      json.key("Concurrency").number(std::stoll(concurrency(*request))).end_object();
      text += list.next(json.str());
    }
    write_text(context_.out, text + list.end());
    return kExitDone;
  }

  int tell_messages() {
    const StopSignals stop(context_);
    auto session = Session::open(flags_.client, flags_.queue, context_);
    if (!session) return complain(context_, name_, session.error().message, kExitUsage);
    const QueueOrExit where = find_queue(**session, flags_.queue, context_, name_);
    if (where.exit_code) return *where.exit_code;
    worker::ClientQueuePort port((*session)->client(), where.url, "");
    ScanOptions options;
    options.messages_max = flags_.messages_max ? static_cast<std::size_t>(*flags_.messages_max) : kMessagesMax;
    const OutputFormat format = resolve_format(flags_.client, context_, OutputFormat::JsonLines);
    DocumentList list(format);
    std::vector<std::vector<std::string>> rows;
    std::size_t refused = 0;
    const ScanReport report = scan_queue(port, context_.clock, options, stop.flag(), [&](const sqs::Message& message) {
      const auto routed = handlers_.router->route(message);
      if (std::holds_alternative<worker::Refusal>(routed)) ++refused;
      if (format == OutputFormat::Table) {
        rows.push_back(row_of(message, routed));
      } else {
        write_text(context_.out, list.next(as_json(message, routed)));
      }
      return true;
    });
    if (format != OutputFormat::Table) {
      write_text(context_.out, list.end());
    } else if (!rows.empty()) {
      write_text(context_.out, format_table({"MESSAGE", "REQUEST", "WOULD RUN"}, rows));
    }
    return finish(report, refused, **session, stop.flag());
  }

 private:
  using Routed = std::variant<worker::Route, worker::Refusal>;

  static std::string name_of(const config::RequestType& request) {
    return request.name.empty() ? "(every message)" : request.name;
  }
  static std::string recognised_by(const config::RequestType& request) {
    return request.name.empty() ? "nothing: every message" : request.match.describe();
  }
  static std::string allowed(const config::RequestType& request) {
    if (request.name.empty()) return "anything";
    return request.match.kind == config::MatchKind::Name ? request.parameter.describe() : "none";
  }
  static std::string handler_of(const config::RequestType& request) {
    if (request.handler->http) return "POST " + request.handler->http->url;
    return fmt::format("{}", fmt::join(argv_of(request), " "));
  }
  static std::vector<std::string> argv_of(const config::RequestType& request) {
    std::vector<std::string> words;
    for (const config::Argument& argument : request.handler->argv) words.push_back(as_text(argument));
    return words;
  }
  std::string concurrency(const config::RequestType& request) const {
    const int slots = flags_.concurrency.value_or(handoff_.worker.concurrency);
    const int own = request.handler->concurrency;
    return std::to_string(own == 0 ? slots : std::min(own, slots));
  }

  static std::vector<std::string> row_of(const sqs::Message& message, const Routed& routed) {
    if (const auto* refusal = std::get_if<worker::Refusal>(&routed)) {
      return {message.message_id, "REFUSED", worker::clip(refusal->reason, kShownReasonBytes)};
    }
    const auto& route = std::get<worker::Route>(routed);
    const auto& http = route.request->handler->http;
    const std::string what = http ? "POST " + http->url : fmt::format("{}", fmt::join(route.argv, " "));
    return {message.message_id, name_of(*route.request), worker::clip(what, kShownArgvBytes)};
  }

  std::string as_json(const sqs::Message& message, const Routed& routed) const {
    JsonWriter json;
    json.begin_object().key("MessageId").text(message.message_id);
    if (const auto* refusal = std::get_if<worker::Refusal>(&routed)) {
      json.key("Refused").text(refusal->reason);
      add_trials(message, json);
      return json.end_object().str();
    }
    const auto& route = std::get<worker::Route>(routed);
    json.key("Request").text(route.request->name);
    if (route.request->handler->http) return json.key("Post").text(route.request->handler->http->url).end_object().str();
    json.key("Argv").begin_array();
    for (const std::string& word : route.argv) json.text(word);
    return json.end_array().end_object().str();
  }

  void add_trials(const sqs::Message& message, JsonWriter& json) const {
    const std::vector<worker::Trial> trials = handlers_.router->try_all(message);
    if (trials.empty()) return;
    json.key("Routes").begin_array();
    for (const worker::Trial& trial : trials) {
      json.begin_object().key("Request").text(trial.request->name).key("Matches").boolean(trial.matches);
      json.key("Because").text(trial.why).end_object();
    }
    json.end_array();
  }

  int finish(const ScanReport& report, std::size_t refused, Session& session, const StopFlag& stop) const {
    if (!flags_.client.quiet) {
      write_text(context_.err, fmt::format("{} messages looked at, {} would be refused; nothing was run, all given back{}\n",
                                           report.seen, refused, report.whole ? "" : "; there may be more"));
    }
    if (report.not_returned > 0) {
      complain(context_, name_,
               fmt::format("{} could not be given back: they stay hidden for up to a minute", report.not_returned), 0);
    }
    if (report.error) return complain(context_, name_, *report.error, session.endpoint().url);
    if (stop.requests() > 0) return 128 + stop.signal();
    return refused > 0 ? kExitFailed : kExitDone;
  }

  const WorkerFlags& flags_;
  std::string_view name_;
  const CommandContext& context_;
  WorkerHandlers handlers_;
  const config::Handoff& handoff_ = handlers_.handoff;
  const config::RequestType& command_ = handlers_.command;
};
}  // namespace

void add_check_options(CLI::App& app, CheckFlags& flags) {
  CLI::Option* check =
      app.add_flag("--check", flags.check, "read handoff.toml, look for the programs, print the routes, and end; asks no server");
  app.add_flag("--dry-run", flags.dry_run, "print which route each waiting message would take, run nothing, and give all back")
      ->excludes(check);
}

int check_worker(const WorkerFlags& flags, const CheckFlags& what, std::string_view command, CommandContext& context) {
  Check check(flags, command, context);
  if (const auto exit_code = check.read_handlers()) return *exit_code;
  if (!what.check) return check.tell_messages();
  const int told = check.tell_routes();
  return check.tell_faults().value_or(told);
}

}  // namespace ferry::cli
