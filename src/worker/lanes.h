#pragma once
// Lanes keep the order of message groups: of each group one message at a time is at the head, the others in hand wait behind it.
//
// The head passes when it is done or has left the queue; the next one is the head then. When the head goes back to the queue its
// lane is held: none of its followers may run before it, and none is given back before the queue has confirmed that the head is
// invisible (until then nobody can tell what the queue would deliver next). Then all of them are given up, in order: the queue
// itself keeps them behind the head. A lane exists as long as there is something in it.

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"

namespace ferry::worker {

/// Pure, not thread-safe. Items are whatever their owner needs of a message.
template <class Item>
class Lanes {
 public:
  /// It has arrived. Given back to the caller when it is the head: it is being examined from then on. Else it waits.
  std::optional<Item> enter(const std::string& group, Item item) {
    const auto [at, fresh] = lanes_.try_emplace(group);
    if (fresh) return item;
    at->second.followers.push_back(std::move(item));
    ++waiting_;
    return std::nullopt;
  }

  /// The head has been examined and is to run, if it has not passed and the lane is not held.
  void run(const std::string& group) {
    const auto lane = lanes_.find(group);
    if (lane != lanes_.end() && lane->second.head == Head::Examined) lane->second.head = Head::Runs;
  }

  /// The head is through. The next one, being examined now; nothing when there is none, or when the head is being examined: then
  /// after_examination() has it.
  std::optional<Item> pass(const std::string& group) {
    Lane& lane = at(group);
    if (lane.head == Head::Examined) {
      lane.head = Head::Passed;
      return std::nullopt;
    }
    return next(group, lane);
  }

  /// The examination of the head is over and it does not run. The next one if the head has passed; nothing when the lane is held.
  std::optional<Item> after_examination(const std::string& group) {
    const auto lane = lanes_.find(group);
    if (lane == lanes_.end() || lane->second.head != Head::Passed) return std::nullopt;
    return next(group, lane->second);
  }

  /// The head goes back to the queue: nothing of this lane moves until release().
  void hold(const std::string& group) { at(group).head = Head::Held; }

  /// The lane is no more; what waited in it, in order.
  std::vector<Item> release(const std::string& group) {
    const auto lane = lanes_.find(group);
    FERRY_CHECK(lane != lanes_.end());
    std::vector<Item> followers(std::make_move_iterator(lane->second.followers.begin()),
                                std::make_move_iterator(lane->second.followers.end()));
    waiting_ -= followers.size();
    lanes_.erase(lane);
    return followers;
  }

  /// Items that wait behind a head.
  std::size_t waiting() const { return waiting_; }
  bool empty() const { return lanes_.empty(); }

 private:
  enum class Head { Examined, Passed, Runs, Held };
  struct Lane {
    Head head = Head::Examined;
    std::deque<Item> followers;
  };
  Lane& at(const std::string& group) {
    const auto lane = lanes_.find(group);
    FERRY_CHECK(lane != lanes_.end());
    return lane->second;
  }
  std::optional<Item> next(const std::string& group, Lane& lane) {
    if (lane.followers.empty()) {
      lanes_.erase(group);
      return std::nullopt;
    }
    std::optional<Item> item(std::move(lane.followers.front()));
    lane.followers.pop_front();
    --waiting_;
    lane.head = Head::Examined;
    return item;
  }

  std::map<std::string, Lane> lanes_;
  std::size_t waiting_ = 0;
};

}  // namespace ferry::worker
