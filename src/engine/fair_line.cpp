// The line of a standard queue.
//
// Messages without a group, and those of quiet tenants, are given out in the order of their numbers; a tenant is a group. Each
// tenant's visible messages are kept in order, and the quiet tenants in the order of their first visible message, so that the
// next one is found without looking at any tenant but its own. A tenant is judged when its message would be next: one that is
// noisy joins the noisy ones, who are served when nobody else has anything, the one with the fewest in flight first. It is
// quiet again when it has nothing visible left or has sent nothing for five minutes. This is the rule that Amazon publishes
// for its fair queues; "processing time" is usage.h's.

#include <absl/container/btree_set.h>

#include <utility>

#include "base/clock.h"
#include "engine/group_table.h"
#include "engine/line.h"
#include "engine/slices.h"
#include "engine/usage.h"
#include "sqs/limits.h"

namespace ferry::engine {
namespace {

constexpr std::uint64_t kMemberBytes = 23;  // of a tree of 16-byte elements that are inserted at random
constexpr std::int64_t kSilenceMs = Millis(sqs::kFairQueueSilence).count();

struct Tenant {
  std::uint64_t first = 0;  // number of its first visible message; 0: none
  std::int64_t last_sent_ms = 0;
  Usage usage;
  bool is_noisy = false;
};

class FairLine final : public Line {
 public:
  explicit FairLine(MessageIndex& index) : index_(index) {}

  GroupId group(const IdentityHash& key) override { return tenants_.find_or_add(key); }
  void prefetch(const IdentityHash& key) const override { tenants_.prefetch(key); }
  IdentityHash key_of(GroupId group) const override { return tenants_.at(group).key; }

  void insert(std::uint64_t, GroupId group, std::int64_t enqueued_ms) override {
    if (group == kNoGroup) return;
    auto& entry = tenants_.at(group);
    ++entry.messages;
    if (enqueued_ms <= entry.data.last_sent_ms) return;
    if (entry.data.is_noisy) senders_.erase({entry.data.last_sent_ms, group});
    entry.data.last_sent_ms = enqueued_ms;
    if (entry.data.is_noisy) senders_.emplace(enqueued_ms, group);
  }

  std::uint64_t erase(std::uint64_t, GroupId group) override {
    if (group != kNoGroup) tenants_.release(group);
    return 0;
  }

  std::uint64_t show(std::uint64_t sequence, GroupId group, Place) override {
    ++visible_count_;
    if (group == kNoGroup) {
      index_.put_in_line(sequence);
      return 1;
    }
    visible_.emplace(group, sequence);
    Tenant& tenant = tenants_.at(group).data;
    if (tenant.first == 0 || sequence < tenant.first) set_first(group, tenant, sequence);
    return 1;
  }

  void hide(std::uint64_t sequence, GroupId group) override {
    --visible_count_;
    if (group == kNoGroup) {
      index_.take_from_line(sequence);
      return;
    }
    const auto place = visible_.find({group, sequence});
    FERRY_CHECK(place != visible_.end());
    const auto next = visible_.erase(place);
    Tenant& tenant = tenants_.at(group).data;
    if (tenant.first != sequence) return;
    set_first(group, tenant, next != visible_.end() && next->first == group ? next->second : 0);
  }

  void in_flight(GroupId group, int change, std::int64_t at_ms) override {
    usage_.change(change, at_ms);
    if (group == kNoGroup) return;
    Tenant& tenant = tenants_.at(group).data;
    if (tenant.is_noisy) noisy_.erase({tenant.usage.in_flight(), group});
    tenant.usage.change(change, at_ms);
    if (tenant.is_noisy) noisy_.emplace(tenant.usage.in_flight(), group);
  }

