// `ferry dlq replay`.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/encoding.h"
#include "base/posix_file.h"
#include "cli/dlq_move.h"
#include "cli/dlq_parts.h"
#include "cli/dlq_replay.h"
#include "cli/progress.h"
#include "cli/queue_scan.h"
#include "client/queue_reference.h"
#include "sqs/limits.h"
#include "sqs/names.h"
#include "worker/client_queue_port.h"
#include "worker/transcript.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "dlq replay";
constexpr std::int64_t kRateMax = 10'000;
constexpr std::int64_t kServerRateMax = 500;  // what a message move task takes
constexpr Seconds kVisibilityMax{600};
constexpr std::size_t kShownBodyBytes = 60;

constexpr const char* kExamples = R"(
Examples:
  ferry dlq replay work-dead                            each message to the queue that it came from
  ferry dlq replay work-dead --dry-run                  what would be sent, and where; nothing is
  ferry dlq replay work-dead --to work --rate 20/s --limit 1000
  ferry dlq replay work-dead --where 'attr:Enable' --edit drop:Debug --edit set:Retry:Number=1
  ferry dlq replay work-dead -- jq -c .inner            the new body is what the command makes of the old one
  ferry dlq replay work-dead --server-side              by the server itself; no conditions, no edits

A message is sent, then deleted here. What was sent and not yet deleted is in the state file; run again after a crash and it is
deleted, not sent again. Exit codes: 0 done, 1 failed, 6 messages are left: come back, 7 some replayed and some failed, 2 usage,
3 no such queue, 4 not authorised, 5 not reachable, 130 or 143 stopped by a signal.)";

struct Flags {
  ClientOptions client;
  std::string queue;
  std::string to;
  std::vector<std::string> where;
  std::vector<std::string> edits;
  std::string mark;
  std::string rate;
  std::optional<std::uint64_t> limit;
  std::optional<Millis> visibility;
  std::string state;
  bool dry_run = false;
  bool server_side = false;
  std::vector<std::string> command;  ///< behind "--"
};

// Says what happens, and writes what a dry run would send.
class Teller final : public ReplayObserver {
 public:
  Teller(const Flags& flags, const CommandContext& context, OutputFormat format)
      : flags_(flags),
        context_(context),
        format_(format),
        list_(format),
        line_(context, {"replaying", ProgressUnit::Things, flags.client.quiet}) {}

  void set_total(std::uint64_t total) { total_ = total; }

  void would_send(const sqs::Message& message, const ReplayTarget& target, const sqs::SendMessageEntry& entry) override {
    if (format_ == OutputFormat::Table) {
      rows_.push_back({message.message_id, queue_name_of(target.queue_url), attributes_in_short(entry.message_attributes),
                       worker::clip(*entry.message_body, kShownBodyBytes)});
      return;
    }
    JsonWriter json;
    json.begin_object().key("MessageId").text(message.message_id).key("QueueUrl").text(target.queue_url);
    json.key("MessageBody").text(*entry.message_body).key("MessageAttributes").begin_object();
    for (const auto& [name, value] : entry.message_attributes) {
      json.key(name).begin_object().key("DataType").text(value.data_type);
      json.optional_text("StringValue", value.string_value);
      if (value.binary_value) json.key("BinaryValue").text(base64_encode(*value.binary_value));
      json.end_object();
    }
    json.end_object();
    json.optional_text("MessageGroupId", entry.message_group_id);
    json.optional_text("MessageDeduplicationId", entry.message_deduplication_id);
    write_text(context_.out, list_.next(json.end_object().str()));
  }
  void failed(const sqs::Message& message, const std::string& why) override {
    say(fmt::format("NOT REPLAYED {}: {}", message.message_id, why));
  }
  void maybe_twice(const sqs::Message& message) override {
    say(fmt::format("{} is sent now, but an earlier run that was cut off may have sent it: it can arrive twice",
                    message.message_id));
  }
  void came_back(const sqs::Message& message) override {
    say(fmt::format("{} was replayed and is a dead letter again already; it stays", message.message_id));
  }
  void progress(const ReplaySummary& summary) override { line_.tell({summary.replayed + summary.finished, total_}); }

  void end(const ReplaySummary& summary) {
    line_.clear();
    if (!flags_.client.quiet) write_text(context_.err, sentence(summary));
    if (summary.not_returned > 0)
      say(fmt::format("{} could not be given back and stay hidden for a while", summary.not_returned));
    if (!flags_.dry_run) {
      if (format_ != OutputFormat::Table) write_text(context_.out, as_json(summary) + "\n");
    } else if (format_ != OutputFormat::Table) {
      write_text(context_.out, list_.end());
    } else if (!rows_.empty()) {
      write_text(context_.out, format_table({"MESSAGE", "TO", "ATTRIBUTES", "BODY"}, rows_));
    }
  }

