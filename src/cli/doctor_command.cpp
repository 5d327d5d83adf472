#include "cli/doctor_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/encoding.h"
#include "cli/client_options.h"
#include "cli/dlq_parts.h"
#include "cli/doctor_findings.h"
#include "cli/queue_scan.h"
#include "cli/worker_parts.h"
#include "client/queue_reference.h"
#include "sqs/names.h"
#include "sqs/redrive.h"
#include "worker/queue_port.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "doctor";
// No server gives such a handle out: whoever may delete is told that it is none, whoever may not is told that.
constexpr const char* kNoHandle = "ferry-doctor-asks-what-it-may-do";

constexpr const char* kExamples = R"(
Examples:
  ferry doctor                       can the server be reached, and do the clocks agree
  ferry doctor work                  and is the queue set up well, and may this key do what a worker does
  ferry doctor work --config /etc/ferry/handoff.toml
  ferry doctor work --role sender    may this key send
  ferry doctor work -o json          for programs

Nothing is changed and nothing is received: rights are asked for by calls that the server cannot carry out, and Amazon may
answer "wrong" before it has asked "may you". --probe-receive receives one message and gives it back at once.
Exit codes: 0 nothing worse than notes, 1 warnings or errors, 2 usage.)";

struct Flags {
  ClientOptions client;
  std::string queue;
  std::string config;
  std::string role = "worker";
  bool probe_receive = false;
};

class Doctor {
 public:
  Doctor(const Flags& flags, const CommandContext& context) : flags_(flags), context_(context) {}

  int run() {
    read_config();
    auto session = Session::open(flags_.client, flags_.queue, context_);
    if (!session) return complain(context_, kName, session.error().message, kExitUsage);
    session_ = std::move(*session);
    if (!flags_.queue.empty()) {
      const auto reference = client::parse_queue_argument(flags_.queue);
      if (!reference) return complain(context_, kName, reference.error().message, kExitUsage);
      if (find(*reference)) look_at_queue();
    } else {
      sqs::ListQueuesRequest request;
      request.max_results = 1;
      const auto answer = session_->client().list_queues(request);
      if (!answer && worker::classify(answer.error()) != worker::Fault::NotAuthorised) unreachable(answer.error());
    }
    facts_.clock_lead = session_->client().clock_lead();
    if (handoff_) facts_.handoff = &*handoff_;
    std::vector<Finding> more = examine(facts_);
    findings_.insert(findings_.end(), more.begin(), more.end());
    sort_findings(findings_);
    print();
    const bool trouble =
        std::any_of(findings_.begin(), findings_.end(), [](const Finding& one) { return one.severity != Severity::Note; });
    return trouble ? kExitFailed : kExitDone;
  }

 private:
  void add(Severity severity, std::string_view check, std::string text, std::string mend) {
    findings_.push_back({severity, std::string(check), std::move(text), std::move(mend)});
  }

