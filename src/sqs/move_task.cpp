#include "sqs/move_task.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "sqs/json_object.h"
#include "sqs/limits.h"

namespace ferry::sqs {

std::string_view name_of(MoveTaskStatus status) {
  switch (status) {
    case MoveTaskStatus::Running:
      return "RUNNING";
    case MoveTaskStatus::Completed:
      return "COMPLETED";
    case MoveTaskStatus::Cancelling:
      return "CANCELLING";
    case MoveTaskStatus::Cancelled:
      return "CANCELLED";
    case MoveTaskStatus::Failed:
      return "FAILED";
  }
  FERRY_CHECK(false);
}

std::string encode_move_task_handle(const Uuid& task, std::string_view source_arn) {
  return base64_encode(fmt::format(R"({{"taskId":"{}","sourceArn":"{}"}})", to_string(task), source_arn));
}

std::optional<MoveTaskHandle> decode_move_task_handle(std::string_view text) {
  if (text.size() > kMoveTaskHandleCharsMax) return std::nullopt;
  const auto bytes = base64_decode(text);
  if (!bytes) return std::nullopt;
  const auto object = parse_json_object(*bytes);
  if (!object) return std::nullopt;
  const boost::json::value* task = object->if_contains("taskId");
  const boost::json::value* source = object->if_contains("sourceArn");
  if (task == nullptr || !task->is_string() || source == nullptr || !source->is_string()) return std::nullopt;
  auto arn = parse_queue_arn(text_of(source->get_string()));
  if (!arn) return std::nullopt;
  return MoveTaskHandle{std::string(text_of(task->get_string())), std::move(*arn)};
}

}  // namespace ferry::sqs
