#pragma once
// The messages of one queue that can still be served, in memory and in the order of their sequence numbers.
//
// Sixty-four consecutive numbers make a chunk: bit masks and a packed array of entries, addressed by counting the bits below.
// A chunk is packed again when a quarter of its entries is dead and freed when all are. Chunks are found through one ordered
// map; another ordered set holds those that have a message in line, so that the oldest of them is found in logarithmic time
// and one that reappears comes before newer ones. An entry costs 40 bytes, at most 54 with the slack of packing and the share
// of its chunk when chunks are well filled.
//
// Ready means visible. In line are those ready messages that are served in the order of their numbers: line.h decides which.
//
// Not thread-safe: it belongs to its queue's mutex. Message ids and everything else that is only told are in the record.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "store/store.h"

namespace ferry::engine {

using GroupId = std::uint32_t;
inline constexpr GroupId kNoGroup = 0;

/// Times are epoch milliseconds, from 0 to 2^48 - 1: enqueued and visible-from of engine time, first received of the wall clock.
/// They are kept in six bytes each: there are millions of entries.
class MessageEntry {
 public:
  enum Flag : std::uint16_t {
    Arrived = 1,  ///< it was moved here from another queue, or from this one; its Arrival has the rest
    Elder = 2,    ///< its enqueue time is older than those of messages before it
  };

  store::Location location;
  std::uint32_t receive_count = 0;
  GroupId group = kNoGroup;

  std::int64_t enqueued_ms() const { return get(0); }
  std::int64_t first_received_ms() const { return get(1); }  ///< 0: never received
  std::int64_t visible_from_ms() const { return get(2); }    ///< end of the delay or of the visibility timeout
  void set_enqueued_ms(std::int64_t ms) { set(0, ms); }
  void set_first_received_ms(std::int64_t ms) { set(1, ms); }
  void set_visible_from_ms(std::int64_t ms) { set(2, ms); }
  bool has(Flag flag) const { return (flags_ & flag) != 0; }
  void mark(Flag flag) { flags_ = static_cast<std::uint16_t>(flags_ | flag); }

 private:
  std::int64_t get(std::size_t which) const { return static_cast<std::int64_t>(high_[which]) << 32 | low_[which]; }
  void set(std::size_t which, std::int64_t ms) {
    low_[which] = static_cast<std::uint32_t>(ms);
    high_[which] = static_cast<std::uint16_t>(ms >> 32);
  }

  std::uint32_t low_[3] = {};
  std::uint16_t high_[3] = {};
  std::uint16_t flags_ = 0;
};
static_assert(sizeof(MessageEntry) == 40);

class MessageIndex {
 public:
  MessageIndex() = default;
  MessageIndex(MessageIndex&& other) noexcept { swap(other); }
  MessageIndex& operator=(MessageIndex&&) = delete;
  void swap(MessageIndex& other) noexcept;

  /// Inserts, or replaces the one of that number; it is not ready. References and pointers to entries end with any change of
  /// which messages there are.
  MessageEntry& put(std::uint64_t sequence, const MessageEntry& entry);
  /// Null when there is none.
  MessageEntry* find(std::uint64_t sequence);
  /// The message is there, and not in line.
  void erase(std::uint64_t sequence);

  bool is_ready(std::uint64_t sequence) const;
  /// Both: the message is there and is not in that state yet.
  void set_ready(std::uint64_t sequence);
  void clear_ready(std::uint64_t sequence);

  bool is_in_line(std::uint64_t sequence) const;
  /// Both: the message is there and is not in that state yet.
  void put_in_line(std::uint64_t sequence);
  void take_from_line(std::uint64_t sequence);
  /// The first one in line.
  std::optional<std::uint64_t> first_in_line() const;

  struct Item {
    std::uint64_t sequence;
    MessageEntry* entry;
  };
  /// The first message with at least this number.
  std::optional<Item> next(std::uint64_t from);

  std::uint64_t size() const { return size_; }
  std::uint64_t ready() const { return ready_; }
  /// Memory, allocator's overhead estimated.
  std::uint64_t bytes() const { return bytes_; }

 private:
  static constexpr std::uint64_t kChunkMessages = 64;
  struct Chunk {
    std::uint64_t live = 0;
    std::uint64_t ready = 0;
    std::uint64_t in_line = 0;
    std::uint64_t present = 0;  // which entries the array holds, dead ones included
    std::uint32_t capacity = 0;
    std::unique_ptr<MessageEntry[]> entries;
  };
  using Chunks = absl::btree_map<std::uint64_t, std::unique_ptr<Chunk>>;

  Chunk* chunk_at(std::uint64_t number) const;
  Chunk& chunk_for_insert(std::uint64_t number);
  void resize(Chunk& chunk, std::uint64_t keep, std::uint32_t capacity);
  void shrink(std::uint64_t number, Chunk& chunk);

  // What chunk_at() found: the steps of one request meet the same few chunks, and behind millions of messages each look into
  // the map misses the processor's cache several times.
  struct Found {
    std::uint64_t number = 0;
    Chunk* chunk = nullptr;
  };
  static constexpr std::size_t kFoundChunks = 8;  // by number; a batch of ten with the messages behind each

  Chunks chunks_;
  mutable std::array<Found, kFoundChunks> found_;
  absl::btree_set<std::uint64_t> line_chunks_;  // those that have a message in line
  std::uint64_t newest_number_ = 0;             // of newest_, which is the chunk of the greatest number ever inserted
  Chunk* newest_ = nullptr;
  std::uint64_t size_ = 0;
  std::uint64_t ready_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace ferry::engine
