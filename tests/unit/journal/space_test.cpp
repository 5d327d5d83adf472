// What the journal takes from the disk, and what it gives back.

#include <gmock/gmock.h>

#include "rig.h"

namespace ferry::test {
namespace {

using store::Position;

std::uint64_t bytes_allowed(Rig& rig) {
  const auto stats = rig.journal->stats();
  std::uint64_t checkpoints_and_small_files = 0;
  const auto entries = rig.files.list("/data");
  for (const auto& entry : *entries) {
    if (!entry.name.starts_with("segment-") && !entry.name.starts_with("spare-")) checkpoints_and_small_files += entry.bytes;
  }
  return 2 * stats.live_body_bytes + 4 * kSmallSegment + checkpoints_and_small_files;
}

TEST(JournalSpace, ChurnAroundOneLiveRecordStaysBounded) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  rig.files.stop_protocol();
  ASSERT_TRUE(rig.owner->put(0, "stays for ever"));
  std::uint64_t most = 0;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    ASSERT_TRUE(rig.owner->put(1 + i % 5, std::string(3000, 'x')));
    if (i % 7 == 0) rig.maintain();
    most = std::max(most, rig.files.total_bytes());
  }
  // 9 MB went through. While it runs, spare files and the checkpoint being written come on top.
  EXPECT_LE(most, bytes_allowed(rig) + 3 * kSmallSegment);
  rig.maintain();
  rig.clock.advance(Seconds(2));
  rig.maintain();
  EXPECT_LE(rig.files.total_bytes(), bytes_allowed(rig));
  EXPECT_EQ(rig.state().at(0), "stays for ever");
  EXPECT_EQ(rig.journal->stats().disk_bytes, rig.files.total_bytes());
  ASSERT_TRUE(rig.reopen());
  EXPECT_EQ(rig.state().at(0), "stays for ever");
  EXPECT_EQ(rig.state().size(), 6u);
}

TEST(JournalSpace, SparseSegmentsAreCompacted) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  rig.files.stop_protocol();
  for (std::uint32_t key = 0; key < 1000; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(1000, static_cast<char>('a' + key % 26))));
    if (key % 5 == 0) rig.maintain();
  }
  EXPECT_GT(rig.files.total_bytes(), 1'000'000u);
  for (std::uint32_t key = 0; key < 1000; ++key) {
    if (key % 20 != 0) {
      EXPECT_TRUE(rig.owner->erase(key).has_value());
    }
  }
  rig.maintain();
  rig.clock.advance(Seconds(2));
  rig.maintain();
  EXPECT_LE(rig.files.total_bytes(), bytes_allowed(rig));
  EXPECT_GT(rig.owner->relocated(), 0u);
  EXPECT_GT(rig.journal->stats().compacted_bytes, 0u);
  const auto expected = rig.owner->state_at(rig.journal->durable());
  EXPECT_EQ(expected.size(), 50u);
  EXPECT_EQ(rig.state(), expected);
  ASSERT_TRUE(rig.reopen());
  EXPECT_EQ(rig.state(), expected);
}

TEST(JournalSpace, CompactionOfTinyGroupsEnds) {
  // Each body alone in its block of 4 KiB: copied one by one they would take the same space again, without end.
  Rig rig;
  ASSERT_TRUE(rig.start());
  rig.files.stop_protocol();
  rig.owner->relocate_hook = [&] { rig.journal->commit_step(); };  // the committer is always quicker
  for (std::uint32_t key = 0; key < 200; ++key) {
    ASSERT_TRUE(rig.owner->put(key, "tiny"));
    rig.commit();
    rig.journal->maintain_step();
  }
  rig.maintain();
  rig.clock.advance(Seconds(2));
  rig.maintain();
  EXPECT_LE(rig.files.total_bytes(), bytes_allowed(rig));
  EXPECT_EQ(rig.state().size(), 200u);
}

TEST(JournalSpace, ADrainedBacklogGivesItsSpaceBack) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  rig.files.stop_protocol();
  for (std::uint32_t key = 0; key < 300; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(5000, 'x')));
    rig.maintain();
  }
  EXPECT_GT(rig.files.total_bytes(), 1'500'000u);
  for (std::uint32_t key = 0; key < 300; ++key) ASSERT_TRUE(rig.owner->erase(key));
  rig.maintain();
  rig.clock.advance(Seconds(2));
  rig.maintain();
  EXPECT_LE(rig.files.total_bytes(), bytes_allowed(rig));
  EXPECT_EQ(rig.journal->stats().live_body_bytes, 0u);
}

