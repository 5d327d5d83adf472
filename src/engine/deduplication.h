#pragma once
// The deduplication window of a FIFO queue: what was sent first under which id in the last five minutes, whatever became of the
// message since. An entry costs 44 bytes and about 9 for finding it. Not thread-safe: it belongs to its queue's mutex.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "engine/identity_hash.h"
#include "engine/identity_set.h"

namespace ferry::engine {

/// The first message of an id.
struct FirstSent {
  IdentityHash id;  ///< with its group when the scope is messageGroup
  std::int64_t sent_ms = 0;
  std::uint64_t sequence = 0;
  Uuid message_id;
};

/// Times are engine time in epoch milliseconds and do not fall from one call to the next, except for restore().
class DeduplicationWindow {
 public:
  /// The message that a send of `id` at `now_ms` would be a duplicate of.
  std::optional<FirstSent> find(const IdentityHash& id, std::int64_t now_ms) const;
  /// Asks the processor for what find() and add() will look at.
  void prefetch(const IdentityHash& id) const { ordinals_.prefetch(id); }
  /// find() has found nothing. Forgets up to two entries that are too old.
  void add(const FirstSent& first);
  /// Forgets up to `max` entries that are too old. True: there are more.
  bool forget(std::int64_t now_ms, std::size_t max);
  /// When forget() has something to do next; nothing while empty.
  std::optional<std::int64_t> next_forget_ms() const;

  std::size_t size() const { return entries_->list.size(); }
  std::uint64_t bytes() const { return size() * (sizeof(Entry) + kOrdinalBytes); }
  /// Up to `max` entries from ordinal `from` on, which then names the one after them. For checkpoints: `from` starts at
  /// first_ordinal(), and entries that are forgotten meanwhile are passed over.
  std::uint32_t first_ordinal() const { return entries_->first; }
  std::vector<FirstSent> copy(std::uint32_t& from, std::size_t max) const;

  // Recovery: in any order, several times for one entry, then settle().
  void restore(const FirstSent& first);
  /// Forgets what was restored for messages up to that number.
  void restore_purge(std::uint64_t through_sequence);
  void settle(std::int64_t now_ms);

  void swap(DeduplicationWindow& other) noexcept;
  /// For a window that is used no more. True: there is more.
  bool free_slice(std::size_t max);

 private:
  static constexpr std::uint64_t kOrdinalBytes = 12;  // 4 and 1, in tables that are half full

  // Times of day go round every 49 days; entries stay five minutes.
  struct Entry {
    std::uint32_t id[4];
    std::uint32_t sequence[2];
    std::uint32_t message_id[4];
    std::uint32_t sent_ms;
  };
  static_assert(sizeof(Entry) == 44);
  // By time of sending.
  struct Entries {
    std::deque<Entry> list;
    std::uint32_t first = 0;  // ordinal of the first entry; goes round
    const Entry& at(std::uint32_t ordinal) const { return list[ordinal - first]; }
  };
  struct IdOf {
    const Entries* entries;
    IdentityHash operator()(std::uint32_t ordinal) const;
  };

  FirstSent read(const Entry& entry) const;
  void pop();

  std::unique_ptr<Entries> entries_ = std::make_unique<Entries>();
  IdentitySet<std::uint32_t, IdOf> ordinals_{IdOf{entries_.get()}};  // of the last entry of each id
  std::int64_t latest_ms_ = 0;
  std::vector<FirstSent> restored_;
};

}  // namespace ferry::engine
