// Snapshots: of a folder at rest, and of one in which the journal writes, compacts and gives files up meanwhile.

#include "store/journal/snapshot.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <thread>

#include "base/posix_file.h"
#include "damage.h"
#include "store/journal/inspect.h"
#include "watched_files.h"

namespace ferry::test {
namespace {

using store::Position;
using store::Snapshot;

// Every file of the view that can be opened.
DiskImage copy_of(Snapshot& snapshot) {
  DiskImage image;
  for (const FileSystem::Entry& entry : snapshot.entries()) {
    const std::string path = snapshot.folder() + "/" + entry.name;
    const auto file = snapshot.view().open(path, {});
    if (!file) continue;
    AlignedBuffer buffer(store::kBlockBytes);
    std::vector<std::byte>& bytes = image["/data/" + entry.name];
    for (;;) {
      const auto got = (*file)->read_at(bytes.size(), buffer.span());
      EXPECT_TRUE(got);
      if (!got || *got == 0) break;
      bytes.insert(bytes.end(), buffer.data(), buffer.data() + *got);
      if (*got < buffer.size()) break;
    }
  }
  return image;
}

// What a start finds on the copy; it must find it without a complaint.
MapOwner::State recovered(const DiskImage& image, Position last) {
  Rig rig(image);
  const auto started = rig.start();
  EXPECT_TRUE(started) << started.error().message;
  if (!started) return {};
  EXPECT_FALSE(rig.journal->recovery().tail_cut);
  EXPECT_EQ(rig.journal->last(), last);
  return rig.state();
}

void expect_sound(Snapshot& snapshot) {
  const auto found = store::inspect(snapshot.view(), snapshot.folder(), nullptr);
  ASSERT_TRUE(found) << found.error().message;
  for (const store::Fault& fault : found->faults) ADD_FAILURE() << fault.file << " at " << fault.offset << ": " << fault.what;
  EXPECT_EQ(found->last, snapshot.end().last);
}

// Work that overwrites, erases, checkpoints, compacts, and uses segments again.
class Worker {
 public:
  explicit Worker(Rig& rig) : rig_(rig) {}
  void some(int steps) {
    for (int i = 0; i < steps; ++i) {
      const std::uint32_t key = static_cast<std::uint32_t>(rig_.random.below(30));
      const std::string text(500 + rig_.random.below(4000), static_cast<char>('a' + ++count_ % 26));
      ASSERT_TRUE(rig_.random.below(4) == 0 ? rig_.owner->erase(key).has_value() : rig_.owner->put(key, text).has_value());
      if (rig_.random.below(3) == 0) rig_.maintain();
      if (rig_.random.below(25) == 0) rig_.checkpoint();
      rig_.clock.advance(std::chrono::milliseconds(5));
    }
  }

