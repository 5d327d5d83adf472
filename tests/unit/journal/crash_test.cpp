// Power losses: random work, and at each moment the disk as a crash would leave it. What was acknowledged must be there after
// the recovery, whatever else was on its way.

#include <gmock/gmock.h>

#include "rig.h"

namespace ferry::test {
namespace {

using store::Position;

struct Snapshot {
  DiskImage image;
  std::uint64_t durable;
};

std::string random_text(Random& random, std::uint64_t bytes_max) {
  return std::string(random.below(bytes_max), static_cast<char>('a' + random.below(26)));
}

// Without a turn of the maintenance the prepared space may be used up.
void check_put(const Result<Position>& put) {
  EXPECT_TRUE(put || put.error().kind == ErrorKind::NoSpace);
}

// One random thing that happens to a store.
void random_step(Rig& rig, Random& random) {
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      std::vector<std::pair<std::uint32_t, std::string>> entries;
      for (std::uint64_t i = 0; i <= random.below(4); ++i) entries.emplace_back(random.below(40), random_text(random, 900));
      check_put(rig.owner->put_all(entries));
      break;
    }
    case 4:
      check_put(rig.owner->put(static_cast<std::uint32_t>(random.below(40)), random_text(random, 9000)));
      break;
    case 5:
    case 6:
      check_put(rig.owner->erase(static_cast<std::uint32_t>(random.below(40))));
      break;
    case 7:
    case 8:
    case 9:
      rig.journal->commit_step();
      break;
    case 10:
      rig.maintain();
      break;
    case 11:
      if (random.below(4) == 0) rig.journal->request_checkpoint();
      rig.journal->maintain_step();
      break;
  }
}

// Opens the image and compares it with the history of `before`. Returns the last position that it kept.
std::uint64_t check_image(const DiskImage& image, std::uint64_t durable, const MapOwner& before, std::uint64_t seed) {
  Rig after(image, small_options(), seed);
  const auto recovered = after.start();
  EXPECT_TRUE(recovered) << recovered.error().message;
  if (!recovered) return 0;
  const std::uint64_t kept = after.journal->last().value;
  EXPECT_GE(kept, durable);
  EXPECT_EQ(after.state(), before.state_at(Position{kept}));
  // And it is a store to work with.
  EXPECT_TRUE(after.owner->put(1000, "after").has_value());
  after.maintain();
  EXPECT_GT(after.journal->durable().value, kept);  // compaction may have moved something, too
  return kept;
}

class JournalCrash : public testing::TestWithParam<int> {};

TEST_P(JournalCrash, EveryAcknowledgementSurvivesALossOfPower) {
  const auto seed = static_cast<std::uint64_t>(GetParam());
  SCOPED_TRACE("seed " + std::to_string(seed));
  SeededRandom random(seed);
  Rig rig({}, small_options(), seed);
  ASSERT_TRUE(rig.start());
  rig.files.stop_protocol();
  std::vector<Snapshot> snapshots;
  rig.owner->durable_hook = [&](Position position) {
    snapshots.push_back({rig.files.image(CrashMode::OnlySynced, random), position.value});
  };
  for (int i = 0; i < 300; ++i) random_step(rig, random);
  rig.owner->durable_hook = nullptr;
  ASSERT_GT(snapshots.size(), 10u);
  for (const Snapshot& snapshot : snapshots) {
    ASSERT_EQ(check_image(snapshot.image, snapshot.durable, *rig.owner, seed), snapshot.durable);
  }
}

TEST_P(JournalCrash, TornWritesAtAnyOperationLoseNothingAcknowledged) {
  const auto seed = static_cast<std::uint64_t>(GetParam());
  SCOPED_TRACE("seed " + std::to_string(seed));
  SeededRandom random(seed * 7919);
  Rig rig({}, small_options(), seed);
  if (seed % 2 == 0) rig.files.set_direct_access(false);            // pwrite and fdatasync: writes and their syncs lie apart
  std::vector<std::pair<std::size_t, std::uint64_t>> acknowledged;  // operations done, durable position
  rig.owner->durable_hook = [&](Position position) { acknowledged.emplace_back(rig.files.operation_count(), position.value); };
  ASSERT_TRUE(rig.start());
  const std::size_t begin = rig.files.operation_count();
  for (int i = 0; i < 120; ++i) random_step(rig, random);
  rig.owner->durable_hook = nullptr;
  const auto operations = rig.files.operations();
  DiskModel model(rig.files.initial());
  std::uint64_t durable = 0;
  std::size_t next_acknowledged = 0;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    model.apply(operations[i]);
    while (next_acknowledged < acknowledged.size() && acknowledged[next_acknowledged].first <= i + 1) {
      durable = acknowledged[next_acknowledged++].second;
    }
    if (i < begin) continue;
    for (const CrashMode mode : {CrashMode::Everything, CrashMode::OnlySynced, CrashMode::Torn}) {
      check_image(model.image(mode, random), durable, *rig.owner, seed);
      ASSERT_FALSE(HasFailure()) << "after operation " << i << ", mode " << static_cast<int>(mode);
    }
  }
}

