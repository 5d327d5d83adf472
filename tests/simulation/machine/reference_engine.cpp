#include "simulation/machine/reference_engine.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/manual_clock.h"
#include "engine/pieces.h"

namespace ferry::test {
namespace {

// Takes whatever it is given and keeps nothing.
class Nowhere final : public store::Store {
 public:
  explicit Nowhere(std::uint64_t last) : last_(last) {}
  Result<void> recover(store::Owner&) override { return {}; }
  Result<store::Reservation> reserve(std::span<const store::RecordShape> records, store::Purpose) override {
    store::Reservation reservation;
    reservation.first = store::Position{last_ + 1};
    for (const store::RecordShape& shape : records) {
      memory_.push_back(std::vector<std::byte>(shape.payload_bytes));
      reservation.slots.push_back({{0, 0, shape.payload_bytes}, memory_.back()});
    }
    reservation.last = store::Position{last_ += records.size()};
    return reservation;
  }
  void publish(store::Reservation&&) override {}
  store::Position last() const override { return store::Position{last_}; }
  store::Position durable() const override { return store::Position{last_}; }
  std::optional<std::vector<store::Payload>> read_now(std::span<const store::Location>) override { return std::nullopt; }
  void read(std::vector<store::Location>, ReadCallback) override { FERRY_CHECK(false); }
  void retain(const store::Location&) override {}
  void release(std::span<const store::Location>) override {}
  store::StoreStats stats() const override { return {}; }
  bool writable() const override { return true; }
  Result<void> close() override { return {}; }

 private:
  std::uint64_t last_;
  std::vector<std::vector<std::byte>> memory_;
};

}  // namespace

void ReferenceEngine::begin(engine::Engine& engine, std::uint64_t base) {
  base_ = base;
  heard_ = std::max(heard_, engine.now());
  pieces_ = pieces_of(engine);
  // What the clock says now is nowhere on disk: only the times of records hold over a restart.
  for (auto& piece : pieces_) {
    if (engine::decode_piece_type(piece).value() != engine::PieceType::Head) continue;
    piece = engine::encode_piece(engine::HeadPiece{0, engine::decode_head_piece(piece)->next_queue_id});
  }
}

Observation ReferenceEngine::at(std::uint64_t position, const HistoryStore& history, Timestamp wall,
                                Timestamp engine_time) const {
  FERRY_CHECK(position >= base_);
  const ManualClock clock(wall);
  SeededRandom random(1);
  const Logger log{clock, LogLevel::Off, LogFormat::Text};
  Nowhere store(position);
  engine::Engine engine(store, clock, random, log, engine::EngineOptions{});
  for (const auto& piece : pieces_) {
    const auto restored = engine.restore_piece(piece);
    EXPECT_TRUE(restored.has_value()) << restored.error().message;
  }
  const auto records = history.records(base_, position);
  EXPECT_EQ(records.size(), position - base_) << "records that were never published";
  for (const auto& [at, record] : records) {
    const auto replayed = engine.replay(store::Position{at}, record.location, record.payload);
    EXPECT_TRUE(replayed.has_value()) << replayed.error().message;
  }
  // The clock of whom it is compared with may have heard of a later time than the records tell, but never of an earlier one.
  EXPECT_TRUE(engine.restore_piece(engine::encode_piece(engine::HeadPiece{to_epoch_millis(engine_time), 0})).has_value());
  const auto recovered = engine.recovered();
  EXPECT_TRUE(recovered.has_value()) << recovered.error().message;
  EXPECT_EQ(engine.now(), engine_time) << "engine time went back";
  return observe(engine, heard_);
}

}  // namespace ferry::test
