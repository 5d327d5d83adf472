// Great files go, and are written, in portions: a file system that is given much to do at once holds up the log's commits.

#include <gtest/gtest.h>

#include "rig.h"

namespace ferry::test {
namespace {

constexpr std::uint32_t kGreatSegment = 32u << 20;
constexpr std::uint64_t kPortion = 8u << 20;      // kShrinkBytes
constexpr std::chrono::milliseconds kPause{10};   // kShrinkPause
constexpr std::uint64_t kSyncPortion = 3u << 20;  // of a checkpoint: kBufferBytes and the piece that fills it

store::JournalOptions great_segments() {
  auto options = small_options();
  options.segment_first_bytes = options.segment_max_bytes = kGreatSegment;
  options.group_bytes_max = 1u << 20;
  options.spare_segments_max = 0;
  return options;
}

// Two sealed segments that nobody needs, in the way of being given up.
void fill_and_empty(Rig& rig) {
  for (std::uint32_t key = 0; key < 75; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(1'000'000, 'x')));
    rig.maintain();
  }
  for (std::uint32_t key = 0; key < 75; ++key) ASSERT_TRUE(rig.owner->erase(key));
  rig.checkpoint();
  rig.checkpoint();
}

TEST(JournalGiveBack, AGreatFileIsCutShortStepByStep) {
  Rig rig({}, great_segments());
  ASSERT_TRUE(rig.start());
  fill_and_empty(rig);
  const std::uint64_t before = rig.files.total_bytes();
  std::uint64_t left = before;
  for (int pauses = 0; pauses < 20; ++pauses) {
    rig.clock.advance(kPause - std::chrono::milliseconds(1));
    rig.maintain();
    EXPECT_EQ(rig.files.total_bytes(), left) << "before the pause was over";
    rig.clock.advance(std::chrono::milliseconds(1));
    rig.maintain();
    EXPECT_LE(left - rig.files.total_bytes(), kPortion);
    left = rig.files.total_bytes();
  }
  EXPECT_GE(before - left, kGreatSegment + kPortion) << "they did not go";
  EXPECT_EQ(rig.journal->stats().live_body_bytes, 0u);
}

TEST(JournalGiveBack, AStartGoesOnWhereOneWasCutShort) {
  Rig rig({}, great_segments());
  ASSERT_TRUE(rig.start());
  fill_and_empty(rig);
  ASSERT_TRUE(rig.owner->put(1, "stays"));
  rig.clock.advance(kPause);
  rig.maintain();
  for (const CrashMode mode : {CrashMode::Everything, CrashMode::OnlySynced, CrashMode::Torn}) {
    Rig after(rig.image(mode), great_segments());
    ASSERT_TRUE(after.start());
    EXPECT_EQ(after.state().at(1), "stays");
    for (int pauses = 0; pauses < 20; ++pauses) {
      after.clock.advance(kPause);
      after.maintain();
    }
    const auto entries = after.files.list("/data");
    for (const auto& entry : *entries) EXPECT_FALSE(entry.name.starts_with("spare-")) << entry.name;
  }
}

TEST(JournalGiveBack, ACheckpointIsSyncedInPortions) {
  Rig rig({}, great_segments());
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 400'000; ++key) {
    ASSERT_TRUE(rig.owner->put(key, "x"));
    if (key % 1000 == 0) rig.commit();
  }
  rig.checkpoint();
  std::map<std::uint64_t, std::uint64_t> unsynced;  // by file
  std::uint64_t checkpoint = 0, most = 0, bytes = 0;
  for (const auto& operation : rig.files.operations()) {
    if (operation.kind == DiskOperation::Kind::Create && operation.path.find("checkpoint-") != std::string::npos)
      checkpoint = operation.file;
    if (checkpoint == 0 || operation.file != checkpoint) continue;
    if (operation.kind == DiskOperation::Kind::Sync) unsynced.clear();
    if (operation.kind != DiskOperation::Kind::Write) continue;
    bytes += operation.bytes.size();
    most = std::max(most, unsynced[operation.file] += operation.bytes.size());
  }
  EXPECT_GT(bytes, 2 * kSyncPortion) << "too small to show it";
  EXPECT_LE(most, kSyncPortion);
}

}  // namespace
}  // namespace ferry::test
