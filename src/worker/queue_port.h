#pragma once
// The few calls that a worker makes to its queue: a seam. Thread-safe, blocking.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/client.h"
#include "sqs/api.h"

namespace ferry::worker {

/// What a failure means to a worker.
enum class Fault {
  Transient,      ///< may pass: throttled, unavailable, no answer
  Lost,           ///< the receipt handle does not hold the message any more
  NoQueue,        ///< the queue is not there
  NotAuthorised,  ///< the service refuses us, or there are no credentials
  Cancelled,      ///< we gave up ourselves
  Rejected,       ///< the call is wrong; repeating it cannot help
};
Fault classify(const client::CallError& error);

/// One entry of a batch that failed.
struct EntryFailure {
  std::size_t index = 0;  ///< into what was asked
  Fault fault = Fault::Transient;
  std::string message;
};

struct VisibilityChange {
  std::string receipt_handle;
  Seconds timeout{0};
};

struct QueueCounts {
  std::int64_t visible = 0;
  std::int64_t in_flight = 0;
  std::int64_t delayed = 0;
};

struct ReceiveCall {
  int messages_max = 10;
  Seconds wait{20};
  Seconds visibility{60};
};

class QueuePort {
 public:
  virtual ~QueuePort() = default;
  /// With all attributes, system attributes included. `cancel` ends the wait early.
  virtual client::CallResult<std::vector<sqs::Message>> receive(const ReceiveCall& call, const std::atomic<bool>& cancel) = 0;
  /// At most 10. Entries that are not among the failures are done.
  virtual client::CallResult<std::vector<EntryFailure>> remove(std::span<const std::string> receipt_handles) = 0;
  virtual client::CallResult<std::vector<EntryFailure>> change_visibility(std::span<const VisibilityChange> changes) = 0;
  virtual client::CallResult<QueueCounts> counts() = 0;
  /// All calls but receive(), under way or to come, end as Cancelled soon. For good.
  virtual void give_up() {}
  /// Puts a copy of a message into the dead-letter queue.
  virtual client::CallResult<void> send_to_dead_letters(const sqs::Message& message) = 0;
};

}  // namespace ferry::worker
