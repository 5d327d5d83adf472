// Folders that are changed at random, in all the ways a disk or a person can: never wrong bytes, never a crash, nothing missing
// in silence. FERRY_DAMAGE_SEED runs other changes than the standard ones, FERRY_DAMAGE_MUTANTS more of them. A failure prints
// its seed and what was changed.

#include <cstdlib>

#include "damage.h"

namespace ferry::test {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

using File = DiskImage::iterator;

File any_file(DiskImage& image, Random& random) {
  return std::next(image.begin(), static_cast<std::ptrdiff_t>(random.below(image.size())));
}

// A file that holds data; never an empty one.
File any_full_file(DiskImage& image, Random& random) {
  for (;;) {
    const File file = any_file(image, random);
    if (!file->second.empty()) return file;
  }
}

std::string at(const File& file, std::uint64_t offset) {
  return file->first + " at " + std::to_string(offset);
}

// Makes one change and says what it was.
std::string damage(DiskImage& image, const DiskImage& other_store, Random& random) {
  const File file = any_full_file(image, random);
  auto& bytes = file->second;
  const std::uint64_t offset = random.below(bytes.size());
  const std::uint64_t block_bytes = random.below(2) == 0 ? 512 : 4096;
  const std::uint64_t block = offset / block_bytes * block_bytes;
  const std::uint64_t block_end = std::min<std::uint64_t>(block + block_bytes, bytes.size());
  const auto begin = bytes.begin();
  const auto place = [&](std::uint64_t where) { return begin + static_cast<std::ptrdiff_t>(where); };
  switch (random.below(11)) {
    case 0:
      bytes[offset] ^= static_cast<std::byte>(1 << random.below(8));
      return "a bit of " + at(file, offset);
    case 1:
      for (std::uint64_t i = 0; i < 1 + random.below(64) && offset + i < bytes.size(); ++i)
        bytes[offset + i] = static_cast<std::byte>(random.below(256));
      return "bytes of " + at(file, offset);
    case 2:
      std::fill(place(block), place(block_end), std::byte{0});
      return "a block of zeros, " + at(file, block);
    case 3:
      std::fill(place(block), bytes.end(), std::byte{0});
      return "zeros to the end, " + at(file, block);
    case 4:
      random.fill(std::span(bytes).subspan(block, block_end - block));
      return "a block of noise, " + at(file, block);
    case 5:
      bytes.resize(random.below(2) == 0 ? offset : block);
      return "cut off, " + at(file, bytes.size());
    case 6:
      bytes.resize(bytes.size() + 1 + random.below(8192), std::byte{0x5a});
      return "longer than it was, " + file->first;
    case 7: {  // a write that went astray
      const std::uint64_t target = random.below(bytes.size()) / block_bytes * block_bytes;
      const std::uint64_t size = std::min(block_end - block, bytes.size() - target);
      const std::vector<std::byte> copy(place(block), place(block + size));
      std::copy(copy.begin(), copy.end(), place(target));
      return "the block of " + at(file, block) + " also at " + std::to_string(target);
    }
    case 8: {
      const File other = any_full_file(image, random);
      const std::string what = file->first + " and " + other->first;
      if (random.below(2) == 0) {
        std::swap(bytes, other->second);
        return "swapped: " + what;
      }
      other->second = std::vector<std::byte>(bytes);
      return "doubled: " + what;
    }
    case 9: {
      const std::string path = file->first;
      image.erase(file);
      return "gone: " + path;
    }
    default: {
      const auto foreign = other_store.find(file->first);
      if (foreign == other_store.end()) return "nothing";
      bytes = foreign->second;
      return "of another store: " + file->first;
    }
  }
}

struct Counts {
  int refused = 0;
  int reported = 0;
  int unharmed = 0;
};

Counts check_mutants(const Stopped& stopped, const Stopped& other, std::uint64_t mutants, std::uint64_t seed) {
  Counts counts;
  for (std::uint64_t i = 0; i < mutants; ++i) {
    SeededRandom random(seed * 1'000'003 + i);
    DiskImage image = stopped.image;
    const std::string what = damage(image, other.image, random);
    // A folder without its control file is refused; an empty one would be a new store.
    const Outcome outcome = open_damaged(image, stopped.state);
    counts.refused += outcome == Outcome::Refused ? 1 : 0;
    counts.reported += outcome == Outcome::Reported ? 1 : 0;
    counts.unharmed += outcome == Outcome::Unharmed ? 1 : 0;
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "FERRY_DAMAGE_SEED=" << seed << ", mutant " << i << ": " << what;
      break;
    }
  }
  return counts;
}

