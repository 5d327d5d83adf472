// Folders of an older format are brought to the present one, folders of a newer one are left alone.

#include <gmock/gmock.h>

#include "base/digest.h"
#include "rig.h"

namespace ferry::test {
namespace {

using testing::HasSubstr;

constexpr std::size_t kSlots[] = {0, 4096};

std::uint32_t version_of(std::span<const std::byte> block) {
  std::uint32_t version = 0;
  std::memcpy(&version, block.data() + 8, sizeof version);
  return version;
}

// As a ferry of that version wrote it: the checksum starts from the version.
void set_version(std::span<std::byte> block, std::uint32_t version) {
  const std::uint32_t crc = crc32c(block.subspan(16), version);
  std::memcpy(block.data() + 8, &version, sizeof version);
  std::memcpy(block.data() + 12, &crc, sizeof crc);
}

// Work, two checkpoints, and every block that carries a version in that one. Layouts of format 1 and 2 are the same.
struct Folder {
  DiskImage image;
  MapOwner::State state;
};
Folder make_folder(std::uint32_t version) {
  Rig rig;
  EXPECT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 40; ++key) {
    EXPECT_TRUE(rig.owner->put(key, std::string(2000, static_cast<char>('a' + key % 26))));
    rig.maintain();
    if (key == 10 || key == 20) rig.checkpoint();
  }
  Folder folder{rig.image(CrashMode::Everything), rig.owner->state_at(rig.journal->last())};
  for (auto& [path, bytes] : folder.image) {
    if (path == "/data/control") {
      for (const std::size_t slot : kSlots) set_version(std::span(bytes).subspan(slot, 4096), version);
    } else if (path.find("/data/segment-") == 0) {
      set_version(std::span(bytes).first(4096), version);
    } else if (path.find("/data/checkpoint-") == 0) {
      set_version(std::span(bytes).first(store::kCheckpointHeaderBytes), version);
    }
  }
  return folder;
}

std::vector<std::uint32_t> versions_in(const DiskImage& image) {
  std::vector<std::uint32_t> versions;
  for (const std::size_t slot : kSlots) versions.push_back(version_of(std::span(image.at("/data/control")).subspan(slot, 4096)));
  return versions;
}

store::JournalOptions listening(std::vector<std::string>& said) {
  store::JournalOptions options = small_options();
  options.announce = [&said](const std::string& sentence) { said.push_back(sentence); };
  return options;
}

TEST(FormatVersion, AnOlderFolderIsBroughtToThePresentOneAfterSayingSo) {
  const Folder folder = make_folder(1);
  std::vector<std::string> said;
  std::size_t operations_when_said = 0;
  Rig* of = nullptr;
  store::JournalOptions options = small_options();
  options.announce = [&](const std::string& sentence) {
    said.push_back(sentence);
    for (const DiskOperation& operation : of->files.operations())
      operations_when_said +=
          operation.kind == DiskOperation::Kind::Write && operation.path.find("lock") == std::string::npos ? 1 : 0;
  };
  Rig rig(folder.image, options);
  of = &rig;
  ASSERT_TRUE(rig.start());
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0], "data folder /data has format 1; it is being brought to 2; an older ferry cannot open it afterwards");
  EXPECT_LE(operations_when_said, 1u) << "written before it was said (but for the trial of direct access)";
  EXPECT_EQ(rig.journal->recovery().format, 1u);
  EXPECT_EQ(versions_in(rig.image(CrashMode::OnlySynced)), (std::vector<std::uint32_t>{2, 2}));
  EXPECT_EQ(rig.state(), folder.state);
  ASSERT_TRUE(rig.owner->put(1000, "new"));
  ASSERT_TRUE(rig.journal->close());
  ASSERT_TRUE(rig.reopen());
  EXPECT_EQ(said.size(), 1u) << "said once";
  EXPECT_EQ(rig.journal->recovery().format, store::kFormatVersion);
}

TEST(FormatVersion, ThePresentOneSaysNothing) {
  const Folder folder = make_folder(store::kFormatVersion);
  std::vector<std::string> said;
  Rig rig(folder.image, listening(said));
  ASSERT_TRUE(rig.start());
  EXPECT_TRUE(said.empty());
  EXPECT_EQ(rig.state(), folder.state);
}

TEST(FormatVersion, ANewerOneIsRefusedWithBothNumbersAndWhatToDo) {
  const Folder folder = make_folder(store::kFormatVersion + 1);
  std::vector<std::string> said;
  Rig rig(folder.image, listening(said));
  const auto started = rig.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::InvalidArgument);
  EXPECT_THAT(started.error().message, HasSubstr("format 3"));
  EXPECT_THAT(started.error().message, HasSubstr("up to 2"));
  EXPECT_THAT(started.error().message, HasSubstr("open the folder with that ferry or a newer one"));
  EXPECT_EQ(rig.image(CrashMode::Everything), folder.image);
  EXPECT_TRUE(said.empty());
  // One slot is enough: what the newer ferry was about to do counts.
  DiskImage image = make_folder(store::kFormatVersion).image;
  set_version(std::span(image["/data/control"]).first(4096), store::kFormatVersion + 1);
  Rig half(image);
  EXPECT_EQ(half.start().error().kind, ErrorKind::InvalidArgument);
}

