// No descriptor is left for a file: like a full disk, it refuses what needs one, and passes.

#include <gmock/gmock.h>

#include "rig.h"

namespace ferry::test {
namespace {

using store::Position;

/// Lets only so many files be open at a time, or refuses chosen opens.
class FewDescriptors final : public FileSystem {
 public:
  explicit FewDescriptors(FileSystem& inner) : inner_(inner) {}

  int open_now = 0;
  int open_max = 1'000'000;
  int opens = 0;
  int refused_from = 0;  ///< opens of this number and the `refused_count` - 1 behind it are refused
  int refused_count = 0;
  int refused = 0;

  Result<std::unique_ptr<File>> open(const std::string& path, const OpenMode& mode) override {
    ++opens;
    const bool chosen = opens >= refused_from && opens < refused_from + refused_count;
    if (chosen || open_now >= open_max) {
      ++refused;
      return fail(ErrorKind::NoSpace, "cannot open " + path + ": Too many open files");
    }
    FERRY_TRY(auto file, inner_.open(path, mode));
    ++open_now;
    return std::unique_ptr<File>(std::make_unique<Counted>(*this, std::move(file)));
  }
  Result<void> create_directory(const std::string& path) override { return inner_.create_directory(path); }
  Result<std::vector<Entry>> list(const std::string& directory) override { return inner_.list(directory); }
  Result<void> rename(const std::string& from, const std::string& to) override { return inner_.rename(from, to); }
  Result<void> remove(const std::string& path) override { return inner_.remove(path); }
  Result<void> sync_directory(const std::string& directory) override { return inner_.sync_directory(directory); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return inner_.lock(path); }
  Result<std::uint64_t> free_bytes(const std::string& directory) override { return inner_.free_bytes(directory); }

 private:
  class Counted final : public File {
   public:
    Counted(FewDescriptors& owner, std::unique_ptr<File> inner) : owner_(owner), inner_(std::move(inner)) {}
    ~Counted() override { --owner_.open_now; }
    Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
      return inner_->write_at(offset, bytes);
    }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
      return inner_->read_at(offset, bytes);
    }
    Result<void> sync() override { return inner_->sync(); }
    Result<std::uint64_t> size() override { return inner_->size(); }
    Result<void> truncate(std::uint64_t bytes) override { return inner_->truncate(bytes); }
    Result<void> hold(Hold hold) override { return inner_->hold(hold); }

   private:
    FewDescriptors& owner_;
    std::unique_ptr<File> inner_;
  };
  FileSystem& inner_;
};

class Machine {
 public:
  explicit Machine(DiskImage image = {}) : disk(std::move(image)), files(disk) {
    journal = std::make_unique<store::Journal>(files, clock, random, log, small_options());
    owner.attach(*journal);
  }
  void commit() {
    while (journal->commit_step()) {
    }
  }
  void maintain() {
    for (int rounds = 0; rounds < 10'000; ++rounds) {
      if (!journal->commit_step() && !journal->maintain_step()) return;
    }
    FAIL() << "the maintenance never ends";
  }
  MapOwner::Reading read_all() {
    return owner.read_all([this] {
      while (journal->read_step()) {
      }
    });
  }
  // Segments are made, freed, used again and compacted, checkpoints are written. Puts may be refused.
  void work() {
    for (std::uint32_t i = 0; i < 150; ++i) {
      static_cast<void>(owner.put(i % 60, std::string(2500, static_cast<char>('a' + i % 26))));
      if (i % 3 == 0) maintain();
      if (i == 40 || i == 90) journal->request_checkpoint();
      if (i % 4 == 3) static_cast<void>(owner.erase((i * 7) % 60));
    }
    for (std::uint32_t key = 0; key < 60; ++key) {
      if (key % 10 != 0) static_cast<void>(owner.erase(key));
    }
    for (int round = 0; round < 3; ++round) {
      maintain();
      clock.advance(Seconds(2));
    }
  }

