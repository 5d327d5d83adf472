#pragma once
// ReceiveMessage: takes messages, waits for them if asked to, fetches their bodies, answers.
// A Poll lives on its loop's thread; only wake() comes from other threads, and it only posts.

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "service/message_fetch.h"
#include "service/service.h"

namespace ferry::service {

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

  Service& service_;
  ContextRef context_;
  engine::QueueRef queue_;
  std::string attempt_id_;
  engine::ReceiveCommand command_;  // may look at attempt_id_
  ReceiveSelection selection_;
  Seconds wait_;
  State state_ = State::Idle;
  http::Loop::TimerId timer_ = 0;
};

}  // namespace ferry::service
