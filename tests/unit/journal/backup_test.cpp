// Backups and what is restored from them, on the real file system.

#include "store/journal/backup.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/posix_file.h"
#include "damage.h"

namespace ferry::test {
namespace {

namespace fs = std::filesystem;
using store::BackupManifest;
using store::Position;
using testing::HasSubstr;

class JournalBackup : public testing::Test {
 protected:
  JournalBackup() {
    std::string pattern = (fs::temp_directory_path() / "ferry-backup-XXXXXX").string();
    FERRY_CHECK(mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
    data_ = root_ + "/data";
    target_ = root_ + "/backup";
    restored_ = root_ + "/restored";
    options_.folder = data_;
    open(data_);
    EXPECT_TRUE(journal_->recover(*owner_));
  }
  ~JournalBackup() override { fs::remove_all(root_); }

  void open(const std::string& folder) {
    options_.folder = folder;
    owner_ = std::make_unique<MapOwner>();
    journal_ = std::make_unique<store::Journal>(files_, clock_, random_, log_, options_);
    owner_->attach(*journal_);
  }
  void maintain() {
    while (journal_->commit_step() || journal_->maintain_step()) {
    }
  }
  void fill(std::uint32_t from = 0, std::uint32_t count = 40) {
    for (std::uint32_t key = from; key < from + count; ++key) {
      ASSERT_TRUE(owner_->put(key, std::string(2000 + key, static_cast<char>('a' + key % 26))));
      if (key % 4 == 3) maintain();
      if (key % 15 == 14) {
        journal_->request_checkpoint();
        maintain();
      }
    }
    maintain();
  }
  Result<store::BackupReport> back_up(const store::Progress& progress = nullptr) {
    return store::backup(files_, clock_, data_, target_, progress);
  }
  Result<store::BackupReport> restore(const store::Progress& progress = nullptr) {
    return store::restore(files_, target_, restored_, progress);
  }
  MapOwner::State state_in(const std::string& folder) {
    open(folder);
    const auto started = journal_->recover(*owner_);
    EXPECT_TRUE(started) << started.error().message;
    auto reading = owner_->read_all([this] {
      while (journal_->read_step()) {
      }
    });
    EXPECT_TRUE(reading.damaged.empty());
    return reading.state;
  }
  std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    const auto entries = files_.list(folder);
    EXPECT_TRUE(entries);
    for (const auto& entry : *entries) names.push_back(entry.name);
    return names;
  }
  static void flip(const std::string& path, std::uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
    ASSERT_TRUE(file.good());
  }
  void expect_restore_refused(const std::string& named) {
    const auto refused = restore();
    ASSERT_FALSE(refused) << "was not refused";
    EXPECT_EQ(refused.error().kind, ErrorKind::Corrupt) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr(named));
    EXPECT_FALSE(fs::exists(restored_)) << "something was written";
  }

  std::string root_, data_, target_, restored_;
  PosixFileSystem files_;
  ManualClock clock_;
  SeededRandom random_{1};
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  store::JournalOptions options_ = small_options();
  std::unique_ptr<MapOwner> owner_;
  std::unique_ptr<store::Journal> journal_;
};

TEST_F(JournalBackup, BringsBackWhatWasThere) {
  fill();
  const Position position = journal_->durable();
  const auto expected = owner_->state_at(position);
  const auto taken = back_up();
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->manifest.position, position);
  EXPECT_TRUE(taken->inspection.faults.empty());
  EXPECT_FALSE(fs::exists(target_ + ".unfinished"));
  fill(100);  // the source goes on
  std::vector<std::string> named = {"backup.json"};
  for (const auto& file : taken->manifest.files) named.push_back(file.name);
  EXPECT_THAT(names_in(target_), testing::UnorderedElementsAreArray(named));

  const auto restored = restore();
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->manifest, taken->manifest);
  EXPECT_EQ(state_in(restored_), expected);
  EXPECT_EQ(journal_->last(), position);
  EXPECT_TRUE(owner_->put(7, "it goes on"));
  maintain();
  EXPECT_EQ(state_in(restored_).at(7), "it goes on");
}

// Everything in a backup was durable: where its end is damaged, it is no torn tail.
TEST_F(JournalBackup, ARestoredStoreKnowsWhereItEnds) {
  fill();
  const auto taken = back_up();
  ASSERT_TRUE(taken);
  ASSERT_TRUE(restore());
  store::ControlFile control(files_, restored_);
  ASSERT_TRUE(control.load());
  EXPECT_EQ(control.state().watermark, taken->manifest.position.value);
  EXPECT_TRUE(control.state().clean_stop);
  flip(restored_ + "/" + store::segment_name(taken->inspection.end_segment),
       taken->inspection.end_offset - 2 * store::kBlockBytes);
  open(restored_);
  EXPECT_EQ(journal_->recover(*owner_).error().kind, ErrorKind::Corrupt);
}

