#pragma once
// ReceiveMessage: takes messages, waits for them if asked to, fetches their bodies, answers.
// A Poll lives on its loop's thread; only wake() and the store's read callback come from other threads, and they only post.

#include <memory>
#include <optional>
#include <string>
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

class Poll final : public engine::Waiter, public std::enable_shared_from_this<Poll> {
 public:
  Poll(Service& service, ContextRef context, engine::QueueRef queue, engine::ReceiveCommand command, ReceiveSelection selection,
       Seconds wait);

  /// Receives, and waits if there is nothing and it may wait. On the loop's thread.
  void start();
  /// Gives up waiting and answers empty. On the loop's thread; nothing if the poll does not wait.
  void end();

  void wake() override;

 private:
  enum class State { Idle, Waiting, Done };

  void receive();
  void stop_waiting();
  void fetch(std::vector<engine::Delivery>&& deliveries, store::Position seen);
  void take(std::vector<engine::Delivery>&& deliveries, std::vector<Result<store::Payload>>& payloads, store::Position seen);
  /// Nothing when the payload is not this message.
  std::optional<sqs::Message> build(const engine::Delivery& delivery, const store::Payload& payload) const;
  void add_system_attributes(const engine::Delivery& delivery, const engine::StoredMessage& stored, sqs::Message& message) const;

  Service& service_;
  ContextRef context_;
  engine::QueueRef queue_;
  std::string attempt_id_;
  engine::ReceiveCommand command_;  // may look at attempt_id_
  ReceiveSelection selection_;
  Seconds wait_;
  State state_ = State::Idle;
  http::Loop::TimerId timer_ = 0;
  sqs::ReceiveMessageResponse response_;
  bool unreadable_ = false;  // the disk failed to give a body
};

}  // namespace ferry::service