TEST(JournalSpace, FreeSegmentsAreUsedAgainWithAnotherIncarnation) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(rig.owner->put(1, std::string(5000, 'x')));
    rig.maintain();
  }
  int freed = 0;
  int reused = 0;
  for (const auto& operation : rig.files.operations()) {
    if (operation.kind != DiskOperation::Kind::Rename) continue;
    if (operation.to.find("spare-") != std::string::npos) ++freed;
    if (operation.path.find("spare-") != std::string::npos) ++reused;
  }
  EXPECT_GT(freed, 3);
  EXPECT_GT(reused, 3);
}

TEST(JournalSpace, EveryUseOfAFileHasItsOwnIncarnation) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  std::map<std::uint64_t, std::uint32_t> numbers;  // by incarnation
  for (std::uint32_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(rig.owner->put(1, std::string(5000, 'x')));
    rig.maintain();
    for (const auto& [path, bytes] : rig.image(CrashMode::Everything)) {
      if (path.find("segment-") == std::string::npos) continue;
      const auto header = store::decode_segment_header(std::span(bytes).first(store::kBlockBytes));
      ASSERT_TRUE(header);
      EXPECT_EQ(numbers.emplace(header->incarnation, header->number).first->second, header->number);
    }
  }
  EXPECT_GT(numbers.size(), 10u);
}

TEST(JournalSpace, ASegmentIsFreeOnlyWhenTheReleaseIsDurable) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(1, "the last one in its segment"));
  const std::string path = segment_path(rig.owner->location_of(1)->segment);
  rig.owner->relocation_enabled = false;
  for (std::uint32_t i = 0; i < 30; ++i) {
    ASSERT_TRUE(rig.owner->put(2, std::string(5000, 'x')));
    rig.maintain();
  }
  rig.checkpoint();
  rig.checkpoint();
  ASSERT_TRUE(rig.owner->erase(1));
  while (rig.journal->maintain_step()) {
  }
  // A crash now brings the message back: its body must be there.
  Rig after(rig.image(CrashMode::Everything));
  ASSERT_TRUE(after.start());
  EXPECT_EQ(after.state().at(1), "the last one in its segment");
  rig.maintain();
  EXPECT_FALSE(rig.image(CrashMode::Everything).contains(path));
}

TEST(JournalSpace, SegmentsStayForTheOlderCheckpoint) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 150; ++key) {  // much that lives, so that nothing is short of space
    ASSERT_TRUE(rig.owner->put(key, std::string(3000, 'x')));
    rig.maintain();
  }
  rig.checkpoint();
  for (std::uint32_t i = 0; i < 60; ++i) {
    ASSERT_TRUE(rig.owner->put(1000, std::string(3000, static_cast<char>('a' + i % 26))));
    rig.maintain();
  }
  rig.checkpoint();
  ASSERT_EQ(rig.journal->stats().checkpoints, 2u);
  DiskImage image = rig.image(CrashMode::OnlySynced);
  image["/data/" + store::checkpoint_name(2)][70] ^= std::byte{1};
  Rig after(image);
  ASSERT_TRUE(after.start());
  EXPECT_EQ(after.journal->recovery().checkpoint, 1u);
  EXPECT_EQ(after.state(), rig.owner->state_at(rig.journal->durable()));
}

TEST(JournalSpace, SegmentsDoubleUpToTheirLargestSize) {
  auto options = small_options();
  options.segment_max_bytes = 4 * kSmallSegment;
  Rig rig({}, options);
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 300; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(5000, 'x')));
    rig.maintain();
  }
  const auto image = rig.image(CrashMode::Everything);
  EXPECT_EQ(image.at(segment_path(1)).size(), kSmallSegment);
  EXPECT_EQ(image.at(segment_path(2)).size(), 2 * kSmallSegment);
  EXPECT_EQ(image.at(segment_path(3)).size(), 4 * kSmallSegment);
  EXPECT_EQ(image.at(segment_path(4)).size(), 4 * kSmallSegment);
  ASSERT_TRUE(rig.reopen());
  EXPECT_EQ(rig.state().size(), 300u);
}