TEST(JournalRandomDamage, NeverGivesWrongBytes) {
  const std::uint64_t seed = from_environment("FERRY_DAMAGE_SEED", 1);
  const std::uint64_t mutants = from_environment("FERRY_DAMAGE_MUTANTS", 500);
  const Stopped plain = make_stopped(seed);
  const Stopped recycled = make_recycled(seed);
  const Stopped other = make_stopped(seed + 1);
  const Counts first = check_mutants(plain, other, mutants, seed);
  const Counts second = check_mutants(recycled, plain, mutants, seed + 1'000);
  RecordProperty("n_mutants", static_cast<int>(2 * mutants));
  RecordProperty("seed", std::to_string(seed));
  if (HasFailure()) return;
  for (const Counts& counts : {first, second}) {
    EXPECT_GT(counts.refused, static_cast<int>(mutants / 10));
    EXPECT_GT(counts.reported, 0);
    EXPECT_GT(counts.unharmed, static_cast<int>(mutants / 20));
  }
}

// ---- bytes that count for nothing --------------------------------------------------------------------------------------

// Stretches of the files that hold nothing any more: spare files, ballast, what follows the last group of each segment.
struct Stretch {
  std::string path;
  std::uint64_t begin;
  std::uint64_t end;
};

std::vector<Stretch> stale_stretches(const DiskImage& image) {
  std::vector<Stretch> stretches;
  for (const auto& [path, bytes] : image) {
    if (path.find("spare-") != std::string::npos || path.ends_with("ballast")) stretches.push_back({path, 0, bytes.size()});
    if (path.find("segment-") == std::string::npos) continue;
    const auto header = store::decode_segment_header(std::span(bytes).first(store::kBlockBytes));
    EXPECT_TRUE(header.has_value());
    std::uint64_t end = store::kBlockBytes;
    for (const std::uint32_t offset : groups_of(bytes)) {
      const auto group = store::decode_group_header(std::span(bytes).subspan(offset));
      if (group->incarnation != header->incarnation) break;
      end = offset + group->length;
    }
    if (end < bytes.size()) stretches.push_back({path, end, bytes.size()});
  }
  return stretches;
}

bool has_former_groups(const std::vector<std::byte>& bytes, const Stretch& stretch) {
  for (std::uint64_t at = stretch.begin; at < stretch.end; at += store::kBlockBytes) {
    if (store::decode_group_header(std::span(bytes).subspan(at))) return true;
  }
  return false;
}

// What a start makes of an image, as far as it can be seen.
struct Started {
  std::uint64_t last;
  bool tail_cut;
  std::uint64_t checkpoint;
  MapOwner::State state;
  bool operator==(const Started&) const = default;
};

Started start(const DiskImage& image) {
  Rig rig(image);
  const auto started = rig.start();
  EXPECT_TRUE(started) << started.error().message;
  if (!started) return {};
  return {rig.journal->last().value, rig.journal->recovery().tail_cut, rig.journal->recovery().checkpoint, rig.state()};
}

TEST(JournalRandomDamage, OfStaleBytesChangesNothing) {
  const std::uint64_t seed = from_environment("FERRY_DAMAGE_SEED", 1);
  const std::uint64_t mutants = from_environment("FERRY_DAMAGE_MUTANTS", 500);
  const Stopped stopped = make_recycled(seed);
  const auto stretches = stale_stretches(stopped.image);
  std::map<std::string, int> kinds;
  for (const Stretch& stretch : stretches) {
    if (stretch.path.find("spare-") != std::string::npos) ++kinds["spare"];
    if (stretch.path.find("segment-") == std::string::npos) continue;
    ++kinds[has_former_groups(stopped.image.at(stretch.path), stretch) ? "former life" : "zeros"];
    if (stretch.begin == store::kBlockBytes) ++kinds["prepared"];
  }
  for (const char* kind : {"spare", "former life", "prepared"}) EXPECT_GT(kinds[kind], 0) << kind;
  const Started expected = start(stopped.image);
  ASSERT_EQ(expected.state, stopped.state);
  ASSERT_FALSE(expected.tail_cut);
  SeededRandom random(seed * 31);
  for (std::uint64_t i = 0; i < mutants; ++i) {
    DiskImage image = stopped.image;
    std::string what;
    for (std::uint64_t changes = 1 + random.below(8); changes > 0; --changes) {
      const Stretch& stretch = stretches[random.below(stretches.size())];
      auto& bytes = image[stretch.path];
      const std::uint64_t offset = stretch.begin + random.below(stretch.end - stretch.begin);
      switch (random.below(3)) {
        case 0:
          bytes[offset] ^= static_cast<std::byte>(1 << random.below(8));
          break;
        case 1:
          random.fill(std::span(bytes).subspan(offset, std::min<std::uint64_t>(stretch.end - offset, 512)));
          break;
        case 2:
          std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), std::min<std::uint64_t>(stretch.end - offset, 4096),
                      std::byte{0});
          break;
      }
      what += stretch.path + " at " + std::to_string(offset) + "; ";
    }
    ASSERT_EQ(start(image), expected) << "FERRY_DAMAGE_SEED=" << seed << ", mutant " << i << ": " << what;
  }
  RecordProperty("n_mutants", static_cast<int>(mutants));
}

// ---- what cannot be known -------------------------------------------------------------------------------------------------

// docs/durability.md says so; these show where the limit is, and that nothing worse happens there.
TEST(JournalRandomDamage, AnOlderCopyOfTheWholeFolderIsAStore) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(1, "one"));
  rig.commit();
  const DiskImage older = rig.image(CrashMode::OnlySynced);
  ASSERT_TRUE(rig.owner->put(1, "two"));
  ASSERT_TRUE(rig.journal->close());
  EXPECT_THAT(start(older).state, testing::ElementsAre(testing::Pair(1, "one")));
}

TEST(JournalRandomDamage, BehindTheWatermarkWithNothingWholeBehindItIsATornTail) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 3; ++key) {
    ASSERT_TRUE(rig.owner->put(key, "text"));
    rig.commit();
  }
  DiskImage image = rig.image(CrashMode::OnlySynced);  // killed: the watermark is that of the start
  auto& bytes = image[segment_path(1)];
  const std::uint32_t last = groups_of(bytes).back();
  std::fill_n(bytes.begin() + last, 4096, std::byte{0});
  EXPECT_EQ(start(image).state.size(), 2u);
}

}  // namespace
}  // namespace ferry::test
