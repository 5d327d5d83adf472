// The journal with its threads, on the real file system.

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include "base/posix_file.h"
#include "base/random.h"
#include "rig.h"

namespace ferry::test {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ferry-journal-XXXXXX").string();
    FERRY_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

mode_t permissions(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 0777;
}

TEST(PosixFiles, DoWhatTheSeamSays) {
  const TemporaryFolder folder;
  PosixFileSystem files;
  const std::string inner = folder.path() + "/a/b";
  ASSERT_TRUE(files.create_directory(inner));
  ASSERT_TRUE(files.create_directory(inner));
  EXPECT_EQ(permissions(inner), 0700u);
  EXPECT_EQ(files.open(inner + "/x", {}).error().kind, ErrorKind::NotFound);
  {
    auto file = *files.open(inner + "/x", {.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::MustBeNew});
    ASSERT_TRUE(file->write_at(3, bytes_of("hello")));
    ASSERT_TRUE(file->sync());
    EXPECT_EQ(*file->size(), 8u);
    std::vector<std::byte> read(10);
    EXPECT_EQ(*file->read_at(4, read), 4u);
    EXPECT_EQ(std::memcmp(read.data(), "ello", 4), 0);
    ASSERT_TRUE(file->truncate(5));
    EXPECT_EQ(*file->size(), 5u);
  }
  EXPECT_EQ(permissions(inner + "/x"), 0600u);
  EXPECT_EQ(
      files.open(inner + "/x", {.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::MustBeNew}).error().kind,
      ErrorKind::AlreadyExists);
  ASSERT_TRUE(files.rename(inner + "/x", inner + "/y"));
  ASSERT_TRUE(files.sync_directory(inner));
  const auto entries = *files.list(inner);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].name, "y");
  EXPECT_EQ(entries[0].bytes, 5u);
  ASSERT_TRUE(files.remove(inner + "/y"));
  EXPECT_EQ(files.remove(inner + "/y").error().kind, ErrorKind::NotFound);
  EXPECT_GT(*files.free_bytes(inner), 0u);
  EXPECT_FALSE(files.create_directory("/proc/nowhere/x"));
  {
    const auto lock = *files.lock(inner + "/lock");
    EXPECT_EQ(files.lock(inner + "/lock").error().kind, ErrorKind::Busy);
  }
  EXPECT_TRUE(files.lock(inner + "/lock"));
}

TEST(PosixJournal, ManyThreadsWriteReadAndRestart) {
  const TemporaryFolder folder;
  PosixFileSystem files;
  SystemClock clock;
  SystemRandom random;
  const Logger log(clock, LogLevel::Off, LogFormat::Text);
  for (const auto direct : {store::JournalOptions::DirectAccess::WherePossible, store::JournalOptions::DirectAccess::Never}) {
    store::JournalOptions options;
    options.folder = folder.path() + (direct == store::JournalOptions::DirectAccess::Never ? "/buffered" : "/direct");
    options.segment_first_bytes = 64 * 1024;
    options.segment_max_bytes = 1u << 20;
    options.reserve_bytes = 64 * 1024;
    options.ballast_bytes = 4096;
    options.checkpoint_log_bytes = 256 * 1024;
    options.cache_bytes = 256 * 1024;
    options.direct_access = direct;
    constexpr std::uint32_t kThreads = 4;
    constexpr std::uint32_t kRounds = 600;
    MapOwner::State expected;
    std::uint64_t last = 0;
    {
      MapOwner owner;
      store::Journal journal(files, clock, random, log, options);
      owner.attach(journal);
      ASSERT_TRUE(journal.recover(owner));
      std::vector<std::thread> threads;
      for (std::uint32_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
          for (std::uint32_t i = 0; i < kRounds; ++i) {
            // A full disk for a moment (the next segment is being prepared) is refused; then it is tried again.
            while (!owner.put(t * 1000 + i % 200, std::string(10 + i % 1500, static_cast<char>('a' + i % 26))))
              std::this_thread::yield();
            if (i % 3 == 0) {
              while (!owner.erase(t * 1000 + (i * 7) % 200)) std::this_thread::yield();
            }
            if (i % 50 == 0) {
              EXPECT_TRUE(owner.read_all(nullptr).failed_otherwise_than_released().empty());
            }
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      ASSERT_TRUE(journal.close());
      last = journal.last().value;
      EXPECT_EQ(journal.durable().value, last);
      EXPECT_EQ(owner.durable().value, last);
      EXPECT_LE(journal.stats().syncs, journal.stats().groups);
      expected = owner.state_at(journal.durable());
    }
    EXPECT_EQ(permissions(options.folder), 0700u);
    for (const auto& entry : std::filesystem::directory_iterator(options.folder)) EXPECT_EQ(permissions(entry.path()), 0600u);
    MapOwner owner;
    store::Journal journal(files, clock, random, log, options);
    owner.attach(journal);
    ASSERT_TRUE(journal.recover(owner));
    EXPECT_TRUE(journal.recovery().clean_stop);
    EXPECT_EQ(journal.last().value, last);
    const auto reading = owner.read_all(nullptr);
    EXPECT_TRUE(reading.damaged.empty());
    EXPECT_EQ(reading.state, expected);
    MapOwner other_owner;
    store::Journal second(files, clock, random, log, options);
    EXPECT_EQ(second.recover(other_owner).error().kind, ErrorKind::Busy);
    ASSERT_TRUE(journal.close());
  }
}

TEST(PosixJournal, ALoneRecordBecomesDurableWithoutHelp) {
  const TemporaryFolder folder;
  PosixFileSystem files;
  SystemClock clock;
  SystemRandom random;
  const Logger log(clock, LogLevel::Off, LogFormat::Text);
  store::JournalOptions options;
  options.folder = folder.path() + "/data";
  options.segment_first_bytes = options.segment_max_bytes = 64 * 1024;
  options.reserve_bytes = options.ballast_bytes = 16 * 1024;
  MapOwner owner;
  store::Journal journal(files, clock, random, log, options);
  owner.attach(journal);
  ASSERT_TRUE(journal.recover(owner));
  for (std::uint32_t i = 0; i < 20; ++i) {
    std::promise<store::Position> durable;
    owner.durable_hook = [&](store::Position position) { durable.set_value(position); };
    const auto position = owner.put(i, "text");
    ASSERT_TRUE(position);
    EXPECT_EQ(durable.get_future().get(), *position);
  }
  owner.durable_hook = nullptr;
  ASSERT_TRUE(journal.close());
}

TEST(PosixJournal, AFileWhereTheFolderShouldBeIsRefused) {
  const TemporaryFolder folder;
  PosixFileSystem files;
  {
    const auto file =
        *files.open(folder.path() + "/file", {.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::MustBeNew});
  }
  SystemClock clock;
  SystemRandom random;
  const Logger log(clock, LogLevel::Off, LogFormat::Text);
  store::JournalOptions options;
  options.folder = folder.path() + "/file";
  MapOwner owner;
  store::Journal journal(files, clock, random, log, options);
  const auto started = journal.recover(owner);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, testing::HasSubstr(options.folder));
}

}  // namespace
}  // namespace ferry::test
