#pragma once
// A store that hands everything on to another one and remembers the records that went into it: what a log must hold.

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "store/store.h"

namespace ferry::test {

/// Thread-safe.
class HistoryStore final : public store::Store {
 public:
  struct Record {
    store::Location location;
    std::vector<std::byte> payload;
  };
  /// `inner` outlives it.
  explicit HistoryStore(store::Store& inner) : inner_(&inner) {}

  /// Another life of the same log.
  void attach(store::Store& inner) { inner_ = &inner; }
  /// It kept only what lies up to there.
  void cut(std::uint64_t position);
  /// The records behind `from` up to `to` that were published, by position.
  std::map<std::uint64_t, Record> records(std::uint64_t from, std::uint64_t to) const;
  /// Whether a reservation ended there: a crash leaves no part of one.
  bool is_end(std::uint64_t position) const;
  /// Where the latest record of all lies.
  store::Location latest() const;

  Result<void> recover(store::Owner& owner) override { return inner_->recover(owner); }
  Result<store::Reservation> reserve(std::span<const store::RecordShape> records, store::Purpose purpose) override {
    return inner_->reserve(records, purpose);
  }
  void publish(store::Reservation&& reservation) override;
  store::Position last() const override { return inner_->last(); }
  store::Position durable() const override { return inner_->durable(); }
  std::optional<std::vector<store::Payload>> read_now(std::span<const store::Location> locations) override {
    return inner_->read_now(locations);
  }
  void read(std::vector<store::Location> locations, ReadCallback done) override {
    inner_->read(std::move(locations), std::move(done));
  }
  void retain(const store::Location& location) override { inner_->retain(location); }
  void release(std::span<const store::Location> locations) override { inner_->release(locations); }
  store::StoreStats stats() const override { return inner_->stats(); }
  bool writable() const override { return inner_->writable(); }
  Result<void> close() override { return inner_->close(); }

 private:
  struct Group {
    std::uint64_t last = 0;
    std::vector<Record> records;
  };
  store::Store* inner_;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Group> groups_;  // reservations by their first position
};

}  // namespace ferry::test
