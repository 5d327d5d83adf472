#pragma once
// The message groups of one queue: small numbers for their ids, and what is known of each. A group lives while it has messages.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "base/check.h"
#include "engine/identity_hash.h"
#include "engine/message_index.h"
#include "engine/slices.h"

namespace ferry::engine {

/// Data: what the line of the queue keeps for each group. Not thread-safe. References stay valid until the group ends.
template <class Data>
class GroupTable {
 public:
  struct Group {
    IdentityHash key;
    std::uint64_t messages = 0;
    Data data;
  };

  /// The group of that key; a new one has no messages yet and goes with drop_unused() when it gets none.
  GroupId find_or_add(const IdentityHash& key) {
    const auto found = ids_.lower_bound(key);
    if (found != ids_.end() && found->first == key) return found->second;
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
    ids_.emplace_hint(found, key, id);
    return id;
  }
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
    for (auto at_id = ids_.begin(); at_id != ids_.end();) {
      const GroupId id = at_id->second;
      if (at(id).messages > 0) {
        ++at_id;
        continue;
      }
      at_id = ids_.erase(at_id);
      free_.push_back(id);
    }
  }
  template <class Visit>
  void each(Visit&& visit) {
    for (const auto& [key, id] : ids_) visit(id, at(id));
  }
  std::size_t size() const { return ids_.size(); }
  std::uint64_t bytes() const {
    return groups_.size() * sizeof(Group) + ids_.size() * kIdBytes + free_.capacity() * sizeof(GroupId);
  }

  /// Ends up to `max` groups whatever they hold; for a table that is used no more. True: there are more.
  bool free_slice(std::size_t max) {
    for (std::size_t i = 0; i < max && !groups_.empty(); ++i) groups_.pop_back();
    return free_front(ids_, max) || !groups_.empty();
  }

 private:
  static constexpr std::uint64_t kIdBytes = 32;  // key and number, with the slack of the tree's nodes

  void remove(GroupId id) {
    ids_.erase(at(id).key);
    free_.push_back(id);
  }

  absl::btree_map<IdentityHash, GroupId> ids_;
  std::deque<Group> groups_;  // grows without moving; by number, which starts at 1
  std::vector<GroupId> free_;
};

}  // namespace ferry::engine