TEST_P(JournalCrash, SeveralCrashesInARow) {
  const auto seed = static_cast<std::uint64_t>(GetParam());
  SCOPED_TRACE("seed " + std::to_string(seed));
  SeededRandom random(seed * 104729);
  DiskImage image;
  MapOwner::State expected;
  for (int life = 0; life < 12; ++life) {
    SCOPED_TRACE("life " + std::to_string(life));
    Rig rig(std::move(image), small_options(), seed + static_cast<std::uint64_t>(life) * 1000);
    rig.files.stop_protocol();
    ASSERT_TRUE(rig.start());
    ASSERT_EQ(rig.state(), expected);
    // What this life begins with, as changes that its history knows.
    const std::uint64_t begin = rig.journal->last().value;
    for (int i = 0; i < 40; ++i) random_step(rig, random);
    const auto mode = static_cast<CrashMode>(random.below(3));
    if (random.below(2) == 0) {
      // In the middle of writing a group.
      static_cast<void>(rig.owner->put(1, random_text(random, 9000)));
      rig.files.fail(RecordingFileSystem::Kind::Write, 1, ErrorKind::Io, RecordingFileSystem::Times::FromThenOn,
                     random.below(9000));
      rig.commit();
      rig.files.clear_faults();
    }
    image = rig.image(mode);
    // What the next life must find: the beginning, and this life's changes as far as they were kept.
    Rig probe(image, small_options(), seed);
    ASSERT_TRUE(probe.start());
    const std::uint64_t kept = probe.journal->last().value;
    ASSERT_GE(kept, rig.journal->durable().value);
    MapOwner::State next = expected;
    if (kept > begin) {
      for (const auto& change : rig.owner->changes_after(Position{begin}, Position{kept})) {
        if (change.second) {
          next[change.first] = *change.second;
        } else {
          next.erase(change.first);
        }
      }
    }
    expected = next;
    ASSERT_EQ(probe.state(), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JournalCrash, testing::Range(1, 9));

TEST(JournalCrashes, OnlyOneSyncForAGroup) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(0, "opens the segment"));
  rig.commit();
  const std::size_t before = rig.files.operation_count();
  const auto groups_before = rig.journal->stats().groups;
  for (int group = 0; group < 3; ++group) {
    for (std::uint32_t key = 0; key < 10; ++key) ASSERT_TRUE(rig.owner->put(key, "text"));
    rig.commit();
  }
  EXPECT_EQ(rig.journal->stats().groups - groups_before, 3u);
  EXPECT_EQ(rig.files.operation_count() - before, 6u);  // three writes, three syncs, nothing else
  EXPECT_EQ(rig.journal->stats().syncs, rig.journal->stats().groups);
}

TEST(JournalCrashes, TheLastGroupIsOnDiskBeforeTheFirstReply) {
  // A process is killed between write and sync: the system has the group, the disk has not.
  Rig rig;
  rig.files.set_direct_access(false);
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(1, "one"));
  rig.commit();
  ASSERT_TRUE(rig.owner->put(2, "two"));
  rig.files.fail(RecordingFileSystem::Kind::Sync, 1, ErrorKind::Io);
  rig.commit();
  EXPECT_EQ(rig.owner->failures().size(), 1u);
  ASSERT_TRUE(rig.reopen());
  EXPECT_THAT(rig.state(), testing::ElementsAre(testing::Pair(1, "one"), testing::Pair(2, "two")));
  // What was told now survives a loss of power now.
  Rig after(rig.image(CrashMode::OnlySynced));
  ASSERT_TRUE(after.start());
  EXPECT_THAT(after.state(), testing::ElementsAre(testing::Pair(1, "one"), testing::Pair(2, "two")));
}

TEST(JournalCrashes, ATornTailIsCutAndReported) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(1, "one"));
  rig.commit();
  ASSERT_TRUE(rig.owner->put(2, std::string(9000, 'x')));
  rig.files.fail(RecordingFileSystem::Kind::Write, 1, ErrorKind::Io, RecordingFileSystem::Times::Once, 5000);
  rig.commit();
  ASSERT_TRUE(rig.reopen());
  EXPECT_TRUE(rig.journal->recovery().tail_cut);
  EXPECT_EQ(rig.journal->recovery().segment, 1u);
  EXPECT_EQ(rig.journal->recovery().offset, 8192u);
  EXPECT_EQ(rig.journal->recovery().run, 2u);
  EXPECT_THAT(rig.state(), testing::ElementsAre(testing::Pair(1, "one")));
  ASSERT_TRUE(rig.reopen());
  EXPECT_FALSE(rig.journal->recovery().tail_cut);
  EXPECT_EQ(rig.journal->recovery().run, 3u);
}

TEST(JournalCrashes, ACleanStopIsRemembered) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  EXPECT_TRUE(rig.journal->recovery().created);
  EXPECT_FALSE(rig.journal->recovery().clean_stop);
  ASSERT_TRUE(rig.owner->put(1, "one"));
  ASSERT_TRUE(rig.journal->close());
  ASSERT_TRUE(rig.reopen());
  EXPECT_FALSE(rig.journal->recovery().created);
  EXPECT_TRUE(rig.journal->recovery().clean_stop);
  ASSERT_TRUE(rig.reopen());
  EXPECT_FALSE(rig.journal->recovery().clean_stop);
  EXPECT_THAT(rig.state(), testing::ElementsAre(testing::Pair(1, "one")));
}

}  // namespace
}  // namespace ferry::test
