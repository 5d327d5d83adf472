// Message groups: who waits for whom, and what becomes of those behind a message that does not make it.

#include <fmt/format.h>

#include <algorithm>

#include "worker/handler_input.h"
#include "worker/message_flow.h"

namespace ferry::worker {
namespace {
constexpr Seconds kCautionAfterReturn{5};  // beyond the delay, in which the message comes again
}  // namespace

// Empty: it has no order.
std::string MessageFlow::lane_of(const sqs::Message& message) const {
  return fifo_ ? system_attribute(message, "MessageGroupId").value_or("") : std::string();
}

MessageFlow::Turn MessageFlow::enter_lane(sqs::Message message) {
  const std::string group = lane_of(message);
  if (group.empty()) return examine(std::move(message));
  const std::string id = message.message_id;
  std::optional<sqs::Message> head;
  {
    const std::lock_guard lock(lanes_mutex_);
    head = lanes_.enter(group, std::move(message));
  }
  if (head) return examine_lane(group, std::move(*head));
  parts_.reporter.step(fmt::format("{} waits for those before it in its group", id));
  return {};
}

// Examines heads until one is to run, or the lane is at its end or held.
MessageFlow::Turn MessageFlow::examine_lane(const std::string& group, sqs::Message message) {
  bool any_new = false;
  for (;;) {
    Turn taken = examine(std::move(message));
    any_new = any_new || taken.is_new;
    const std::lock_guard lock(lanes_mutex_);
    if (taken.job) {
      lanes_.run(group);
      return {any_new, std::move(taken.job)};
    }
    std::optional<sqs::Message> next = lanes_.after_examination(group);
    if (!next) return {any_new, std::nullopt};
    message = std::move(*next);
  }
}

// The head is through: the one behind it has its turn.
void MessageFlow::pass_lane(const sqs::Message& message) {
  const std::string group = lane_of(message);
  if (group.empty()) return;
  std::optional<sqs::Message> next;
  std::vector<sqs::Message> returned;
  {
    const std::lock_guard lock(lanes_mutex_);
    if (lanes_closed_) {
      returned = lanes_.release(group);
    } else {
      next = lanes_.pass(group);
    }
  }
  for (const sqs::Message& follower : returned) return_follower(follower);
  if (!next) return;
  Turn taken = examine_lane(group, std::move(*next));
  if (!taken.job) return;
  std::vector<Job> jobs;
  jobs.push_back(std::move(*taken.job));
  hands_.submit(std::move(jobs));
}

// The head is not ours any more, or stays hidden in our hands; nothing behind it may overtake it here. The queue keeps the order.
void MessageFlow::stop_lane(const sqs::Message& message) {
  if (const std::string group = lane_of(message); !group.empty()) end_lane(group, true);
}

// The head goes back. Those behind it stay in hand until the queue has confirmed that.
Settler::Then MessageFlow::hold_lane(const sqs::Message& message, Seconds delay) {
  std::string group = lane_of(message);
  if (group.empty()) return {};
  const std::lock_guard lock(lanes_mutex_);
  lanes_.hold(group);
  cautious_until_ = std::max(cautious_until_, parts_.clock.steady() + delay + kCautionAfterReturn);
  return [this, group = std::move(group)](bool confirmed) { end_lane(group, confirmed); };
}

// When it is not known whether the head is hidden, those behind it are not given back: they are seen again later than it.
void MessageFlow::end_lane(const std::string& group, bool confirmed) {
  std::vector<sqs::Message> followers;
  {
    const std::lock_guard lock(lanes_mutex_);
    followers = lanes_.release(group);
  }
  for (const sqs::Message& follower : followers) {
    if (confirmed) {
      return_follower(follower);
    } else {
      parts_.heartbeat.release(follower.message_id);
      if (options_.oversight != nullptr) options_.oversight->settled(follower, "kept");
    }
  }
}

void MessageFlow::return_follower(const sqs::Message& message) {
  parts_.reporter.step(fmt::format("{} goes back, because the one before it in its group does", message.message_id));
  const Heartbeat::Released released = parts_.heartbeat.release(message.message_id);
  if (released.lost) return;
  if (options_.oversight != nullptr) options_.oversight->settled(message, "returned", Seconds(0));
  parts_.settler.give_back({message.message_id, released.handle}, Seconds(0));
}

void MessageFlow::close_lanes() {
  const std::lock_guard lock(lanes_mutex_);
  lanes_closed_ = true;
}

std::size_t MessageFlow::waiting_in_lanes() const {
  const std::lock_guard lock(lanes_mutex_);
  return lanes_.waiting();
}

bool MessageFlow::is_cautious() const {
  const std::lock_guard lock(lanes_mutex_);
  return parts_.clock.steady() < cautious_until_;
}

}  // namespace ferry::worker
