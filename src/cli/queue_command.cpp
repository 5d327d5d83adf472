#include "cli/queue_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "cli/client_options.h"
#include "cli/dlq_parts.h"
#include "cli/purge_wait.h"
#include "sqs/names.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "queue";
constexpr std::size_t kAnswerBytesMax = 4096;

constexpr const char* kExamples = R"(
Examples:
  ferry queue create work -a VisibilityTimeout=60
  ferry queue ls
  ferry queue show work
  ferry queue set work -a MessageRetentionPeriod=86400
  ferry queue purge work                asks first; in scripts: --yes
  ferry queue purge work --yes --wait   until the queue tells no messages
  ferry queue rm work)";

struct Flags {
  ClientOptions client;
  std::string queue;
  std::string prefix;
  std::vector<std::string> attributes;
  bool yes = false;
  bool wait = false;
};

class QueueActions {
 public:
  QueueActions(const Flags& flags, const CommandContext& context) : flags_(flags), context_(context) {}

  int create() {
    sqs::CreateQueueRequest request;
    request.queue_name = flags_.queue;
    if (const auto exit_code = read_attributes(request.attributes)) return *exit_code;
    if (const auto exit_code = open("")) return *exit_code;
    const auto created = session_->client().create_queue(request);
    if (!created) return call_failed(created.error());
    if (format() == OutputFormat::Table) {
      print(fmt::format("{}\n", escape_control(created->queue_url)));
    } else {
      JsonWriter json;
      json.begin_object().key("QueueUrl").text(created->queue_url).end_object();
      print(json.str() + "\n");
    }
    return kExitDone;
  }

  int list() {
    if (const auto exit_code = open("")) return *exit_code;
    std::vector<std::string> urls;
    sqs::ListQueuesRequest request;
    request.max_results = 1000;
    if (!flags_.prefix.empty()) request.queue_name_prefix = flags_.prefix;
    do {
      const auto page = session_->client().list_queues(request);
      if (!page) return call_failed(page.error());
      urls.insert(urls.end(), page->queue_urls.begin(), page->queue_urls.end());
      request.next_token = page->next_token;
    } while (request.next_token);
    print_list(urls);
    return kExitDone;
  }

  int show() {
    if (const auto exit_code = open_queue()) return *exit_code;
    sqs::GetQueueAttributesRequest request;
    request.queue_url = url_;
    request.attribute_names = {"All"};
    const auto answer = session_->client().get_queue_attributes(request);
    if (!answer) return call_failed(answer.error());
    sqs::TextMap attributes = answer->attributes;
    std::sort(attributes.begin(), attributes.end());
    if (format() == OutputFormat::Table) {
      std::vector<std::vector<std::string>> rows = {{"QueueUrl", url_}};
      for (const auto& [name, value] : attributes) rows.push_back({name, value});
      print(format_table({"ATTRIBUTE", "VALUE"}, rows));
      return kExitDone;
    }
    JsonWriter json;
    json.begin_object().key("QueueUrl").text(url_).key("Attributes").begin_object();
    for (const auto& [name, value] : attributes) json.key(name).text(value);
    json.end_object().end_object();
    print(json.str() + "\n");
    return kExitDone;
  }

  int set() {
    sqs::SetQueueAttributesRequest request;
    if (const auto exit_code = read_attributes(request.attributes)) return *exit_code;
    if (request.attributes.empty()) return complain(context_, kName, "name at least one attribute: -a NAME=VALUE", kExitUsage);
    if (const auto exit_code = open_queue()) return *exit_code;
    request.queue_url = url_;
    const auto done = session_->client().set_queue_attributes(request);
    return done ? kExitDone : call_failed(done.error());
  }

  int purge() {
    if (const auto exit_code = confirm("deletes every message of")) return *exit_code;
    if (const auto exit_code = open_queue()) return *exit_code;
    sqs::PurgeQueueRequest request;
    request.queue_url = url_;
    const auto purge_once = [&] { return session_->client().purge_queue(request); };
    if (flags_.wait) return wait_for_purge(purge_once);
    const auto done = purge_once();
    return done ? kExitDone : call_failed(done.error());
  }

  int remove() {
    if (const auto exit_code = confirm("deletes, with all its messages,")) return *exit_code;
    if (const auto exit_code = open_queue()) return *exit_code;
    sqs::DeleteQueueRequest request;
    request.queue_url = url_;
    const auto done = session_->client().delete_queue(request);
    return done ? kExitDone : call_failed(done.error());
  }

 private:
  int wait_for_purge(const std::function<client::CallResult<sqs::EmptyResponse>()>& purge_once) const {
    const StopSignals stop(context_);
    Progress progress(context_, {"purging", ProgressUnit::Things, flags_.client.quiet});
    const PurgeEnd end = purge_and_wait({purge_once, [this] { return messages_left(); }, context_.clock,
                                         [](Millis pause) { sleep_for(pause); }, stop.flag(), progress});
    progress.clear();
    switch (end.how) {
      case PurgeEnd::How::Empty:
        return kExitDone;
      case PurgeEnd::How::Left:
        return complain(context_, kName, fmt::format("purged, but about {} messages are still told; look again later", end.left),
                        kExitWorkLeft);
      case PurgeEnd::How::Stopped:
        return 128 + stop.flag().signal();
      case PurgeEnd::How::Failed:
        break;
    }
    return call_failed(*end.error);
  }

