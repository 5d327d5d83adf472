#include "cli/dlq_move.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "cli/dlq_parts.h"
#include "cli/progress.h"
#include "cli/queue_scan.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kName = "dlq replay";
constexpr Millis kLookInterval{500};
constexpr Millis kStopTick{50};
using Task = sqs::ListMessageMoveTasksResultEntry;

class Move {
 public:
  Move(Session& session, const MoveOptions& options, const CommandContext& context, const StopFlag& stop)
      : session_(session),
        options_(options),
        context_(context),
        stop_(stop),
        line_(context, {"moving", ProgressUnit::Things, options.quiet}) {}

  int run() {
    sqs::StartMessageMoveTaskRequest request;
    if (const auto exit_code = find_arn(options_.source_url, source_arn_)) return *exit_code;
    request.source_arn = source_arn_;
    if (!options_.target_url.empty()) {
      if (const auto exit_code = find_arn(options_.target_url, request.destination_arn.emplace())) return *exit_code;
    }
    request.max_number_of_messages_per_second = options_.rate;
    const auto started = session_.client().start_message_move_task(request);
    if (!started) return call_failed(started.error());
    handle_ = started->task_handle;
    return watch();
  }

 private:
  int call_failed(const client::CallError& error) {
    line_.clear();
    return complain(context_, kName, error, session_.endpoint().url);
  }

  std::optional<int> find_arn(const std::string& url, std::string& arn) {
    sqs::GetQueueAttributesRequest request;
    request.queue_url = url;
    request.attribute_names = {"QueueArn"};
    const auto answer = session_.client().get_queue_attributes(request);
    if (!answer) return call_failed(answer.error());
    arn = attribute_of(answer->attributes, "QueueArn");
    return std::nullopt;
  }

  // The newest task of this source: a handle is told of running tasks only.
  client::CallResult<std::optional<Task>> look() {
    sqs::ListMessageMoveTasksRequest request;
    request.source_arn = source_arn_;
    request.max_results = 1;
    FERRY_TRY(auto answer, session_.client().list_message_move_tasks(request));
    if (answer.results.empty()) return std::optional<Task>();
    return std::optional<Task>(std::move(answer.results.front()));
  }

  int watch() {
    bool cancelled = false;
    for (;;) {
      if (stop_.requests() > 0 && !cancelled) {
        cancelled = true;
        const auto answer = session_.client().cancel_message_move_task({handle_});
        if (!answer) call_failed(answer.error());
      }
      const auto task = look();
      if (!task) return call_failed(task.error());
      if (!*task) return ended(Task(), "the server does not know the task any more");
      const std::string status = (*task)->status.value_or("");
      line_.tell({count((*task)->approximate_number_of_messages_moved), count((*task)->approximate_number_of_messages_to_move)});
      if (status != "RUNNING" && status != "CANCELLING") return ended(**task, status);
      for (Millis slept{0}; slept < kLookInterval && (cancelled || stop_.requests() == 0); slept += kStopTick)
        sleep_for(kStopTick);
    }
  }

  static std::uint64_t count(const sqs::OptionalInteger& number) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(number.value_or(0), 0));
  }

  int ended(const Task& task, const std::string& status) {
    line_.clear();
    if (!options_.quiet) {
      const std::string reason = task.failure_reason ? ": " + *task.failure_reason : "";
      write_text(context_.err,
                 fmt::format("{} messages moved by the server; {}{}\n", count(task.approximate_number_of_messages_moved),
                             escape_control(status), escape_control(reason)));
    }
    if (options_.format != OutputFormat::Table) {
      JsonWriter json;
      json.begin_object().key("Moved").number(task.approximate_number_of_messages_moved.value_or(0)).key("Status").text(status);
      write_text(context_.out, json.optional_text("FailureReason", task.failure_reason).end_object().str() + "\n");
    }
    if (status == "COMPLETED") return kExitDone;
    return status == "CANCELLED" && stop_.requests() > 0 ? 128 + stop_.signal() : kExitFailed;
  }

  Session& session_;
  const MoveOptions& options_;
  const CommandContext& context_;
  const StopFlag& stop_;
  Progress line_;
  std::string source_arn_;
  std::string handle_;
};
}  // namespace

int move_by_server(Session& session, const MoveOptions& options, const CommandContext& context, const StopFlag& stop) {
  return Move(session, options, context, stop).run();
}

}  // namespace ferry::cli
