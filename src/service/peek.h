#pragma once
// A look at the messages of a queue without receiving them, on the path that emulators of Amazon SQS have for it:
//   GET or POST /_aws/sqs/messages?QueueUrl=URL      GET /_aws/sqs/messages/REGION/ACCOUNT/NAME
//   ShowInvisible=true: those in flight as well      ShowDelayed=true: delayed ones as well
// Answers as ReceiveMessage does, with everything there is to tell of each message.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "service/message_fetch.h"

namespace ferry::service {

struct PeekRequest {
  sqs::OptionalText queue_url;
  std::optional<std::string> region;  ///< of the path; absent: the caller's
  bool show_invisible = false;
  bool show_delayed = false;
};

/// Whether `path` is the one, or below it.
bool is_peek_path(std::string_view path);

/// UnknownOperation for another action than ReceiveMessage; what decode() says.
sqs::ApiResult<PeekRequest> decode_peek(protocol::WireProtocol protocol, const protocol::WireRequest& wire);

/// Goes through the queue in slices, the loop's other work in between. On its loop's thread.
class Peek final : public std::enable_shared_from_this<Peek> {
 public:
  Peek(Service& service, ContextRef context, engine::QueueRef queue, const PeekRequest& request);

  /// The next slice; answers after the last one.
  void step();

 private:
  /// Fills glimpses_ with the next ones to show. False when it has answered.
  bool look();
  bool shows(const engine::Engine::Glimpse& glimpse) const;
  void add(const std::vector<engine::Engine::Glimpse>& glimpses, MessageFetch::Fetched&& fetched);
  void answer();

  Service& service_;
  ContextRef context_;
  engine::QueueRef queue_;
  bool show_invisible_;
  bool show_delayed_;
  ReceiveSelection selection_;
  std::deque<engine::Engine::Glimpse> glimpses_;  // to be shown
  std::uint64_t after_ = 0;
  std::size_t scanned_ = 0;
  std::size_t bytes_ = 0;
  sqs::ReceiveMessageResponse response_;
  store::Position seen_;
};

}  // namespace ferry::service
