// The writer: restarts, torn writes, rotation, several of them, failing disks.

#include "audit/writer.h"

#include <atomic>
#include <thread>

#include "audit_fixture.h"

namespace ferry::audit {
namespace {

namespace fs = std::filesystem;

// Counts syncs; fails them, or writes, from a given one on.
class FaultyFiles final : public FileSystem {
 public:
  class Wrapped final : public File {
   public:
    Wrapped(std::unique_ptr<File> file, FaultyFiles& owner) : file_(std::move(file)), owner_(owner) {}
    Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
      if (owner_.writes_left-- <= 0) return fail(ErrorKind::NoSpace, "cannot write: no space");
      return file_->write_at(offset, bytes);
    }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
      return file_->read_at(offset, bytes);
    }
    Result<void> sync() override {
      ++owner_.syncs;
      if (owner_.syncs_left-- <= 0) return fail(ErrorKind::Io, "cannot sync: broken");
      return file_->sync();
    }
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<void> truncate(std::uint64_t bytes) override { return file_->truncate(bytes); }
    Result<void> hold(Hold hold) override { return file_->hold(hold); }

   private:
    std::unique_ptr<File> file_;
    FaultyFiles& owner_;
  };

  Result<std::unique_ptr<File>> open(const std::string& path, const OpenMode& mode) override {
    FERRY_TRY(auto file, files_.open(path, mode));
    return std::unique_ptr<File>(std::make_unique<Wrapped>(std::move(file), *this));
  }
  Result<void> create_directory(const std::string& path) override { return files_.create_directory(path); }
  Result<std::vector<Entry>> list(const std::string& directory) override { return files_.list(directory); }
  Result<void> rename(const std::string& from, const std::string& to) override { return files_.rename(from, to); }
  Result<void> remove(const std::string& path) override { return files_.remove(path); }
  Result<void> sync_directory(const std::string& directory) override { return files_.sync_directory(directory); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return files_.lock(path); }
  Result<std::uint64_t> free_bytes(const std::string& directory) override { return files_.free_bytes(directory); }

  std::atomic<int> syncs{0};
  std::atomic<int> syncs_left{1'000'000};
  std::atomic<int> writes_left{1'000'000};

 private:
  PosixFileSystem files_;
};

class WriterTest : public testing_support::TrailTest {
 protected:
  void expect_whole() {
    const VerifyReport report = check();
    EXPECT_TRUE(report.whole()) << faults_of(report);
  }
};

TEST_F(WriterTest, AnswersNumbersAndIsDurableAfterFlush) {
  const auto writer = open();
  EXPECT_EQ(*writer->append(entry(1)), 2u);
  EXPECT_EQ(*writer->append(entry(2)), 3u);
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(split(read(path())).size(), 3u);
  ASSERT_TRUE(writer->close());
  ASSERT_TRUE(writer->close());
  EXPECT_FALSE(writer->append(entry(3)));
  expect_whole();
}

TEST_F(WriterTest, ANewProcessGoesOnWithTheChain) {
  write(2);
  const std::string before = read(path());
  clock_.advance(Seconds(5));
  write(1);
  ASSERT_EQ(paths().size(), 1u);
  EXPECT_TRUE(read(path()).starts_with(before));
  const std::vector<std::string> lines = split(read(path()));
  EXPECT_EQ(parse_line(lines[4])->entry.event, kChainResumed);
  EXPECT_EQ(parse_line(lines[4])->text("chain"), parse_line(lines[0])->text("chain"));
  expect_whole();
}

TEST_F(WriterTest, WhatIsPendingIsWrittenWithoutClose) {
  {
    const auto writer = open();
    append(*writer, 50);
  }
  EXPECT_EQ(check().chains[0].lines, 51u);
  EXPECT_EQ(check().chains[0].state, ChainState::Open);
}

