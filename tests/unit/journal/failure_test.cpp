// A disk that fails: at every call of every kind, once or for good.

#include <gmock/gmock.h>

#include "rig.h"

namespace ferry::test {
namespace {

using Kind = RecordingFileSystem::Kind;
using Times = RecordingFileSystem::Times;
using store::Position;

// A run that does everything once: groups, segments, reuse, checkpoints, compaction. Puts and erases may be refused.
void scripted_run(Rig& rig) {
  for (std::uint32_t i = 0; i < 90; ++i) {
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
}

struct Point {
  Kind kind;
  ErrorKind error;
  std::size_t bytes_written;
};

class JournalFailure : public testing::TestWithParam<Point> {};

TEST_P(JournalFailure, AtAnyCallNothingFalseIsAcknowledged) {
  const Point point = GetParam();
  int hit = 0;
  for (std::uint64_t call = 1; call < 2000; ++call) {
    Rig rig;
    ASSERT_TRUE(rig.start());
    rig.owner->durable_hook = [&](Position) { EXPECT_TRUE(rig.owner->failures().empty()) << "durable after a failure"; };
    rig.files.fail(point.kind, call, point.error, Times::Once, point.bytes_written);
    scripted_run(rig);
    if (!rig.files.fault_was_met()) break;
    ++hit;
    rig.owner->durable_hook = nullptr;
    const auto failures = rig.owner->failures();
    if (point.error == ErrorKind::Io) {
      ASSERT_EQ(failures.size(), 1u) << "call " << call;
      const auto refused = rig.owner->erase(1);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().kind, ErrorKind::Unavailable);
      EXPECT_FALSE(rig.journal->close());
    } else {
      ASSERT_LE(failures.size(), 1u);
    }
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
  EXPECT_GT(hit, 0);
}

INSTANTIATE_TEST_SUITE_P(Points, JournalFailure,
                         testing::Values(Point{Kind::Write, ErrorKind::Io, 0}, Point{Kind::Write, ErrorKind::Io, 1000},
                                         Point{Kind::Write, ErrorKind::NoSpace, 0}, Point{Kind::Write, ErrorKind::NoSpace, 5000},
                                         Point{Kind::Sync, ErrorKind::Io, 0}, Point{Kind::Rename, ErrorKind::Io, 0},
                                         Point{Kind::Remove, ErrorKind::Io, 0}, Point{Kind::Create, ErrorKind::Io, 0},
                                         Point{Kind::SyncDirectory, ErrorKind::Io, 0}));

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
