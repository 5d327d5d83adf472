#pragma once
// From what the engine gives to what a consumer is shown: reads the bodies of deliveries and makes messages of them.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/engine.h"
#include "engine/records.h"
#include "service/service.h"
#include "sqs/message_attributes.h"
#include "sqs/system_attributes.h"

namespace ferry::service {

/// What the caller asked to see of each message.
struct ReceiveSelection {
  sqs::SystemAttributeSet system_attributes;
  sqs::AttributeFilter message_attributes;
};

/// Lives on its loop's thread; only the store's callback comes from another one, and it only posts.
class MessageFetch final : public std::enable_shared_from_this<MessageFetch> {
 public:
  struct Fetched {
    /// One for each delivery, in their order; nothing: deleted or purged meanwhile, or damaged, or not readable now.
    std::vector<std::optional<sqs::Message>> messages;
    bool unreadable = false;  ///< the disk failed to give a body
  };
  using Done = std::function<void(Fetched&&)>;

  /// `selection` lives as long as `done`.
  MessageFetch(Service& service, ContextRef context, engine::QueueRef queue, const ReceiveSelection& selection,
               std::vector<engine::Delivery>&& deliveries, Done done);

  /// Calls `done` once: before it returns when all bodies are in memory. Damaged bodies are reported to the engine and counted.
  void start();

 private:
  void read(std::vector<std::size_t>&& places);
  void take(const std::vector<std::size_t>& places, const std::vector<Result<store::Payload>>& payloads);
  /// Nothing when the payload is not this message.
  std::optional<sqs::Message> build(const engine::Delivery& delivery, const store::Payload& payload) const;
  void add_system_attributes(const engine::Delivery& delivery, const engine::StoredMessage& stored, sqs::Message& message) const;

  Service& service_;
  ContextRef context_;
  engine::QueueRef queue_;
  const ReceiveSelection& selection_;
  std::vector<engine::Delivery> deliveries_;
  Done done_;
  Fetched fetched_;
};

}  // namespace ferry::service
