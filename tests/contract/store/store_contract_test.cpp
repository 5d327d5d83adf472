// What the engine relies on, whichever store it has: every implementation passes this suite.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "store_harness.h"

namespace ferry::test {
namespace {

using store::Location;
using store::Payload;
using store::Position;
using store::Purpose;
using store::RecordShape;
using store::Reservation;

std::string text_of(const Payload& payload) {
  return {reinterpret_cast<const char*>(payload.bytes.data()), payload.bytes.size()};
}

void write_text(Reservation& reservation, std::size_t slot, const std::string& text) {
  ASSERT_EQ(reservation.slots[slot].bytes.size(), text.size());
  std::copy_n(std::as_bytes(std::span(text)).begin(), text.size(), reservation.slots[slot].bytes.begin());
}

template <class Harness>
class StoreContract : public testing::Test {
 protected:
  void SetUp() override {
    owner = std::make_unique<MapOwner>();
    owner->attach(harness.store());
    ASSERT_TRUE(harness.recover(*owner));
  }
  void crash_and_recover() {
    harness.crash();
    owner = std::make_unique<MapOwner>();
    owner->attach(harness.store());
    ASSERT_TRUE(harness.recover(*owner));
  }
  Result<Reservation> reserve(std::vector<std::uint32_t> sizes, Purpose purpose = Purpose::Growth) {
    std::vector<RecordShape> shapes;
    for (const std::uint32_t size : sizes) shapes.push_back({size, true});
    return harness.store().reserve(shapes, purpose);
  }
  std::vector<Result<Payload>> read(std::vector<Location> locations) {
    std::vector<Result<Payload>> result;
    int calls = 0;
    harness.store().read(std::move(locations), [&](std::vector<Result<Payload>> payloads) {
      result = std::move(payloads);
      ++calls;
    });
    harness.run_reads();
    EXPECT_EQ(calls, 1);
    return result;
  }
  MapOwner::State state() {
    auto reading = owner->read_all([&] { harness.run_reads(); });
    EXPECT_TRUE(reading.damaged.empty());
    return reading.state;
  }

