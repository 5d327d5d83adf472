#pragma once
// Stores to be damaged, and what may come of it: refused with its place, or opened with every byte right but for bodies that
// are reported.

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "rig.h"

namespace ferry::test {

// A stopped store with several segments, two checkpoints, bodies below the replay range and records in it.
struct Stopped {
  DiskImage image;
  MapOwner::State state;
};

inline Stopped make_stopped(std::uint64_t seed = 1) {
  Rig rig({}, small_options(), seed);
  EXPECT_TRUE(rig.start());
  for (std::uint32_t round = 0; round < 6; ++round) {
    for (std::uint32_t key = 0; key < 12; ++key) {
      EXPECT_TRUE(rig.owner->put(round * 12 + key, std::string(2000 + key * 100, static_cast<char>('a' + key))));
      if (key % 3 == 2) rig.maintain();
    }
    if (round == 1 || round == 3) rig.checkpoint();
  }
  EXPECT_EQ(rig.journal->stats().checkpoints, 2u);
  EXPECT_TRUE(rig.journal->close());
  return {rig.image(CrashMode::OnlySynced), rig.owner->state_at(rig.journal->last())};
}

// One whose segments are used for the second or third time, with spare files beside them.
inline Stopped make_recycled(std::uint64_t seed = 1) {
  Rig rig({}, small_options(), seed);
  EXPECT_TRUE(rig.start());
  rig.files.stop_protocol();
  for (std::uint32_t i = 0; i < 250; ++i) {
    const std::uint32_t key = i < 30 ? i : 30 + i % 4;
    EXPECT_TRUE(rig.owner->put(key, std::string(1500 + i * 10, static_cast<char>('a' + i % 26))));
    rig.maintain();
  }
  rig.checkpoint();
  const auto has_spare = [&] {
    const auto entries = *rig.files.list("/data");
    return std::any_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.name.starts_with("spare-"); });
  };
  for (std::uint32_t i = 0; i < 6 || (i < 200 && !has_spare()); ++i) {
    EXPECT_TRUE(rig.owner->put(40 + i % 4, std::string(i < 6 ? 900 : 5000, static_cast<char>('A' + i % 26))));
    rig.maintain();
  }
  EXPECT_TRUE(rig.journal->close());
  return {rig.image(CrashMode::OnlySynced), rig.owner->state_at(rig.journal->last())};
}

inline Error refused(const DiskImage& image) {
  Rig rig(image);
  const auto started = rig.start();
  EXPECT_FALSE(started);
  if (started) return Error{ErrorKind::Io, "was not refused"};
  EXPECT_EQ(rig.image(CrashMode::Everything), image) << "a refused start changed the disk";
  return started.error();
}

inline std::vector<std::string> paths_with(const DiskImage& image, std::string_view part) {
  std::vector<std::string> paths;
  for (const auto& [path, bytes] : image) {
    if (path.find(part) != std::string::npos) paths.push_back(path);
  }
  return paths;
}

inline std::vector<std::string> segments_of(const DiskImage& image) {
  return paths_with(image, "segment-");
}

// Where the groups of a segment begin.
inline std::vector<std::uint32_t> groups_of(const std::vector<std::byte>& bytes) {
  std::vector<std::uint32_t> offsets;
  for (std::uint32_t at = store::kBlockBytes; at < bytes.size();) {
    const auto header = store::decode_group_header(std::span(bytes).subspan(at));
    if (!header) break;
    offsets.push_back(at);
    at += header->length;
  }
  return offsets;
}

enum class Outcome { Refused, Reported, Unharmed };

// Everything in `expected` is there and right, but for bodies that are reported; the keys of these.
inline std::vector<std::uint32_t> check_readable(Rig& rig, const MapOwner::State& expected) {
  const auto reading = rig.read_all();
  MapOwner::State readable = expected;
  std::vector<std::uint32_t> damaged;
  for (const auto& [key, error] : reading.damaged) {
    EXPECT_EQ(error.kind, ErrorKind::Corrupt) << error.message;
    EXPECT_THAT(error.message, testing::HasSubstr("segment-"));
    readable.erase(key);
    damaged.push_back(key);
  }
  EXPECT_EQ(reading.state, readable);
  return damaged;
}

// Opens a damaged image. It is refused as corrupt, or it is as check_readable() says, and stays so while work goes on.
inline Outcome open_damaged(const DiskImage& image, const MapOwner::State& expected) {
  Rig rig(image);
  const auto started = rig.start();
  if (!started) {
    EXPECT_EQ(started.error().kind, ErrorKind::Corrupt) << started.error().message;
    EXPECT_THAT(started.error().message, testing::HasSubstr("/data/"));
    EXPECT_EQ(rig.image(CrashMode::Everything), image) << "a refused start changed the disk";
    return Outcome::Refused;
  }
  rig.files.stop_protocol();
  const auto damaged = check_readable(rig, expected);
  MapOwner::State later = expected;
  for (const auto& [key, text] : expected) {
    if (key % 3 != 0 || std::find(damaged.begin(), damaged.end(), key) != damaged.end()) continue;
    EXPECT_TRUE(rig.owner->erase(key).has_value());
    later.erase(key);
  }
  rig.maintain();
  EXPECT_TRUE(rig.owner->failures().empty()) << rig.owner->failures().front().message;
  const auto still_damaged = check_readable(rig, later);
  for (const std::uint32_t key : damaged)
    EXPECT_THAT(still_damaged, testing::Contains(key)) << "a damaged body was read, or is gone";
  return damaged.empty() ? Outcome::Unharmed : Outcome::Reported;
}

}  // namespace ferry::test