 private:
  Rig& rig_;
  unsigned count_ = 0;
};

TEST(JournalSnapshot, OfAStoppedStoreIsThatStore) {
  const Stopped stopped = make_stopped();
  Rig rig(stopped.image);
  const std::size_t operations = rig.files.operation_count();
  const auto snapshot = Snapshot::take(rig.files, "/data");
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  expect_sound(**snapshot);
  EXPECT_FALSE((*snapshot)->end().unfinished);
  EXPECT_EQ(recovered(copy_of(**snapshot), (*snapshot)->end().last), stopped.state);
  EXPECT_EQ(rig.files.operation_count(), operations) << "a snapshot changed the disk";
}

TEST(JournalSnapshot, OfAnEmptyStoreIsEmpty) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  const auto snapshot = Snapshot::take(rig.files, "/data");
  ASSERT_TRUE(snapshot);
  expect_sound(**snapshot);
  EXPECT_EQ((*snapshot)->end().last, Position{0});
  EXPECT_TRUE(recovered(copy_of(**snapshot), Position{0}).empty());
}

TEST(JournalSnapshot, NothingThereIsNotFound) {
  RecordingFileSystem files(DiskImage{{"/data/notes", std::vector<std::byte>(10)}});
  EXPECT_EQ(Snapshot::take(files, "/data").error().kind, ErrorKind::NotFound);
  PosixFileSystem posix;
  EXPECT_EQ(Snapshot::take(posix, "/nowhere/at/all").error().kind, ErrorKind::NotFound);
}

TEST(JournalSnapshot, ItsViewCannotBeChanged) {
  Rig rig(make_stopped().image);
  const auto snapshot = Snapshot::take(rig.files, "/data");
  ASSERT_TRUE(snapshot);
  FileSystem& view = (*snapshot)->view();
  const auto file = view.open("/data/control", {.access = OpenMode::Access::ReadWrite});
  ASSERT_TRUE(file);
  std::byte byte{};
  EXPECT_EQ((*file)->write_at(0, std::span(&byte, 1)).error().kind, ErrorKind::PermissionDenied);
  EXPECT_EQ((*file)->truncate(0).error().kind, ErrorKind::PermissionDenied);
  EXPECT_EQ(view.remove("/data/control").error().kind, ErrorKind::PermissionDenied);
  EXPECT_EQ(view.rename("/data/control", "/data/x").error().kind, ErrorKind::PermissionDenied);
  EXPECT_FALSE(view.open("/data/new", {.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::MustBeNew}));
}

// The journal itself on the view, without writing: what stat and check do.
TEST(JournalSnapshot, AJournalReadsItWithoutWriting) {
  const Stopped stopped = make_stopped();
  Rig rig(stopped.image);
  const auto snapshot = Snapshot::take(rig.files, "/data");
  ASSERT_TRUE(snapshot);
  auto options = small_options();
  options.access = store::JournalOptions::Access::ReadOnly;
  options.direct_access = store::JournalOptions::DirectAccess::Never;
  MapOwner owner;
  store::Journal journal((*snapshot)->view(), rig.clock, rig.random, rig.log, options);
  owner.attach(journal);
  ASSERT_TRUE(journal.recover(owner));
  EXPECT_EQ(owner.keys().size(), stopped.state.size());
  EXPECT_FALSE(owner.put(1, "x"));
  const auto use = journal.use();
  std::uint64_t live = 0;
  for (const auto& segment : use.segments) live += segment.live_records;
  EXPECT_EQ(live, stopped.state.size());
  EXPECT_EQ(rig.image(CrashMode::Everything), stopped.image);
}

TEST(JournalSnapshot, StaysWhatItWasWhileTheJournalGoesOn) {
  int renamed = 0;
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    Rig rig({}, small_options(), seed);
    rig.files.stop_protocol();
    ASSERT_TRUE(rig.start());
    Worker worker(rig);
    worker.some(static_cast<int>(20 + rig.random.below(150)));
    const Position durable = rig.journal->durable();
    const auto snapshot = Snapshot::take(rig.files, "/data");
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    const Position last = (*snapshot)->end().last;
    EXPECT_EQ(last, durable);
    const DiskImage before = copy_of(**snapshot);
    worker.some(250);
    const auto entries = rig.files.list("/data");
    for (const auto& [path, bytes] : before)
      renamed += std::none_of(entries->begin(), entries->end(), [&](const auto& e) { return "/data/" + e.name == path; });
    EXPECT_TRUE(copy_of(**snapshot) == before) << "seed " << seed;
    expect_sound(**snapshot);
    EXPECT_EQ(recovered(before, last), rig.owner->state_at(last)) << "seed " << seed;
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  EXPECT_GT(renamed, 25) << "the journal gave nothing up that was held: this showed nothing";
}

// Whatever happens between two calls of a snapshot in the making, what it holds belongs together.
TEST(JournalSnapshot, IsWholeWhateverHappensWhileItIsTaken) {
  int interrupted = 0;
  for (int call = 1;; ++call) {
    Rig rig({}, small_options(), static_cast<std::uint64_t>(call));
    rig.files.stop_protocol();
    ASSERT_TRUE(rig.start());
    Worker worker(rig);
    worker.some(60);
    WatchedFiles files(rig.files);
    Position durable;
    files.before_call = [&](int now) {
      if (now == call || now == call + 2) {
        worker.some(40);
        ++interrupted;
      }
    };
    durable = rig.journal->durable();
    const auto snapshot = Snapshot::take(files, "/data");
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    const bool past_the_end = files.calls() < call;
    files.before_call = nullptr;
    const Position last = (*snapshot)->end().last;
    EXPECT_GE(last, durable);
    expect_sound(**snapshot);
    EXPECT_EQ(recovered(copy_of(**snapshot), last), rig.owner->state_at(last));
    ASSERT_FALSE(HasFailure()) << "call " << call;
    if (past_the_end || call > 120) break;
  }
  EXPECT_GT(interrupted, 20);
}

// A group that was half on the disk when it was passed, and a whole one behind it a moment later.
TEST(JournalSnapshot, AGroupThatWasOnItsWayIsPartOfIt) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 5; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(3000, 'x')));
    rig.commit();
  }
  const auto groups = groups_of(rig.image(CrashMode::Everything).at(segment_path(1)));
  ASSERT_EQ(groups.size(), 5u);
  WatchedFiles files(rig.files);
  bool late = true;
  files.after_read = [&](const std::string& path, std::uint64_t offset, std::span<std::byte> bytes) {
    if (!late || path != segment_path(1) || groups[3] < offset || groups[3] >= offset + bytes.size()) return;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(groups[3] - offset + 512), 512, std::byte{0});
    late = false;
  };
  const auto snapshot = Snapshot::take(files, "/data");
  ASSERT_TRUE(snapshot);
  EXPECT_FALSE(late);
  EXPECT_EQ((*snapshot)->end().last, rig.journal->durable());
  expect_sound(**snapshot);
}

