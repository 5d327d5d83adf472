#include "sender/batches.h"

#include "sqs/limits.h"

namespace ferry::sender {

std::vector<Batch> plan_batches(std::span<const std::size_t> message_bytes) {
  std::vector<Batch> batches;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < message_bytes.size(); ++i) {
    const bool fits =
        !batches.empty() && batches.back().count < sqs::kBatchEntriesMax && bytes + message_bytes[i] <= sqs::kBatchBytesMax;
    if (!fits) {
      batches.push_back({i, 0});
      bytes = 0;
    }
    ++batches.back().count;
    bytes += message_bytes[i];
  }
  return batches;
}

}  // namespace ferry::sender
