#pragma once
// Which messages go together into one SendMessageBatch.

#include <cstddef>
#include <span>
#include <vector>

namespace ferry::sender {

/// Messages first … first + count - 1.
struct Batch {
  std::size_t first = 0;
  std::size_t count = 0;
  bool operator==(const Batch&) const = default;
};

/// Consecutive, as few as their order allows: at most sqs::kBatchEntriesMax messages and sqs::kBatchBytesMax bytes each.
/// A message that is larger than a batch stands alone.
std::vector<Batch> plan_batches(std::span<const std::size_t> message_bytes);

}  // namespace ferry::sender
