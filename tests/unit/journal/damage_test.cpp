// Files that are not what was written: reported with their place, never served, never skipped in silence.

#include <gmock/gmock.h>

#include "base/digest.h"
#include "damage.h"

namespace ferry::test {
namespace {

using store::Position;
using testing::HasSubstr;

TEST(JournalDamage, AnUndamagedStoreOpens) {
  const Stopped stopped = make_stopped();
  EXPECT_GE(segments_of(stopped.image).size(), 4u);
  EXPECT_EQ(open_damaged(stopped.image, stopped.state), Outcome::Unharmed);
}

TEST(JournalDamage, AFlippedBitNeverGivesWrongBytes) {
  const Stopped stopped = make_stopped();
  SeededRandom random(5);
  std::map<Outcome, int> outcomes;
  for (int i = 0; i < 500; ++i) {
    DiskImage image = stopped.image;
    auto file = std::next(image.begin(), static_cast<std::ptrdiff_t>(random.below(image.size())));
    if (file->second.empty()) continue;
    const std::uint64_t at = random.below(file->second.size());
    file->second[at] ^= static_cast<std::byte>(1 << random.below(8));
    ++outcomes[open_damaged(image, stopped.state)];
    ASSERT_FALSE(HasFailure()) << file->first << " at " << at;
  }
  EXPECT_GT(outcomes[Outcome::Refused], 20);
  EXPECT_GT(outcomes[Outcome::Reported], 20);
  EXPECT_GT(outcomes[Outcome::Unharmed], 20);  // in space that holds nothing
}

TEST(JournalDamage, ZeroedSectorsNeverGiveWrongBytes) {
  const Stopped stopped = make_stopped();
  SeededRandom random(6);
  for (int i = 0; i < 200; ++i) {
    DiskImage image = stopped.image;
    auto file = std::next(image.begin(), static_cast<std::ptrdiff_t>(random.below(image.size())));
    if (file->second.size() < 512) continue;
    const std::uint64_t at = random.below(file->second.size() / 512) * 512;
    std::fill_n(file->second.begin() + static_cast<std::ptrdiff_t>(at), 512, std::byte{0});
    open_damaged(image, stopped.state);
    ASSERT_FALSE(HasFailure()) << file->first << " at " << at;
  }
}

TEST(JournalDamage, ATruncatedFileIsReported) {
  const Stopped stopped = make_stopped();
  for (const auto& [path, bytes] : stopped.image) {
    if (bytes.empty() || path.ends_with("ballast") || path.find("spare-") != std::string::npos) continue;
    if (path.find("checkpoint-") != std::string::npos) continue;  // the other one serves; below
    for (const std::size_t size : {std::size_t{0}, std::size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
      if (path.ends_with("control") && size >= 4096) continue;  // one of its two blocks is enough
      DiskImage image = stopped.image;
      image[path].resize(size);
      const Error error = refused(image);
      EXPECT_EQ(error.kind, ErrorKind::Corrupt);
      EXPECT_THAT(error.message, HasSubstr(path));
    }
  }
}

TEST(JournalDamage, AMissingSegmentIsNamed) {
  const Stopped stopped = make_stopped();
  for (const std::string& path : segments_of(stopped.image)) {
    if (path == segments_of(stopped.image).back()) continue;  // prepared, never used
    DiskImage image = stopped.image;
    image.erase(path);
    const Error error = refused(image);
    EXPECT_EQ(error.kind, ErrorKind::Corrupt);
    EXPECT_THAT(error.message, HasSubstr(path));
    EXPECT_THAT(error.message, HasSubstr("missing"));
  }
}

TEST(JournalDamage, SwappedDoubledAndForeignSegmentsAreNamed) {
  const Stopped stopped = make_stopped();
  const auto paths = segments_of(stopped.image);
  DiskImage swapped = stopped.image;
  std::swap(swapped[paths[0]], swapped[paths[1]]);
  EXPECT_THAT(refused(swapped).message, HasSubstr(paths[0] + " is segment"));
  DiskImage doubled = stopped.image;
  doubled[paths[2]] = doubled[paths[1]];
  EXPECT_THAT(refused(doubled).message, HasSubstr(paths[2] + " is segment"));
  const Stopped other = make_stopped(99);
  DiskImage foreign = stopped.image;
  foreign[paths[1]] = other.image.at(paths[1]);
  const Error error = refused(foreign);
  EXPECT_EQ(error.kind, ErrorKind::Corrupt);
  EXPECT_THAT(error.message, HasSubstr(paths[1] + " belongs to another store"));
}

TEST(JournalDamage, ADamagedGroupBeforeOthersIsNoTornTail) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 30; ++key) {
    ASSERT_TRUE(rig.owner->put(key, "text"));
    rig.maintain();
  }
  DiskImage image = rig.image(CrashMode::Everything);
  image[segment_path(1)][4096 + 5 * 4096 + 70] ^= std::byte{4};
  const Error error = refused(image);
  EXPECT_EQ(error.kind, ErrorKind::Corrupt);
  EXPECT_THAT(error.message, HasSubstr(segment_path(1) + " is damaged at offset " + std::to_string(4096 + 5 * 4096)));
  // The last group alone looks like a torn tail: nothing shows that it was whole once.
  image = rig.image(CrashMode::Everything);
  const std::string last = segment_path(rig.owner->location_of(29)->segment);
  image[last][groups_of(image[last]).back() + 70] ^= std::byte{4};
  Rig after(image);
  ASSERT_TRUE(after.start());
  EXPECT_TRUE(after.journal->recovery().tail_cut);
  EXPECT_EQ(after.journal->last(), Position{29});
}

TEST(JournalDamage, DamageIsSeenAcrossSegments) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  while (rig.owner->location_of(0) ? rig.owner->location_of(0)->segment < 2 : true) {
    ASSERT_TRUE(rig.owner->put(0, std::string(7000, 'x')));
    rig.commit();
    rig.journal->maintain_step();
  }
  DiskImage image = rig.image(CrashMode::Everything);
  // The last group of the first segment is gone; the second segment shows that it was there.
  const std::uint32_t at = groups_of(image[segment_path(1)]).back();
  std::fill_n(image[segment_path(1)].begin() + at, 4096, std::byte{0});
  const Error error = refused(image);
  EXPECT_EQ(error.kind, ErrorKind::Corrupt);
  EXPECT_THAT(error.message, HasSubstr(segment_path(1) + " is damaged at offset " + std::to_string(at)));
  EXPECT_THAT(error.message, HasSubstr(store::segment_name(2)));
}

