#pragma once
// The message groups of one queue: small numbers for their ids, and what is known of each. A group lives while it has messages.

#include <cstdint>
#include <deque>
#include <vector>

#include "base/check.h"
#include "engine/identity_hash.h"
#include "engine/identity_set.h"
#include "engine/message_index.h"

namespace ferry::engine {

/// Data: what the line of the queue keeps for each group. Not thread-safe. References stay valid until the group ends.
template <class Data>
class GroupTable {
 public:
  GroupTable() = default;
  GroupTable(const GroupTable&) = delete;
  GroupTable& operator=(const GroupTable&) = delete;

  struct Group {
    IdentityHash key;
    std::uint64_t messages = 0;
    Data data;
  };

  /// The group of that key; a new one has no messages yet and goes with drop_unused() when it gets none.
  GroupId find_or_add(const IdentityHash& key) {
    if (const GroupId* const found = ids_.find(key)) return *found;
    GroupId id = 0;
    if (free_.empty()) {
      groups_.emplace_back();
      id = static_cast<GroupId>(groups_.size());
    } else {
      id = free_.back();
      free_.pop_back();
    }
    Group& group = groups_[id - 1];
    group = Group();
    group.key = key;
    ids_.insert(id);
    return id;
  }
  /// Asks the processor for what find_or_add() will look at.
  void prefetch(const IdentityHash& key) const { ids_.prefetch(key); }
  Group& at(GroupId id) {
    FERRY_DCHECK(id != kNoGroup && id <= groups_.size());
    return groups_[id - 1];
  }
  const Group& at(GroupId id) const { return groups_[id - 1]; }
  /// One message less. True: it was the last one, and the group is gone.
  bool release(GroupId id) {
    Group& group = at(id);
    FERRY_CHECK(group.messages > 0);
    if (--group.messages > 0) return false;
    remove(id);
    return true;
  }
  void drop_unused() {
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const GroupId* const id = groups_[i].messages > 0 ? nullptr : ids_.find(groups_[i].key);
      if (id != nullptr && *id == i + 1) remove(*id);
    }
  }
  /// Those that have messages.
  template <class Visit>
  void each(Visit&& visit) {
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      if (groups_[i].messages > 0) visit(static_cast<GroupId>(i + 1), groups_[i]);
    }
  }
  std::size_t size() const { return ids_.size(); }
  std::uint64_t bytes() const {
    return groups_.size() * sizeof(Group) + ids_.size() * kIdBytes + free_.capacity() * sizeof(GroupId);
  }

  /// Ends up to `max` groups whatever they hold; for a table that is used no more. True: there are more.
  bool free_slice(std::size_t max) {
    for (std::size_t i = 0; i < max && !groups_.empty(); ++i) groups_.pop_back();
    return ids_.free_slice(max) || !groups_.empty();
  }

 private:
  static constexpr std::uint64_t kIdBytes = 12;  // a number and a byte, in tables that are half full

  struct KeyOf {
    const std::deque<Group>* groups;
    IdentityHash operator()(GroupId id) const { return (*groups)[id - 1].key; }
  };

  void remove(GroupId id) {
    ids_.erase(at(id).key);
    free_.push_back(id);
  }

  std::deque<Group> groups_;  // grows without moving; by number, which starts at 1
  IdentitySet<GroupId, KeyOf> ids_{KeyOf{&groups_}};
  std::vector<GroupId> free_;
};

}  // namespace ferry::engine