TEST(FormatVersion, VersionZeroNeverWas) {
  const Folder folder = make_folder(0);
  Rig rig(folder.image);
  EXPECT_EQ(rig.start().error().kind, ErrorKind::Corrupt);
}

TEST(FormatVersion, ARefusedStartLeavesTheOlderFolderOlder) {
  DiskImage image = make_folder(1).image;
  image.erase(segment_path(1));
  std::vector<std::string> said;
  Rig rig(image, listening(said));
  if (rig.start()) GTEST_SKIP() << "nothing of it was needed";
  EXPECT_TRUE(said.empty());
  EXPECT_EQ(versions_in(rig.image(CrashMode::Everything)), (std::vector<std::uint32_t>{1, 1}));
}

// Killed at any operation of the first start: the folder opens, nothing is lost, and once anything but the control file was
// written an older ferry refuses the folder.
TEST(FormatVersion, TheChangeSurvivesACrashAnywhere) {
  const Folder folder = make_folder(1);
  Rig rig(folder.image);
  ASSERT_TRUE(rig.start());
  const auto operations = rig.files.operations();
  SeededRandom chance(5);
  DiskModel disk(rig.files.initial());
  bool written = false;
  for (std::size_t at = 0; at <= operations.size(); ++at) {
    for (const CrashMode mode : {CrashMode::Everything, CrashMode::OnlySynced, CrashMode::Torn}) {
      const DiskImage image = disk.image(mode, chance);
      const auto versions = versions_in(image);
      EXPECT_TRUE(!written || mode != CrashMode::OnlySynced || versions[0] == 2 || versions[1] == 2) << "operation " << at;
      Rig after(image);
      const auto started = after.start();
      ASSERT_TRUE(started) << "operation " << at << ": " << started.error().message;
      EXPECT_EQ(after.state(), folder.state);
      EXPECT_EQ(versions_in(after.image(CrashMode::OnlySynced)), (std::vector<std::uint32_t>{2, 2}));
    }
    if (at == operations.size()) break;
    disk.apply(operations[at]);
    const auto& bytes = operations[at].bytes;
    const bool is_group = operations[at].kind == DiskOperation::Kind::Write && bytes.size() >= store::kBlockBytes &&
                          operations[at].offset >= store::kBlockBytes && store::decode_group_header(bytes).has_value();
    written = written || is_group;
    ASSERT_FALSE(HasFailure()) << "operation " << at;
  }
  EXPECT_TRUE(written) << "the last group is written again at each start";
}

// The bytes of a control slot of format 1, field by field as docs/formats.md has them.
TEST(FormatVersion, AControlSlotOfFormatOneIsRead) {
  std::vector<std::byte> slot(store::kBlockBytes);
  std::size_t at = 0;
  const auto put = [&](auto value) {
    std::memcpy(slot.data() + at, &value, sizeof value);
    at += sizeof value;
  };
  const std::uint64_t entry_numbers[2][4] = {{7, 4000, 90, 88}, {6, 3000, 50, 49}};
  std::memcpy(slot.data(), "FERRYCTL", 8);
  at = 16;
  for (int i = 0; i < 16; ++i) put(static_cast<std::uint8_t>(i));
  put(std::uint64_t{21});
  put(std::uint64_t{5});
  put(std::uint64_t{95});
  put(std::uint32_t{3});
  put(std::uint32_t{1});
  for (const auto& numbers : entry_numbers) {
    for (const std::uint64_t number : numbers) put(number);
    put(std::uint32_t{2});
    put(std::uint32_t{8192});
    put(std::uint32_t{0xABCD});
    put(std::uint32_t{0});
  }
  set_version(slot, 1);
  const auto state = store::decode_control(slot);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->format, 1u);
  EXPECT_EQ(state->sequence, 21u);
  EXPECT_EQ(state->run, 5u);
  EXPECT_EQ(state->watermark, 95u);
  EXPECT_EQ(state->segment, 3u);
  EXPECT_TRUE(state->clean_stop);
  EXPECT_EQ(state->checkpoints[0].number, 7u);
  EXPECT_EQ(state->checkpoints[1].group_first, 49u);
  EXPECT_EQ(state->checkpoints[1].previous_crc, 0xABCDu);
}

}  // namespace
}  // namespace ferry::test