 private:
  void say(const std::string& text) {
    line_.clear();
    complain(context_, kName, text, 0);
  }

  static std::string sentence(const ReplaySummary& summary) {
    std::string text = fmt::format("{} {}", summary.replayed, summary.dry_run ? "would be replayed" : "replayed");
    const auto add = [&](std::uint64_t count, std::string_view what) {
      if (count > 0) text += fmt::format(", {} {}", count, what);
    };
    add(summary.finished,
        summary.dry_run ? "sent by an earlier run and to be deleted" : "sent by an earlier run and deleted now");
    add(summary.skipped, "skipped");
    add(summary.failed, "failed");
    add(summary.held_back, "held back behind a failed one of their group");
    add(summary.came_back, "dead-lettered again");
    add(summary.maybe_twice, "perhaps sent twice");
    add(summary.undeleted, "sent but not deleted yet: run again");
    if (summary.left) {
      text += fmt::format("; about {} messages waiting, {} in flight", summary.left->visible, summary.left->in_flight);
    }
    return text + "\n";
  }

  static std::string as_json(const ReplaySummary& summary) {
    JsonWriter json;
    json.begin_object();
    const auto number = [&](const char* name, std::uint64_t value) { json.key(name).number(static_cast<std::int64_t>(value)); };
    number("Replayed", summary.replayed);
    number("AlreadySent", summary.finished);
    number("Skipped", summary.skipped);
    number("Failed", summary.failed);
    number("HeldBack", summary.held_back);
    number("CameBack", summary.came_back);
    number("MaybeTwice", summary.maybe_twice);
    number("Undeleted", summary.undeleted);
    json.key("Drained").boolean(summary.drained);
    if (summary.left) {
      json.key("ApproximateNumberOfMessages").number(summary.left->visible);
      json.key("ApproximateNumberOfMessagesNotVisible").number(summary.left->in_flight);
    }
    return json.end_object().str();
  }

  const Flags& flags_;
  const CommandContext& context_;
  OutputFormat format_;
  DocumentList list_;
  Progress line_;
  std::uint64_t total_ = 0;
  std::vector<std::vector<std::string>> rows_;
};

// Where each message goes.
class Targets {
 public:
  Targets(Session& session, std::string source_url) : session_(session), source_url_(std::move(source_url)) {}

  void set_fixed(const std::string& url) { fixed_ = ReplayTarget{url, kind_of_url(url)}; }

  Result<ReplayTarget> find(const sqs::Message& message) {
    if (fixed_) return *fixed_;
    const auto arn = system_value(message, "DeadLetterQueueSourceArn");
    if (!arn) return only_source();
    const auto found = by_arn_.find(*arn);
    if (found != by_arn_.end()) return found->second;
    auto target = resolve(*arn);
    // A failure that may pass is asked again with the next message.
    if (target) by_arn_.emplace(*arn, *target);
    return target;
  }

 private:
  static sqs::QueueKind kind_of_url(const std::string& url) { return sqs::kind_of(queue_name_of(url)); }

  Result<ReplayTarget> resolve(const std::string& arn) {
    FERRY_TRY(const client::QueueReference reference, client::parse_queue_argument(arn));
    const auto url = client::resolve_queue(session_.client(), reference);
    if (!url) {
      return fail(ErrorKind::NotFound, fmt::format("it came from {}, which is not to be had ({}); name another queue with --to",
                                                   reference.name, url.error().message));
    }
    return ReplayTarget{*url, kind_of_url(*url)};
  }

  // The server does not tell where a message came from: it was sent here as it is, or copied by a worker.
  Result<ReplayTarget> only_source() {
    if (!sources_) {
      sqs::ListDeadLetterSourceQueuesRequest request;
      request.queue_url = source_url_;
      const auto answer = session_.client().list_dead_letter_source_queues(request);
      if (!answer)
        return fail(ErrorKind::NotFound,
                    fmt::format("where it came from is not told ({}); name a queue with --to", answer.error().message));
      sources_ = answer->queue_urls;
    }
    if (sources_->size() != 1) {
      return fail(ErrorKind::NotFound,
                  fmt::format("where it came from is not told, and {} queues have this one for their dead letters; name "
                              "one with --to",
                              sources_->size()));
    }
    return ReplayTarget{sources_->front(), kind_of_url(sources_->front())};
  }

