#pragma once
// Looking through a queue without taking anything out of it: each message is received once, shown, and given back at the end.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/process.h"
#include "client/client.h"
#include "sqs/api.h"
#include "worker/queue_port.h"

namespace ferry::cli {

/// A system attribute of a received message, or nothing.
std::optional<std::string> system_value(const sqs::Message& message, std::string_view name);
/// ApproximateReceiveCount, this receive included; 1 when it is not told.
std::int64_t receives_of(const sqs::Message& message);
/// SentTimestamp; nothing when it is not told.
std::optional<Timestamp> sent_at(const sqs::Message& message);
/// Attributes of a queue by name; empty when it is not among them.
std::string attribute_of(const sqs::TextMap& attributes, std::string_view name);

/// Makes messages visible again, in batches of ten, each failed entry tried three times. The number of those that could not be:
/// they are seen again when their visibility timeout is over.
std::size_t give_back(worker::QueuePort& port, const std::vector<std::string>& receipt_handles);

struct ScanOptions {
  Seconds visibility{60};            ///< what is received is hidden so long at most; after three quarters of it the scan ends
  std::size_t messages_max = 1'000;  ///< that are looked at
};
struct ScanReport {
  std::size_t seen = 0;
  std::size_t not_returned = 0;            ///< could not be given back
  bool whole = false;                      ///< the queue had nothing more to show
  std::optional<client::CallError> error;  ///< why it ended early
};

/// Calls `see` for each message, in the order of receipt, once an id; it answers whether to go on. Blocks: a queue with nothing
/// more costs a second of long polling. Whatever happens, everything received is given back before the return. Of a FIFO queue
/// it sees the first ten messages of each group at most: the server holds the others back behind them. Each message's receive
/// count goes up by one.
ScanReport scan_queue(worker::QueuePort& port, const Clock& clock, const ScanOptions& options, const StopFlag& stop,
                      const std::function<bool(const sqs::Message&)>& see);

}  // namespace ferry::cli
