#include "cli/send_command.h"

#include <fmt/format.h>

#include <fstream>
#include <map>

#include "base/encoding.h"
#include "cli/client_options.h"
#include "cli/progress.h"
#include "cli/send_signing.h"
#include "cli/send_trace.h"
#include "sender/compose.h"
#include "sender/json_lines.h"
#include "sender/sender.h"
#include "signing/envelope.h"
#include "sqs/limits.h"
#include "worker/transcript.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "send";
constexpr std::size_t kStretch = 500;  // messages that are sent between two looks at how far it is; whole batches of ten
constexpr std::size_t kJsonLinesBytesMax = 256 * 1024 * 1024;  // all lines are checked before the first is sent, so all are held

constexpr const char* kExamples = R"(
Examples:
  ferry send work --request Enable "All The Things" "Another Example Parameter"
                                        one message for each parameter; checked against ./handoff.toml if there is one
  ferry send work hello                 a plain message; "-" reads it from standard input, @FILE from a file
  ferry send work hello -a Color=red -a Count:Number=5 -a Blob:Binary=@picture.png --delay 30s
  ferry send orders.fifo "ship it" --group-id customer-7 --deduplication-id order-1234
  jq -c . requests | ferry send work --jsonl
                                        {"MessageBody": …} or {"RequestType": …, "Parameters": […]}, one a line
  ferry send work --request Enable "All The Things" --sign deploy
                                        signed with the key that "ferry key new deploy" made; see docs/signing.md

Write -- before parameters that start with '-'.
Exit codes: 0 all sent, 7 some, 2 refused before anything was sent, 3 no such queue, 4 not authorised, 5 not reachable.)";

struct Flags {
  ClientOptions client;
  std::string queue;
  std::vector<std::string> words;  // parameters, or the body
  std::string request;
  std::string config;
  std::vector<std::string> attributes;
  std::optional<Millis> delay;
  sqs::OptionalText group_id;
  sqs::OptionalText deduplication_id;
  bool json_lines = false;
  SigningFlags signing;
  TraceFlags trace;
};

void describe(CLI::App& app, Flags& flags) {
  app.add_option("QUEUE", flags.queue, "name, URL or ARN; with --jsonl it may be missing when each line names its own");
  app.add_option("BODY|PARAMETER", flags.words, "the body (TEXT, - or @FILE); with --request the parameters, one message each");
  app.add_option("--request", flags.request, "send requests: a message attribute of this name with the parameter as its value");
  app.add_option("--config", flags.config, "handoff.toml to check requests against [./handoff.toml if it exists]");
  app.add_option("-a,--attribute", flags.attributes, "NAME[:TYPE]=VALUE, TYPE String, Number or Binary; VALUE may be @FILE")
      ->allow_extra_args(false);
  app.add_option_function<std::string>("--delay", duration_into(flags.delay), "seconds, or 30s, 5m: up to 15 minutes");
  app.add_option("--group-id", flags.group_id, "MessageGroupId: required by FIFO queues, the tenant on standard ones");
  app.add_option("--deduplication-id", flags.deduplication_id, "MessageDeduplicationId of a single message, for FIFO queues");
  app.add_flag("--jsonl", flags.json_lines, "JSON lines from standard input");
  app.add_option("--sign", flags.signing.key, "sign with this key: its name, or the path of its file [FERRY_SIGNING_KEY]");
  app.add_option("--idempotency-key", flags.signing.idempotency_key,
                 "id under which workers do it once, however often it arrives [a UUID when signing, else none]");
  app.add_option_function<std::string>("--expires", duration_into(flags.signing.valid_for),
                                       "with --sign: workers refuse the message after so long");
  add_trace_options(app, flags.trace);
  add_client_options(app, flags.client, TranscriptFlag::Yes);
  app.footer(kExamples);
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return Unexpected(system_error(errno, "open", path));
  std::string text(sqs::kMessageBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return fail(ErrorKind::Io, fmt::format("cannot read {}", path));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > sqs::kMessageBytesMax) {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("{} has more than the {} bytes of a message", path, sqs::kMessageBytesMax));
  }
  return text;
}

std::string user_name(const CommandContext& context) {
  for (const char* name : {"USER", "LOGNAME", "USERNAME"}) {
    const auto value = context.environment(name);
    if (value && !value->empty()) return *value;
  }
  return current_user_name();
}