  std::optional<std::uint64_t> front(std::int64_t now_ms) override {
    while (!senders_.empty() && senders_.begin()->first + kSilenceMs <= now_ms) calm(senders_.begin()->second);
    for (;;) {
      const auto loose = index_.first_in_line();
      if (quiet_.empty() || (loose && *loose < quiet_.begin()->first)) {
        if (loose) return loose;
        break;
      }
      const auto [first, group] = *quiet_.begin();
      if (!is_noise(tenants_.at(group).data, now_ms)) return first;
      raise(group);
    }
    if (noisy_.empty()) return std::nullopt;
    return tenants_.at(noisy_.begin()->second).data.first;
  }

  std::optional<std::uint64_t> behind(std::uint64_t, GroupId) const override { return std::nullopt; }
  bool is_free(std::uint64_t, GroupId) const override { return true; }
  std::uint64_t servable() const override { return visible_count_; }

  void settle(std::int64_t now_ms) override {
    tenants_.drop_unused();
    for (auto item = index_.next(0); item; item = index_.next(item->sequence + 1)) {
      const MessageEntry& entry = *item->entry;
      if (index_.is_ready(item->sequence))
        show(item->sequence, entry.group, Place::End);
      else if (entry.receive_count > 0)
        in_flight(entry.group, 1, now_ms);
    }
  }

  std::uint64_t bytes() const override {
    return tenants_.bytes() + (visible_.size() + quiet_.size() + 2 * noisy_.size()) * kMemberBytes;
  }

  bool free_slice(std::size_t max) override {
    const bool more_visible = free_front(visible_, max);
    const bool more_quiet = free_front(quiet_, max);
    const bool more_noisy = free_front(noisy_, max);
    const bool more_senders = free_front(senders_, max);
    return tenants_.free_slice(max) || more_visible || more_quiet || more_noisy || more_senders;
  }

 private:
  bool is_noise(Tenant& tenant, std::int64_t now_ms) {
    if (tenant.last_sent_ms + kSilenceMs <= now_ms) return false;
    const std::uint64_t mine = tenant.usage.in_flight();
    if (mine >= sqs::kFairQueueNoisyMessages && mine * sqs::kFairQueueNoisyShare > usage_.in_flight()) return true;
    return tenant.usage.recent_ms(now_ms) * sqs::kFairQueueNoisyShare > usage_.recent_ms(now_ms);
  }

  void raise(GroupId group) {
    Tenant& tenant = tenants_.at(group).data;
    quiet_.erase({tenant.first, group});
    tenant.is_noisy = true;
    noisy_.emplace(tenant.usage.in_flight(), group);
    senders_.emplace(tenant.last_sent_ms, group);
  }
  void calm(GroupId group) {
    Tenant& tenant = tenants_.at(group).data;
    noisy_.erase({tenant.usage.in_flight(), group});
    senders_.erase({tenant.last_sent_ms, group});
    tenant.is_noisy = false;
    if (tenant.first != 0) quiet_.emplace(tenant.first, group);
  }
  void set_first(GroupId group, Tenant& tenant, std::uint64_t first) {
    if (tenant.is_noisy) {
      tenant.first = first;
      if (first == 0) calm(group);
      return;
    }
    if (tenant.first != 0) quiet_.erase({tenant.first, group});
    tenant.first = first;
    if (first != 0) quiet_.emplace(first, group);
  }

  MessageIndex& index_;
  GroupTable<Tenant> tenants_;
  absl::btree_set<std::pair<GroupId, std::uint64_t>> visible_;  // of tenants; the index has those without
  absl::btree_set<std::pair<std::uint64_t, GroupId>> quiet_;    // by first visible message: those that have one
  absl::btree_set<std::pair<std::uint32_t, GroupId>> noisy_;    // by number in flight
  absl::btree_set<std::pair<std::int64_t, GroupId>> senders_;   // the noisy ones by their last send
  Usage usage_;
  std::uint64_t visible_count_ = 0;
};

}  // namespace

std::unique_ptr<Line> make_fair_line(MessageIndex& index) {
  return std::make_unique<FairLine>(index);
}

}  // namespace ferry::engine