TEST(JournalSnapshot, ATornGroupAtTheEndIsNotPartOfIt) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 3; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(9000, 'x')));
    rig.commit();
  }
  DiskImage image = rig.image(CrashMode::Everything);
  const auto groups = groups_of(image.at(segment_path(1)));
  std::fill_n(image.at(segment_path(1)).begin() + groups.back() + 4096, 512, std::byte{0});
  Rig crashed(image);
  const auto snapshot = Snapshot::take(crashed.files, "/data");
  ASSERT_TRUE(snapshot);
  EXPECT_TRUE((*snapshot)->end().unfinished);
  EXPECT_EQ((*snapshot)->end().offset, groups.back());
  EXPECT_EQ((*snapshot)->end().last, Position{2});
  expect_sound(**snapshot);
  EXPECT_EQ(recovered(copy_of(**snapshot), Position{2}), rig.owner->state_at(Position{2}));
}

TEST(JournalSnapshot, WhatItHoldsIsNotUsedAgainAndNotCutShort) {
  auto options = small_options();
  options.spare_segments_max = 1;  // one to be used again, the others to be cut
  Rig rig({}, options);
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 40; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(8000, 'x')));
    rig.maintain();
  }
  const auto snapshot = Snapshot::take(rig.files, "/data");
  ASSERT_TRUE(snapshot);
  const DiskImage before = copy_of(**snapshot);
  const std::size_t begin = rig.files.operation_count();
  for (std::uint32_t key = 0; key < 40; ++key) ASSERT_TRUE(rig.owner->erase(key));
  rig.checkpoint();
  rig.checkpoint();
  for (std::uint32_t key = 0; key < 40; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(8000, 'y')));
    rig.maintain();
    rig.clock.advance(std::chrono::milliseconds(20));
  }
  int removed = 0;
  const auto operations = rig.files.operations();
  for (std::size_t i = begin; i < operations.size(); ++i) {
    EXPECT_NE(operations[i].kind, DiskOperation::Kind::Truncate) << operations[i].path;
    const bool spare = operations[i].path.find("spare-") != std::string::npos;
    removed += spare && operations[i].kind == DiskOperation::Kind::Remove;
    EXPECT_FALSE(spare && operations[i].kind == DiskOperation::Kind::Write) << operations[i].path;
  }
  EXPECT_GE(removed, 4);
  EXPECT_TRUE(copy_of(**snapshot) == before);
}