using Outgoing = std::vector<sender::Outgoing>;

Result<Outgoing, sender::Refusals> refuse(std::string why) {
  return Unexpected(sender::Refusals{{std::move(why)}});
}

Result<Outgoing, sender::Refusals> compose_json_lines(const Flags& flags, const CommandContext& context,
                                                      const sender::Origin& origin, const config::Handoff* handoff) {
  if (!flags.words.empty()) return refuse("with --jsonl everything comes from standard input; there can be no body");
  if (!flags.attributes.empty() || flags.delay || flags.group_id || flags.deduplication_id || flags.signing.idempotency_key)
    return refuse("with --jsonl attributes, delays, groups, deduplication ids and idempotency keys are named in the lines");
  const Result<std::string> text = read_all(context.in, kJsonLinesBytesMax);
  if (!text) return refuse(fmt::format("standard input: {}", text.error().message));
  auto outgoing = sender::read_json_lines(*text, {origin, flags.request, handoff});
  if (!outgoing) return outgoing;
  if (flags.queue.empty()) {
    for (std::size_t i = 0; i < outgoing->size(); ++i) {
      if ((*outgoing)[i].queue.empty()) return refuse("no queue is named, neither as an argument nor in every line");
    }
  }
  return outgoing;
}

Result<std::string> plain_body(const Flags& flags, const CommandContext& context) {
  if (flags.words.empty())
    return fail(ErrorKind::InvalidArgument, "there is no body (TEXT, - for standard input, @FILE), no --request and no --jsonl");
  if (flags.words.size() > 1) {
    return fail(ErrorKind::InvalidArgument, "there is more than one body; quote it, or name a --request to send parameters");
  }
  if (flags.words[0] != "-") return sender::read_value(flags.words[0], read_file);
  auto text = read_all(context.in, sqs::kMessageBytesMax);
  if (!text && text.error().kind == ErrorKind::NoSpace) {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("standard input has more than the {} bytes of a message", sqs::kMessageBytesMax));
  }
  return text;
}

Result<Outgoing, sender::Refusals> compose(const Flags& flags, const CommandContext& context, const config::Handoff* handoff) {
  const sender::Origin origin{user_name(context), context.clock.wall()};
  if (flags.json_lines) return compose_json_lines(flags, context, origin, handoff);
  if (flags.queue.empty()) return refuse("QUEUE is missing");
  std::vector<sqs::SendMessageEntry> entries;
  if (!flags.request.empty()) {
    auto composed = sender::compose_request({flags.request, flags.words}, origin, handoff);
    if (!composed) return Unexpected(composed.error());
    entries = std::move(*composed);
  } else {
    Result<std::string> body = plain_body(flags, context);
    if (!body) return refuse(body.error().message);
    entries.emplace_back();
    entries.back().message_body = std::move(*body);
  }
  sqs::MessageAttributes attributes;
  for (const std::string& text : flags.attributes) {
    auto attribute = sender::parse_attribute(text, read_file);
    if (!attribute) return refuse(attribute.error().message);
    attributes.push_back(std::move(*attribute));
  }
  if (flags.delay && flags.delay->count() % 1000 != 0) return refuse("--delay must be whole seconds");
  if (flags.deduplication_id && entries.size() > 1)
    return refuse("--deduplication-id is for one message: a FIFO queue would take the others for duplicates of the first");
  Outgoing outgoing;
  for (sqs::SendMessageEntry& entry : entries) {
    entry.message_group_id = flags.group_id;
    entry.message_deduplication_id = flags.deduplication_id;
    entry.message_attributes.insert(entry.message_attributes.end(), attributes.begin(), attributes.end());
    if (flags.delay) entry.delay_seconds = flags.delay->count() / 1000;
    if (const auto refused = sender::message_refusal(entry)) return refuse(*refused);
    outgoing.push_back({{}, std::move(entry), std::nullopt});
  }
  return outgoing;
}

// The messages of one queue, and where they stood in the input.
struct Group {
  std::string url;
  std::string name;
  Session* session = nullptr;
  std::vector<std::size_t> positions;
};

