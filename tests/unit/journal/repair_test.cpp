// Repair: whatever is wrong with a folder, it opens again, with everything that can be read and nothing that never was.

#include "store/journal/repair.h"

#include <gmock/gmock.h>

#include "base/digest.h"
#include "repair_rig.h"
#include "store/journal/inspect.h"

namespace ferry::test {
namespace {

using testing::HasSubstr;

TEST(JournalRepair, AWholeFolderNeedsNone) {
  for (const bool clean : {false, true}) {
    const History history = make_history(1, clean);
    RepairRig rig(history.image);
    ASSERT_TRUE(rig.examine());
    EXPECT_FALSE(rig.findings().is_needed);
    EXPECT_TRUE(rig.findings().damages.empty());
    EXPECT_TRUE(rig.findings().lost.empty());
    EXPECT_EQ(rig.image(CrashMode::Everything), history.image) << "examining changed the disk";
    // And does no harm if it is done all the same.
    EXPECT_TRUE(same(repaired(history, history.image).state, history.without({}, {})));
  }
}

TEST(JournalRepair, BothControlSlotsCostNothing) {
  const History history = make_history(2);
  for (const bool missing : {false, true}) {
    DiskImage image = history.image;
    if (missing) {
      image.erase("/data/control");
    } else {
      flip(image, "/data/control", 100);
      flip(image, "/data/control", 4196);
    }
    EXPECT_FALSE(opens(image));
    const Outcome outcome = repaired(history, image);
    EXPECT_TRUE(outcome.findings.is_needed);
    EXPECT_EQ(outcome.findings.damages.front().file, "control");
    EXPECT_TRUE(same(outcome.state, history.without({}, {})));
  }
}

TEST(JournalRepair, TheControlFileOfAFolderThatWasJustRepaired) {
  const History history = make_history(2);
  DiskImage image = history.image;
  for (int times = 0; times < 3; ++times) {
    flip(image, "/data/control", 100);
    flip(image, "/data/control", 4196);
    const Outcome outcome = repaired(history, image);
    EXPECT_EQ(outcome.findings.damages.size(), 2u) << outcome.findings.damages.back().what;
    EXPECT_TRUE(outcome.findings.lost.empty());
    EXPECT_TRUE(same(outcome.state, history.without({}, {})));
    image = data_of(outcome.image);
  }
}

TEST(JournalRepair, EverySegmentHeaderCanBeMadeAgain) {
  const History history = make_history(3);
  for (const std::string& path : segments_in(history.image)) {
    DiskImage image = history.image;
    flip(image, path, 40);
    EXPECT_FALSE(opens(image));
    const Outcome outcome = repaired(history, image);
    ASSERT_EQ(outcome.findings.damages.size(), 1u);
    EXPECT_EQ("/data/" + outcome.findings.damages.front().file, path);
    EXPECT_TRUE(same(outcome.state, history.without({}, {}))) << path;
  }
}

TEST(JournalRepair, AllSegmentHeadersAndTheControlFile) {
  const History history = make_history(3);
  DiskImage image = history.image;
  for (const std::string& path : segments_in(history.image)) flip(image, path, 40);
  flip(image, "/data/control", 100);
  flip(image, "/data/control", 4196);
  const Outcome outcome = repaired(history, image);
  EXPECT_TRUE(same(outcome.state, history.without({}, {})));
}

TEST(JournalRepair, AMissingSegmentCostsWhatWasInIt) {
  const History history = make_history(4);
  for (const std::string& path : segments_in(history.image)) {
    DiskImage image = history.image;
    image.erase(path);
    if (opens(image)) continue;  // the last prepared one, or nothing of it was needed
    const Outcome outcome = repaired(history, image);
    const auto named = std::any_of(outcome.findings.damages.begin(), outcome.findings.damages.end(), [&](const auto& damage) {
      return "/data/" + damage.file == path && damage.what == "is missing";
    });
    EXPECT_TRUE(named) << path;
  }
}

TEST(JournalRepair, ASegmentThatIsCutShort) {
  const History history = make_history(5);
  for (const std::string& path : segments_in(history.image)) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{100}, std::size_t{4096}, std::size_t{30'000}, std::size_t{65'535}}) {
      DiskImage image = history.image;
      image[path].resize(size);
      EXPECT_FALSE(opens(image));
      const Outcome outcome = repaired(history, image);
      EXPECT_TRUE(outcome.findings.is_needed);
      // A byte too few costs nothing but what was in the last block.
      if (size == 65'535) {
        EXPECT_LE(outcome.findings.lost.size(), 1u);
      }
    }
    DiskImage image = history.image;
    image[path].resize(80'000);
    EXPECT_TRUE(same(repaired(history, image).state, history.without({}, {})));
  }
}

