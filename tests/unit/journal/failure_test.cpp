// A disk that fails: at every call of every kind, once or for good.

#include <gmock/gmock.h>

#include "rig.h"

namespace ferry::test {
namespace {

using Kind = RecordingFileSystem::Kind;
using Times = RecordingFileSystem::Times;
using store::Position;

// A run that does everything: groups, change of segments, their reuse, checkpoints, compaction, and the stop. Puts and erases may
// be refused. The result is that of close().
Result<void> scripted_run(Rig& rig) {
  for (std::uint32_t i = 0; i < 110; ++i) {
    static_cast<void>(rig.owner->put(i % 60, std::string(2500, static_cast<char>('a' + i % 26))));
    if (i % 2 == 0) rig.commit();
    if (i % 3 == 0) rig.maintain();
    if (i == 20 || i == 50) rig.journal->request_checkpoint();
    if (i % 4 == 3) static_cast<void>(rig.owner->erase((i * 7) % 60));
  }
  for (std::uint32_t key = 0; key < 60; ++key) {
    if (key % 10 != 0) static_cast<void>(rig.owner->erase(key));
  }
  rig.maintain();
  for (std::uint32_t i = 0; i < 30; ++i) {
    static_cast<void>(rig.owner->put(100 + i % 5, std::string(5000, 'z')));
    rig.maintain();
  }
  rig.clock.advance(Seconds(2));
  rig.maintain();
  return rig.journal->close();
}

struct Point {
  Kind kind;
  ErrorKind error;
  std::size_t bytes_written = 0;
  Times times = Times::Once;
  bool direct = true;
};

std::string name_of(const Point& point) {
  static const char* const kKinds[] = {"Create", "Write", "Truncate", "Sync", "Rename", "Remove", "SyncDirectory"};
  std::string name = kKinds[static_cast<int>(point.kind)];
  name += point.error == ErrorKind::NoSpace ? "NoSpace" : "Io";
  if (point.bytes_written != 0) name += "After" + std::to_string(point.bytes_written) + "Bytes";
  if (point.times == Times::FromThenOn) name += "ForGood";
  if (!point.direct) name += "ThroughTheCache";
  return name;
}

class JournalFailure : public testing::TestWithParam<Point> {};

// After the failure nothing became durable, and all that was before is there after any crash.
void check_images(Rig& rig, std::uint64_t call) {
  const std::uint64_t durable = rig.owner->durable().value;
  for (const CrashMode mode : {CrashMode::Everything, CrashMode::OnlySynced, CrashMode::Torn}) {
    Rig after(rig.image(mode));
    const auto started = after.start();
    ASSERT_TRUE(started) << "call " << call << ": " << started.error().message;
    const std::uint64_t kept = after.journal->last().value;
    ASSERT_GE(kept, durable) << "call " << call;
    ASSERT_EQ(after.state(), rig.owner->state_at(Position{kept})) << "call " << call;
  }
}

TEST(JournalFailures, TheScriptedRunDoesEverything) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(scripted_run(rig));
  const auto stats = rig.journal->stats();
  EXPECT_GE(stats.checkpoints, 2u);
  EXPECT_GT(stats.compacted_bytes, 0u);
  EXPECT_GT(rig.owner->relocated(), 0u);
  std::map<std::string, int> done;
  for (const auto& operation : rig.files.operations()) {
    if (operation.kind == Kind::Rename && operation.path.find("preparing") != std::string::npos) ++done["new segment"];
    if (operation.kind == Kind::Rename && operation.path.find("spare-") != std::string::npos) ++done["segment used again"];
    if (operation.kind == Kind::Rename && operation.to.find("spare-") != std::string::npos) ++done["segment freed"];
    if (operation.kind == Kind::Remove) ++done["removed"];
  }
  for (const char* what : {"new segment", "segment used again", "segment freed", "removed"}) EXPECT_GT(done[what], 1) << what;
  Rig after(rig.image(CrashMode::OnlySynced));
  ASSERT_TRUE(after.start());
  EXPECT_TRUE(after.journal->recovery().clean_stop);
}

TEST_P(JournalFailure, AtAnyCallNothingFalseIsAcknowledged) {
  const Point point = GetParam();
  int hit = 0;
  for (std::uint64_t call = 1; call < 4000; ++call) {
    Rig rig;
    rig.files.set_direct_access(point.direct);
    ASSERT_TRUE(rig.start());
    rig.owner->durable_hook = [&](Position) { EXPECT_TRUE(rig.owner->failures().empty()) << "durable after a failure"; };
    rig.files.fail(point.kind, call, point.error, point.times, point.bytes_written);
    const auto closed = scripted_run(rig);
    if (!rig.files.fault_was_met()) break;
    ++hit;
    rig.owner->durable_hook = nullptr;
    const auto failures = rig.owner->failures();
    ASSERT_LE(failures.size(), 1u);
    if (point.error == ErrorKind::Io) {
      // The stop itself may be what failed: then close() says so, and nobody is left to be told otherwise.
      EXPECT_FALSE(closed) << "call " << call;
      const auto refused = rig.owner->erase(100);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().kind, ErrorKind::Unavailable);
      EXPECT_FALSE(rig.journal->close());
    }
    check_images(rig, call);
    ASSERT_FALSE(HasFailure()) << "call " << call;
  }
  RecordProperty("n_faults", hit);
  EXPECT_GT(hit, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Points, JournalFailure,
    testing::Values(Point{Kind::Write, ErrorKind::Io}, Point{Kind::Write, ErrorKind::Io, 1000},
                    Point{Kind::Write, ErrorKind::NoSpace}, Point{Kind::Write, ErrorKind::NoSpace, 5000},
                    Point{Kind::Write, ErrorKind::Io, 4096, Times::FromThenOn, false}, Point{Kind::Sync, ErrorKind::Io},
                    Point{Kind::Sync, ErrorKind::Io, 0, Times::FromThenOn},
                    Point{Kind::Sync, ErrorKind::Io, 0, Times::Once, false},
                    Point{Kind::Sync, ErrorKind::Io, 0, Times::FromThenOn, false}, Point{Kind::Rename, ErrorKind::Io},
                    Point{Kind::Rename, ErrorKind::Io, 0, Times::FromThenOn}, Point{Kind::Remove, ErrorKind::Io},
                    Point{Kind::Remove, ErrorKind::Io, 0, Times::FromThenOn}, Point{Kind::Create, ErrorKind::Io},
                    Point{Kind::Create, ErrorKind::NoSpace}, Point{Kind::Create, ErrorKind::Io, 0, Times::FromThenOn},
                    Point{Kind::SyncDirectory, ErrorKind::Io}, Point{Kind::SyncDirectory, ErrorKind::Io, 0, Times::FromThenOn}),
    [](const testing::TestParamInfo<Point>& point) { return name_of(point.param); });

// A start on a folder with a torn tail: any of its calls fails, and the next start, on what a crash leaves of that, finds
// everything.
TEST(JournalFailures, AStartThatFailsAtAnyCallCostsNothing) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 30; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(3000, 'x')));
    rig.maintain();
    if (key == 10 || key == 20) rig.checkpoint();
  }
  const std::uint64_t durable = rig.journal->durable().value;
  ASSERT_TRUE(rig.owner->put(50, std::string(9000, 'y')));
  rig.files.fail(Kind::Write, 1, ErrorKind::Io, Times::Once, 8192);
  rig.commit();
  const auto expected = rig.owner->state_at(Position{durable});
  const DiskImage image = rig.image(CrashMode::Everything);
  int hit = 0;
  for (const Kind kind :
       {Kind::Create, Kind::Write, Kind::Truncate, Kind::Sync, Kind::Rename, Kind::Remove, Kind::SyncDirectory}) {
    for (const Times times : {Times::Once, Times::FromThenOn}) {
      for (std::uint64_t call = 1; call < 500; ++call) {
        Rig failing(image);
        failing.files.fail(kind, call, ErrorKind::Io, times);
        const auto started = failing.start();
        if (!failing.files.fault_was_met()) break;
        ++hit;
        ASSERT_FALSE(started) << "kind " << static_cast<int>(kind) << ", call " << call;
        EXPECT_EQ(started.error().kind, ErrorKind::Io);
        for (const CrashMode mode : {CrashMode::Everything, CrashMode::OnlySynced, CrashMode::Torn}) {
          Rig after(failing.image(mode));
          ASSERT_TRUE(after.start()) << "kind " << static_cast<int>(kind) << ", call " << call;
          ASSERT_EQ(after.state(), expected) << "kind " << static_cast<int>(kind) << ", call " << call;
        }
      }
    }
  }
  RecordProperty("n_faults", hit);
  EXPECT_GT(hit, 10);
}

