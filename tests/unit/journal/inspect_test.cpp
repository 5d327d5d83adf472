// The check of a store: every kind of damage is found, with file and place, and what it says of a start is what a start does.

#include "store/journal/inspect.h"

#include <gmock/gmock.h>

#include "base/digest.h"
#include "damage.h"

namespace ferry::test {
namespace {

using store::Effect;
using store::Fault;
using store::Inspection;
using store::kBlockBytes;
using testing::HasSubstr;

Inspection look(const DiskImage& image) {
  RecordingFileSystem files(image);
  auto found = store::inspect(files, "/data", nullptr);
  EXPECT_TRUE(found) << found.error().message;
  EXPECT_EQ(files.operation_count(), 0u) << "an inspection changed the disk";
  return found ? *std::move(found) : Inspection();
}

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string told(const Inspection& found) {
  std::string text;
  for (const Fault& fault : found.faults)
    text += fault.file + " at " + std::to_string(fault.offset) + " (" + std::to_string(static_cast<int>(fault.effect)) +
            "): " + fault.what + "\n";
  return text;
}

void expect_fault(const DiskImage& image, const std::string& path, std::uint64_t offset, Effect effect, const std::string& what) {
  const Inspection found = look(image);
  for (const Fault& fault : found.faults) {
    if (fault.file != name_of(path) || fault.offset != offset || fault.effect != effect) continue;
    EXPECT_THAT(fault.what, HasSubstr(what));
    return;
  }
  ADD_FAILURE() << path << " at " << offset << " was not reported so; found:\n" << told(found);
}

void flip(DiskImage& image, const std::string& path, std::uint64_t at, int bit = 0) {
  image.at(path).at(at) ^= static_cast<std::byte>(1 << bit);
}

store::ControlState control_of(const DiskImage& image) {
  std::optional<store::ControlState> newest;
  for (const std::size_t slot : {0, 1}) {
    const auto state = store::decode_control(std::span(image.at("/data/control")).subspan(slot * kBlockBytes, kBlockBytes));
    if (state && (!newest || state->sequence > newest->sequence)) newest = *state;
  }
  return *newest;
}

class JournalInspection : public testing::Test {
 protected:
  const Stopped stopped_ = make_stopped();
  const store::ControlState control_ = control_of(stopped_.image);
  DiskImage image_ = stopped_.image;
  const std::uint32_t replay_segment_ = control_.checkpoints[0].segment;
};

TEST_F(JournalInspection, AWholeStoreHasNoFault) {
  const Inspection found = look(image_);
  EXPECT_TRUE(found.faults.empty()) << told(found);
  EXPECT_EQ(found.effect(), Effect::Nothing);
  EXPECT_EQ(found.last.value, control_.watermark);
  EXPECT_EQ(found.segments, segments_of(image_).size());
  EXPECT_EQ(found.checkpoints, 2u);
  EXPECT_EQ(found.records, 72u);
  EXPECT_EQ(found.bodies, 72u);
  std::uint64_t groups = 0;
  for (const std::string& path : segments_of(image_)) groups += groups_of(image_.at(path)).size();
  EXPECT_EQ(found.groups, groups);
  const Inspection recycled = look(make_recycled().image);
  EXPECT_TRUE(recycled.faults.empty()) << told(recycled);
}

TEST_F(JournalInspection, ControlSlots) {
  flip(image_, "/data/control", 100);
  expect_fault(image_, "/data/control", 0, Effect::Nothing, "damaged control slot");
  flip(image_, "/data/control", kBlockBytes + 4000);
  expect_fault(image_, "/data/control", 0, Effect::Refusal, "damaged control slot");
  expect_fault(image_, "/data/control", kBlockBytes, Effect::Refusal, "damaged control slot");
  image_.at("/data/control").resize(5000);
  expect_fault(image_, "/data/control", 5000, Effect::Refusal, "shorter");
  image_.erase("/data/control");
  expect_fault(image_, "/data/control", 0, Effect::Refusal, "missing");
}

TEST_F(JournalInspection, Checkpoints) {
  const std::string newest = "/data/" + store::checkpoint_name(control_.checkpoints[0].number);
  const std::string older = "/data/" + store::checkpoint_name(control_.checkpoints[1].number);
  for (const std::uint64_t at : {std::uint64_t{20}, std::uint64_t{70}, image_.at(newest).size() - 20}) {
    DiskImage image = stopped_.image;
    flip(image, newest, at);
    const Inspection found = look(image);
    ASSERT_EQ(found.faults.size(), 1u) << told(found);
    EXPECT_EQ(found.faults[0].file, name_of(newest));
    EXPECT_LE(found.faults[0].offset, at);
    EXPECT_EQ(found.faults[0].effect, Effect::Nothing);
    EXPECT_EQ(found.checkpoints, 1u);
  }
  image_.erase(newest);
  expect_fault(image_, newest, 0, Effect::Nothing, "missing");
  flip(image_, older, 64);
  expect_fault(image_, older, 64, Effect::Refusal, "damaged");
  expect_fault(image_, newest, 0, Effect::Refusal, "missing");
}

TEST_F(JournalInspection, SegmentHeadersNamesAndSizes) {
  const auto segments = segments_of(image_);
  flip(image_, segments[1], 2000);
  expect_fault(image_, segments[1], 0, Effect::Refusal, "damaged segment header");
  image_ = stopped_.image;
  image_.at(segments[1]).resize(1000);
  expect_fault(image_, segments[1], 1000, Effect::Refusal, "too short");
  image_ = stopped_.image;
  image_.at(segments[1]).resize(kSmallSegment / 2);
  expect_fault(image_, segments[1], kSmallSegment / 2, Effect::Refusal, "bytes instead of");
  image_ = stopped_.image;
  std::swap(image_.at(segments[1]), image_.at(segments[2]));
  expect_fault(image_, segments[1], 0, Effect::Refusal, "wrong name");
  expect_fault(image_, segments[2], 0, Effect::Refusal, "wrong name");
  image_ = stopped_.image;
  image_.at(segments[1]) = make_stopped(2).image.at(segments[1]);
  expect_fault(image_, segments[1], 0, Effect::Refusal, "another store");
}

TEST_F(JournalInspection, MissingSegments) {
  DiskImage image = image_;
  image.erase(segment_path(replay_segment_));
  expect_fault(image, segment_path(replay_segment_), 0, Effect::Refusal, "missing");
  image = image_;
  image.erase(segment_path(control_.segment));
  expect_fault(image, segment_path(control_.segment), 0, Effect::Refusal, "missing");
}

// Every byte of every group, sampled: header, records, padding.
TEST_F(JournalInspection, EveryPartOfAGroup) {
  for (const std::string& path : segments_of(image_)) {
    const auto groups = groups_of(image_.at(path));
    for (const std::uint32_t offset : groups) {
      const auto header = store::decode_group_header(std::span(image_.at(path)).subspan(offset));
      const std::uint32_t number = header->segment;
      const bool replayed = std::pair(number, offset) >= std::pair(replay_segment_, control_.checkpoints[0].offset);
      for (const std::uint32_t at : {0u, 20u, 45u, 63u, 64u, 70u, 200u, header->length / 2, header->length - 1}) {
        DiskImage image = image_;
        flip(image, path, offset + at, 3);
        expect_fault(image, path, offset, replayed ? Effect::Refusal : Effect::Bodies, "is damaged");
        ASSERT_FALSE(HasFailure()) << path << " at " << offset << " + " << at;
      }
    }
  }
}

TEST_F(JournalInspection, AnEndBelowTheWatermark) {
  const std::string path = segment_path(control_.segment);
  const auto groups = groups_of(image_.at(path));
  ASSERT_FALSE(groups.empty());
  std::fill(image_.at(path).begin() + groups.back(), image_.at(path).end(), std::byte{0});
  expect_fault(image_, path, groups.back(), Effect::Refusal, "was durable");
}

TEST_F(JournalInspection, AWholeGroupThatDoesNotBelongThere) {
  const std::string path = segment_path(replay_segment_);
  auto& bytes = image_.at(path);
  const std::uint32_t at = control_.checkpoints[0].offset;
  auto header = *store::decode_group_header(std::span(bytes).subspan(at));
  header.first += 7;
  store::seal_group(header, std::span(bytes).subspan(at, header.length));
  expect_fault(image_, path, at, Effect::Refusal, "damaged");
}

TEST_F(JournalInspection, ARecordThatItsGroupDoesNotShow) {
  const std::string path = segment_path(replay_segment_);
  auto& bytes = image_.at(path);
  const std::uint32_t at = control_.checkpoints[0].offset;
  flip(image_, path, at + 80);
  auto header = *store::decode_group_header(std::span(bytes).subspan(at));
  store::seal_group(header, std::span(bytes).subspan(at, header.length));
  expect_fault(image_, path, at, Effect::Refusal, "a record of the group is damaged");
}

TEST_F(JournalInspection, SpaceThatHoldsNothingIsNotLookedAt) {
  image_["/data/notes.txt"] = std::vector<std::byte>(7, std::byte{1});
  image_["/data/checkpoint-00000099"] = std::vector<std::byte>(7, std::byte{1});
  const std::string path = segments_of(image_).back();  // prepared
  image_.at(path).back() ^= std::byte{1};
  const Inspection found = look(image_);
  EXPECT_TRUE(found.faults.empty()) << told(found);
  std::vector<std::string> ignored;
  for (const auto& entry : found.ignored) ignored.push_back(entry.name);
  EXPECT_THAT(ignored, testing::IsSupersetOf({"notes.txt", "checkpoint-00000099", "ballast"}));
}

TEST_F(JournalInspection, ATornTailIsNoFault) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 3; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(9000, 'x')));
    rig.commit();
  }
  DiskImage image = rig.image(CrashMode::Everything);
  const auto groups = groups_of(image.at(segment_path(1)));
  std::fill_n(image.at(segment_path(1)).begin() + groups.back() + 4096, 512, std::byte{0});
  const Inspection found = look(image);
  EXPECT_TRUE(found.faults.empty()) << told(found);
  EXPECT_TRUE(found.unfinished);
  EXPECT_EQ(found.end_offset, groups.back());
}

