// A process that dies while the system lives on, and a loss of power after its next start; small refusals of the disk that
// must not stop a store.

#include <gmock/gmock.h>

#include "rig.h"

namespace ferry::test {
namespace {

using Kind = RecordingFileSystem::Kind;
using Times = RecordingFileSystem::Times;
using store::Position;

// Works until the n-th sync of the directory fails, as if the process had been killed there; the names are in the system's
// memory then. Starts again, writes as much as takes a few segments, and loses power at each acknowledgement.
void check_names_after_kill(std::uint64_t sync_directory_call, int* hits) {
  SCOPED_TRACE("sync of the directory " + std::to_string(sync_directory_call));
  Rig rig;
  ASSERT_TRUE(rig.start());
  rig.files.stop_protocol();
  rig.files.fail(Kind::SyncDirectory, sync_directory_call, ErrorKind::Io);
  for (std::uint32_t i = 0; i < 200 && rig.owner->failures().empty(); ++i) {
    static_cast<void>(rig.owner->put(i % 5, std::string(5000, 'x')));
    rig.maintain();
  }
  if (!rig.files.fault_was_met()) return;
  ++*hits;
  rig.files.clear_faults();
  const std::uint64_t kept = rig.owner->durable().value;
  ASSERT_TRUE(rig.reopen());
  ASSERT_GE(rig.journal->durable().value, kept);
  for (std::uint32_t i = 0; i < 60; ++i) {
    // Without a turn of the maintenance, which syncs the directory for its own purposes.
    const auto put = rig.owner->put(i % 5, std::string(5000, 'y'));
    if (!put) break;
    rig.commit();
    Rig after(rig.image(CrashMode::OnlySynced));
    const auto started = after.start();
    ASSERT_TRUE(started) << started.error().message;
    ASSERT_EQ(after.journal->last(), *put);
    ASSERT_EQ(after.state(), rig.state());
  }
}

TEST(JournalKill, NamesThatOnlyTheSystemKnewAreDurableBeforeTheyAreUsed) {
  int hits = 0;
  for (std::uint64_t call = 1; call <= 30; ++call) {
    check_names_after_kill(call, &hits);
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(hits, 20);
}

TEST(JournalKill, ACheckpointWaitsForAllThatHadHappenedWhenItEnded) {
  // The owner may leave something out of its last pieces because of a record that is not durable: no as_of tells of it.
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(0, "zero"));
  ASSERT_TRUE(rig.owner->put(1, "one"));
  rig.commit();
  int pieces = 0;
  rig.owner->checkpoint_hook = [&] {
    if (++pieces < 3) return;
    ASSERT_TRUE(rig.owner->erase(0));  // behind the last piece
  };
  rig.journal->request_checkpoint();
  while (rig.journal->maintain_step()) {
  }
  EXPECT_EQ(rig.journal->stats().checkpoints, 0u);
  rig.commit();
  rig.maintain();
  EXPECT_EQ(rig.journal->stats().checkpoints, 1u);
}

TEST(JournalKill, AnOlderCheckpointThatIsGoneStopsNothing) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(rig.owner->put(i, "x"));
    rig.commit();
    rig.checkpoint();
  }
  ASSERT_TRUE(rig.journal->close());
  ASSERT_TRUE(rig.files.remove("/data/" + store::checkpoint_name(1)));
  ASSERT_TRUE(rig.reopen());
  ASSERT_TRUE(rig.owner->put(2, "x"));
  rig.commit();
  rig.checkpoint();
  EXPECT_TRUE(rig.owner->failures().empty()) << rig.owner->failures()[0].message;
  EXPECT_EQ(rig.journal->stats().checkpoints, 1u);
}

class JournalFullDirectory : public testing::TestWithParam<Kind> {};

// No inode, or no room for a longer name in the directory, though the disk has free bytes.
TEST_P(JournalFullDirectory, IsAFullDiskAndNoFailure) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  rig.files.fail(GetParam(), 1, ErrorKind::NoSpace, Times::FromThenOn);
  bool refused = false;
  for (std::uint32_t i = 0; i < 100 && !refused; ++i) {
    refused = !rig.owner->put(i, std::string(5000, 'x'));
    rig.maintain();
    rig.clock.advance(Seconds(2));
    ASSERT_TRUE(rig.owner->failures().empty()) << rig.owner->failures()[0].message;
  }
  EXPECT_TRUE(refused);
  rig.files.clear_faults();
  rig.clock.advance(Seconds(2));
  rig.maintain();
  EXPECT_TRUE(rig.owner->put(1, "there is room again"));
  rig.maintain();
  EXPECT_TRUE(rig.owner->failures().empty());
}

INSTANTIATE_TEST_SUITE_P(Refusals, JournalFullDirectory, testing::Values(Kind::Create, Kind::Rename));

}  // namespace
}  // namespace ferry::test
