#include "service/poll.h"

namespace ferry::service {

void PollSet::end_all() {
  const std::vector<std::shared_ptr<Poll>> waiting(polls_.begin(), polls_.end());
  for (const auto& poll : waiting) poll->end();
}

Poll::Poll(Service& service, ContextRef context, engine::QueueRef queue, engine::ReceiveCommand command,
           ReceiveSelection selection, Seconds wait)
    : service_(service),
      context_(std::move(context)),
      queue_(std::move(queue)),
      command_(command),
      selection_(std::move(selection)),
      wait_(wait) {
  if (!command_.receive_request_attempt_id) return;
  attempt_id_ = *command_.receive_request_attempt_id;
  command_.receive_request_attempt_id = attempt_id_;
}

void Poll::start() {
  receive();
}

void Poll::receive() {
  const bool may_wait = wait_ > Seconds(0) && !service_.draining_.load();
  auto answer = service_.engine_.receive(queue_, context_->identity.caller, command_, may_wait ? shared_from_this() : nullptr);
  if (!answer.result) {
    stop_waiting();
    service_.finish(context_, {Unexpected(std::move(answer.result).error()), answer.seen});
    return;
  }
  if (!answer.result->empty()) {
    stop_waiting();
    fetch(std::move(answer.result).value(), answer.seen);
    return;
  }
  if (!may_wait) {
    stop_waiting();
    service_.counters_.empty_receives.add();
    service_.finish(context_, {sqs::Response(sqs::ReceiveMessageResponse{}), answer.seen});
    return;
  }
  if (state_ == State::Waiting) return;  // woken for nothing: registered again, timer and set are as they were
  state_ = State::Waiting;
  http::Loop& loop = context_->exchange->loop();
  service_.state_of(*context_).polls.add(shared_from_this());
  timer_ = loop.start_timer(wait_, [self = shared_from_this()] { self->end(); });
  context_->exchange->on_gone([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->state_ != State::Waiting) return;
    self->stop_waiting();
    self->service_.engine_.abandon(self->queue_, self);
  });
}

void Poll::stop_waiting() {
  if (state_ == State::Waiting) {
    http::Loop& loop = context_->exchange->loop();
    loop.cancel_timer(timer_);
    service_.state_of(*context_).polls.remove(shared_from_this());
  }
  state_ = State::Done;
}

void Poll::end() {
  if (state_ != State::Waiting) return;
  const auto self = shared_from_this();  // the set may hold the last reference
  stop_waiting();
  service_.engine_.abandon(queue_, self);
  wait_ = Seconds(0);
  receive();  // a last look, without waiting: what arrived while the timer ran out is given, not lost to this caller
}

void Poll::wake() {
  context_->exchange->loop().post([self = shared_from_this()] {
    if (self->state_ == State::Waiting) self->receive();
  });
}

void Poll::fetch(std::vector<engine::Delivery>&& deliveries, store::Position seen) {
  const auto answer = [self = shared_from_this(), seen](MessageFetch::Fetched&& fetched) {
    sqs::ReceiveMessageResponse response;
    for (auto& message : fetched.messages) {
      if (message) response.messages.push_back(std::move(*message));
    }
    if (response.messages.empty() && fetched.unreadable) {
      self->service_.finish(self->context_,
                            {sqs::api_fail(sqs::ErrorCode::InternalFailure, "The body of a message could not be read."), seen});
      return;
    }
    self->service_.counters_.messages_received.add(response.messages.size());
    self->service_.finish(self->context_, {sqs::Response(std::move(response)), seen});
  };
  std::make_shared<MessageFetch>(service_, context_, queue_, selection_, std::move(deliveries), answer)->start();
}

}  // namespace ferry::service