TEST_F(JournalInspection, ANewerFormatAndNoStore) {
  auto& control = image_.at("/data/control");
  for (const std::size_t slot : {0, 1}) {
    const std::uint32_t version = store::kFormatVersion + 1;
    const auto block = std::span(control).subspan(slot * kBlockBytes, kBlockBytes);
    const std::uint32_t crc = crc32c(block.subspan(16), version);
    std::memcpy(block.data() + 8, &version, 4);
    std::memcpy(block.data() + 12, &crc, 4);
  }
  RecordingFileSystem newer(image_);
  EXPECT_EQ(store::inspect(newer, "/data", nullptr).error().kind, ErrorKind::InvalidArgument);
  RecordingFileSystem nothing(DiskImage{{"/data/notes", {}}});
  EXPECT_EQ(store::inspect(nothing, "/data", nullptr).error().kind, ErrorKind::NotFound);
}

TEST_F(JournalInspection, TellsHowFarItIsAndStopsWhenTold) {
  Rig rig({}, [] {
    auto options = small_options();
    options.segment_first_bytes = options.segment_max_bytes = 8u << 20;
    return options;
  }());
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(1, "x"));
  rig.commit();
  std::uint64_t before = 0;
  int calls = 0;
  const auto found = store::inspect(rig.files, "/data", [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_GE(done, before);
    EXPECT_LE(done, total);
    before = done;
    return ++calls > 0;
  });
  ASSERT_TRUE(found);
  EXPECT_GE(calls, 2);
  const auto stopped = store::inspect(rig.files, "/data", [](std::uint64_t, std::uint64_t) { return false; });
  EXPECT_EQ(stopped.error().kind, ErrorKind::Cancelled);
}

