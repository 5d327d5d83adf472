#pragma once
// The smallest owner of a store that is worth testing with: a map from numbers to texts, whose texts live in the store.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"

namespace ferry::test {

/// Thread-safe.
class MapOwner final : public store::Owner {
 public:
  using State = std::map<std::uint32_t, std::string>;

  /// Sets the store that put() and others write to; to be called before them.
  void attach(store::Store& store) { store_ = &store; }

  // Changes. The result is the position of the record.
  Result<store::Position> put(std::uint32_t key, const std::string& text);
  Result<store::Position> erase(std::uint32_t key);
  /// The same, all in one reservation.
  Result<store::Position> put_all(const std::vector<std::pair<std::uint32_t, std::string>>& entries);

  /// What the map was when the log ended with `position`, by the changes that this object made or was told of.
  State state_at(store::Position position) const;
  /// Key and text (nothing: erased) of the changes behind `from`, up to `to`.
  std::vector<std::pair<std::uint32_t, std::optional<std::string>>> changes_after(store::Position from, store::Position to) const;
  std::optional<store::Location> location_of(std::uint32_t key) const;
  std::vector<std::uint32_t> keys() const;
  /// The map as it is, its texts read from the store. Empty text with `damaged` set: could not be read. With a store without
  /// threads, `step` is called until the answer is there.
  struct Reading {
    State state;
    std::map<std::uint32_t, Error> damaged;
    /// Beside other threads that erase and put, a payload may be gone by the time it is read.
    std::map<std::uint32_t, Error> failed_otherwise_than_released() const {
      auto failed = damaged;
      std::erase_if(failed, [](const auto& entry) { return entry.second.kind == ErrorKind::NotFound; });
      return failed;
    }
  };
  Reading read_all(const std::function<void()>& step);

  std::uint64_t durable_calls() const { return durable_calls_; }
  store::Position durable() const { return store::Position{durable_}; }
  std::vector<Error> failures() const;
  std::uint64_t relocated() const { return relocated_; }
  std::uint64_t replayed() const { return replayed_; }
  std::uint64_t pieces_restored() const { return pieces_restored_; }
  /// Whether relocate() does what it is asked.
  bool relocation_enabled = true;
  /// Called by relocate(), after it has appended.
  std::function<void()> relocate_hook;
  /// Called by on_durable().
  std::function<void(store::Position)> durable_hook;
  /// Called by write_checkpoint() between two pieces.
  std::function<void()> checkpoint_hook;

  Result<void> restore_piece(std::span<const std::byte> piece) override;
  Result<void> replay(store::Position position, const store::Location& location, std::span<const std::byte> payload) override;
  Result<void> recovered() override;
  void on_durable(store::Position position) override;
  void on_failed(const Error& error) override;
  Result<store::Position> write_checkpoint(store::CheckpointSink& sink) override;
  void relocate(const store::Location& from, std::span<const std::byte> payload) override;

 private:
  struct Change {
    std::uint64_t position;
    std::uint32_t key;
    std::optional<std::string> text;
  };
  Result<store::Position> put_locked(const std::vector<std::pair<std::uint32_t, std::string>>& entries, store::Purpose purpose);

  static constexpr std::uint32_t kParts = 3;  // pieces of a checkpoint, by key
  mutable std::mutex mutex_;
  store::Store* store_ = nullptr;
  std::map<std::uint32_t, store::Location> map_;
  std::vector<Change> changes_;
  std::uint64_t part_as_of_[kParts] = {};
  std::vector<Error> failures_;
  std::atomic<std::uint64_t> durable_{0};
  std::atomic<std::uint64_t> durable_calls_{0};
  std::atomic<std::uint64_t> relocated_{0};
  std::atomic<std::uint64_t> replayed_{0};
  std::atomic<std::uint64_t> pieces_restored_{0};
};

}  // namespace ferry::test