TEST_F(JournalBackup, OfAnEmptyStore) {
  ASSERT_TRUE(back_up());
  ASSERT_TRUE(restore());
  EXPECT_TRUE(state_in(restored_).empty());
}

TEST_F(JournalBackup, WhatLiesBehindTheEndIsNotCopied) {
  fill();
  ASSERT_TRUE(journal_->close());
  const auto taken = back_up();
  ASSERT_TRUE(taken);
  for (const auto& file : taken->manifest.files) {
    EXPECT_TRUE(fs::exists(data_ + "/" + file.name)) << file.name;
  }
  EXPECT_THAT(names_in(target_), testing::Not(testing::Contains(testing::StartsWith("spare"))));
  EXPECT_THAT(names_in(target_), testing::Not(testing::Contains("ballast")));
  EXPECT_LT(taken->manifest.files.size(), names_in(data_).size()) << "prepared segments need not be copied";
}

TEST_F(JournalBackup, TargetsThatAreNotEmptyAreRefused) {
  fs::create_directory(target_);
  ASSERT_TRUE(back_up()) << "an empty folder may be there";
  const auto again = back_up();
  EXPECT_EQ(again.error().kind, ErrorKind::AlreadyExists);
  fs::create_directory(restored_);
  std::ofstream(restored_ + "/notes") << "x";
  const auto refused = restore();
  EXPECT_EQ(refused.error().kind, ErrorKind::AlreadyExists);
  EXPECT_THAT(refused.error().message, HasSubstr("notes"));
  EXPECT_THAT(names_in(restored_), testing::ElementsAre("notes"));
}

TEST_F(JournalBackup, WhatAKilledOneLeftIsReplaced) {
  fill();
  const std::string unfinished = target_ + ".unfinished";
  fs::create_directory(unfinished);
  std::ofstream(unfinished + "/segment-00000001.log") << "half";
  std::ofstream(unfinished + "/control.new") << "half";
  {
    const auto lock = files_.lock(unfinished + "/lock");
    EXPECT_EQ(back_up().error().kind, ErrorKind::Busy);
  }
  ASSERT_TRUE(back_up());
  ASSERT_TRUE(restore());
  fs::create_directory(target_ + "2.unfinished");
  std::ofstream(target_ + "2.unfinished/thesis.txt") << "precious";
  EXPECT_EQ(store::backup(files_, clock_, data_, target_ + "2", nullptr).error().kind, ErrorKind::AlreadyExists);
  EXPECT_TRUE(fs::exists(target_ + "2.unfinished/thesis.txt"));
}

TEST_F(JournalBackup, StoppedInTheMiddleNothingIsLeft) {
  fill();
  int calls = 0;
  const auto stop_at = [&calls](int call) {
    calls = 0;
    return [&calls, call](std::uint64_t, std::uint64_t) { return ++calls != call; };
  };
  ASSERT_TRUE(store::backup(files_, clock_, data_, target_ + "2", stop_at(0)));
  const int backup_calls = calls;
  for (const int call : {1, backup_calls / 3, backup_calls * 2 / 3, backup_calls}) {
    const auto stopped = back_up(stop_at(call));
    ASSERT_FALSE(stopped) << call;
    EXPECT_EQ(stopped.error().kind, ErrorKind::Cancelled);
    EXPECT_FALSE(fs::exists(target_));
    EXPECT_FALSE(fs::exists(target_ + ".unfinished"));
  }
  ASSERT_TRUE(back_up());
  ASSERT_TRUE(store::restore(files_, target_, restored_ + "2", stop_at(0)));
  const int restore_calls = calls;
  for (const int call : {1, restore_calls / 3, restore_calls / 2, restore_calls * 2 / 3, restore_calls}) {
    const auto stopped = restore(stop_at(call));
    ASSERT_FALSE(stopped) << call;
    EXPECT_EQ(stopped.error().kind, ErrorKind::Cancelled);
    fs::create_directory(restored_);
    EXPECT_THAT(names_in(restored_), testing::IsSubsetOf({"lock"}));
  }
  ASSERT_TRUE(restore());
}