struct Sent {
  std::vector<sender::SendOutcome> outcomes;
  std::vector<std::string> queues;
  std::optional<client::CallError> call_error;
  std::string endpoint;
  std::size_t tried = 0;
};

// One queue's, a stretch at a time, so that there is something to tell meanwhile.
void send_group(const Group& group, const Outgoing& outgoing, const CommandContext& context, Progress& progress, Sent& sent) {
  sender::ClientSendPort port(group.session->client());
  sender::Sender sender(port, context.random, [](Millis pause) { sleep_for(pause); });
  sent.endpoint = group.session->endpoint().url;
  for (std::size_t begin = 0; begin < group.positions.size() && !sent.call_error; begin += kStretch) {
    const auto stretch = std::span(group.positions).subspan(begin, std::min(kStretch, group.positions.size() - begin));
    std::vector<sqs::SendMessageEntry> entries;
    for (const std::size_t at : stretch) entries.push_back(outgoing[at].entry);
    sender::SendReport report = sender.send(group.url, entries);
    for (std::size_t i = 0; i < stretch.size(); ++i) sent.outcomes[stretch[i]] = std::move(report.outcomes[i]);
    sent.call_error = report.call_error;
    sent.tried += stretch.size();
    progress.tell({sent.tried, outgoing.size()});
  }
}

Sent send_groups(std::vector<Group>& groups, const Outgoing& outgoing, const CommandContext& context, Progress& progress) {
  Sent sent;
  sent.outcomes.resize(outgoing.size(), sender::SendOutcome{std::nullopt, {}, "not tried, because a call before it failed"});
  sent.queues.resize(outgoing.size());
  for (Group& group : groups) {
    for (const std::size_t at : group.positions) sent.queues[at] = group.name;
    if (!sent.call_error) send_group(group, outgoing, context, progress, sent);
  }
  return sent;
}

// The id of a message that carries the reserved attribute.
std::optional<std::string> request_id_of(const sqs::SendMessageEntry& entry) {
  const auto envelope = signing::find_envelope(entry.message_attributes);
  if (!envelope || !*envelope) return std::nullopt;
  return (*envelope)->request_id;
}

std::string outcome_json(const sender::SendOutcome& outcome, const sqs::SendMessageEntry& entry) {
  JsonWriter json;
  json.begin_object();
  if (outcome.sent) {
    json.key("MessageId").text(outcome.sent->message_id);
    json.key("MD5OfMessageBody").text(outcome.sent->md5_of_message_body);
    json.optional_text("MD5OfMessageAttributes", outcome.sent->md5_of_message_attributes);
    json.optional_text("SequenceNumber", outcome.sent->sequence_number);
    json.optional_text("IdempotencyKey", request_id_of(entry));
  } else {
    json.key("MessageId").null();
    json.key("Code").text(outcome.code);
    json.key("Message").text(outcome.message);
  }
  json.end_object();
  return json.str();
}

void print_outcomes(const Flags& flags, const Outgoing& outgoing, const Sent& sent, const CommandContext& context) {
  const OutputFormat format = resolve_format(flags.client, context, OutputFormat::JsonLines);
  std::string text;
  if (format == OutputFormat::Table) {
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < sent.outcomes.size(); ++i) {
      const sqs::SendMessageEntry& entry = outgoing[i].entry;
      const bool request = !entry.message_attributes.empty() && entry.message_attributes[0].second.string_value &&
                           entry.message_attributes[0].first != signing::kReservedAttribute;
      const std::string what =
          request ? fmt::format("{} {}", entry.message_attributes[0].first, *entry.message_attributes[0].second.string_value)
                  : *entry.message_body;
      rows.push_back(
          {sent.outcomes[i].sent ? sent.outcomes[i].sent->message_id : "NOT SENT", sent.queues[i], worker::clip(what, 60)});
    }
    text = format_table({"MESSAGE ID", "QUEUE", "MESSAGE"}, rows);
  } else {
    DocumentList list(format);
    for (std::size_t i = 0; i < sent.outcomes.size(); ++i) text += list.next(outcome_json(sent.outcomes[i], outgoing[i].entry));
    text += list.end();
  }
  write_text(context.out, text);
}