// Whatever a single flipped bit does to a start, the inspection says so, in the right file and not behind the place.
TEST_F(JournalInspection, AgreesWithAStartAboutEveryFlippedBit) {
  std::map<Effect, int> effects;
  int unseen = 0;
  for (const Stopped& store : {make_stopped(3), make_recycled(3)}) {
    SeededRandom random(11);
    for (int i = 0; i < 300; ++i) {
      DiskImage image = store.image;
      const auto file = std::next(image.begin(), static_cast<std::ptrdiff_t>(random.below(image.size())));
      if (file->second.empty()) continue;
      const std::uint64_t at = random.below(file->second.size());
      file->second[at] ^= static_cast<std::byte>(1 << random.below(8));
      const Inspection found = look(image);
      Rig rig(image);
      const auto started = rig.start();
      EXPECT_EQ(found.effect() == Effect::Refusal, !started) << told(found) << (started ? "" : started.error().message);
      if (started) {
        rig.files.stop_protocol();
        const auto reading = rig.read_all();
        EXPECT_EQ(!reading.damaged.empty() && found.faults.empty(), false) << "a damaged body was not found";
      }
      if (found.faults.empty()) ++unseen;
      for (const Fault& fault : found.faults) {
        ++effects[fault.effect];
        EXPECT_EQ(fault.file, name_of(file->first));
        EXPECT_LE(fault.offset, at);
      }
      ASSERT_FALSE(HasFailure()) << file->first << " at " << at << "\n" << told(found);
    }
  }
  EXPECT_GT(unseen, 20);  // in space that holds nothing
  EXPECT_GT(effects[Effect::Nothing], 5);
  EXPECT_GT(effects[Effect::Bodies], 5);
  EXPECT_GT(effects[Effect::Refusal], 20);
}

}  // namespace
}  // namespace ferry::test
