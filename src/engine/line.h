#pragma once
// In which order a queue gives out its visible messages. Two kinds: fair_line.h for standard queues, fifo_line.h for FIFO ones.
// A line knows numbers and groups; what a message is and whether it may be given out is the queue's business.
//
// Times are engine time in epoch milliseconds and do not fall from one call to the next by more than lateness of timers.
// Not thread-safe: it belongs to its queue's mutex.

#include <cstdint>
#include <memory>
#include <optional>

#include "engine/identity_hash.h"
#include "engine/message_index.h"

namespace ferry::engine {

class Line {
 public:
  virtual ~Line() = default;

  /// The number of a group; kept while it has messages.
  virtual GroupId group(const IdentityHash& key) = 0;
  /// Asks the processor for what group() will look at.
  virtual void prefetch(const IdentityHash& key) const = 0;
  virtual IdentityHash key_of(GroupId group) const = 0;

  /// The message joined the queue; it is not visible yet.
  virtual void insert(std::uint64_t sequence, GroupId group, std::int64_t enqueued_ms) = 0;
  /// It left. It is not ready (any more). With the last message its group is gone. Returns how many receives may find
  /// something now that would not have before.
  virtual std::uint64_t erase(std::uint64_t sequence, GroupId group) = 0;
  /// Where a group that becomes servable again stands.
  enum class Place { End, AsBefore };
  /// The index says that it is ready now; returns as erase(). AsBefore: as if hide() had not been called.
  virtual std::uint64_t show(std::uint64_t sequence, GroupId group, Place place = Place::End) = 0;
  /// The index says that it is ready no longer.
  virtual void hide(std::uint64_t sequence, GroupId group) = 0;
  /// A message of `group` (or of none) went into flight (+1) or came out of it (-1).
  virtual void in_flight(GroupId group, int change, std::int64_t at_ms) = 0;

  /// The next message to be given out. It stays where it is.
  virtual std::optional<std::uint64_t> front(std::int64_t now_ms) = 0;
  /// The message that may be given out together with this one, right behind it.
  virtual std::optional<std::uint64_t> behind(std::uint64_t sequence, GroupId group) const = 0;
  /// Whether the message may be taken out of its turn: it is ready and no other must go before it.
  virtual bool is_free(std::uint64_t sequence, GroupId group) const = 0;
  /// How many receives would find something.
  virtual std::uint64_t servable() const = 0;

  /// After all messages were inserted, and made ready in the index without show(): sets up the rest. Recovery only.
  virtual void settle(std::int64_t now_ms) = 0;

  /// Memory, allocator's overhead estimated.
  virtual std::uint64_t bytes() const = 0;
  /// Frees up to about `max` messages and groups of a line that is used no more, without looking at the index.
  /// True: there is more.
  virtual bool free_slice(std::size_t max) = 0;
};

/// `index` outlives the line, or the line is only freed.
std::unique_ptr<Line> make_fifo_line(MessageIndex& index);
std::unique_ptr<Line> make_fair_line(MessageIndex& index);

}  // namespace ferry::engine
