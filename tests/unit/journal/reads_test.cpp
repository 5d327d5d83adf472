// What is read from disk, and how far.

#include "rig.h"
#include "store/journal/read_buffers.h"
#include "store/journal/read_cache.h"

namespace ferry::test {
namespace {

store::ReadCache::Extent extent(std::uint32_t start, bool is_forward = false) {
  return {store::ReadBuffers().take(4096), start, 4096, is_forward};
}

TEST(ReadCache, OneNeighbourIsChanceTwoAreADirection) {
  constexpr std::uint32_t kNear = 64 * 1024;
  store::ReadCache cache(1u << 20);
  EXPECT_FALSE(cache.follows(1, 8192));
  cache.insert(1, extent(4096));
  EXPECT_FALSE(cache.follows(1, 8192));
  cache.insert(1, extent(8192));
  EXPECT_TRUE(cache.follows(1, 12288));
  EXPECT_TRUE(cache.follows(1, 12288 + kNear));
  EXPECT_FALSE(cache.follows(1, 12288 + kNear + 1));
  EXPECT_FALSE(cache.follows(2, 12288));
  // Behind a stretch that was read forward one is enough.
  cache.insert(3, extent(4096, true));
  EXPECT_TRUE(cache.follows(3, 8192));
}

TEST(ReadBuffers, AreUsedAgainAndOutliveWhoGaveThem) {
  auto buffers = std::make_unique<store::ReadBuffers>();
  constexpr std::size_t kBytes = store::ReadBuffers::kBytes;
  std::set<std::byte*> places;
  std::vector<std::shared_ptr<std::byte>> held;
  for (int i = 0; i < 20; ++i) {
    held.push_back(buffers->take(kBytes));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(held.back().get()) % 4096, 0u);
    std::fill_n(held.back().get(), kBytes, static_cast<std::byte>(i));
    places.insert(held.back().get());
  }
  EXPECT_EQ(places.size(), 20u);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(held[static_cast<std::size_t>(i)].get()[0], static_cast<std::byte>(i));
    EXPECT_EQ(held[static_cast<std::size_t>(i)].get()[kBytes - 1], static_cast<std::byte>(i));
  }
  held.resize(10);
  for (int i = 0; i < 10; ++i) {
    held.push_back(buffers->take(kBytes));
    EXPECT_TRUE(places.contains(held.back().get())) << "memory of its own instead of what was given back";
  }
  EXPECT_FALSE(places.contains(buffers->take(kBytes + 4096).get()));
  buffers.reset();
  std::fill_n(held.back().get(), kBytes, std::byte{7});
}

TEST(JournalReads, ScatteredPayloadsAreReadApartAndAnsweredTogetherInOrder) {
  store::JournalOptions options = small_options();
  options.segment_first_bytes = options.segment_max_bytes = 1u << 20;
  Rig rig({}, options);
  ASSERT_TRUE(rig.start());
  std::vector<store::Location> locations;
  for (int i = 0; i < 40; ++i) {
    const store::RecordShape shape{15'000, true};
    auto reservation = rig.journal->reserve(std::span(&shape, 1), store::Purpose::Growth);
    ASSERT_TRUE(reservation.has_value());
    locations.push_back(reservation->slots[0].location);
    std::fill(reservation->slots[0].bytes.begin(), reservation->slots[0].bytes.end(), static_cast<std::byte>(i));
    rig.journal->publish(std::move(*reservation));
    rig.commit();
    rig.maintain();
  }
  ASSERT_EQ(locations.front().segment, locations.back().segment);
  std::vector<int> first_bytes;
  // Far, near the first, far, near the far one: two stretches.
  rig.journal->read({locations[30], locations[1], locations[31], locations[0]},
                    [&](std::vector<Result<store::Payload>> payloads) {
                      for (const auto& payload : payloads) first_bytes.push_back(static_cast<int>(payload->bytes.front()));
                    });
  ASSERT_TRUE(rig.journal->read_step());
  EXPECT_TRUE(first_bytes.empty());
  ASSERT_TRUE(rig.journal->read_step());
  EXPECT_EQ(first_bytes, (std::vector<int>{30, 1, 31, 0}));
  EXPECT_FALSE(rig.journal->read_step());
}

// Bodies of a size that fits no block: some begin in one extent and end in the next.
TEST(JournalReads, WhoReadsForwardFindsTheNextOnesInMemory) {
  store::JournalOptions options = small_options();
  options.segment_first_bytes = options.segment_max_bytes = 4u << 20;
  options.read_cache_bytes = 1u << 20;
  Rig rig({}, options);
  ASSERT_TRUE(rig.start());
  std::vector<store::Location> locations;
  for (int i = 0; i < 4000; ++i) {
    const store::RecordShape shape{777, true};
    auto reservation = rig.journal->reserve(std::span(&shape, 1), store::Purpose::Growth);
    ASSERT_TRUE(reservation.has_value());
    locations.push_back(reservation->slots[0].location);
    std::fill(reservation->slots[0].bytes.begin(), reservation->slots[0].bytes.end(), static_cast<std::byte>(i));
    rig.journal->publish(std::move(*reservation));
    if (i % 10 == 0) rig.commit();
    if (i % 100 == 0) rig.maintain();
  }
  rig.commit();
  int waited = 0;
  for (int i = 0; i < 3500; ++i) {  // the last ones are in memory anyway
    auto payload = rig.journal->read_now(locations[static_cast<std::size_t>(i)]);
    if (!payload) {
      ++waited;
      rig.journal->read({locations[static_cast<std::size_t>(i)]}, [&](std::vector<Result<store::Payload>> payloads) {
        ASSERT_TRUE(payloads[0].has_value());
        payload = std::move(*payloads[0]);
      });
    }
    while (rig.journal->read_step()) {  // as the readers would, meanwhile
    }
    ASSERT_TRUE(payload.has_value());
    EXPECT_EQ(payload->bytes.front(), static_cast<std::byte>(i)) << i;
    EXPECT_EQ(payload->bytes.back(), static_cast<std::byte>(i)) << i;
  }
  EXPECT_LE(waited, 4) << "3 MB are a dozen extents: only the first ones are waited for";
  EXPECT_GE(waited, 1) << "nothing came from disk";
}

}  // namespace
}  // namespace ferry::test