TEST(JournalSpace, PendingBytesAreBounded) {
  auto options = small_options();
  options.pending_bytes_max = 3 * store::record_bytes(1000);
  Rig rig({}, options);
  ASSERT_TRUE(rig.start());
  const store::RecordShape shape{1000, false};
  for (int i = 0; i < 3; ++i) {
    auto reservation = rig.journal->reserve(std::span(&shape, 1), store::Purpose::Upkeep);
    ASSERT_TRUE(reservation);
    std::memset(reservation->slots[0].bytes.data(), 'E', 1000);
    rig.journal->publish(std::move(*reservation));
  }
  EXPECT_FALSE(rig.journal->writable());
  const auto refused = rig.journal->reserve(std::span(&shape, 1), store::Purpose::Upkeep);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unavailable);
  rig.commit();
  EXPECT_TRUE(rig.journal->writable());
  auto taken = rig.journal->reserve(std::span(&shape, 1), store::Purpose::Upkeep);
  ASSERT_TRUE(taken);
  rig.journal->publish(std::move(*taken));
}

TEST(JournalSpace, AFullDiskStopsNewMessagesAloneAndDeletesMakeRoom) {
  auto options = small_options();
  options.ballast_bytes = 16 * 1024;
  Rig rig({}, options);
  ASSERT_TRUE(rig.start());
  rig.files.stop_protocol();
  rig.files.set_capacity(12 * kSmallSegment);
  std::uint32_t sent = 0;
  for (;; ++sent) {
    const auto put = rig.owner->put(sent, std::string(3000, 'x'));
    rig.maintain();
    if (put) continue;
    EXPECT_EQ(put.error().kind, ErrorKind::NoSpace);
    break;
  }
  EXPECT_GT(sent, 100u);
  EXPECT_FALSE(rig.journal->writable());
  // Small ones use what is left above the reserve, and no more.
  for (std::uint32_t key = 0;; ++key) {
    const auto put = rig.owner->put(10'000 + key, "s");
    rig.maintain();
    if (!put) break;
    ASSERT_LT(key, 100u);
  }
  rig.files.set_capacity(rig.files.total_bytes());  // not a byte is left for a checkpoint, but the ballast
  // Consumers go on. Nothing but their deletes is needed to take new messages again.
  std::uint32_t erased = 0;
  for (; erased < sent && !rig.journal->writable(); ++erased) {
    ASSERT_TRUE(rig.owner->erase(erased)) << erased;
    if (erased % 20 == 0) {
      rig.clock.advance(Seconds(2));
      rig.maintain();
    }
  }
  EXPECT_TRUE(rig.journal->writable());
  EXPECT_TRUE(rig.owner->put(5000, "new"));
  EXPECT_TRUE(rig.owner->failures().empty());
  rig.maintain();
  const auto expected = rig.owner->state_at(rig.journal->durable());
  EXPECT_EQ(rig.state(), expected);
  rig.files.set_capacity(0);
  ASSERT_TRUE(rig.reopen());
  EXPECT_EQ(rig.state(), expected);
}

TEST(JournalSpace, SpaceThatComesBackIsFoundByItself) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  rig.files.set_capacity(rig.files.total_bytes());
  std::uint32_t key = 0;
  while (rig.owner->put(key++, std::string(3000, 'x'))) rig.maintain();
  EXPECT_FALSE(rig.journal->writable());
  rig.files.set_capacity(0);
  rig.maintain();
  EXPECT_FALSE(rig.journal->writable());  // not asked again before a second has passed
  rig.clock.advance(Seconds(1));
  rig.maintain();
  EXPECT_TRUE(rig.journal->writable());
}

TEST(JournalSpace, AFullDiskRefusesTheStart) {
  for (const std::uint64_t capacity : {std::uint64_t{8192}, std::uint64_t{kSmallSegment}, std::uint64_t{kSmallSegment} + 8192}) {
    Rig rig;
    rig.files.set_capacity(capacity);
    const auto started = rig.start();
    ASSERT_FALSE(started) << capacity;
    EXPECT_EQ(started.error().kind, ErrorKind::NoSpace);
    // And nothing is spoilt by it.
    rig.files.set_capacity(0);
    ASSERT_TRUE(rig.reopen());
    EXPECT_TRUE(rig.owner->put(1, "one"));
  }
}

