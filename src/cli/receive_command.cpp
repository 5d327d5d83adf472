#include "cli/receive_command.h"

#include <fmt/format.h>

#include "cli/client_options.h"
#include "worker/client_queue_port.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "receive";

constexpr const char* kExamples = R"(
Examples:
  ferry receive work                    one message, if one is there; it is hidden from others for the visibility timeout
  ferry receive work -n 10 --wait 20s   up to ten, waiting up to 20 s for the first
  ferry receive work --delete           read and delete
  ferry receive work -n 10 | jq .Body   JSON lines with the names of the SQS API)";

Result<std::int64_t> whole_seconds(std::string_view flag, Millis value, std::int64_t max) {
  if (value.count() % 1000 == 0 && value.count() / 1000 <= max) return value.count() / 1000;
  return fail(ErrorKind::InvalidArgument, fmt::format("{} must be whole seconds, at most {}", flag, max));
}
}  // namespace

int receive_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Receive messages once and print them, with all their attributes.", "ferry receive"};
  ClientOptions options;
  std::string queue;
  int count = 1;
  std::optional<Millis> wait;
  std::optional<Millis> visibility;
  bool remove = false;
  app.add_option("QUEUE", queue, "name, URL or ARN")->required();
  app.add_option("-n,--max", count, "how many at most, 1 to 10 [1]")->check(CLI::Range(1, 10));
  app.add_option_function<std::string>("--wait", duration_into(wait), "wait for a message, up to 20s [the queue's setting]");
  app.add_option_function<std::string>("--visibility", duration_into(visibility),
                                       "hide what is received for so long, up to 12h [the queue's setting]");
  app.add_flag("--delete", remove, "delete what was printed");
  add_client_options(app, options, TranscriptFlag::No);
  app.footer(kExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  sqs::ReceiveMessageRequest request;
  request.attribute_names = {"All"};
  request.message_attribute_names = {"All"};
  request.max_number_of_messages = count;
  if (wait) {
    const auto seconds = whole_seconds("--wait", *wait, 20);
    if (!seconds) return complain(context, kName, seconds.error().message, kExitUsage);
    request.wait_time_seconds = *seconds;
  }
  if (visibility) {
    const auto seconds = whole_seconds("--visibility", *visibility, 43'200);
    if (!seconds) return complain(context, kName, seconds.error().message, kExitUsage);
    request.visibility_timeout = *seconds;
  }
  auto session = Session::open(options, queue, context);
  if (!session) return complain(context, kName, session.error().message, kExitUsage);
  const QueueOrExit where = find_queue(**session, queue, context, kName);
  if (where.exit_code) return *where.exit_code;
  request.queue_url = where.url;
  const auto received = (*session)->client().receive_message(request);
  if (!received) return complain(context, kName, received.error(), (*session)->endpoint().url);
  const OutputFormat format = resolve_format(options, context, OutputFormat::JsonLines);
  std::string text;
  DocumentList list(format);
  std::vector<std::string> handles;
  for (const sqs::Message& message : received->messages) {
    handles.push_back(message.receipt_handle);
    if (format == OutputFormat::Table) {
      text += format_message(message);
      continue;
    }
    JsonWriter json;
    write_message_json(json, message);
    text += list.next(json.str());
  }
  if (format != OutputFormat::Table) text += list.end();
  if (const Result<void> written = write_all(context.out, text); !written) {
    return complain(context, kName, fmt::format("{}; nothing is deleted", written.error().message), kExitFailed);
  }
  if (handles.empty() && format == OutputFormat::Table && !options.quiet) write_text(context.err, "nothing received\n");
  if (!remove || handles.empty()) return kExitDone;
  worker::ClientQueuePort port((*session)->client(), where.url, "");
  const auto failures = port.remove(handles);
  if (!failures) return complain(context, kName, failures.error(), (*session)->endpoint().url);
  for (const worker::EntryFailure& failure : *failures) {
    complain(context, kName, fmt::format("{} was not deleted: {}", received->messages[failure.index].message_id, failure.message),
             0);
  }
  if (failures->empty()) return kExitDone;
  return failures->size() == handles.size() ? kExitFailed : kExitPartly;
}

}  // namespace ferry::cli
