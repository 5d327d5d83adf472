#pragma once
// What the engine asks of durability. An implementation keeps one log: records in the order of their positions, written in
// groups, and the bytes of the records that are still needed.
//
// The life of a record: reserve() gives it a position, a place and memory; the caller fills the memory; publish() hands it
// to the next group; one write and one sync later durable() has passed its position and the listener is told.
// Payloads are opaque here: the engine's codec (engine/records.h) alone knows what is in them.
//
// Who may call what: every function of Store is thread-safe and none of them waits for the disk, except recover() and close().

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace ferry::store {

/// Ordinal of a record in the log; the first record has 1. A Position of 0 lies before everything.
struct Position {
  std::uint64_t value = 0;
  auto operator<=>(const Position&) const = default;
};

/// Where a record's payload lies. Opaque outside the store, but for equality.
struct Location {
  std::uint32_t segment = 0;  ///< number of the segment; never used again for another one
  std::uint32_t offset = 0;   ///< bytes from the start of the segment
  std::uint32_t length = 0;   ///< bytes of the payload
  bool operator==(const Location&) const = default;
};

/// Bytes that stay where they are for as long as `owner` is held. To be held briefly: it may keep megabytes around it in memory.
struct Payload {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
};

/// What is to be written; decides how much of the space may be used (§ space in docs/durability.md).
enum class Purpose {
  Growth,  ///< new messages: refused first when space runs short
  Upkeep,  ///< receives, deletes, visibility, attributes, compaction: may use the reserve
};

struct RecordShape {
  std::uint32_t payload_bytes;
  bool is_body;  ///< the payload will be read again until release(): its segment must stay
};

struct Slot {
  Location location;
  std::span<std::byte> bytes;  ///< payload_bytes of memory, to be filled before publish()
};

/// Consecutive positions first … first + slots.size() - 1, all in one group: after a crash all are there or none is.
struct Reservation {
  Position first;
  Position last;
  std::vector<Slot> slots;
  void* group = nullptr;  ///< the implementation's
};

/// Takes pieces of a checkpoint. Pieces are opaque to the store and come back in the same order.
class CheckpointSink {
 public:
  virtual ~CheckpointSink() = default;
  /// Blocks for the disk. `as_of` is the last position whose effect the piece contains.
  virtual Result<void> add_piece(std::span<const std::byte> piece, Position as_of) = 0;
};

/// Whoever writes records into a store: the engine. The store calls it back.
class Owner {
 public:
  virtual ~Owner() = default;

  // During Store::recover(), on its thread, in this order:
  /// A piece of the newest whole checkpoint.
  virtual Result<void> restore_piece(std::span<const std::byte> piece) = 0;
  /// Every record from the checkpoint's replay position on, in order. The owner skips what its pieces contain already.
  virtual Result<void> replay(Position position, const Location& location, std::span<const std::byte> payload) = 0;
  /// All records were replayed; the owner now calls Store::retain() for every body that it still needs.
  virtual Result<void> recovered() = 0;

  // While running, on threads of the store:
  /// Everything up to `position` is on disk. Must be quick: it is called between two groups.
  virtual void on_durable(Position position) = 0;
  /// A write or a sync failed, or a file was damaged beyond use: nothing will become durable any more. The process must stop.
  virtual void on_failed(const Error& error) = 0;
  /// Write a checkpoint of everything: pieces of at most about 64 KiB each. Returns the position from which a replay over
  /// these pieces must start (the smallest as_of of any piece, or what it was when the checkpoint began if that is smaller).
  virtual Result<Position> write_checkpoint(CheckpointSink& sink) = 0;
  /// Compaction found this body at `from`. If it is still the current place of a live message, append a copy
  /// (Purpose::Upkeep, is_body) and release `from`; else do nothing.
  virtual void relocate(const Location& from, std::span<const std::byte> payload) = 0;
};

struct StoreStats {
  std::uint64_t groups = 0;  ///< written and synced since start
  std::uint64_t syncs = 0;   ///< sync operations on group writes since start
  std::uint64_t records = 0;
  std::uint64_t payload_bytes = 0;  ///< appended since start
  std::uint64_t written_bytes = 0;  ///< to the disk for groups since start, padding included
  std::uint64_t disk_bytes = 0;     ///< size of the folder's files now, without those that are just being given up
  std::uint64_t live_body_bytes = 0;
  std::uint64_t segments = 0;
  std::uint64_t checkpoints = 0;  ///< written since start
  std::uint64_t compacted_bytes = 0;
  std::string sync_method;  ///< "O_DIRECT|O_DSYNC" or "pwrite+fdatasync"
};

class Store {
 public:
  virtual ~Store() = default;

  /// Opens or creates, recovers into `owner`, makes the last kept group durable again, and starts. Blocks. Call once, first.
  /// Corrupt: damage in what must be replayed. Busy: another process has the folder. NoSpace, PermissionDenied, Io.
  virtual Result<void> recover(Owner& owner) = 0;

  /// Positions and memory for records that belong together. Cheap; called under the owner's locks. Nothing is written yet.
  /// NoSpace: no prepared space for this purpose now. Unavailable: too many bytes wait for the disk, or the store has failed.
  /// InvalidArgument: larger than a segment can hold.
  virtual Result<Reservation> reserve(std::span<const RecordShape> records, Purpose purpose) = 0;
  /// The memory of every slot is filled. Must be called for every reservation, soon, by the thread that reserved.
  virtual void publish(Reservation&& reservation) = 0;
  /// Last position that was given out.
  virtual Position last() const = 0;
  /// Everything up to here is on disk. Never goes back.
  virtual Position durable() const = 0;

  /// The payloads, in the order asked for, if all of them are in memory and published; never blocks, never reads.
  virtual std::optional<std::vector<Payload>> read_now(std::span<const Location> locations) = 0;
  std::optional<Payload> read_now(const Location& location) {
    auto payloads = read_now(std::span(&location, 1));
    return payloads ? std::optional(std::move(payloads->front())) : std::nullopt;
  }
  using ReadCallback = std::function<void(std::vector<Result<Payload>>)>;
  /// Reads payloads, in the order asked for; the callback runs once, on a thread of the store or on the caller's.
  /// Corrupt: the bytes are not what was written. Io: the disk failed. NotFound: released, and its space is used for something
  /// else. Unavailable: the store was closed before the bytes were read.
  virtual void read(std::vector<Location> locations, ReadCallback done) = 0;

  /// During Owner::recovered(): this body is needed.
  virtual void retain(const Location& location) = 0;
  /// The body is needed no more, by the record that was reserved last (whose position its space waits for).
  virtual void release(std::span<const Location> locations) = 0;

  virtual StoreStats stats() const = 0;
  /// Whether sends are likely to find space now; for /health/ready.
  virtual bool writable() const = 0;
  /// Makes everything reserved durable, marks a clean stop, ends the threads. Blocks. Later calls of reserve() fail.
  virtual Result<void> close() = 0;
};

}  // namespace ferry::store