TEST(JournalDamage, EndingBelowTheWatermarkIsDamage) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(1, "one"));
  rig.commit();
  ASSERT_TRUE(rig.owner->put(2, "two"));
  ASSERT_TRUE(rig.journal->close());
  DiskImage image = rig.image(CrashMode::OnlySynced);
  std::fill_n(image[segment_path(1)].begin() + 8192, 4096, std::byte{0});
  const Error error = refused(image);
  EXPECT_EQ(error.kind, ErrorKind::Corrupt);
  EXPECT_THAT(error.message, HasSubstr("record 2 was durable"));
}

TEST(JournalDamage, TheWatermarkMovesWithEachSegment) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  while (!rig.owner->location_of(0) || rig.owner->location_of(0)->segment < 2) {
    ASSERT_TRUE(rig.owner->put(0, std::string(7000, 'x')));
    rig.commit();
    rig.journal->maintain_step();
  }
  // The end of the first segment is lost and all of the second one: nothing whole is left behind.
  DiskImage image = rig.image(CrashMode::Everything);
  const std::uint32_t at = groups_of(image[segment_path(1)]).back();
  std::fill(image[segment_path(1)].begin() + at, image[segment_path(1)].end(), std::byte{0});
  std::fill(image[segment_path(2)].begin() + 4096, image[segment_path(2)].end(), std::byte{0});
  const Error error = refused(image);
  EXPECT_EQ(error.kind, ErrorKind::Corrupt);
  EXPECT_THAT(error.message, HasSubstr(segment_path(1) + " is damaged at offset " + std::to_string(at)));
  EXPECT_THAT(error.message, HasSubstr("was durable"));
}

TEST(JournalDamage, AGroupThatTheDiskNeverReplacedIsNoticed) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(1, "one"));
  rig.commit();
  const DiskImage before = rig.image(CrashMode::OnlySynced);
  ASSERT_TRUE(rig.owner->put(2, "old"));
  rig.commit();
  const DiskImage other = rig.image(CrashMode::OnlySynced);
  // From the state before, the log goes on another way; but at one place the disk keeps what it would have held otherwise.
  Rig next(before);
  ASSERT_TRUE(next.start());
  ASSERT_TRUE(next.owner->put(2, "new"));
  next.commit();
  ASSERT_TRUE(next.owner->put(3, "three"));
  next.commit();
  DiskImage image = next.image(CrashMode::OnlySynced);
  std::copy_n(other.at(segment_path(1)).begin() + 8192, 4096, image[segment_path(1)].begin() + 8192);
  const Error error = refused(image);
  EXPECT_EQ(error.kind, ErrorKind::Corrupt);
  EXPECT_THAT(error.message, HasSubstr(segment_path(1)));
}

TEST(JournalDamage, TheOlderCheckpointServesWhenTheNewestIsDamaged) {
  const Stopped stopped = make_stopped();
  const std::string newest = "/data/" + store::checkpoint_name(2);
  const std::string older = "/data/" + store::checkpoint_name(1);
  ASSERT_TRUE(stopped.image.contains(newest) && stopped.image.contains(older));
  for (const bool missing : {false, true}) {
    DiskImage image = stopped.image;
    if (missing) {
      image.erase(newest);
    } else {
      image[newest][image[newest].size() / 2] ^= std::byte{1};
    }
    Rig rig(image);
    ASSERT_TRUE(rig.start());
    EXPECT_EQ(rig.journal->recovery().checkpoint, 1u);
    EXPECT_EQ(rig.state(), stopped.state);
    image[older][100] ^= std::byte{1};
    const Error error = refused(image);
    EXPECT_EQ(error.kind, ErrorKind::Corrupt);
    EXPECT_THAT(error.message, HasSubstr(older));
  }
}

