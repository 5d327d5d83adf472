// What the journal says about its segments is what the maintenance does with them.

#include <gtest/gtest.h>

#include <set>

#include "rig.h"

namespace ferry::test {
namespace {

using Fate = store::Journal::SegmentUse::Fate;

// Segments that are full, sparse and empty, of which nothing was freed or compacted yet.
DiskImage untended() {
  Rig rig;
  EXPECT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 200; ++key) {
    EXPECT_TRUE(rig.owner->put(key, std::string(6000, 'x')));
    rig.maintain();
  }
  for (std::uint32_t key = 0; key < 160; ++key) {
    if (key < 60 || key % 10 != 0) {
      EXPECT_TRUE(rig.owner->erase(key));
    }
  }
  rig.commit();
  return rig.image(CrashMode::Everything);
}

store::Journal::Use look(const DiskImage& image) {
  Rig rig;
  RecordingFileSystem files(image);
  auto options = small_options();
  options.access = store::JournalOptions::Access::ReadOnly;
  MapOwner owner;
  store::Journal journal(files, rig.clock, rig.random, rig.log, options);
  owner.attach(journal);
  EXPECT_TRUE(journal.recover(owner));
  EXPECT_EQ(files.image(CrashMode::Everything, rig.random), image) << "looking at it changed it";
  return journal.use();
}

TEST(JournalUse, SaysWhatTheMaintenanceWillDo) {
  const DiskImage image = untended();
  const auto use = look(image);
  std::map<Fate, std::set<std::uint32_t>> by_fate;
  std::uint64_t live = 0;
  for (const auto& segment : use.segments) {
    by_fate[segment.fate].insert(segment.number);
    live += segment.live_records;
  }
  EXPECT_EQ(live, 50u);
  EXPECT_GT(use.allowed_bytes, 4u * kSmallSegment);
  EXPECT_GE(by_fate[Fate::Empty].size(), 3u);
  EXPECT_GE(by_fate[Fate::Sparse].size(), 2u);
  EXPECT_GE(by_fate[Fate::Kept].size(), 1u);

  Rig rig(image);
  ASSERT_TRUE(rig.start());
  for (int i = 0; i < 3; ++i) rig.checkpoint();
  const auto is_there = [&](std::uint32_t number) { return rig.files.open(segment_path(number), {}).has_value(); };
  for (const Fate fate : {Fate::Empty, Fate::Sparse, Fate::Free}) {
    for (const std::uint32_t number : by_fate[fate]) EXPECT_FALSE(is_there(number)) << number;
  }
  for (const std::uint32_t number : by_fate[Fate::Kept]) EXPECT_TRUE(is_there(number)) << number;
  EXPECT_EQ(rig.state().size(), 50u);
}

TEST(JournalUse, AStoreWithinItsBoundHasNothingToDo) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 20; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(6000, 'x')));
    rig.maintain();
  }
  for (const auto& segment : look(rig.image(CrashMode::Everything)).segments)
    EXPECT_TRUE(segment.fate == Fate::InUse || segment.fate == Fate::Kept) << segment.number;
}

}  // namespace
}  // namespace ferry::test
