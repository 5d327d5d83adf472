// Repair of folders that are damaged by chance, and a repair that is killed at any operation.

#include <gtest/gtest.h>

#include "repair_rig.h"
#include "store/journal/inspect.h"

namespace ferry::test {
namespace {

// One or several flips, zeroed blocks, cuts, losses, swaps and copies of files, at places drawn by chance.
void damage(DiskImage& image, SeededRandom& chance) {
  const auto some_file = [&] { return std::next(image.begin(), static_cast<std::ptrdiff_t>(chance.below(image.size()))); };
  for (std::uint64_t times = 1 + chance.below(3); times > 0 && !image.empty(); --times) {
    const auto file = some_file();
    auto& bytes = file->second;
    switch (chance.below(10)) {
      case 0:
        image.erase(file);
        break;
      case 1:
        bytes.resize(chance.below(bytes.size() + 1));
        break;
      case 2:
        std::swap(bytes, some_file()->second);
        break;
      case 3:
        bytes = some_file()->second;
        break;
      case 4:
      case 5:
        if (bytes.size() >= 4096)
          std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(chance.below(bytes.size() / 4096) * 4096), 4096, std::byte{0});
        break;
      default:
        if (!bytes.empty()) bytes[chance.below(bytes.size())] ^= static_cast<std::byte>(1 << chance.below(8));
    }
  }
}

TEST(JournalRepair, AfterAnyDamageItOpensAndServesNothingThatNeverWas) {
  int refused = 0;
  int exact = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const History history = make_history(seed, seed % 3 == 0, static_cast<int>(seed % 3));
    SeededRandom chance(seed * 1000);
    for (int i = 0; i < 50; ++i) {
      DiskImage image = history.image;
      damage(image, chance);
      refused += opens(image) ? 0 : 1;
      RepairRig rig(image);
      const auto examined = rig.examine();
      if (!examined) {  // nothing of the store is left
        EXPECT_EQ(examined.error().kind, ErrorKind::InvalidArgument) << examined.error().message;
        continue;
      }
      if (!rig.findings().is_needed) {
        EXPECT_TRUE(opens(image)) << "seed " << seed << " case " << i << ": refused, and the repair sees no need";
      }
      const Outcome outcome = repaired(history, image);
      exact += outcome.findings.checkpoint_is_whole ? 1 : 0;
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << " case " << i;
    }
  }
  EXPECT_GT(refused, 150);
  EXPECT_GT(exact, 250);
}

void kill_anywhere(bool control_is_lost) {
  const History history = make_history(14);
  DiskImage image = history.image;
  const auto paths = segments_in(image);
  std::swap(image[paths[0]], image[paths[1]]);
  flip(image, paths[2], 40);
  if (control_is_lost) {
    flip(image, "/data/control", 100);
    flip(image, "/data/control", 4196);
  }
  RepairRig rig(image);
  ASSERT_TRUE(rig.run());
  const auto expected = open_and_read(data_of(rig.image()));
  EXPECT_TRUE(same(expected, history.without(rig.owner.lost, rig.owner.dropped)));
  const auto operations = rig.files.operations();
  SeededRandom chance(3);
  DiskModel disk(rig.files.initial());
  int opened = 0;
  int repaired_again = 0;
  for (std::size_t at = 0; at <= operations.size(); ++at) {
    for (const CrashMode mode : {CrashMode::Everything, CrashMode::OnlySynced, CrashMode::Torn}) {
      const DiskImage crashed = data_of(disk.image(mode, chance));
      if (opens(crashed)) {
        ++opened;
        EXPECT_TRUE(same(open_and_read(crashed), expected)) << "operation " << at;
        continue;
      }
      ++repaired_again;
      RepairRig again(crashed);
      const auto done = again.run("/copy-2");
      ASSERT_TRUE(done) << "operation " << at << ": " << done.error().message;
      EXPECT_TRUE(same(open_and_read(data_of(again.image())), expected)) << "operation " << at;
    }
    if (at < operations.size()) disk.apply(operations[at]);
    ASSERT_FALSE(testing::Test::HasFailure()) << "operation " << at;
  }
  EXPECT_GT(opened, 3);
  EXPECT_GT(repaired_again, 20);
}

TEST(JournalRepair, KilledAnywhereItIsRepairedOrOpens) {
  kill_anywhere(true);
}
TEST(JournalRepair, KilledAnywhereWithItsControlFileItIsRepairedOrOpens) {
  kill_anywhere(false);
}

TEST(JournalRepair, SettlingLeavesNoDamageBehind) {
  const History history = make_history(15);
  Rig whole(history.image);
  ASSERT_TRUE(whole.start());
  DiskImage image = history.image;
  for (const std::uint32_t key : {whole.owner->keys().front(), whole.owner->keys().back()}) {
    const store::Location location = *whole.owner->location_of(key);
    flip(image, segment_path(location.segment), location.offset + 10);
  }
  RepairRig rig(image);
  ASSERT_TRUE(rig.run());
  const auto moving = rig.repair.to_move();
  ASSERT_FALSE(moving.empty());
  Rig after(data_of(rig.image()));
  ASSERT_TRUE(after.start());
  ASSERT_TRUE(store::settle(*after.journal, *after.owner, moving));
  ASSERT_TRUE(after.journal->close());
  const DiskImage settled = after.image(CrashMode::OnlySynced);
  EXPECT_TRUE(same(open_and_read(settled), history.without(rig.owner.lost, rig.owner.dropped)));
  RecordingFileSystem files(settled);
  const auto inspection = store::inspect(files, "/data", nullptr);
  ASSERT_TRUE(inspection);
  EXPECT_TRUE(inspection->faults.empty()) << inspection->faults.front().file << " " << inspection->faults.front().what;
}

}  // namespace
}  // namespace ferry::test