TEST(JournalSpace, ASegmentThatIsBeingReadIsNotReused) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(1, "wanted"));
  rig.maintain();
  const store::Location location = *rig.owner->location_of(1);
  for (std::uint32_t i = 0; i < 20; ++i) {  // out of the cache
    ASSERT_TRUE(rig.owner->put(2, std::string(5000, 'x')));
    rig.commit();
    rig.journal->maintain_step();
  }
  std::string text;
  rig.journal->read({location}, [&](std::vector<Result<store::Payload>> payloads) {
    ASSERT_TRUE(payloads.at(0));
    text.assign(reinterpret_cast<const char*>(payloads[0]->bytes.data()) + 8, payloads[0]->bytes.size() - 8);
  });
  ASSERT_TRUE(rig.owner->erase(1));
  for (std::uint32_t i = 0; i < 60; ++i) {
    ASSERT_TRUE(rig.owner->put(2, std::string(5000, 'x')));
    rig.maintain();
  }
  rig.checkpoint();
  rig.checkpoint();
  EXPECT_TRUE(rig.image(CrashMode::Everything).contains(segment_path(location.segment)));
  while (rig.journal->read_step()) {
  }
  EXPECT_EQ(text, "wanted");
  rig.maintain();
  EXPECT_FALSE(rig.image(CrashMode::Everything).contains(segment_path(location.segment)));
}

TEST(JournalSpace, NewMessagesWaitWhenCompactionIsFarBehind) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  rig.files.stop_protocol();
  rig.owner->relocation_enabled = false;
  std::uint32_t key = 0;
  Error error{ErrorKind::Io, ""};
  for (; key < 2000; ++key) {
    const auto put = rig.owner->put(key, key % 10 == 0 ? "tiny" : std::string(4000, 'x'));
    if (!put) {
      error = put.error();
      break;
    }
    if (key % 10 != 0) {
      EXPECT_TRUE(rig.owner->erase(key).has_value());
    }
    rig.maintain();
  }
  EXPECT_EQ(error.kind, ErrorKind::Unavailable);
  EXPECT_FALSE(rig.journal->writable());
  EXPECT_TRUE(rig.owner->erase(0));
  rig.owner->relocation_enabled = true;
  // Segments that gained nothing are tried again when the log has moved on.
  for (int i = 0; i < 200 && !rig.journal->writable(); ++i) {
    ASSERT_TRUE(rig.owner->erase(1));
    rig.maintain();
  }
  EXPECT_TRUE(rig.journal->writable());
}

TEST(JournalSpace, NewMessagesWaitWhileCompactionIsAtWork) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  rig.files.stop_protocol();
  for (std::uint32_t key = 0; key < 5000; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(1000, 'x')));
    if (key % 5 == 0) rig.maintain();
  }
  for (std::uint32_t key = 0; key < 5000; ++key) {
    if (key % 40 == 0) continue;
    EXPECT_TRUE(rig.owner->erase(key).has_value());
  }
  ASSERT_TRUE(rig.journal->writable());
  while (rig.journal->stats().compacted_bytes == 0) {
    ASSERT_TRUE(rig.journal->maintain_step());
    while (rig.journal->commit_step()) {
    }
  }
  const auto put = rig.owner->put(6000, "new");
  ASSERT_FALSE(put.has_value()) << "compaction has only begun";
  EXPECT_EQ(put.error().kind, ErrorKind::Unavailable);
  rig.maintain();
  EXPECT_TRUE(rig.owner->put(6000, "new").has_value());
}

TEST(JournalSpace, CheckpointsComeWithTheLog) {
  auto options = small_options();
  options.checkpoint_log_bytes = 100 * 1024;
  Rig rig({}, options);
  ASSERT_TRUE(rig.start());
  for (std::uint32_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(rig.owner->put(i, std::string(3000, 'x')));
    rig.maintain();
  }
  const auto stats = rig.journal->stats();
  EXPECT_GE(stats.checkpoints, 7u);  // 800 KiB of log
  EXPECT_LE(stats.checkpoints, 9u);
  int files = 0;
  for (const auto& [path, bytes] : rig.image(CrashMode::Everything))
    files += path.find("checkpoint-") != std::string::npos ? 1 : 0;
  EXPECT_EQ(files, 2);
  ASSERT_TRUE(rig.reopen());
  EXPECT_LE(rig.journal->recovery().replayed_bytes, 120u * 1024);
}

}  // namespace
}  // namespace ferry::test
