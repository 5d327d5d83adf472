// `ferry dlq ls`.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>

#include "base/encoding.h"
#include "cli/dlq_parts.h"
#include "cli/queue_scan.h"
#include "sqs/names.h"
#include "sqs/redrive.h"
#include "worker/client_queue_port.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "dlq ls";
constexpr Seconds kAgeVisibility{10};

constexpr const char* kExamples = R"(
Examples:
  ferry dlq ls                   every dead-letter queue that this key can see
  ferry dlq ls work              the one of the queue work, or work itself if it is one
  ferry dlq ls --age             with the age of the oldest of up to ten messages of each, received and given back at once
  ferry dlq ls -o json

The counts are approximate, as the server tells them.)";

struct DeadLetterQueue {
  std::string url;
  std::vector<std::string> sources;  // names
  sqs::TextMap attributes;
  std::optional<Millis> oldest;
};

class Listing {
 public:
  Listing(Session& session, const CommandContext& context) : session_(session), context_(context) {}

  // All that ListQueues shows.
  std::optional<int> find_all() {
    sqs::ListQueuesRequest request;
    request.max_results = 1000;
    std::map<std::string, DeadLetterQueue> by_arn;
    std::map<std::string, std::vector<std::string>> sources;  // ARN of the target -> names
    do {
      const auto page = session_.client().list_queues(request);
      if (!page) return call_failed(page.error());
      for (const std::string& url : page->queue_urls) {
        DeadLetterQueue queue{url, {}, {}, {}};
        if (!read_attributes(queue)) continue;
        const auto policy = sqs::parse_redrive_policy(attribute_of(queue.attributes, "RedrivePolicy"));
        if (policy) sources[sqs::format_queue_arn(policy->dead_letter_target)].push_back(queue_name_of(url));
        by_arn.emplace(attribute_of(queue.attributes, "QueueArn"), std::move(queue));
      }
      request.next_token = page->next_token;
    } while (request.next_token);
    for (auto& [arn, names] : sources) {
      const auto found = by_arn.find(arn);
      if (found == by_arn.end()) {
        complain(
            context_, kName,
            fmt::format("dead letters of {} go to {}, which is not there or may not be seen; without it they stay in the queue",
                        join(names), arn),
            0);
        continue;
      }
      found->second.sources = std::move(names);
      queues.push_back(std::move(found->second));
    }
    return std::nullopt;
  }

  // Those of one queue: itself, or its target.
  std::optional<int> find_of(const std::string& name, const std::string& url) {
    DeadLetterQueue queue{url, {}, {}, {}};
    if (const auto exit_code = read_sources(queue)) return exit_code;
    if (!queue.sources.empty()) {
      if (!read_attributes(queue)) return kExitFailed;
      queues.push_back(std::move(queue));
      return std::nullopt;
    }
    if (!read_attributes(queue)) return kExitFailed;
    const auto policy = sqs::parse_redrive_policy(attribute_of(queue.attributes, "RedrivePolicy"));
    if (!policy) {
      return complain(
          context_, kName,
          fmt::format("{} has no dead-letter queue and is none of another queue (ferry doctor {} says how to make one)", name,
                      name),
          kExitNotFound);
    }
    QueueOrExit target = find_queue(session_, sqs::format_queue_arn(policy->dead_letter_target), context_, kName);
    if (target.exit_code) return target.exit_code;
    DeadLetterQueue dead{std::move(target.url), {}, {}, {}};
    if (const auto exit_code = read_sources(dead)) return exit_code;
    if (!read_attributes(dead)) return kExitFailed;
    queues.push_back(std::move(dead));
    return std::nullopt;
  }

  // Receives up to ten of each and gives them back.
  void find_ages() {
    const std::atomic<bool> never{false};
    for (DeadLetterQueue& queue : queues) {
      worker::ClientQueuePort port(session_.client(), queue.url, "");
      const auto received = port.receive({10, Seconds(0), kAgeVisibility}, never);
      if (!received) {
        call_failed(received.error());
        continue;
      }
      std::vector<std::string> handles;
      for (const sqs::Message& message : *received) {
        handles.push_back(message.receipt_handle);
        const auto sent = sent_at(message);
        if (sent) queue.oldest = std::max(queue.oldest.value_or(Millis(0)), context_.clock.wall() - *sent);
      }
      give_back(port, handles);
    }
  }

