// `ferry dlq show`.

#include <fmt/format.h>

#include "cli/dlq_parts.h"
#include "cli/queue_scan.h"
#include "worker/client_queue_port.h"
#include "worker/transcript.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "dlq show";
constexpr std::size_t kShownBodyBytes = 60;
constexpr std::size_t kScannedMax = 10'000;  // with --where

constexpr const char* kExamples = R"(
Examples:
  ferry dlq show work-dead                            the first ten
  ferry dlq show work-dead --limit 100 -o jsonl | jq .Body
  ferry dlq show work-dead -v --where 'age<1h' --where '!attr:Enable'

Each message is received, hidden from others for up to a minute, and given back at the end; its receive count rises by one. Of a
FIFO queue at most ten messages of each group can be seen: the server keeps the others behind them.)";

std::string origin_of(const sqs::Message& message) {
  const std::string arn = system_value(message, "DeadLetterQueueSourceArn").value_or("-");
  return arn.substr(arn.rfind(':') + 1);
}

// Writes messages as they come, or a table of them at the end.
class Printer {
 public:
  Printer(const ClientOptions& options, const CommandContext& context)
      : context_(context),
        format_(resolve_format(options, context, OutputFormat::JsonLines)),
        whole_(options.verbose > 0),
        list_(format_) {}

  void show(const sqs::Message& message) {
    if (format_ != OutputFormat::Table) {
      JsonWriter json;
      write_message_json(json, message);
      return write_text(context_.out, list_.next(json.str()));
    }
    if (whole_) return write_text(context_.out, format_message(message));
    const auto sent = sent_at(message);
    rows_.push_back({message.message_id, sent ? short_age(context_.clock.wall() - *sent) : "-",
                     std::to_string(receives_of(message)), origin_of(message), attributes_in_short(message.message_attributes),
                     worker::clip(message.body, kShownBodyBytes)});
  }

  void end() {
    if (format_ != OutputFormat::Table) return write_text(context_.out, list_.end());
    if (!rows_.empty())
      write_text(context_.out, format_table({"MESSAGE", "AGE", "RECEIVES", "FROM", "ATTRIBUTES", "BODY"}, rows_));
  }

 private:
  const CommandContext& context_;
  OutputFormat format_;
  bool whole_;
  DocumentList list_;
  std::vector<std::vector<std::string>> rows_;
};
}  // namespace

int dlq_show_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Look at the messages of a queue without taking them out.", "ferry dlq show"};
  ClientOptions options;
  std::string queue;
  std::vector<std::string> where_texts;
  std::size_t limit = 10;
  app.add_option("DLQ", queue, "name, URL or ARN")->required();
  app.add_option("--where", where_texts, "only messages for which this holds; see below")->allow_extra_args(false);
  app.add_option("--limit", limit, "show no more than this, 1 to 1000 [10]")->check(CLI::Range(1, 1000));
  add_client_options(app, options, TranscriptFlag::No);
  app.footer(std::string(kWhereHelp) + "\n" + kExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  std::vector<Condition> conditions;
  if (const auto exit_code = read_conditions(where_texts, conditions, context, kName)) return *exit_code;
  const StopSignals stop(context);
  auto session = Session::open(options, queue, context);
  if (!session) return complain(context, kName, session.error().message, kExitUsage);
  const QueueOrExit where = find_queue(**session, queue, context, kName);
  if (where.exit_code) return *where.exit_code;
  worker::ClientQueuePort port((*session)->client(), where.url, "");
  Printer printer(options, context);
  std::size_t shown = 0;
  ScanOptions scan;
  scan.messages_max = conditions.empty() ? limit : kScannedMax;
  const ScanReport report = scan_queue(port, context.clock, scan, stop.flag(), [&](const sqs::Message& message) {
    if (!matches_all(conditions, message, context.clock.wall())) return true;
    printer.show(message);
    return ++shown < limit;
  });
  printer.end();
  if (!options.quiet) {
    write_text(context.err, fmt::format("{} shown of {} received, all given back{}\n", shown, report.seen,
                                        report.whole ? "" : "; there may be more"));
  }
  if (report.not_returned > 0) {
    complain(
        context, kName,
        fmt::format("{} could not be given back: they stay hidden for up to {} s", report.not_returned, scan.visibility.count()),
        0);
  }
  if (report.error) return complain(context, kName, *report.error, (*session)->endpoint().url);
  if (stop.flag().requests() > 0) return 128 + stop.flag().signal();
  return kExitDone;
}

}  // namespace ferry::cli
