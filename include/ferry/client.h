#pragma once
/// @file
/// Queues: making them, sending, receiving, deleting. For Ferry's server and for Amazon SQS.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "ferry/connection.h"
#include "ferry/expected.h"
#include "ferry/message.h"

namespace ferry {
namespace library {
class Core;
}

/// Attributes of a queue with the names and values of the API: {{"VisibilityTimeout", "60"}, {"FifoQueue", "true"}}.
using QueueAttributes = std::map<std::string, std::string, std::less<>>;

/// How many messages a queue holds, approximately.
struct QueueCounts {
  std::int64_t visible = 0;    ///< Can be received now.
  std::int64_t in_flight = 0;  ///< Received and neither deleted nor visible again.
  std::int64_t delayed = 0;    ///< Not visible for the first time yet.
};

/// How to receive.
struct ReceiveOptions {
  int messages_max = 10;          ///< 1 to 10; fewer may come.
  std::chrono::seconds wait{20};  ///< For the first message, 0 to 20 s.
  std::optional<std::chrono::seconds>
      visibility{};  ///< Hidden from others for so long, 0 to 43200 s; not given: as the queue says.
};

/// One queue. Values of this class are cheap to copy and share their connection, which lives as long as any of them. All calls
/// block, with retries, and may be made from several threads. They fail with NotReachable, Unavailable, Unknown, NotAuthorised,
/// NotFound (the queue is gone) or Refused.
class Queue {
 public:
  /// What the service calls it.
  const std::string& url() const;
  /// The last part of the URL.
  const std::string& name() const;

  /// Sends a message. With Ferry's server it is on disk on return. After Unknown it may be there, and a repeated send makes
  /// two of it unless it has a deduplication id. InvalidArgument: it is no message; nothing was sent.
  Expected<SentMessage> send(const OutgoingMessage& message) const;
  /// Sends any number in calls of up to ten and 1 MiB; one result for each, in their order. When one of them is no message,
  /// nothing is sent and every result is InvalidArgument. Entries that fail for a passing reason are sent again, and only those.
  std::vector<Expected<SentMessage>> send_all(std::span<const OutgoingMessage> messages) const;

  /// Waits for messages; none when `wait` is over. Cancelled once a stop of `stop` was requested, 0.1 s later at most: what the
  /// service has given out by then stays hidden until its visibility timeout is over.
  Expected<std::vector<Message>> receive(const ReceiveOptions& options = {}, const std::stop_token& stop = {}) const;

  /// Deletes a message that was received; gone for good on return. ReceiptLost: others may have it.
  Expected<void> remove(const Message& message) const;
  /// The same in calls of ten; one result for each, in their order.
  std::vector<Expected<void>> remove_all(std::span<const Message> messages) const;

  /// From now on the message stays hidden for `timeout`, 0 to 43200 s; 0 gives it back at once. ReceiptLost: it was not hidden
  /// any more.
  Expected<void> change_visibility(const Message& message, std::chrono::seconds timeout) const;
  /// The same for many in calls of ten; one result for each, in their order.
  std::vector<Expected<void>> change_visibility_all(std::span<const Message> messages, std::chrono::seconds timeout) const;

  /// All attributes that the service tells.
  Expected<QueueAttributes> attributes() const;
  /// Changes the attributes that are given, and no other.
  Expected<void> set_attributes(const QueueAttributes& attributes) const;
  /// How many messages it holds.
  Expected<QueueCounts> counts() const;
  /// Deletes all messages. The service takes one purge a minute.
  Expected<void> purge() const;
  /// Deletes the queue and everything in it.
  Expected<void> destroy() const;

 private:
  friend class Client;
  struct State;
  Queue(std::shared_ptr<library::Core> core, std::string url, std::string name);
  std::shared_ptr<const State> state_;
};

/// A connection to the service, from which queues are had. Cheap to copy; copies share the connection. Thread-safe; calls block.
class Client {
 public:
  /// Finds endpoint, region and credentials; makes no call. InvalidArgument: a URL, region or number that is none. NotFound: a
  /// profile that is not there.
  static Expected<Client> open(const Connection& connection = {});

  /// URL of the server.
  const std::string& endpoint_url() const;

  /// The queue with this name, URL or ARN. Asks the service for the URL of a name or an ARN. NotFound: there is none.
  Expected<Queue> queue(std::string_view name) const;
  /// Makes a queue, or finds the one that is there with the same attributes; durable on return. Names have 1 to 80 letters,
  /// digits, '-' and '_'; those of FIFO queues end in ".fifo". Refused: there is one with other attributes.
  Expected<Queue> create_queue(std::string_view name, const QueueAttributes& attributes = {}) const;
  /// URLs of all queues whose names begin with `prefix`.
  Expected<std::vector<std::string>> list_queues(std::string_view prefix = {}) const;

 private:
  explicit Client(std::shared_ptr<library::Core> core);
  std::shared_ptr<library::Core> core_;
};

}  // namespace ferry