  Session& session_;
  const std::string source_url_;
  std::optional<ReplayTarget> fixed_;
  std::map<std::string, ReplayTarget> by_arn_;
  std::optional<std::vector<std::string>> sources_;
};

class ReplayCommand {
 public:
  ReplayCommand(const Flags& flags, const CommandContext& context)
      : flags_(flags), context_(context), stop_(context), format_(resolve_format(flags.client, context, OutputFormat::Json)) {}

  int run() {
    for (const auto step : {&ReplayCommand::read_flags, &ReplayCommand::read_edits, &ReplayCommand::connect}) {
      if (const auto exit_code = (this->*step)()) return *exit_code;
    }
    if (flags_.server_side) {
      return move_by_server(*session_, {url_, target_url_, options_.rate, flags_.client.quiet, format_}, context_, stop_.flag());
    }
    if (const auto exit_code = open_state()) return *exit_code;
    return replay();
  }

 private:
  std::optional<int> usage(std::string_view message) const { return complain(context_, kName, message, kExitUsage); }

  std::optional<int> read_flags() {
    if (!flags_.rate.empty()) {
      const std::string_view text = flags_.rate;
      const auto rate = parse_integer(text.ends_with("/s") ? text.substr(0, text.size() - 2) : text);
      const std::int64_t max = flags_.server_side ? kServerRateMax : kRateMax;
      if (!rate || *rate < 1 || *rate > max) {
        return usage(fmt::format("--rate \"{}\": messages a second from 1 to {}{}, as in 20/s", escape_control(text), max,
                                 flags_.server_side ? " with --server-side" : ""));
      }
      options_.rate = *rate;
    }
    if (flags_.visibility) {
      options_.visibility = std::chrono::duration_cast<Seconds>(*flags_.visibility);
      if (options_.visibility != *flags_.visibility || options_.visibility < Seconds(1) || options_.visibility > kVisibilityMax) {
        return usage("--visibility must be whole seconds from 1s to 10m");
      }
    }
    options_.limit = flags_.limit;
    options_.dry_run = flags_.dry_run;
    const bool own_work = !flags_.where.empty() || !flags_.edits.empty() || !flags_.mark.empty() || !flags_.command.empty() ||
                          flags_.limit || flags_.dry_run || !flags_.state.empty();
    if (flags_.server_side && own_work) {
      return usage(
          "--server-side moves every message as it is: it goes without --where, --edit, --mark, --limit, --dry-run, --state "
          "and a COMMAND");
    }
    return read_conditions(flags_.where, options_.where, context_, kName);
  }

  std::optional<int> read_edits() {
    const auto read_file = [](const std::string& path) -> Result<std::string> {
      std::error_code error;
      const auto bytes = std::filesystem::file_size(path, error);
      if (error) return fail(ErrorKind::NotFound, fmt::format("cannot read {}: {}", path, error.message()));
      PosixFileSystem files;
      FERRY_TRY(const auto file, files.open(path, {}));
      std::string text(std::min<std::size_t>(bytes, sqs::kMessageBytesMax + 1), '\0');
      FERRY_TRY(const std::size_t got, file->read_at(0, std::as_writable_bytes(std::span(text))));
      text.resize(got);
      return text;
    };
    for (const std::string& text : flags_.edits) {
      auto edit = parse_edit(text, read_file);
      if (!edit) return usage(edit.error().message);
      options_.edits.attributes.push_back(std::move(*edit));
    }
    options_.edits.mark = flags_.mark;
    if (flags_.command.empty()) return std::nullopt;
    auto editor = make_body_editor(flags_.command, context_);
    if (!editor) return usage(editor.error().message);
    options_.edits.body = std::move(*editor);
    return std::nullopt;
  }

  std::optional<int> connect() {
    if (const auto exit_code = open(flags_.queue, session_, url_)) return exit_code;
    options_.source_kind = sqs::kind_of(queue_name_of(url_));
    if (flags_.to.empty()) return std::nullopt;
    if (const auto exit_code = open(flags_.to, target_session_, target_url_)) return exit_code;
    const bool same_server = target_session_->endpoint().url == session_->endpoint().url;
    if (same_server && sqs::parse_queue_url(target_url_) == sqs::parse_queue_url(url_)) {
      return usage("--to is the queue that is replayed");
    }
    if (flags_.server_side && !same_server) return usage("--server-side: both queues must be on one server");
    return std::nullopt;
  }

  std::optional<int> open(const std::string& queue, std::unique_ptr<Session>& session, std::string& url) {
    auto opened = Session::open(flags_.client, queue, context_);
    if (!opened) return usage(opened.error().message);
    session = std::move(*opened);
    QueueOrExit where = find_queue(*session, queue, context_, kName);
    url = std::move(where.url);
    return where.exit_code;
  }