// The end cut at every byte of the last two lines, as a crash may leave it, and gone on with.
TEST_F(WriterTest, ATornEndIsRepairedOnRecordWhereverItIsTorn) {
  write(3);
  const std::string good = read(path());
  const std::vector<std::string> lines = split(good);
  const std::size_t start = good.size() - lines.back().size() - lines[lines.size() - 2].size() - 2;
  for (std::size_t cut = start; cut <= good.size(); ++cut) {
    store(path(), good.substr(0, cut));
    const bool whole_line = good[cut - 1] == '\n' || (cut < good.size() && good[cut] == '\n');
    EXPECT_EQ(check().chains[0].state == ChainState::Torn, !whole_line) << cut;
    EXPECT_TRUE(check().whole()) << cut;
    write(1);
    const VerifyReport report = check();
    EXPECT_TRUE(report.whole()) << cut << "\n" << faults_of(report);
    EXPECT_EQ(report.chains[0].repairs, whole_line ? 0u : 1u) << cut;
    EXPECT_TRUE(read(path()).starts_with(good.substr(0, cut))) << "nothing that was written is taken away";
    EXPECT_EQ(report.chains[0].state, ChainState::Closed);
  }
}

TEST_F(WriterTest, ATornRepairIsRepairedToo) {
  write(2);
  const std::string good = read(path());
  store(path(), good.substr(0, good.size() - 9));
  write(0);
  const std::string repaired = read(path());
  const std::size_t torn_end = repaired.find('\n', good.size() - 9) + 1;
  for (std::size_t cut = good.size() - 9; cut <= torn_end + 100; cut += 7) {
    store(path(), repaired.substr(0, cut));
    write(1);
    const VerifyReport report = check();
    EXPECT_TRUE(report.whole()) << cut << "\n" << faults_of(report);
    EXPECT_EQ(report.chains[0].repairs, 1u) << cut;
  }
}

TEST_F(WriterTest, ARepairThatDoesNotFitItsTornBytesIsFound) {
  write(2);
  const std::string good = read(path());
  store(path(), good.substr(0, good.size() - 9));
  write(1);
  std::string text = read(path());
  text[good.size() - 20] = '#';
  store(path(), text);
  EXPECT_NE(faults().find("it was changed after the repair"), std::string::npos) << faults();
  std::vector<std::string> lines = split(text);
  lines.erase(lines.begin() + 3);  // the torn line itself
  store(path(), join(lines));
  EXPECT_NE(faults().find("there is nothing torn before it"), std::string::npos) << faults();
}