  ManualClock clock;
  SeededRandom random{1};
  Logger log{clock, LogLevel::Off, LogFormat::Text};
  RecordingFileSystem disk;
  FewDescriptors files;
  MapOwner owner;
  std::unique_ptr<store::Journal> journal;
};

TEST(JournalDescriptors, WithoutAnyNewMessagesAloneAreRefused) {
  Machine machine;
  ASSERT_TRUE(machine.journal->recover(machine.owner));
  ASSERT_TRUE(machine.owner.put(0, "first"));
  machine.maintain();
  machine.files.open_max = machine.files.open_now;
  std::uint32_t key = 1;
  for (; key < 1000; ++key) {
    const auto put = machine.owner.put(key, std::string(3000, 'x'));
    machine.maintain();
    if (put) continue;
    EXPECT_EQ(put.error().kind, ErrorKind::NoSpace);
    break;
  }
  ASSERT_LT(key, 1000u);
  EXPECT_FALSE(machine.journal->writable());
  EXPECT_GT(machine.files.refused, 0);
  EXPECT_TRUE(machine.owner.erase(0));
  machine.maintain();
  EXPECT_TRUE(machine.owner.failures().empty());
  machine.files.open_max = 1'000'000;
  machine.clock.advance(Seconds(2));
  machine.maintain();
  EXPECT_TRUE(machine.journal->writable());
  EXPECT_TRUE(machine.owner.put(key, "goes on"));
  ASSERT_TRUE(machine.journal->close());
}

TEST(JournalDescriptors, NoOpenThatIsRefusedForWantOfOneStopsTheStore) {
  int met = 0;
  for (const int count : {1, 5}) {
    for (int call = 1; call < 2000; ++call) {
      Machine machine;
      ASSERT_TRUE(machine.journal->recover(machine.owner));
      machine.files.refused_from = machine.files.opens + call;
      machine.files.refused_count = count;
      machine.work();
      if (machine.files.refused == 0) break;
      ++met;
      machine.files.refused_count = 0;
      ASSERT_TRUE(machine.owner.failures().empty()) << "call " << call << ": " << machine.owner.failures()[0].message;
      machine.clock.advance(Seconds(2));
      machine.maintain();
      ASSERT_EQ(machine.journal->stats().disk_bytes, machine.disk.total_bytes()) << "call " << call << ": a file was forgotten";
      const auto expected = machine.owner.state_at(machine.journal->last());
      const auto reading = machine.read_all();
      ASSERT_TRUE(reading.damaged.empty()) << "call " << call;
      ASSERT_EQ(reading.state, expected) << "call " << call;
      ASSERT_TRUE(machine.journal->close());
      Rig after(machine.disk.image(CrashMode::OnlySynced, machine.random));
      ASSERT_TRUE(after.start());
      ASSERT_EQ(after.state(), expected) << "call " << call;
    }
  }
  EXPECT_GT(met, 20);
}

TEST(JournalDescriptors, ReadersTakeTurns) {
  DiskImage image;
  {
    Rig rig;
    ASSERT_TRUE(rig.start());
    for (std::uint32_t key = 0; key < 200; ++key) {
      ASSERT_TRUE(rig.owner->put(key, std::string(5000, 'x')));
      rig.maintain();
    }
    ASSERT_TRUE(rig.journal->close());
    image = rig.image(CrashMode::OnlySynced);
  }
  Machine machine(image);
  ASSERT_TRUE(machine.journal->recover(machine.owner));
  ASSERT_GT(machine.journal->stats().segments, 12u);
  machine.files.open_max = machine.files.open_now + 2;
  const auto reading = machine.read_all();
  EXPECT_TRUE(reading.damaged.empty()) << reading.damaged.begin()->second.message;
  EXPECT_EQ(reading.state.size(), 200u);
  EXPECT_GT(machine.files.refused, 0);
}

}  // namespace
}  // namespace ferry::test