TEST(JournalRepair, SwappedSegmentsGetTheirNamesBack) {
  const History history = make_history(6);
  const auto paths = segments_in(history.image);
  ASSERT_GE(paths.size(), 4u);
  for (std::size_t i = 0; i + 1 < paths.size(); ++i) {
    DiskImage image = history.image;
    std::swap(image[paths[i]], image[paths[i + 1]]);
    EXPECT_FALSE(opens(image));
    EXPECT_TRUE(same(repaired(history, image).state, history.without({}, {})));
  }
  DiskImage image = history.image;  // in a ring
  std::swap(image[paths[0]], image[paths[1]]);
  std::swap(image[paths[1]], image[paths[2]]);
  EXPECT_TRUE(same(repaired(history, image).state, history.without({}, {})));
}

TEST(JournalRepair, DoubledAndForeignSegments) {
  const History history = make_history(7);
  const History other = make_history(99);
  const auto paths = segments_in(history.image);
  DiskImage image = history.image;
  image[paths[2]] = image[paths[1]];
  Outcome outcome = repaired(history, image);
  EXPECT_THAT(outcome.findings.damages.front().what, HasSubstr("is segment"));
  image = history.image;
  image[paths[1]] = segments_in(other.image).size() > 1 ? other.image.at(segments_in(other.image)[1]) : image[paths[0]];
  outcome = repaired(history, image);
  EXPECT_THAT(outcome.findings.damages.front().what, HasSubstr("belongs to another store"));
  // A second copy beside the right ones costs nothing.
  image = history.image;
  image["/data/" + store::segment_name(90)] = image[paths[1]];
  outcome = repaired(history, image);
  EXPECT_TRUE(same(outcome.state, history.without({}, {})));
  EXPECT_FALSE(outcome.image.contains("/data/" + store::segment_name(90)));
  EXPECT_TRUE(outcome.image.contains("/copy/" + store::segment_name(90)));
}

TEST(JournalRepair, BothCheckpointsDamaged) {
  const History history = make_history(8);
  const auto final_state = history.without({}, {});
  for (const std::size_t at : {std::size_t{10}, std::size_t{70}, std::size_t{85}, std::size_t{200}}) {
    DiskImage image = history.image;
    for (auto& [path, bytes] : image) {
      if (path.find("/data/checkpoint-") == 0) bytes.at(std::min(at, bytes.size() - 1)) ^= std::byte{1};
    }
    EXPECT_FALSE(opens(image));
    const Outcome outcome = repaired(history, image);
    EXPECT_FALSE(outcome.findings.checkpoint_is_whole);
    for (const auto& [key, text] : final_state) {
      if (outcome.dropped.contains(key) || !outcome.state.contains(key)) continue;
      EXPECT_TRUE(outcome.state.at(key) == text) << key;
    }
  }
  DiskImage image = history.image;
  std::erase_if(image, [](const auto& entry) { return entry.first.find("/data/checkpoint-") == 0; });
  EXPECT_FALSE(opens(image));
  repaired(history, image);
}

TEST(JournalRepair, TheNewestCheckpointAloneIsNoReason) {
  const History history = make_history(8);
  DiskImage image = history.image;
  std::vector<std::string> checkpoints;
  for (const auto& [path, bytes] : image) {
    if (path.find("/data/checkpoint-") == 0) checkpoints.push_back(path);
  }
  ASSERT_EQ(checkpoints.size(), 2u);
  flip(image, checkpoints.back(), 100);
  RepairRig rig(image);
  ASSERT_TRUE(rig.examine());
  EXPECT_FALSE(rig.findings().is_needed);
  ASSERT_EQ(rig.findings().damages.size(), 1u);
  EXPECT_TRUE(rig.findings().damages.front().is_harmless);
  EXPECT_EQ("/data/" + store::checkpoint_name(rig.findings().checkpoint), checkpoints.front());
}