  Harness harness;
  std::unique_ptr<MapOwner> owner;
};

using Harnesses = testing::Types<SimulatedHarness, JournalHarness>;
TYPED_TEST_SUITE(StoreContract, Harnesses);

TYPED_TEST(StoreContract, PositionsAreOrdinalsFromOne) {
  auto& store = this->harness.store();
  EXPECT_EQ(store.last(), Position{0});
  EXPECT_EQ(store.durable(), Position{0});
  auto first = *this->reserve({5});
  auto second = *this->reserve({1, 2, 3});
  EXPECT_EQ(first.first, Position{1});
  EXPECT_EQ(first.last, Position{1});
  EXPECT_EQ(second.first, Position{2});
  EXPECT_EQ(second.last, Position{4});
  ASSERT_EQ(second.slots.size(), 3u);
  EXPECT_EQ(second.slots[2].bytes.size(), 3u);
  EXPECT_EQ(second.slots[2].location.length, 3u);
  EXPECT_EQ(store.last(), Position{4});
  store.publish(std::move(first));
  store.publish(std::move(second));
}

TYPED_TEST(StoreContract, NothingIsDurableBeforeTheDiskHasIt) {
  ASSERT_TRUE(this->owner->put(1, "one"));
  EXPECT_EQ(this->harness.store().durable(), Position{0});
  EXPECT_EQ(this->owner->durable_calls(), 0u);
  this->harness.commit();
  EXPECT_EQ(this->harness.store().durable(), Position{1});
  EXPECT_EQ(this->owner->durable(), Position{1});
}

TYPED_TEST(StoreContract, WhatGathersBecomesDurableTogether) {
  for (std::uint32_t key = 0; key < 100; ++key) ASSERT_TRUE(this->owner->put(key, "text"));
  this->harness.commit();
  EXPECT_EQ(this->owner->durable(), Position{100});
  EXPECT_EQ(this->owner->durable_calls(), 1u);
  const auto stats = this->harness.store().stats();
  EXPECT_EQ(stats.groups, 1u);
  EXPECT_EQ(stats.syncs, 1u);
  EXPECT_EQ(stats.records, 100u);
}

TYPED_TEST(StoreContract, AReservationThatIsNotPublishedHoldsBackLaterOnes) {
  auto& store = this->harness.store();
  auto early = *this->reserve({3});
  this->harness.commit();
  auto late = *this->reserve({3});
  store.publish(std::move(late));
  this->harness.commit();
  EXPECT_EQ(store.durable(), Position{0});
  store.publish(std::move(early));
  this->harness.commit();
  EXPECT_EQ(store.durable(), Position{2});
}

TYPED_TEST(StoreContract, ACrashKeepsWhatIsDurableAndNothingElse) {
  ASSERT_TRUE(this->owner->put(1, "kept"));
  this->harness.commit();
  ASSERT_TRUE(this->owner->put(2, "lost"));
  this->crash_and_recover();
  EXPECT_THAT(this->state(), testing::ElementsAre(testing::Pair(1, "kept")));
  EXPECT_EQ(this->harness.store().last(), Position{1});
  EXPECT_EQ(this->harness.store().durable(), Position{1});
}

TYPED_TEST(StoreContract, PositionsGoOnAfterACrash) {
  ASSERT_TRUE(this->owner->put(1, "one"));
  this->harness.commit();
  this->crash_and_recover();
  ASSERT_EQ(*this->owner->put(2, "two"), Position{2});
  this->harness.commit();
  this->crash_and_recover();
  EXPECT_THAT(this->state(), testing::ElementsAre(testing::Pair(1, "one"), testing::Pair(2, "two")));
}

TYPED_TEST(StoreContract, RecordsAreReplayedInOrderWithTheirPlaces) {
  ASSERT_TRUE(this->owner->put_all({{1, "a"}, {2, "bb"}}));
  ASSERT_TRUE(this->owner->erase(1));
  ASSERT_TRUE(this->owner->put(1, "ccc"));
  const Location location = *this->owner->location_of(1);
  this->harness.commit();
  this->crash_and_recover();
  EXPECT_EQ(this->owner->replayed(), 4u);
  EXPECT_EQ(this->owner->location_of(1), location);
  EXPECT_THAT(this->state(), testing::ElementsAre(testing::Pair(1, "ccc"), testing::Pair(2, "bb")));
}

TYPED_TEST(StoreContract, ReadNowKnowsPublishedPayloadsInMemory) {
  auto& store = this->harness.store();
  auto reservation = *this->reserve({5, 0});
  const Location location = reservation.slots[0].location;
  const Location empty = reservation.slots[1].location;
  write_text(reservation, 0, "hello");
  EXPECT_FALSE(store.read_now(location));
  store.publish(std::move(reservation));
  ASSERT_TRUE(store.read_now(location));
  EXPECT_EQ(text_of(*store.read_now(location)), "hello");
  EXPECT_EQ(text_of(*store.read_now(empty)), "");
  this->harness.commit();
  EXPECT_EQ(text_of(*store.read_now(location)), "hello");
}

TYPED_TEST(StoreContract, ReadNowGivesAllThatIsAskedForOrNothing) {
  auto& store = this->harness.store();
  std::vector<Location> locations;
  for (const char* text : {"one", "two"}) {
    auto reservation = *this->reserve({3});
    locations.push_back(reservation.slots[0].location);
    write_text(reservation, 0, text);
    store.publish(std::move(reservation));
  }
  auto unpublished = *this->reserve({5});
  const Location third = unpublished.slots[0].location;
  std::swap(locations[0], locations[1]);
  const auto both = store.read_now(locations);
  ASSERT_TRUE(both);
  ASSERT_EQ(both->size(), 2u);
  EXPECT_EQ(text_of((*both)[0]), "two");
  EXPECT_EQ(text_of((*both)[1]), "one");
  locations.insert(locations.begin() + 1, third);
  EXPECT_FALSE(store.read_now(locations));
  write_text(unpublished, 0, "three");
  store.publish(std::move(unpublished));
  ASSERT_TRUE(store.read_now(locations));
  EXPECT_EQ(text_of((*store.read_now(locations))[1]), "three");
}

TYPED_TEST(StoreContract, ReadsAnswerInTheOrderAskedFor) {
  auto& store = this->harness.store();
  std::vector<Location> locations;
  std::vector<std::string> texts;
  for (int i = 0; i < 40; ++i) {
    texts.push_back(std::string(static_cast<std::size_t>(i) * 37, static_cast<char>('a' + i % 26)));
    auto reservation = *this->reserve({static_cast<std::uint32_t>(texts.back().size())});
    write_text(reservation, 0, texts.back());
    locations.push_back(reservation.slots[0].location);
    store.publish(std::move(reservation));
  }
  this->harness.commit();
  const auto check = [&](std::vector<std::size_t> order) {
    std::vector<Location> wanted;
    for (const std::size_t i : order) wanted.push_back(locations[i]);
    const auto payloads = this->read(wanted);
    ASSERT_EQ(payloads.size(), order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      ASSERT_TRUE(payloads[i]);
      EXPECT_EQ(text_of(*payloads[i]), texts[order[i]]);
    }
  };
  check({3, 0, 39, 7, 7});
  check({});
}

TYPED_TEST(StoreContract, PayloadsAreReadAfterARestart) {
  MapOwner::State expected;
  for (std::uint32_t key = 0; key < 30; ++key) {
    expected[key] = std::string(key * 50, static_cast<char>('a' + key % 26));
    ASSERT_TRUE(this->owner->put(key, expected[key]));
    this->harness.commit();
  }
  this->crash_and_recover();
  EXPECT_EQ(this->state(), expected);
}

TYPED_TEST(StoreContract, APayloadStaysForAsLongAsItIsHeld) {
  auto& store = this->harness.store();
  auto reservation = *this->reserve({4});
  write_text(reservation, 0, "stay");
  const Location location = reservation.slots[0].location;
  store.publish(std::move(reservation));
  const Payload payload = *store.read_now(location);
  for (int i = 0; i < 50; ++i) {
    auto filler = *this->reserve({1000});
    std::memset(filler.slots[0].bytes.data(), 'x', 1000);
    const Location released = filler.slots[0].location;
    store.publish(std::move(filler));
    store.release(std::span(&released, 1));
    this->harness.commit();
  }
  EXPECT_EQ(text_of(payload), "stay");
}

TYPED_TEST(StoreContract, TooLargeIsRefusedAndChangesNothing) {
  const std::uint32_t largest = this->harness.payload_bytes_max();
  const auto refused = this->reserve({largest + 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::InvalidArgument);
  const auto refused_together = this->reserve({largest, largest});
  ASSERT_FALSE(refused_together);
  EXPECT_EQ(refused_together.error().kind, ErrorKind::InvalidArgument);
  EXPECT_EQ(this->harness.store().last(), Position{0});
  auto taken = this->reserve({largest}, Purpose::Upkeep);
  ASSERT_TRUE(taken);
  std::memset(taken->slots[0].bytes.data(), 'L', largest);
  const Location location = taken->slots[0].location;
  this->harness.store().publish(std::move(*taken));
  this->harness.commit();
  EXPECT_EQ(this->harness.store().durable(), Position{1});
  EXPECT_EQ(text_of(*this->read({location}).at(0)), std::string(largest, 'L'));
}

TYPED_TEST(StoreContract, NewMessagesAreRefusedOnAFullDiskAndTheRestGoesOn) {
  ASSERT_TRUE(this->owner->put(1, "before"));
  EXPECT_TRUE(this->harness.store().writable());
  this->harness.fill_disk();
  const Position last = this->harness.store().last();
  const auto refused = this->owner->put(2, "new");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::NoSpace);
  EXPECT_FALSE(this->harness.store().writable());
  EXPECT_EQ(this->harness.store().last(), last);
  EXPECT_TRUE(this->owner->erase(1));
  this->harness.commit();
  EXPECT_EQ(this->harness.store().durable().value, last.value + 1);
  this->harness.free_disk();
  EXPECT_TRUE(this->harness.store().writable());
  EXPECT_TRUE(this->owner->put(2, "new"));
  EXPECT_TRUE(this->owner->failures().empty());
}

TYPED_TEST(StoreContract, AFailedDiskEndsIt) {
  ASSERT_TRUE(this->owner->put(1, "one"));
  this->harness.commit();
  ASSERT_TRUE(this->owner->put(2, "two"));
  const Position durable = this->harness.store().durable();
  this->harness.break_disk();
  this->harness.commit();
  EXPECT_EQ(this->owner->failures().size(), 1u);
  EXPECT_EQ(this->harness.store().durable(), durable);
  const auto refused = this->owner->erase(1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unavailable);
  EXPECT_FALSE(this->harness.store().writable());
}

TYPED_TEST(StoreContract, CloseMakesEverythingDurable) {
  ASSERT_TRUE(this->owner->put(1, "one"));
  ASSERT_TRUE(this->harness.store().close());
  EXPECT_EQ(this->owner->durable(), Position{1});
  const auto refused = this->owner->put(2, "two");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unavailable);
  this->crash_and_recover();
  EXPECT_THAT(this->state(), testing::ElementsAre(testing::Pair(1, "one")));
}

TYPED_TEST(StoreContract, ARecoveryStartsAtTheCheckpoint) {
  for (std::uint32_t key = 0; key < 20; ++key) {
    ASSERT_TRUE(this->owner->put(key, "old"));
    this->harness.commit();
  }
  this->harness.checkpoint();
  ASSERT_TRUE(this->owner->erase(3));
  ASSERT_TRUE(this->owner->put(4, "new"));
  this->harness.commit();
  auto expected = this->owner->state_at(this->harness.store().durable());
  this->crash_and_recover();
  EXPECT_EQ(this->state(), expected);
  EXPECT_EQ(this->owner->pieces_restored(), 3u);
  EXPECT_GE(this->owner->replayed(), 2u);
  EXPECT_LE(this->owner->replayed(), 3u);  // the last one before it may come again
}

TYPED_TEST(StoreContract, ACheckpointCountsOnlyWhenTheLogHasReachedIt) {
  ASSERT_TRUE(this->owner->put(1, "one"));
  this->harness.commit();
  // While pieces are written the log goes on: the last piece holds what is not durable yet.
  int calls = 0;
  this->owner->checkpoint_hook = [&] {
    if (++calls == 1) {
      EXPECT_TRUE(this->owner->put(1, "two").has_value());
    }
  };
  this->harness.checkpoint();
  this->owner->checkpoint_hook = nullptr;
  this->harness.commit();
  this->crash_and_recover();
  EXPECT_THAT(this->state(), testing::ElementsAre(testing::Pair(1, "two")));
}

TYPED_TEST(StoreContract, ReleasedSpaceIsFoundToBeGone) {
  ASSERT_TRUE(this->owner->put(1, "gone"));
  this->harness.commit();
  const Location location = *this->owner->location_of(1);
  ASSERT_TRUE(this->owner->erase(1));
  this->harness.commit();
  // Enough for the segment to be left and for two checkpoints to lie behind it.
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(this->owner->put(2, std::string(30'000, 'x')));
      this->harness.commit();
    }
    this->harness.checkpoint();
  }
  this->harness.compact();
  const auto payloads = this->read({location});
  ASSERT_FALSE(payloads.at(0));
  EXPECT_EQ(payloads[0].error().kind, ErrorKind::NotFound);
  EXPECT_EQ(this->state().at(2), std::string(30'000, 'x'));
}

TYPED_TEST(StoreContract, RecoveryKeepsWhatTheOwnerRetains) {
  ASSERT_TRUE(this->owner->put(1, "needed"));
  ASSERT_TRUE(this->owner->put(2, "not needed"));
  ASSERT_TRUE(this->owner->erase(2));
  this->harness.commit();
  const std::uint64_t live = this->harness.store().stats().live_body_bytes;
  this->crash_and_recover();
  EXPECT_EQ(this->harness.store().stats().live_body_bytes, live);
  ASSERT_TRUE(this->owner->erase(1));
  EXPECT_EQ(this->harness.store().stats().live_body_bytes, 0u);
}

}  // namespace
}  // namespace ferry::test