TEST_F(JournalBackup, AnyChangedFileIsNamed) {
  fill();
  const auto taken = back_up();
  ASSERT_TRUE(taken);
  for (const auto& file : taken->manifest.files) {
    const std::string path = target_ + "/" + file.name;
    for (const std::uint64_t at : {std::uint64_t{0}, file.bytes / 2, file.bytes - 1}) {
      flip(path, at);
      expect_restore_refused(path);
      flip(path, at);
    }
    fs::rename(path, root_ + "/aside");
    expect_restore_refused(path + " is missing");
    std::ofstream(path) << "another";
    expect_restore_refused(path);
    fs::remove(path);
    fs::rename(root_ + "/aside", path);
  }
  std::ofstream(target_ + "/segment-00000099.log") << "more";
  expect_restore_refused("segment-00000099.log is not part of the backup");
  fs::remove(target_ + "/segment-00000099.log");
  flip(target_ + "/backup.json", 60);
  expect_restore_refused("backup.json");
  flip(target_ + "/backup.json", 60);
  fs::rename(target_ + "/backup.json", root_ + "/aside");
  EXPECT_EQ(restore().error().kind, ErrorKind::NotFound);
  fs::rename(root_ + "/aside", target_ + "/backup.json");
  ASSERT_TRUE(restore());
}

TEST_F(JournalBackup, ADamagedStoreIsNotBackedUpUnlessAServerWouldStartOnIt) {
  fill();
  ASSERT_TRUE(journal_->close());
  const std::string first = data_ + "/" + store::segment_name(1);
  flip(first, 2 * store::kBlockBytes);  // a body below the replay
  const auto taken = back_up();
  ASSERT_TRUE(taken) << taken.error().message;
  ASSERT_EQ(taken->inspection.faults.size(), 1u);
  EXPECT_EQ(taken->inspection.faults[0].file, "segment-00000001.log");
  const auto restored = restore();
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->inspection.faults.size(), 1u);

  flip(first, 100);  // a header
  const auto refused = store::backup(files_, clock_, data_, target_ + "2", nullptr);
  EXPECT_EQ(refused.error().kind, ErrorKind::Corrupt);
  EXPECT_THAT(refused.error().message, HasSubstr(first));
  EXPECT_FALSE(fs::exists(target_ + "2"));
  EXPECT_FALSE(fs::exists(target_ + "2.unfinished"));
}

// A copy that ends before the damage would be whole in itself, and short of what was acknowledged.
TEST_F(JournalBackup, DamageAtTheEndIsNotCutOff) {
  fill();
  ASSERT_TRUE(journal_->close());
  std::uint32_t newest = 0;
  std::uint64_t last_group = 0;
  for (std::uint32_t number = 1; fs::exists(data_ + "/" + store::segment_name(number)); ++number) {
    std::ifstream file(data_ + "/" + store::segment_name(number), std::ios::binary);
    std::string text(kSmallSegment, '\0');
    file.read(text.data(), kSmallSegment);
    const auto bytes = std::as_bytes(std::span(text));
    const auto groups = groups_of({bytes.begin(), bytes.end()});
    if (groups.empty()) break;
    newest = number;
    last_group = groups.back();
  }
  for (const std::uint64_t at : {last_group + 100, std::uint64_t{100}}) {
    const std::string path = data_ + "/" + store::segment_name(newest);
    flip(path, at);
    const auto refused = back_up();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::Corrupt);
    EXPECT_THAT(refused.error().message, HasSubstr(path));
    EXPECT_FALSE(fs::exists(target_));
    flip(path, at);
  }
  EXPECT_TRUE(back_up());
}

TEST_F(JournalBackup, NoStoreNoBackup) {
  EXPECT_EQ(store::backup(files_, clock_, root_ + "/nothing", target_, nullptr).error().kind, ErrorKind::NotFound);
  EXPECT_EQ(store::restore(files_, root_ + "/nothing", restored_, nullptr).error().kind, ErrorKind::NotFound);
  EXPECT_FALSE(fs::exists(target_));
  EXPECT_FALSE(fs::exists(restored_));
}

TEST(BackupManifest, IsReadAsItWasWrittenOrNotAtAll) {
  SeededRandom random(4);
  BackupManifest manifest{make_uuid(random), Position{12345}, from_epoch_millis(1'700'000'000'000), {}};
  EXPECT_EQ(*store::decode_manifest(store::encode_manifest(manifest)), manifest);
  manifest.files.push_back({"segment-00000001.log", 65536, sha256("a")});
  manifest.files.push_back({"control", 8192, sha256("b")});
  const std::string text = store::encode_manifest(manifest);
  EXPECT_EQ(*store::decode_manifest(text), manifest);
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char with : {'0', '9', 'x', '"', ' ', '\0'}) {
      std::string changed = text;
      if (changed[at] == with) continue;
      changed[at] = with;
      EXPECT_FALSE(store::decode_manifest(changed)) << changed;
    }
    EXPECT_FALSE(store::decode_manifest(text.substr(0, at)));
  }
  EXPECT_FALSE(store::decode_manifest(text + "\n"));
  EXPECT_EQ(store::decode_manifest("{\n  \"format\": 2,\n").error().kind, ErrorKind::InvalidArgument);
}

}  // namespace
}  // namespace ferry::test