TEST(JournalRepair, ADamagedGroupIsSteppedOverAndWhatIsWholeInItIsKept) {
  // One group of several records, another behind it.
  Rig rig;
  ASSERT_TRUE(rig.start());
  History history;
  for (std::uint32_t key = 0; key < 6; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(100, static_cast<char>('a' + key))));
    history.changes.push_back({key + 1, key, std::string(100, static_cast<char>('a' + key))});
  }
  rig.maintain();
  ASSERT_TRUE(rig.owner->put(9, "behind"));
  history.changes.push_back({7, 9, "behind"});
  rig.maintain();
  history.image = rig.image(CrashMode::Everything);
  const store::Location third = *rig.owner->location_of(2);
  DiskImage image = history.image;
  flip(image, segment_path(third.segment), third.offset + 60);
  EXPECT_FALSE(opens(image));
  const Outcome outcome = repaired(history, image);
  ASSERT_EQ(outcome.findings.lost.size(), 1u);
  EXPECT_EQ(outcome.findings.lost.front().first.value, 1u);
  EXPECT_EQ(outcome.findings.lost.front().last.value, 6u);
  EXPECT_EQ(outcome.findings.lost.front().rescued, 5u);
  EXPECT_EQ(outcome.findings.lost.front().file, store::segment_name(1));
  EXPECT_EQ(outcome.findings.lost.front().offset, 4096u);
  EXPECT_EQ(outcome.lost, std::set<std::uint64_t>{3});
  EXPECT_EQ(outcome.state.size(), 6u);
  EXPECT_FALSE(outcome.state.contains(2));
  // With the header of the group all of it is lost: what lies there may be of a group that was cut off.
  image = history.image;
  flip(image, segment_path(1), 4096 + 20);
  EXPECT_TRUE(same(repaired(history, image).state, (std::map<std::uint32_t, std::string>{{9, "behind"}})));
  // A length that leads astray: what was before it is certain.
  image = history.image;
  flip(image, segment_path(third.segment), third.offset);
  EXPECT_EQ(repaired(history, image).lost, (std::set<std::uint64_t>{3, 4, 5, 6}));
}

TEST(JournalRepair, AnEndBelowTheWatermarkIsLostAndSaid) {
  const History history = make_history(9, true);
  const auto last = history.changes.back();
  DiskImage image = history.image;
  for (const std::string& path : segments_in(image)) {
    for (const auto& group : groups_in(history.image.at(path))) {
      if (group.first + group.count - 1 == last.position)
        std::fill_n(image[path].begin() + group.offset, group.length, std::byte{0});
    }
  }
  EXPECT_FALSE(opens(image));
  const Outcome outcome = repaired(history, image);
  ASSERT_EQ(outcome.findings.lost.size(), 1u);
  EXPECT_EQ(outcome.findings.lost.front().last.value, last.position);
  EXPECT_EQ(outcome.findings.last.value, last.position) << "a position is never given out twice";
}

TEST(JournalRepair, ATornTailIsCutAsByAStart) {
  const History history = make_history(10);
  DiskImage image = history.image;
  const auto last = history.changes.back().position;
  std::uint64_t first = 0;
  for (const std::string& path : segments_in(image)) {
    for (const auto& group : groups_in(history.image.at(path))) {
      if (group.first + group.count - 1 != last) continue;
      image[path][group.offset + group.length - 1] ^= std::byte{1};
      first = group.first;
    }
  }
  // The control file knows of an earlier position only: a start would cut.
  if (!opens(image)) GTEST_SKIP();
  RepairRig rig(image);
  ASSERT_TRUE(rig.examine());
  EXPECT_FALSE(rig.findings().is_needed);
  EXPECT_TRUE(rig.findings().tail_cut);
  EXPECT_EQ(rig.findings().last.value, first - 1);
}

TEST(JournalRepair, ADamagedBodyBelowTheReplayIsDroppedAndNamed) {
  const History history = make_history(11);
  Rig whole(history.image);
  ASSERT_TRUE(whole.start());
  int dropped = 0;
  for (const std::uint32_t key : whole.owner->keys()) {
    const store::Location location = *whole.owner->location_of(key);
    DiskImage image = history.image;
    flip(image, segment_path(location.segment), location.offset + 10);
    if (!opens(image)) continue;
    const Outcome outcome = repaired(history, image);
    if (outcome.findings.tail_cut) continue;  // the last group: nothing tells it from a torn one
    EXPECT_TRUE(outcome.findings.is_needed);
    EXPECT_EQ(outcome.dropped, std::set<std::uint32_t>{key});
    EXPECT_TRUE(outcome.lost.empty());
    EXPECT_EQ(outcome.findings.damages.back().file, store::segment_name(location.segment));
    EXPECT_EQ(outcome.findings.damages.back().offset, location.offset);
    ++dropped;
  }
  EXPECT_GT(dropped, 5);
}

TEST(JournalRepair, AGroupThatTheDiskNeverReplacedIsNotTaken) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(1, "one"));
  rig.commit();
  const DiskImage before = rig.image(CrashMode::OnlySynced);
  ASSERT_TRUE(rig.owner->put(2, "old"));
  rig.commit();
  const DiskImage other = rig.image(CrashMode::OnlySynced);
  Rig next(before);
  ASSERT_TRUE(next.start());
  ASSERT_TRUE(next.owner->put(2, "new"));
  next.commit();
  ASSERT_TRUE(next.owner->put(3, "three"));
  next.commit();
  History history;
  history.changes = {{1, 1, "one"}, {2, 2, "new"}, {3, 3, "three"}};
  DiskImage image = next.image(CrashMode::OnlySynced);
  std::copy_n(other.at(segment_path(1)).begin() + 8192, 4096, image[segment_path(1)].begin() + 8192);
  const Outcome outcome = repaired(history, image);
  EXPECT_TRUE(same(outcome.state, (std::map<std::uint32_t, std::string>{{1, "one"}, {3, "three"}})));
  EXPECT_THAT(outcome.findings.damages.front().what, HasSubstr("not the one written there last"));
}

