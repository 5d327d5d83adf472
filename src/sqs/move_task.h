#pragma once
// Message move tasks: their states and their handles.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/uuid.h"
#include "sqs/names.h"

namespace ferry::sqs {

enum class MoveTaskStatus : std::uint8_t { Running, Completed, Cancelling, Cancelled, Failed };
/// "RUNNING" …
std::string_view name_of(MoveTaskStatus status);

/// A handle is base64 of {"taskId":"<uuid>","sourceArn":"<arn>"}, as Amazon's are.
struct MoveTaskHandle {
  std::string task_id;  ///< as it stands in the handle, maybe no UUID
  QueueArn source;
};
std::string encode_move_task_handle(const Uuid& task, std::string_view source_arn);
/// Nothing when it is no handle.
std::optional<MoveTaskHandle> decode_move_task_handle(std::string_view text);

}  // namespace ferry::sqs
