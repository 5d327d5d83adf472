// The line of a FIFO queue.
//
// Within a group only the visible prefix may be given out: messages in the order of their numbers, up to the first that is not
// ready. So a group can be served when its head (its first message) is ready. Groups that can be served stand in line; one
// enters at the end when it becomes servable, and so does one that was served with a visibility timeout of 0: it leaves when
// its head is hidden and enters again when the head is shown. Each step is logarithmic in the number of messages and groups.

#include <absl/container/btree_set.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/group_table.h"
#include "engine/line.h"
#include "engine/slices.h"

namespace ferry::engine {
namespace {

constexpr std::uint64_t kMemberBytes = 23;  // of a tree of 16-byte elements that are inserted at random
constexpr std::uint64_t kTurnBytes = 23;

struct FifoGroup {
  std::uint64_t head = 0;  // number of its first message; 0: none
  std::uint64_t turn = 0;  // its place in line; 0: not in line
  std::uint64_t former_turn = 0;
};

class FifoLine final : public Line {
 public:
  explicit FifoLine(MessageIndex& index) : index_(index) {}

  GroupId group(const IdentityHash& key) override { return groups_.find_or_add(key); }
  void prefetch(const IdentityHash& key) const override { groups_.prefetch(key); }
  IdentityHash key_of(GroupId group) const override { return groups_.at(group).key; }

  void insert(std::uint64_t sequence, GroupId group, std::int64_t) override {
    auto& entry = groups_.at(group);
    ++entry.messages;
    members_.emplace(group, sequence);
    if (entry.data.head != 0 && entry.data.head < sequence) return;
    leave(group);
    entry.data.head = sequence;  // not ready: shown later
  }

  std::uint64_t erase(std::uint64_t sequence, GroupId group) override {
    FifoGroup& data = groups_.at(group).data;
    const auto place = members_.find({group, sequence});
    FERRY_CHECK(place != members_.end());
    const auto next = members_.erase(place);
    std::uint64_t freed = 0;
    if (data.head == sequence) {
      leave(group);
      data.head = next != members_.end() && next->first == group ? next->second : 0;
      if (data.head != 0 && index_.is_ready(data.head)) freed = enter(group);
    }
    groups_.release(group);
    return freed;
  }

  std::uint64_t show(std::uint64_t sequence, GroupId group, Place place) override {
    const FifoGroup& data = groups_.at(group).data;
    if (data.head != sequence) return 0;
    return place == Place::AsBefore && data.former_turn != 0 ? enter(group, data.former_turn) : enter(group);
  }

  void hide(std::uint64_t sequence, GroupId group) override {
    if (groups_.at(group).data.head == sequence) leave(group);
  }

  void in_flight(GroupId, int, std::int64_t) override {}

  std::optional<std::uint64_t> front(std::int64_t) override {
    if (turns_.empty()) return std::nullopt;
    return groups_.at(turns_.begin()->second).data.head;
  }

  std::optional<std::uint64_t> behind(std::uint64_t sequence, GroupId group) const override {
    const auto next = members_.upper_bound({group, sequence});
    if (next == members_.end() || next->first != group || !index_.is_ready(next->second)) return std::nullopt;
    return next->second;
  }

  bool is_free(std::uint64_t sequence, GroupId group) const override {
    const FifoGroup& data = groups_.at(group).data;
    return data.turn != 0 && data.head == sequence;
  }

  std::uint64_t servable() const override { return turns_.size(); }

  // The order of entering is not kept over a restart; what comes near it is since when the head has been visible.
  void settle(std::int64_t) override {
    groups_.drop_unused();
    std::vector<std::tuple<std::int64_t, std::uint64_t, GroupId>> order;
    groups_.each([&](GroupId id, auto& group) {
      if (!index_.is_ready(group.data.head)) return;
      const MessageEntry& head = *index_.find(group.data.head);
      order.emplace_back(head.receive_count > 0 ? head.visible_from_ms() : head.enqueued_ms(), group.data.head, id);
    });
    std::sort(order.begin(), order.end());
    for (const auto& [since, head, id] : order) enter(id);
  }

  std::uint64_t bytes() const override { return groups_.bytes() + members_.size() * kMemberBytes + turns_.size() * kTurnBytes; }

  bool free_slice(std::size_t max) override {
    const bool more_members = free_front(members_, max);
    const bool more_turns = free_front(turns_, max);
    return groups_.free_slice(max) || more_members || more_turns;
  }

 private:
  std::uint64_t enter(GroupId group) { return enter(group, last_turn_ + 1); }
  std::uint64_t enter(GroupId group, std::uint64_t turn) {
    FifoGroup& data = groups_.at(group).data;
    if (data.turn != 0) return 0;
    last_turn_ = std::max(last_turn_, turn);
    data.turn = turn;
    turns_.emplace(turn, group);
    return 1;
  }
  void leave(GroupId group) {
    FifoGroup& data = groups_.at(group).data;
    if (data.turn == 0) return;
    turns_.erase({data.turn, group});
    data.former_turn = data.turn;
    data.turn = 0;
  }

  MessageIndex& index_;
  GroupTable<FifoGroup> groups_;
  absl::btree_set<std::pair<GroupId, std::uint64_t>> members_;  // all messages
  absl::btree_set<std::pair<std::uint64_t, GroupId>> turns_;    // the groups that can be served
  std::uint64_t last_turn_ = 0;
};

}  // namespace

std::unique_ptr<Line> make_fifo_line(MessageIndex& index) {
  return std::make_unique<FifoLine>(index);
}

}  // namespace ferry::engine