TEST(JournalFailures, AStopThatCannotBeWrittenIsNoCleanStop) {
  for (const Kind kind : {Kind::Write, Kind::Sync}) {
    Rig rig;
    ASSERT_TRUE(rig.start());
    ASSERT_TRUE(rig.owner->put(1, "one"));
    rig.maintain();
    rig.files.fail(kind, 1, ErrorKind::Io);
    const auto closed = rig.journal->close();
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.error().kind, ErrorKind::Io);
    Rig after(rig.image(CrashMode::OnlySynced));
    ASSERT_TRUE(after.start());
    EXPECT_FALSE(after.journal->recovery().clean_stop);
    EXPECT_EQ(after.state().at(1), "one");
  }
}

TEST(JournalFailures, AFailedSyncIsNeverRepeated) {
  Rig rig;
  rig.files.set_direct_access(false);
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(1, "one"));
  rig.commit();
  ASSERT_TRUE(rig.owner->put(2, "two"));
  rig.files.fail(Kind::Sync, 1, ErrorKind::Io);
  rig.commit();
  const std::size_t operations = rig.files.operation_count();
  rig.commit();
  rig.maintain();
  EXPECT_FALSE(rig.journal->close());
  EXPECT_EQ(rig.files.operation_count(), operations);
  EXPECT_EQ(rig.journal->durable(), Position{1});
  ASSERT_EQ(rig.owner->failures().size(), 1u);
  EXPECT_EQ(rig.owner->failures()[0].kind, ErrorKind::Io);
}