int conclude(const Sent& sent, const CommandContext& context) {
  std::size_t done = 0;
  std::size_t told = 0;
  for (std::size_t i = 0; i < sent.outcomes.size(); ++i) {
    const sender::SendOutcome& outcome = sent.outcomes[i];
    if (outcome.sent) {
      ++done;
    } else if (!sent.call_error && told++ < 20) {
      complain(context, kName, fmt::format("message {} was not sent: {}", i + 1, outcome.message), 0);
    }
  }
  if (done == sent.outcomes.size()) return kExitDone;
  int exit_code = kExitFailed;
  if (sent.call_error) exit_code = complain(context, kName, *sent.call_error, sent.endpoint);
  if (done == 0) return exit_code;
  complain(context, kName, fmt::format("{} of {} messages were sent", done, sent.outcomes.size()), 0);
  return kExitPartly;
}

// One session for each queue that is named: endpoint and region follow it.
std::optional<int> find_groups(const Flags& flags, const Outgoing& outgoing, const CommandContext& context,
                               std::map<std::string, std::unique_ptr<Session>>& sessions, std::vector<Group>& groups) {
  std::map<std::string, std::size_t> by_queue;
  for (std::size_t i = 0; i < outgoing.size(); ++i) {
    const std::string& queue = outgoing[i].queue.empty() ? flags.queue : outgoing[i].queue;
    const auto [found, fresh] = by_queue.emplace(queue, groups.size());
    if (fresh) {
      auto session = Session::open(flags.client, queue, context);
      if (!session) return complain(context, kName, session.error().message, kExitUsage);
      const QueueOrExit where = find_queue(**session, queue, context, kName);
      if (where.exit_code) return where.exit_code;
      groups.push_back({where.url, queue, session->get(), {}});
      sessions.emplace(queue, std::move(*session));
    }
    groups[found->second].positions.push_back(i);
  }
  return std::nullopt;
}
}  // namespace

int send_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Put messages into a queue. Prints their ids in the order of the input.", "ferry send"};
  Flags flags;
  describe(app, flags);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  const bool requests = !flags.request.empty() || flags.json_lines;
  if (!flags.config.empty() && !requests)
    return complain(context, kName, "--config is about requests; name one with --request", kExitUsage);
  // Plain messages are not checked against it, but may be signed with its key.
  const HandoffOrExit handoff = find_handoff(flags.config, context, kName);
  if (handoff.exit_code) return *handoff.exit_code;
  auto outgoing = compose(flags, context, requests && handoff.handoff ? &*handoff.handoff : nullptr);
  if (!outgoing) return complain(context, kName, outgoing.error().text(), kExitUsage);
  auto trace = find_trace(flags.trace, flags.client.quiet, context);
  if (!trace) return complain(context, kName, trace.error().message, kExitUsage);
  const StampWith with{flags.signing, handoff.handoff ? handoff.handoff->sender.key : std::string(), std::move(*trace),
                       flags.client.quiet};
  if (const auto stamped = stamp_messages(*outgoing, flags.queue, with, context); !stamped)
    return complain(context, kName, stamped.error().text(), kExitUsage);
  auto transcript = open_transcript(flags.client, context);
  if (!transcript) return complain(context, kName, transcript.error().message, kExitUsage);
  std::map<std::string, std::unique_ptr<Session>> sessions;
  std::vector<Group> groups;
  if (const auto exit_code = find_groups(flags, *outgoing, context, sessions, groups)) return *exit_code;
  Progress progress(context, {"sending", ProgressUnit::Things, flags.client.quiet});
  const Sent sent = send_groups(groups, *outgoing, context, progress);
  progress.clear();
  if (*transcript) {
    for (std::size_t i = 0; i < sent.outcomes.size(); ++i) {
      const sender::SendOutcome& outcome = sent.outcomes[i];
      (*transcript)
          ->line(outcome.sent ? fmt::format("sent {} to {}", outcome.sent->message_id, sent.queues[i])
                              : fmt::format("NOT sent to {}: {}", sent.queues[i], outcome.message));
    }
  }
  // A single call that failed as a whole has its error as its only output.
  if (!sent.outcomes.empty() && !(sent.call_error && sent.outcomes.size() == 1)) print_outcomes(flags, *outgoing, sent, context);
  return conclude(sent, context);
}

}  // namespace ferry::cli