// Files that are larger than what may go at once are given up by being cut, step by step; not those that are held.
TEST(JournalSnapshot, AGreatFileThatItHoldsOnlyLosesItsName) {
  auto options = small_options();
  options.segment_first_bytes = options.segment_max_bytes = 32u << 20;
  options.group_bytes_max = 1u << 20;
  options.spare_segments_max = 0;
  Rig rig({}, options);
  ASSERT_TRUE(rig.start());
  for (std::uint32_t key = 0; key < 40; ++key) {
    ASSERT_TRUE(rig.owner->put(key, std::string(1'000'000, 'x')));
    rig.maintain();
  }
  const auto snapshot = Snapshot::take(rig.files, "/data");
  ASSERT_TRUE(snapshot);
  for (std::uint32_t key = 0; key < 40; ++key) ASSERT_TRUE(rig.owner->erase(key));
  rig.checkpoint();
  rig.checkpoint();
  for (int pauses = 0; pauses < 20; ++pauses) {
    rig.clock.advance(std::chrono::milliseconds(20));
    rig.maintain();
  }
  for (const auto& operation : rig.files.operations()) {
    const bool cut = operation.kind == DiskOperation::Kind::Truncate && operation.path.find("spare-") != std::string::npos;
    EXPECT_FALSE(cut) << operation.path;
  }
  const auto entries = rig.files.list("/data");
  for (const auto& entry : *entries) EXPECT_FALSE(entry.name.starts_with("spare-")) << entry.name;
  EXPECT_FALSE(rig.files.open(segment_path(1), {})) << "nothing was given up: this showed nothing";
  expect_sound(**snapshot);
}

// Once the snapshot is gone, files are used again as before.
TEST(JournalSnapshot, NothingIsLeftOfIt) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  Worker worker(rig);
  worker.some(60);
  ASSERT_TRUE(Snapshot::take(rig.files, "/data"));
  const auto names = *rig.files.list("/data");
  for (const auto& entry : names) EXPECT_FALSE(entry.name.find("snapshot") != std::string::npos);
  const std::size_t begin = rig.files.operation_count();
  worker.some(200);
  int reused = 0;
  const auto operations = rig.files.operations();
  for (std::size_t i = begin; i < operations.size(); ++i)
    reused += operations[i].kind == DiskOperation::Kind::Write && operations[i].path.find("spare-") != std::string::npos;
  EXPECT_GT(reused, 0);
}

TEST(JournalSnapshot, OfAJournalWithThreadsOnTheRealFileSystem) {
  std::string folder = (std::filesystem::temp_directory_path() / "ferry-snapshot-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  {
    PosixFileSystem files;
    const SystemClock clock;
    SystemRandom random;
    const Logger log(clock, LogLevel::Off, LogFormat::Text);
    auto options = small_options();
    options.folder = folder;
    options.threads = store::JournalOptions::Threads::Own;
    options.checkpoint_log_bytes = 128 * 1024;
    MapOwner owner;
    store::Journal journal(files, clock, random, log, options);
    owner.attach(journal);
    ASSERT_TRUE(journal.recover(owner));
    std::atomic<bool> stop{false};
    std::thread writer([&] {
      SeededRandom chance(7);
      while (!stop) {
        const auto key = static_cast<std::uint32_t>(chance.below(50));
        const auto done = chance.below(3) == 0 ? owner.erase(key) : owner.put(key, std::string(chance.below(6000), 'x'));
        if (!done) std::this_thread::yield();  // no prepared space for the moment
      }
    });
    Position before;
    for (int i = 0; i < 12; ++i) {
      while (journal.durable() <= before && owner.failures().empty()) std::this_thread::yield();
      const Position durable = journal.durable();
      const auto snapshot = Snapshot::take(files, folder);
      ASSERT_TRUE(snapshot) << snapshot.error().message;
      const Position last = (*snapshot)->end().last;
      EXPECT_GE(last, durable);
      expect_sound(**snapshot);
      EXPECT_EQ(recovered(copy_of(**snapshot), last), owner.state_at(last)) << "snapshot " << i;
      before = last;
    }
    stop = true;
    writer.join();
    EXPECT_TRUE(owner.failures().empty());
    EXPECT_TRUE(journal.close());
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ferry::test