TEST(JournalDamage, ADamagedBodyBelowTheReplayRangeIsReportedWhenItIsRead) {
  const Stopped stopped = make_stopped();
  Rig rig(stopped.image);
  ASSERT_TRUE(rig.start());
  const store::Location location = *rig.owner->location_of(0);
  DiskImage image = stopped.image;
  image[segment_path(location.segment)][location.offset + 500] ^= std::byte{1};
  Rig damaged(image);
  ASSERT_TRUE(damaged.start());
  const auto reading = damaged.read_all();
  ASSERT_EQ(reading.damaged.size(), 1u);
  EXPECT_EQ(reading.damaged.begin()->first, 0u);
  EXPECT_EQ(reading.damaged.begin()->second.message,
            store::segment_name(location.segment) + " is damaged at offset " + std::to_string(location.offset));
  EXPECT_FALSE(damaged.journal->read_now(location));
}

TEST(JournalDamage, OneControlBlockIsEnough) {
  const Stopped stopped = make_stopped();
  DiskImage image = stopped.image;
  image["/data/control"][100] ^= std::byte{1};
  EXPECT_EQ(open_damaged(image, stopped.state), Outcome::Unharmed);
  image = stopped.image;
  image["/data/control"][4096 + 100] ^= std::byte{1};
  EXPECT_EQ(open_damaged(image, stopped.state), Outcome::Unharmed);
  image["/data/control"][100] ^= std::byte{1};
  const Error error = refused(image);
  EXPECT_EQ(error.kind, ErrorKind::Corrupt);
  EXPECT_THAT(error.message, HasSubstr("/data/control"));
}

TEST(JournalDamage, ANewerFormatIsRefusedByName) {
  const Stopped stopped = make_stopped();
  DiskImage image = stopped.image;
  for (const std::size_t slot : {0u, 4096u}) {
    auto bytes = std::span(image["/data/control"]).subspan(slot, 4096);
    const std::uint32_t version = store::kFormatVersion + 1;
    const std::uint32_t crc = crc32c(bytes.subspan(16), version);
    std::memcpy(bytes.data() + 8, &version, 4);
    std::memcpy(bytes.data() + 12, &crc, 4);
  }
  const Error error = refused(image);
  EXPECT_EQ(error.kind, ErrorKind::InvalidArgument);
  EXPECT_THAT(
      error.message,
      HasSubstr("/data/control was written in format 3 by a newer ferry; this one knows formats up to 2: open the folder"));
}

TEST(JournalDamage, AFolderThatIsNotOursIsLeftAlone) {
  const std::string text = "somebody's";
  const auto bytes = std::as_bytes(std::span(text));
  Error error = refused({{"/data/thesis.txt", {bytes.begin(), bytes.end()}}});
  EXPECT_EQ(error.kind, ErrorKind::InvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("thesis.txt"));
  const Stopped stopped = make_stopped();
  DiskImage image = stopped.image;
  image.erase("/data/control");
  error = refused(image);
  EXPECT_EQ(error.kind, ErrorKind::Corrupt);
  EXPECT_THAT(error.message, HasSubstr("/data/control is missing"));
}

TEST(JournalDamage, AFolderInUseIsBusy) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  MapOwner owner;
  store::Journal second(rig.files, rig.clock, rig.random, rig.log, small_options());
  const auto started = second.recover(owner);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::Busy);
}

TEST(JournalDamage, CompactionLeavesADamagedSegmentAlone) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 120; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(3500, 'x')));
    rig.maintain();
  }
  rig.checkpoint();
  rig.checkpoint();
  ASSERT_TRUE(rig.journal->close());
  DiskImage image = rig.image(CrashMode::OnlySynced);
  const store::Location damaged = *rig.owner->location_of(16);
  image[segment_path(damaged.segment)][damaged.offset + 100] ^= std::byte{1};
  Rig after(image);
  ASSERT_TRUE(after.start());
  for (std::uint32_t key = 0; key < 120; ++key) {
    if (key % 8 != 0) {
      ASSERT_TRUE(after.owner->erase(key));
    }
  }
  after.maintain();
  EXPECT_GT(after.owner->relocated(), 0u);
  const auto reading = after.read_all();
  ASSERT_EQ(reading.damaged.size(), 1u);
  EXPECT_EQ(reading.damaged.begin()->first, 16u);
  EXPECT_EQ(reading.damaged.begin()->second.kind, ErrorKind::Corrupt);
  EXPECT_EQ(reading.state.size(), 14u);
}

}  // namespace
}  // namespace ferry::test