  std::optional<int> open_state() {
    std::string path = flags_.state;
    if (path.empty()) {
      const auto variable = [&](const char* name) { return context_.environment(name).value_or(""); };
      path = default_state_path(variable("XDG_STATE_HOME"), variable("HOME"), url_);
    }
    if (path.empty()) return usage("neither XDG_STATE_HOME nor HOME is set; name a file for what was sent with --state FILE");
    std::error_code ignored;
    if (flags_.dry_run && !std::filesystem::exists(path, ignored)) return std::nullopt;
    auto state = ReplayState::open(files_, path, url_);
    if (!state) return complain(context_, kName, state.error().message, kExitFailed);
    state_ = std::move(*state);
    return std::nullopt;
  }

  int replay() {
    worker::ClientQueuePort source(session_->client(), url_, "");
    client::Client& sending = target_session_ ? target_session_->client() : session_->client();
    sender::ClientSendPort port(sending);
    const auto pause = [](Millis time) { sleep_for(time); };
    sender::Sender sender(port, context_.random, pause);
    Targets targets(*session_, url_);
    if (!target_url_.empty()) targets.set_fixed(target_url_);
    Teller teller(flags_, context_, format_);
    if (const auto counts = source.counts()) {
      const auto total = static_cast<std::uint64_t>(counts->visible);
      teller.set_total(flags_.limit ? std::min(total, *flags_.limit) : total);
    }
    const ReplaySeams seams{
        source,
        [&](const sqs::Message& message) { return targets.find(message); },
        [&](const std::string& url, std::span<const sqs::SendMessageEntry> entries) { return sender.send(url, entries); },
        state_.get(),
        context_.clock,
        pause,
        stop_.flag(),
        teller};
    const ReplaySummary summary = Replay(options_, seams).run();
    teller.end(summary);
    if (summary.call_error) complain(context_, kName, *summary.call_error, session_->endpoint().url);
    if (summary.state_error) complain(context_, kName, summary.state_error->message, kExitFailed);
    return exit_code_of(summary, stop_.flag().signal());
  }

  const Flags& flags_;
  const CommandContext& context_;
  StopSignals stop_;  // before anything that may start a thread
  OutputFormat format_;
  ReplayOptions options_;
  PosixFileSystem files_;
  std::unique_ptr<ReplayState> state_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Session> target_session_;
  std::string url_;
  std::string target_url_;
};

void add_options(CLI::App& app, Flags& flags) {
  app.add_option("DLQ", flags.queue, "name, URL or ARN")->required();
  app.add_option("--to", flags.to, "send all of them to this queue [each to the queue that it came from]");
  app.add_option("--where", flags.where, "only messages for which this holds; see below")->allow_extra_args(false);
  app.add_option("--edit", flags.edits, "set:NAME[:TYPE]=VALUE or drop:NAME: change an attribute")->allow_extra_args(false);
  app.add_option("--mark", flags.mark, "put the dead letter's message id into the attribute of this name");
  app.add_option("--rate", flags.rate, "send no more than so many a second, as in 20/s");
  app.add_option("--limit", flags.limit, "send no more than so many")->check(CLI::PositiveNumber);
  app.add_flag("--dry-run", flags.dry_run, "say what would be sent, and send and delete nothing");
  app.add_flag("--server-side", flags.server_side, "let the server move them (StartMessageMoveTask), and show how far it is");
  app.add_option("--state", flags.state, "file for what was sent and not yet deleted [$XDG_STATE_HOME/ferry/replay-…]");
  app.add_option_function<std::string>("--visibility", duration_into(flags.visibility),
                                       "how long what is received stays hidden if this run dies, up to 10m [2m]");
  add_client_options(app, flags.client, TranscriptFlag::No);
  app.footer(std::string(kWhereHelp) + "\n" + kExamples);
}
}  // namespace

int dlq_replay_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Send dead letters back to where they came from, then delete them here.", "ferry dlq replay"};
  Flags flags;
  add_options(app, flags);
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  const std::span<const std::string> own = arguments.first(static_cast<std::size_t>(dashes - arguments.begin()));
  if (dashes != arguments.end()) flags.command.assign(dashes + 1, arguments.end());
  if (const auto exit_code = parse_arguments(app, own, context)) return *exit_code;
  if (dashes != arguments.end() && flags.command.empty())
    return complain(context, kName, "there is no COMMAND behind --", kExitUsage);
  return ReplayCommand(flags, context).run();
}

}  // namespace ferry::cli