  // handoff.toml as the worker would take it.
  void read_config() {
    std::error_code ignored;
    if (flags_.config.empty() && !std::filesystem::exists("handoff.toml", ignored)) return;
    auto handoff = config::load_handoff(flags_.config.empty() ? "handoff.toml" : flags_.config);
    if (!handoff) return add_config_errors(handoff.error(), "mend the file; docs/worker.md describes every key");
    handoff_ = std::move(*handoff);
    if (flags_.role != "worker") return;
    const auto resolved = config::resolve_programs(*handoff_);
    if (!resolved) add_config_errors(resolved.error(), "put the program there, or change the handler");
    for (const auto look : {&examine_files, &examine_live}) {
      std::vector<Finding> more = look(*handoff_, context_);
      findings_.insert(findings_.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
  }

  void add_config_errors(const config::ConfigErrors& errors, const std::string& mend) {
    for (const std::string& message : errors.messages) add(Severity::Error, "configuration", message, mend);
  }

  void unreachable(const client::CallError& error) {
    const std::string& url = session_->endpoint().url;
    if (error.kind == client::CallError::Kind::Credentials) {
      return add(Severity::Error, "credentials", error.message,
                 "set up a profile (--profile), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    if (error.kind == client::CallError::Kind::BadAnswer) {
      return add(Severity::Error, "endpoint", error.message, "name an SQS endpoint with --endpoint-url");
    }
    add(Severity::Error, "endpoint", fmt::format("{} cannot be reached: {}", url, error.message),
        "start the server (ferry serve), or name another one with --endpoint-url; ask for proxies and firewalls between");
  }

  bool find(const client::QueueReference& reference) {
    facts_.queue = reference.name;
    const auto url = client::resolve_queue(session_->client(), reference);
    if (url) {
      url_ = *url;
      return true;
    }
    tell_failure(url.error());
    return false;
  }

  void tell_failure(const client::CallError& error) {
    switch (worker::classify(error)) {
      case worker::Fault::NoQueue:
        return add(Severity::Error, "queue", fmt::format("there is no queue {} at {}", facts_.queue, session_->endpoint().url),
                   fmt::format("ferry queue create {}", facts_.queue));
      case worker::Fault::NotAuthorised:
        if (error.kind == client::CallError::Kind::Credentials) return unreachable(error);
        return add(Severity::Error, "rights", fmt::format("this key may not look for {}: {}", facts_.queue, error.message),
                   "grant GetQueueUrl, or give the queue's URL; check key, secret and region");
      default:
        return unreachable(error);
    }
  }

  std::optional<client::CallError> read_attributes(const std::string& url, std::optional<sqs::TextMap>& attributes) {
    sqs::GetQueueAttributesRequest request;
    request.queue_url = url;
    request.attribute_names = {"All"};
    auto answer = session_->client().get_queue_attributes(request);
    if (!answer) return answer.error();
    attributes = std::move(answer->attributes);
    return std::nullopt;
  }

  void look_at_queue() {
    if (const auto error = read_attributes(url_, facts_.attributes)) {
      if (worker::classify(*error) != worker::Fault::NotAuthorised) return tell_failure(*error);
      if (flags_.role == "worker") facts_.rights.push_back({"GetQueueAttributes", facts_.queue, false, error->message});
    }
    if (facts_.attributes) {
      look_at_dead_letter_queue();
      sqs::ListDeadLetterSourceQueuesRequest request;
      request.queue_url = url_;
      const auto sources = session_->client().list_dead_letter_source_queues(request);
      facts_.is_dead_letter_queue = sources && !sources->queue_urls.empty();
    }
    if (flags_.role == "sender") {
      ask_send(url_, facts_.queue);
      return;
    }
    ask_worker_rights();
    ask_unmatched();
  }

  void look_at_dead_letter_queue() {
    const auto policy = sqs::parse_redrive_policy(attribute_of(*facts_.attributes, "RedrivePolicy"));
    if (!policy) return;
    facts_.dead_letter_name = policy->dead_letter_target.name;
    const auto reference = client::parse_queue_argument(sqs::format_queue_arn(policy->dead_letter_target));
    if (!reference) return;
    const auto url = client::resolve_queue(session_->client(), *reference);
    if (!url) {
      facts_.dead_letter_missing = worker::classify(url.error()) == worker::Fault::NoQueue;
      return;
    }
    // What may not be read is not judged.
    [[maybe_unused]] const auto error = read_attributes(*url, facts_.dead_letter_attributes);
  }

  template <class Answer>
  void note_right(std::string_view action, const std::string& queue, const Answer& answer) {
    const bool refused = !answer && worker::classify(answer.error()) == worker::Fault::NotAuthorised;
    facts_.rights.push_back({std::string(action), queue, !refused, refused ? answer.error().message : ""});
  }

  void ask_worker_rights() {
    sqs::ReceiveMessageRequest receive;
    receive.queue_url = url_;
    receive.max_number_of_messages = flags_.probe_receive ? 1 : 11;  // no server gives eleven
    receive.wait_time_seconds = 0;
    receive.visibility_timeout = 0;
    note_right("ReceiveMessage", facts_.queue, session_->client().receive_message(receive));
    note_right("DeleteMessage", facts_.queue, session_->client().delete_message({url_, kNoHandle}));
    note_right("ChangeMessageVisibility", facts_.queue, session_->client().change_message_visibility({url_, kNoHandle, 0}));
  }

  // A message without a body: whoever may send is told that it is none.
  void ask_send(const std::string& url, const std::string& name) {
    sqs::SendMessageRequest request;
    request.queue_url = url;
    request.entry.message_body = "";
    note_right("SendMessage", name, session_->client().send_message(request));
  }

  void ask_unmatched() {
    if (!handoff_ || handoff_->on_unmatched != config::OnUnmatched::DeadLetter) return;
    const std::string& name = handoff_->dead_letter_queue;
    const auto reference = client::parse_queue_argument(name);
    const auto url = reference ? client::resolve_queue(session_->client(), *reference)
                               : client::CallResult<std::string>(Unexpected(
                                     client::CallError{client::CallError::Kind::Service, "", 0, reference.error().message}));
    if (!url) {
      return add(Severity::Error, "unmatched",
                 fmt::format("dead_letter_queue {} of {}: {}", name, handoff_->file, url.error().message),
                 fmt::format("ferry queue create {}", name));
    }
    if (sqs::parse_queue_url(*url) == sqs::parse_queue_url(url_)) {
      return add(Severity::Error, "unmatched", "dead_letter_queue is the queue that is worked on",
                 "name another one in " + handoff_->file);
    }
    ask_send(*url, queue_name_of(*url));
  }

  void print() const {
    const OutputFormat format = resolve_format(flags_.client, context_, OutputFormat::Json);
    if (format == OutputFormat::Table) return print_lines();
    DocumentList list(OutputFormat::JsonLines);
    JsonWriter json;
    if (format == OutputFormat::Json) {
      json.begin_object()
          .key("Endpoint")
          .text(session_->endpoint().url)
          .key("Queue")
          .text(facts_.queue)
          .key("Findings")
          .begin_array();
    }
    for (const Finding& finding : findings_) {
      JsonWriter line;
      JsonWriter& target = format == OutputFormat::Json ? json : line;
      target.begin_object().key("Severity").text(name_of(finding.severity)).key("Check").text(finding.check);
      target.key("Text").text(finding.text).key("Mend").text(finding.mend).end_object();
      if (format != OutputFormat::Json) write_text(context_.out, list.next(line.str()));
    }
    if (format == OutputFormat::Json) write_text(context_.out, json.end_array().end_object().str() + "\n");
  }

  void print_lines() const {
    std::string text;
    for (const Finding& finding : findings_) {
      text += fmt::format("{:<8} {}: {}\n         mend: {}\n", name_of(finding.severity), finding.check,
                          escape_control(finding.text), escape_control(finding.mend));
    }
    if (findings_.empty())
      text = fmt::format("nothing is wrong with {}\n", facts_.queue.empty() ? session_->endpoint().url : facts_.queue);
    write_text(context_.out, text);
  }

  const Flags& flags_;
  const CommandContext& context_;
  std::optional<config::Handoff> handoff_;
  std::unique_ptr<Session> session_;
  std::string url_;
  DoctorFacts facts_;
  std::vector<Finding> findings_;
};
}  // namespace

int doctor_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Find what is wrong with a queue, its worker and the way between, and how to mend it.", "ferry doctor"};
  Flags flags;
  app.add_option("QUEUE", flags.queue, "name, URL or ARN [only the server]");
  app.add_option("--config", flags.config, "requests and their handlers [./handoff.toml if it is there]");
  app.add_option("--role", flags.role, "what the key is for: worker or sender [worker]")
      ->check(CLI::IsMember({"worker", "sender"}));
  app.add_flag("--probe-receive", flags.probe_receive,
               "really receive one message, and give it back at once; its receive count rises");
  add_client_options(app, flags.client, TranscriptFlag::No);
  app.footer(kExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  return Doctor(flags, context).run();
}

}  // namespace ferry::cli