TEST_F(WriterTest, ZerosAtTheEndAreATornWrite) {
  write(2);
  store(path(), read(path()) + std::string(4'096, '\0'));
  write(1);
  expect_whole();
  EXPECT_EQ(check().chains[0].repairs, 1u);
}

TEST_F(WriterTest, MoreThanATornWriteAtTheEndIsLeftAloneAndRefused) {
  constexpr std::size_t kTornBytesMax = 128 * 1024;
  write(2);
  const std::string good = read(path());
  store(path(), good + std::string(kTornBytesMax + 1, 'x'));
  const auto refused = Writer::open(options_, files_, clock_, random_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Corrupt);
  EXPECT_NE(refused.error().message.find("ferry audit verify"), std::string::npos);
  EXPECT_EQ(read(path()).size(), good.size() + kTornBytesMax + 1);
  store(path(), good + std::string(kTornBytesMax, 'x'));
  EXPECT_TRUE(Writer::open(options_, files_, clock_, random_));
}

TEST_F(WriterTest, AFileWhoseFirstLineIsTornGoesOnFromTheOneBefore) {
  options_.file_bytes_max = 600;
  write(4);
  ASSERT_GT(paths().size(), 2u);
  const std::string last = paths().back();
  for (const std::size_t kept : {std::size_t{0}, std::size_t{1}, std::size_t{60}}) {
    const std::string text = read(last);
    store(last, text.substr(0, kept));
    options_.file_bytes_max = 1'000'000;
    write(1);
    const VerifyReport report = check();
    EXPECT_TRUE(report.whole()) << kept << "\n" << faults_of(report);
    EXPECT_EQ(report.chains[0].repairs, kept == 0 ? 0u : 1u);
    store(last, text);
    for (const std::string& path : paths()) {
      if (path > last) fs::remove(path);
    }
  }
}

TEST_F(WriterTest, AChainWhoseOnlyLineIsTornBeginsAnew) {
  write(1);
  store(path(), read(path()).substr(0, 30));
  write(2);
  expect_whole();
  EXPECT_EQ(check().chains[0].first_seq, 1u);
  store(path(), "");
  write(2);
  expect_whole();
}

TEST_F(WriterTest, ANewFileBeginsBeforeTheBoundIsExceeded) {
  const std::size_t line = [&] {
    write(2);
    const std::size_t bytes = split(read(path()))[2].size() + 1;
    fs::remove(path());
    return bytes;
  }();
  {
    const auto writer = open();
    append(*writer, 1);
    ASSERT_TRUE(writer->flush());
    options_.file_bytes_max = fs::file_size(path()) + line;
  }
  fs::remove(path());
  {
    const auto writer = open();
    append(*writer, 2);  // fits to the byte
    ASSERT_TRUE(writer->flush());
    EXPECT_EQ(paths().size(), 1u);
    EXPECT_EQ(fs::file_size(path()), options_.file_bytes_max);
    append(*writer, 1);
    ASSERT_TRUE(writer->close());
  }
  ASSERT_EQ(paths().size(), 2u);
  EXPECT_EQ(fs::path(paths()[1]).filename(), "audit-01-000000000004.jsonl");
  const auto first = parse_line(split(read(paths()[1]))[0]);
  EXPECT_EQ(first->entry.event, kChainContinued);
  EXPECT_EQ(first->prev, hash_line(split(read(paths()[0])).back()));
  expect_whole();
}

TEST_F(WriterTest, ANewDayIsANewFile) {
  {
    const auto writer = open();
    append(*writer, 2);
    clock_.advance(Seconds(16 * 3'600) - Millis(1));  // it is 8 o'clock
    append(*writer, 1);
    ASSERT_TRUE(writer->flush());
    EXPECT_EQ(paths().size(), 1u);
    clock_.advance(Millis(1));
    append(*writer, 1);
    clock_.jump_wall(-Seconds(60));  // and a clock that goes back is no new day
    append(*writer, 1);
    ASSERT_TRUE(writer->close());
  }
  EXPECT_EQ(paths().size(), 2u);
  clock_.advance(Seconds(86'400));
  write(1);  // the day also changes while nobody writes
  EXPECT_EQ(paths().size(), 2u) << "a process says that it goes on where the chain ends";
  expect_whole();
}

TEST_F(WriterTest, AMissingOrRenamedFileIsFoundAndArchivedOnesAreNotMissed) {
  options_.file_bytes_max = 800;
  write(12);
  ASSERT_GT(paths().size(), 3u);
  const std::vector<std::string> all = paths();
  fs::rename(all[0], root_ + "/archived");
  expect_whole();
  EXPECT_GT(check().chains[0].first_seq, 1u);
  const std::string moved = root_ + "/moved";
  fs::rename(all[2], moved);
  EXPECT_NE(faults().find("are missing before it"), std::string::npos);
  fs::rename(moved, options_.folder + "/audit-01-000000000099.jsonl");
  EXPECT_NE(faults().find("it was renamed"), std::string::npos);
}

TEST_F(WriterTest, EveryProcessHasAChainOfItsOwn) {
  auto first = open();
  const auto second = open();
  append(*first, 2);
  append(*second, 3);
  ASSERT_TRUE(first->close());
  ASSERT_TRUE(second->close());
  EXPECT_EQ(check().chains.size(), 2u);
  expect_whole();
  EXPECT_NE(first->chain(), second->chain());
  const std::string chain = first->chain();
  first.reset();
  EXPECT_EQ(open()->chain(), chain) << "the first that is free";
}

TEST_F(WriterTest, AFolderHasSixtyFourChains) {
  std::vector<std::unique_ptr<Writer>> writers;
  for (int i = 0; i < kChainsMax; ++i) writers.push_back(open());
  const auto refused = Writer::open(options_, files_, clock_, random_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Busy);
  EXPECT_NE(refused.error().message.find("a folder of its own"), std::string::npos);
}

TEST_F(WriterTest, ThreadsShareOneChain) {
  constexpr int kThreads = 4;
  constexpr int kEntries = 300;
  options_.file_bytes_max = 20'000;
  options_.pending_bytes_max = 2'000;  // so that they wait for the disk, too
  const auto writer = open();
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      append(*writer, kEntries);
      EXPECT_TRUE(writer->flush());
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(writer->close());
  expect_whole();
  std::size_t entries = 0;
  for (const std::string& path : paths()) {
    for (const std::string& line : split(read(path))) entries += parse_line(line)->entry.event == kReceived ? 1 : 0;
  }
  EXPECT_EQ(entries, std::size_t{kThreads} * kEntries);
}

TEST_F(WriterTest, AFailedWriteEndsTheTrailAndIsNeverTriedAgain) {
  FaultyFiles files;
  const auto writer = std::move(Writer::open(options_, files, clock_, random_)).value();
  files.writes_left = 0;
  ASSERT_TRUE(writer->append(entry(1)));
  const auto failed = writer->flush();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::NoSpace);
  files.writes_left = 1'000;
  EXPECT_EQ(writer->append(entry(2)).error().message, "cannot write: no space");
  EXPECT_FALSE(writer->flush());
  EXPECT_FALSE(writer->close());
  EXPECT_EQ(files.writes_left, 1'000);
}

TEST_F(WriterTest, AFailedSyncEndsTheTrailAndIsNeverTriedAgain) {
  FaultyFiles files;
  const auto writer = std::move(Writer::open(options_, files, clock_, random_)).value();
  files.syncs_left = 0;
  ASSERT_TRUE(writer->append(entry(1)));
  EXPECT_FALSE(writer->flush());
  const int syncs = files.syncs;
  EXPECT_FALSE(writer->append(entry(2)));
  EXPECT_FALSE(writer->flush());
  EXPECT_EQ(files.syncs, syncs);
}

TEST_F(WriterTest, AnOpenThatFailsSaysSo) {
  FaultyFiles files;
  files.syncs_left = 0;
  EXPECT_FALSE(Writer::open(options_, files, clock_, random_));
}

TEST_F(WriterTest, AnIntervalSavesSyncsAndFlushDoesNotWaitForIt) {
  FaultyFiles files;
  options_.sync = Sync::Interval;
  options_.sync_interval = Millis(3'600'000);
  const auto writer = std::move(Writer::open(options_, files, clock_, random_)).value();
  const int before = files.syncs;
  append(*writer, 100);
  while (split(read(path())).size() < 101) std::this_thread::yield();
  EXPECT_EQ(files.syncs, before);
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(files.syncs, before + 1);
  clock_.advance(Millis(3'600'000));
  append(*writer, 1);
  ASSERT_TRUE(writer->close());
  expect_whole();
}

TEST_F(WriterTest, WithoutAnIntervalEveryGroupIsSynced) {
  FaultyFiles files;
  const auto writer = std::move(Writer::open(options_, files, clock_, random_)).value();
  for (int i = 0; i < 3; ++i) {
    const int before = files.syncs;
    append(*writer, 1);
    ASSERT_TRUE(writer->flush());
    EXPECT_EQ(files.syncs, before + 1);
  }
}

}  // namespace
}  // namespace ferry::audit