  std::vector<DeadLetterQueue> queues;

 private:
  int call_failed(const client::CallError& error) const { return complain(context_, kName, error, session_.endpoint().url); }
  static std::string join(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

  // A queue that goes away meanwhile, or that this key may not see, is said and left out.
  bool read_attributes(DeadLetterQueue& queue) {
    sqs::GetQueueAttributesRequest request;
    request.queue_url = queue.url;
    request.attribute_names = {"All"};
    const auto answer = session_.client().get_queue_attributes(request);
    if (!answer) {
      call_failed(answer.error());
      return false;
    }
    queue.attributes = answer->attributes;
    return true;
  }

  std::optional<int> read_sources(DeadLetterQueue& queue) {
    sqs::ListDeadLetterSourceQueuesRequest request;
    request.queue_url = queue.url;
    request.max_results = 1000;
    do {
      const auto page = session_.client().list_dead_letter_source_queues(request);
      if (!page) return call_failed(page.error());
      for (const std::string& url : page->queue_urls) queue.sources.push_back(queue_name_of(url));
      request.next_token = page->next_token;
    } while (request.next_token);
    return std::nullopt;
  }

  Session& session_;
  const CommandContext& context_;
};

std::string as_json(const DeadLetterQueue& queue) {
  JsonWriter json;
  json.begin_object().key("QueueUrl").text(queue.url).key("Sources").begin_array();
  for (const std::string& name : queue.sources) json.text(name);
  json.end_array();
  for (const char* name : {"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "MessageRetentionPeriod"}) {
    json.key(name).number(parse_integer(attribute_of(queue.attributes, name)).value_or(0));
  }
  if (queue.oldest) json.key("OldestSeconds").number(queue.oldest->count() / 1000);
  return json.end_object().str();
}

void print(const std::vector<DeadLetterQueue>& queues, OutputFormat format, bool ages, const CommandContext& context) {
  if (format != OutputFormat::Table) {
    DocumentList list(format);
    std::string text;
    for (const DeadLetterQueue& queue : queues) text += list.next(as_json(queue));
    return write_text(context.out, text + list.end());
  }
  std::vector<std::vector<std::string>> rows;
  for (const DeadLetterQueue& queue : queues) {
    const auto retention = parse_integer(attribute_of(queue.attributes, "MessageRetentionPeriod")).value_or(0);
    rows.push_back({queue_name_of(queue.url), fmt::format("{}", fmt::join(queue.sources, ", ")),
                    attribute_of(queue.attributes, "ApproximateNumberOfMessages"),
                    attribute_of(queue.attributes, "ApproximateNumberOfMessagesNotVisible"), short_age(Seconds(retention))});
    if (ages) rows.back().push_back(queue.oldest ? short_age(*queue.oldest) : "-");
  }
  std::vector<std::string> header = {"QUEUE", "SOURCES", "WAITING", "IN FLIGHT", "KEPT FOR"};
  if (ages) header.emplace_back("OLDEST");
  write_text(context.out, format_table(header, rows));
}
}  // namespace

int dlq_list_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"List dead-letter queues with their sources and counts.", "ferry dlq ls"};
  ClientOptions options;
  std::string queue;
  bool ages = false;
  app.add_option("QUEUE", queue, "a dead-letter queue, or a queue that has one: name, URL or ARN [all]");
  app.add_flag("--age", ages,
               "age of the oldest message, of up to ten that are received and given back; their receive counts rise");
  add_client_options(app, options, TranscriptFlag::No);
  app.footer(kExamples);
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  auto session = Session::open(options, queue, context);
  if (!session) return complain(context, kName, session.error().message, kExitUsage);
  Listing listing(**session, context);
  if (queue.empty()) {
    if (const auto exit_code = listing.find_all()) return *exit_code;
  } else {
    const QueueOrExit where = find_queue(**session, queue, context, kName);
    if (where.exit_code) return *where.exit_code;
    if (const auto exit_code = listing.find_of(queue, where.url)) return *exit_code;
  }
  if (ages) listing.find_ages();
  const OutputFormat format = resolve_format(options, context, OutputFormat::Json);
  if (listing.queues.empty() && format == OutputFormat::Table && !options.quiet) {
    write_text(context.err, "no dead-letter queues\n");
    return kExitDone;
  }
  print(listing.queues, format, ages, context);
  return kExitDone;
}

}  // namespace ferry::cli