  client::CallResult<std::int64_t> messages_left() const {
    sqs::GetQueueAttributesRequest request;
    request.queue_url = url_;
    request.attribute_names = {"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
                               "ApproximateNumberOfMessagesDelayed"};
    const auto answer = session_->client().get_queue_attributes(request);
    if (!answer) return Unexpected(answer.error());
    std::int64_t left = 0;
    for (const auto& attribute : answer->attributes) left += parse_integer(attribute.second).value_or(0);
    return left;
  }

  OutputFormat format() const { return resolve_format(flags_.client, context_, OutputFormat::Json); }
  void print(const std::string& text) const { write_text(context_.out, text); }
  int call_failed(const client::CallError& error) const { return complain(context_, kName, error, session_->endpoint().url); }

  std::optional<int> open(const std::string& queue) {
    auto session = Session::open(flags_.client, queue, context_);
    if (!session) return complain(context_, kName, session.error().message, kExitUsage);
    session_ = std::move(*session);
    return std::nullopt;
  }

  std::optional<int> open_queue() {
    if (const auto exit_code = open(flags_.queue)) return exit_code;
    QueueOrExit where = find_queue(*session_, flags_.queue, context_, kName);
    url_ = std::move(where.url);
    return where.exit_code;
  }

  std::optional<int> read_attributes(sqs::TextMap& attributes) const {
    for (const std::string& text : flags_.attributes) {
      const std::size_t equals = text.find('=');
      if (equals == std::string::npos || equals == 0) {
        return complain(context_, kName, fmt::format("\"{}\" is no attribute; write NAME=VALUE", text), kExitUsage);
      }
      attributes.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return std::nullopt;
  }

  // People are asked to type the queue's name; programs have to say --yes.
  std::optional<int> confirm(std::string_view what) const {
    if (flags_.yes) return std::nullopt;
    if (!is_terminal(context_.in) || !is_terminal(context_.err)) {
      return complain(context_, kName,
                      fmt::format("this {} {}; say --yes, for there is no terminal to ask at", what, flags_.queue), kExitUsage);
    }
    write_text(context_.err, fmt::format("This {} {}. Type its name to go on: ", what, escape_control(flags_.queue)));
    std::string answer;
    char c = 0;
    while (answer.size() < kAnswerBytesMax && ::read(context_.in, &c, 1) == 1 && c != '\n') answer.push_back(c);
    if (trim(answer) == flags_.queue) return std::nullopt;
    return complain(context_, kName, "nothing was done", kExitFailed);
  }

  void print_list(const std::vector<std::string>& urls) const {
    if (format() == OutputFormat::Table) {
      std::vector<std::vector<std::string>> rows;
      for (const std::string& url : urls) {
        const auto address = sqs::parse_queue_url(url);
        rows.push_back({address ? address->name : url, url});
      }
      return print(format_table({"QUEUE", "URL"}, rows));
    }
    if (format() == OutputFormat::JsonLines) {
      for (const std::string& url : urls) {
        JsonWriter json;
        json.begin_object().key("QueueUrl").text(url).end_object();
        print(json.str() + "\n");
      }
      return;
    }
    JsonWriter json;
    json.begin_object().key("QueueUrls").begin_array();
    for (const std::string& url : urls) json.text(url);
    json.end_array().end_object();
    print(json.str() + "\n");
  }

  const Flags& flags_;
  const CommandContext& context_;
  std::unique_ptr<Session> session_;
  std::string url_;
};
}  // namespace

int queue_command(std::span<const std::string> arguments, CommandContext& context) {
  CLI::App app{"Create, look at and change queues.", "ferry queue"};
  Flags flags;
  app.require_subcommand(1);
  app.footer(kExamples);
  int (QueueActions::*action)() = nullptr;
  const auto add = [&](const char* name, const char* what, int (QueueActions::*run)()) {
    CLI::App* command = app.add_subcommand(name, what);
    add_client_options(*command, flags.client, TranscriptFlag::No);
    command->callback([&action, run] { action = run; });
    return command;
  };
  const char* kAttribute = "NAME=VALUE, for example VisibilityTimeout=60";
  CLI::App* create = add("create", "make a queue and print its URL", &QueueActions::create);
  create->add_option("NAME", flags.queue)->required();
  create->add_option("-a,--attribute", flags.attributes, kAttribute)->allow_extra_args(false);
  add("ls", "list queues", &QueueActions::list)->add_option("PREFIX", flags.prefix, "only names that start with it");
  add("show", "print a queue's attributes, counts among them", &QueueActions::show)->add_option("QUEUE", flags.queue)->required();
  CLI::App* set = add("set", "change attributes", &QueueActions::set);
  set->add_option("QUEUE", flags.queue)->required();
  set->add_option("-a,--attribute", flags.attributes, kAttribute)->allow_extra_args(false);
  CLI::App* purge = add("purge", "delete all messages", &QueueActions::purge);
  purge->add_flag("--wait", flags.wait,
                  "until the queue tells no messages, 2 minutes at most; also for a purge that is under way");
  CLI::App* remove = add("rm", "delete the queue", &QueueActions::remove);
  for (CLI::App* dangerous : {purge, remove}) {
    dangerous->add_option("QUEUE", flags.queue)->required();
    dangerous->add_flag("--yes", flags.yes, "do not ask");
  }
  if (const auto exit_code = parse_arguments(app, arguments, context)) return *exit_code;
  QueueActions actions(flags, context);
  return (actions.*action)();
}

}  // namespace ferry::cli
