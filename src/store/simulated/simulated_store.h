#pragma once
// A Store in memory for tests and simulation: nothing becomes durable before the test says so, and a crash gives back a store
// that holds what was durable. It starts no threads: callbacks run inside the calls that cause them, with no lock held.
// It is stricter than a real store: misuse by the owner (a release of what is not live, a reservation published twice) aborts.

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "store/store.h"

namespace ferry::store {

/// Thread-safe, except that step(), sync_all(), checkpoint(), compact() and crash() must not run beside each other.
class SimulatedStore final : public Store {
 public:
  SimulatedStore() = default;

  // What the test decides.
  /// Makes the oldest reservation durable and tells the owner. False: there is none, or it is not published yet.
  bool step();
  /// Makes everything published durable, as one group: one on_durable() call.
  void sync_all();
  /// With Immediately, publish() makes durable by itself what it published (in order of positions).
  enum class SyncMode { OnDemand, Immediately };
  void set_sync_mode(SyncMode mode);

  /// The machine stops: a store with what was durable, to be recovered into a fresh owner. This one takes no more records.
  std::unique_ptr<SimulatedStore> crash();
  /// The same, but what was reserved and published up to `survivor` reached the disk unacknowledged. Whole reservations only.
  std::unique_ptr<SimulatedStore> crash(Position survivor);

  /// Asks the owner for a checkpoint. It counts from the moment on when durable() has reached the highest as_of of its pieces;
  /// then bodies and records that are needed no more are forgotten, as a reused segment would.
  Result<void> checkpoint();
  /// Offers every live body that is durable to Owner::relocate().
  void compact();

  /// reserve() answers this for `purpose`, until it is set to nothing.
  void set_reserve_error(Purpose purpose, std::optional<ErrorKind> kind);
  /// From now on nothing becomes durable, as after a failed sync; the owner is told.
  void fail(const Error& error);
  /// read() of this payload finds damage; recover() does too when it must replay it.
  void corrupt(const Location& location);
  /// With OnDisk, read_now() finds nothing; with Deferred, callbacks of read() wait for run_reads().
  enum class Memory { Cached, OnDisk };
  enum class ReadMode { Inline, Deferred };
  void set_memory(Memory memory);
  void set_read_mode(ReadMode mode);
  void run_reads();

  /// Bodies that the owner has not released.
  std::size_t live_bodies() const;
  /// Records that a recovery would replay, undurable ones not counted.
  std::size_t records_to_replay() const;

  // Store
  Result<void> recover(Owner& owner) override;
  Result<Reservation> reserve(std::span<const RecordShape> records, Purpose purpose) override;
  void publish(Reservation&& reservation) override;
  Position last() const override;
  Position durable() const override;
  using Store::read_now;
  std::optional<std::vector<Payload>> read_now(std::span<const Location> locations) override;
  void read(std::vector<Location> locations, ReadCallback done) override;
  void retain(const Location& location) override;
  void release(std::span<const Location> locations) override;
  StoreStats stats() const override;
  bool writable() const override;
  Result<void> close() override;

 private:
  struct Record {
    Location location;
    bool is_body = false;
    bool damaged = false;
    std::shared_ptr<std::vector<std::byte>> bytes;  // shared with the Payloads that were given out
  };
  struct Group {
    Position first;
    Position last;
    bool published = false;
  };
  struct Checkpoint {
    std::vector<std::vector<std::byte>> pieces;
    Position replay_from;
    Position highest_as_of;
  };
  using Records = std::map<std::uint64_t, Record>;

  const Record* find(const Location& location) const;
  Result<Payload> payload_of(const Location& location) const;
  void advance_to(Position position);
  void publish_checkpoint();
  void forget_unneeded();

  mutable std::mutex mutex_;
  Owner* owner_ = nullptr;
  std::uint32_t run_ = 1;  // the segment number of this run's locations
  Records records_;        // by position
  std::deque<Group> groups_;
  Position last_;
  Position durable_;
  std::set<std::uint64_t> live_;                         // positions of bodies
  std::deque<std::pair<Position, std::uint64_t>> dead_;  // {position whose durability frees it, position of the body}
  std::optional<Checkpoint> checkpoint_;
  std::optional<Checkpoint> coming_checkpoint_;
  std::optional<ErrorKind> reserve_errors_[2];
  bool stopped_ = false;
  SyncMode sync_mode_ = SyncMode::OnDemand;
  Memory memory_ = Memory::Cached;
  ReadMode read_mode_ = ReadMode::Inline;
  std::deque<std::pair<std::vector<Location>, ReadCallback>> waiting_reads_;
  StoreStats stats_;
};

}  // namespace ferry::store