TEST(JournalFailures, AFailedReadFailsThatReadAlone) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 20; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(3000, 'x')));
    rig.maintain();
  }
  ASSERT_TRUE(rig.reopen());
  rig.files.fail_reads(1, ErrorKind::Io);
  const auto first = rig.read_all();
  ASSERT_FALSE(first.damaged.empty());
  for (const auto& [key, error] : first.damaged) EXPECT_EQ(error.kind, ErrorKind::Io);
  EXPECT_EQ(rig.state().size(), 20u);
  EXPECT_TRUE(rig.owner->failures().empty());
  EXPECT_TRUE(rig.owner->put(1, "goes on"));
}

TEST(JournalFailures, ReadsOfWhatWasNeverPublishedEndWithTheStore) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  const store::RecordShape shape{10, true};
  auto reservation = *rig.journal->reserve(std::span(&shape, 1), store::Purpose::Growth);
  int answers = 0;
  ErrorKind kind = ErrorKind::Io;
  rig.journal->read({reservation.slots[0].location}, [&](std::vector<Result<store::Payload>> payloads) {
    ++answers;
    kind = payloads.at(0).error().kind;
  });
  while (rig.journal->read_step() && answers == 0) {
  }
  EXPECT_EQ(answers, 0);  // it waits
  rig.journal.reset();
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(kind, ErrorKind::Unavailable);
}

TEST(JournalFailures, ReadsOfWhatIsPublishedLaterAreAnsweredThen) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  const store::RecordShape shape{2, true};
  auto reservation = *rig.journal->reserve(std::span(&shape, 1), store::Purpose::Growth);
  const store::Location location = reservation.slots[0].location;
  std::string text;
  rig.journal->read({location, location}, [&](std::vector<Result<store::Payload>> payloads) {
    for (const auto& payload : payloads) text.append(reinterpret_cast<const char*>(payload->bytes.data()), payload->bytes.size());
  });
  rig.journal->read_step();
  EXPECT_EQ(text, "");
  std::memcpy(reservation.slots[0].bytes.data(), "ok", 2);
  rig.journal->publish(std::move(reservation));
  rig.commit();
  while (rig.journal->read_step()) {
  }
  EXPECT_EQ(text, "okok");
}

}  // namespace
}  // namespace ferry::test