TEST(JournalRepair, ARepairedFolderGoesOnAndIsRepairedAgain) {
  const History history = make_history(12);
  DiskImage image = history.image;
  const auto paths = segments_in(image);
  image.erase(paths[paths.size() - 3]);
  if (opens(image)) GTEST_SKIP() << "nothing of it was needed";
  Outcome first = repaired(history, image);
  Rig rig(data_of(first.image));
  ASSERT_TRUE(rig.start());
  History later = history;
  later.changes.clear();
  for (const auto& [key, text] : first.state) later.changes.push_back({0, key, text});
  for (std::uint32_t key = 100; key < 140; ++key) {
    const auto position = rig.owner->put(key, std::string(3000, 'z'));
    ASSERT_TRUE(position);
    EXPECT_GT(position->value, first.findings.last.value);
    later.changes.push_back({position->value, key, std::string(3000, 'z')});
    rig.maintain();
  }
  later.image = rig.image(CrashMode::Everything);
  EXPECT_TRUE(same(open_and_read(later.image), later.without({}, {})));
  RepairRig again(later.image);
  ASSERT_TRUE(again.examine());
  EXPECT_FALSE(again.findings().is_needed) << again.findings().damages.front().file << again.findings().damages.front().what;
  // Damage behind the first repair.
  DiskImage twice = later.image;
  const store::Location location = *rig.owner->location_of(120);
  flip(twice, segment_path(location.segment), location.offset + 10);
  EXPECT_FALSE(opens(twice));
  const Outcome second = repaired(later, twice);
  EXPECT_EQ(second.state.size(), later.without({}, {}).size() - 1);
}

TEST(JournalRepair, CopiesAndTheRestAreTheFolderAsItWas) {
  const History history = make_history(13);
  DiskImage image = history.image;
  const auto paths = segments_in(image);
  flip(image, paths[0], 40);
  flip(image, paths[1], 4096 + 20);
  flip(image, "/data/control", 100);
  flip(image, "/data/control", 4196);
  const Outcome outcome = repaired(history, image);
  DiskImage put_back = data_of(outcome.image);
  for (const auto& [path, bytes] : outcome.image) {
    if (path.starts_with("/copy/")) put_back["/data/" + path.substr(6)] = bytes;
  }
  for (const auto& [path, bytes] : image) {
    if (path.ends_with("preparing") || path.ends_with("lock")) continue;
    EXPECT_EQ(put_back.at(path), bytes) << path;
  }
}

TEST(JournalRepair, NothingIsTouchedBeforeTheCopyIsThere) {
  const History history = make_history(13);
  DiskImage image = history.image;
  flip(image, "/data/control", 100);
  flip(image, "/data/control", 4196);
  image["/copy/something"] = {};
  RepairRig rig(image);
  const auto done = rig.run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::AlreadyExists);
  EXPECT_EQ(data_of(rig.image(CrashMode::Everything)), data_of(image));
  // And without space for it neither.
  image.erase("/copy/something");
  RepairRig full(image);
  full.files.set_capacity(full.files.total_bytes() + 3000);
  const auto no_space = full.run();
  ASSERT_FALSE(no_space);
  EXPECT_EQ(no_space.error().kind, ErrorKind::NoSpace);
  EXPECT_EQ(data_of(full.image(CrashMode::Everything)), data_of(image));
}

TEST(JournalRepair, AFolderInUseANewerOneAndNoneAreRefused) {
  const History history = make_history(1);
  RepairRig busy(history.image);
  const auto held = busy.files.lock("/data/lock");
  EXPECT_EQ(busy.examine().error().kind, ErrorKind::Busy);
  DiskImage image = history.image;
  auto bytes = std::span(image["/data/control"]).first(4096);
  const std::uint32_t version = store::kFormatVersion + 1;
  const std::uint32_t crc = crc32c(bytes.subspan(16), version);
  std::memcpy(bytes.data() + 8, &version, 4);
  std::memcpy(bytes.data() + 12, &crc, 4);
  RepairRig newer(image);
  const auto refused = newer.examine();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::InvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("format " + std::to_string(version)));
  RepairRig none(DiskImage{{"/data/thesis.txt", {}}});
  EXPECT_EQ(none.examine().error().kind, ErrorKind::InvalidArgument);
}

}  // namespace
}  // namespace ferry::test
