// How far something is: what is told, when, and where.

#include "cli/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>

#include "../worker/capture.h"
#include "audit/writer.h"
#include "base/manual_clock.h"
#include "base/posix_file.h"
#include "cli/audit_command.h"
#include "cli/counting_files.h"
#include "cli/purge_wait.h"
#include "hasty_clock.h"

namespace ferry::cli {
namespace {
using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(ProgressText, TellsWhatIsKnown) {
  EXPECT_EQ(progress_text({"moving", ProgressUnit::Things, 12, 0, std::nullopt}), "moving: 12");
  EXPECT_EQ(progress_text({"moving", ProgressUnit::Things, 12, 40, std::nullopt}), "moving: 12 of 40 (30 %)");
  EXPECT_EQ(progress_text({"moving", ProgressUnit::Things, 12, 40, 4.0}), "moving: 12 of 40 (30 %), 4.0/s, 7s left");
  EXPECT_EQ(progress_text({"moving", ProgressUnit::Things, 12, 0, 20.0}), "moving: 12, 20/s");
  EXPECT_EQ(progress_text({"reading", ProgressUnit::Bytes, 3u << 20, 3u << 30, 1048576.0}),
            "reading: 3.0 MiB of 3.0 GiB (0 %), 1.0 MiB/s, 51m09s left");
  EXPECT_EQ(progress_text({"x", ProgressUnit::Things, 1, 20'001, 1.0}), "x: 1 of 20001 (0 %), 1.0/s, 5h33m left");
  EXPECT_EQ(progress_text({"x", ProgressUnit::Things, 40, 40, 1.0}), "x: 40 of 40 (100 %), 1.0/s");
  EXPECT_EQ(progress_text({"x", ProgressUnit::Things, 41, 40, 0.0}), "x: 41 of 41 (100 %), 0.0/s") << "more than was thought";
}

TEST(ProgressBar, GivesWayToTheNumbers) {
  const ProgressState half{"moving", ProgressUnit::Things, 20, 40, std::nullopt};
  EXPECT_EQ(progress_bar(half, 80), "moving [###############---------------] 20 of 40 (50 %)");
  EXPECT_EQ(progress_bar(half, 33), "moving [####----] 20 of 40 (50 %)");
  EXPECT_EQ(progress_bar(half, 25), "moving: 20 of 40 (50 %)");
  EXPECT_EQ(progress_bar(half, 9), "moving: 2");
  EXPECT_EQ(progress_bar({"x", ProgressUnit::Things, 0, 9, std::nullopt}, 80), "x [------------------------------] 0 of 9 (0 %)");
  EXPECT_EQ(progress_bar({"x", ProgressUnit::Things, 9, 9, std::nullopt}, 80),
            "x [##############################] 9 of 9 (100 %)");
  EXPECT_EQ(progress_bar({"x", ProgressUnit::Things, 9, 0, std::nullopt}, 80), "x: 9") << "no bar without an end";
  for (std::size_t columns = 1; columns < 60; ++columns) EXPECT_LE(progress_bar(half, columns).size(), columns);
}

class ProgressTest : public testing::Test {
 protected:
  void use_pipe() {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    read_ = ends[0];
    context_.err = ends[1];
  }
  void use_terminal() {
    read_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    ASSERT_GE(read_, 0);
    ASSERT_EQ(::grantpt(read_), 0);
    ASSERT_EQ(::unlockpt(read_), 0);
    context_.err = ::open(::ptsname(read_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_GE(context_.err, 0);
    const winsize size{24, 60, 0, 0};
    ASSERT_EQ(::ioctl(read_, TIOCSWINSZ, &size), 0);
  }
  ~ProgressTest() override {
    ::close(read_);
    ::close(context_.err);
  }
  std::string said() const {
    std::string text(65'536, '\0');
    const ssize_t got = ::read(read_, text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  ManualClock clock_;
  SeededRandom random_{1};
  std::string term_ = "xterm";
  CommandContext context_{clock_, random_, [this](const std::string&) { return std::optional(term_); }};
  int read_ = -1;
};

TEST_F(ProgressTest, APipeGetsALineEveryFiveSeconds) {
  use_pipe();
  Progress progress(context_, {"moving"});
  progress.tell({1, 40});
  clock_.advance(Millis(4'999));
  progress.tell({9, 40});
  EXPECT_EQ(said(), "");
  clock_.advance(Millis(1));
  progress.tell({10, 40});
  EXPECT_EQ(said(), "moving: 10 of 40 (25 %), 2.0/s, 15s left\n");
  clock_.advance(Millis(4'999));
  progress.tell({19, 40});
  EXPECT_EQ(said(), "");
  clock_.advance(Millis(1));
  progress.tell({20, 40});
  EXPECT_EQ(said(), "moving: 20 of 40 (50 %), 2.0/s, 10s left\n");
  progress.clear();
  EXPECT_EQ(said(), "");
}

TEST_F(ProgressTest, ATerminalGetsABarThatIsTakenAway) {
  use_terminal();
  {
    Progress progress(context_, {"moving"});
    clock_.advance(Millis(299));
    progress.tell({1, 40});
    EXPECT_EQ(said(), "") << "nothing flickers when it is done in a moment";
    clock_.advance(Millis(1));
    progress.tell({3, 40});
    EXPECT_EQ(said(), "\r\x1b[Kmoving [#--------------------] 3 of 40 (7 %), 10/s, 3s left");
    clock_.advance(Millis(99));
    progress.tell({4, 40});
    EXPECT_EQ(said(), "");
    clock_.advance(Millis(1));
    progress.tell({4, 40});
    EXPECT_THAT(said(), HasSubstr("4 of 40"));
    progress.clear();
    EXPECT_EQ(said(), "\r\x1b[K");
    clock_.advance(Millis(100));
    progress.tell({5, 40});
    EXPECT_THAT(said(), HasSubstr("5 of 40"));
  }
  EXPECT_EQ(said(), "\r\x1b[K") << "whoever ends early leaves no bar behind";
}

TEST_F(ProgressTest, ADumbTerminalGetsLines) {
  use_terminal();
  term_ = "dumb";
  Progress progress(context_, {"moving"});
  clock_.advance(Millis(5'000));
  progress.tell({1, 0});
  EXPECT_THAT(said(), EndsWith("moving: 1, 0.2/s\r\n"));
}

TEST_F(ProgressTest, QuietSaysNothing) {
  use_terminal();
  Progress progress(context_, {"moving", ProgressUnit::Things, true});
  clock_.advance(Millis(10'000));
  progress.tell({1, 40});
  progress.clear();
  EXPECT_EQ(said(), "");
}

TEST_F(ProgressTest, TheRateIsThatOfTheLastTenSeconds) {
  use_pipe();
  Progress progress(context_, {"moving"});
  for (int second = 1; second <= 60; ++second) {
    clock_.advance(Millis(1'000));
    progress.tell({static_cast<std::uint64_t>(second <= 30 ? second * 100 : 3'000 + (second - 30) * 2), 0});
  }
  const std::string all = said();
  EXPECT_THAT(all, HasSubstr("moving: 3000, 100/s\n"));
  EXPECT_THAT(all, EndsWith("moving: 3060, 2.0/s\n"));
}

class PurgeWait : public ProgressTest {
 protected:
  PurgeWait() { use_pipe(); }
  // Another purge is under way for `busy` more; then `messages` go within `slow`.
  PurgeEnd purge(Millis busy, std::int64_t messages, Millis slow) {
    Progress progress(context_, {"purging"});
    const SteadyTime begun = clock_.steady();
    std::optional<SteadyTime> purged;
    return purge_and_wait({[&]() -> client::CallResult<sqs::EmptyResponse> {
                             if (clock_.steady() - begun < busy)
                               return Unexpected(client::CallError{client::CallError::Kind::Service,
                                                                   "AWS.SimpleQueueService.PurgeQueueInProgress", 403, "busy"});
                             purged = clock_.steady();
                             return sqs::EmptyResponse{};
                           },
                           [&]() -> client::CallResult<std::int64_t> {
                             if (lost_)
                               return Unexpected(client::CallError{client::CallError::Kind::NotReachable, "", 0, "gone"});
                             return clock_.steady() - *purged < slow ? messages : 0;
                           },
                           clock_,
                           [&](Millis pause) {
                             clock_.advance(pause);
                             if (++pauses_ == stop_after_) stop_.request(15);
                           },
                           stop_, progress});
  }
  StopFlag stop_;
  bool lost_ = false;
  int pauses_ = 0;
  int stop_after_ = 0;
};

TEST_F(PurgeWait, WaitsForThePurgeBeforeAndForItsOwn) {
  EXPECT_EQ(purge(Millis(0), 0, Millis(0)).how, PurgeEnd::How::Empty);
  EXPECT_EQ(pauses_, 0);
  EXPECT_EQ(purge(Millis(60'000), 7, Millis(20'000)).how, PurgeEnd::How::Empty);
  EXPECT_EQ(pauses_, 160);
  EXPECT_THAT(said(), HasSubstr("purging: 0 of 7 (0 %)"));
}

TEST_F(PurgeWait, ButNotForEver) {
  const PurgeEnd busy = purge(kPurgeWaitMax + kPurgeLook, 7, Millis(0));
  EXPECT_EQ(busy.how, PurgeEnd::How::Failed);
  EXPECT_EQ(busy.error->message, "busy");
  EXPECT_EQ(purge(kPurgeWaitMax, 7, Millis(0)).how, PurgeEnd::How::Empty);
  EXPECT_EQ(purge(Millis(0), 7, kPurgeWaitMax).how, PurgeEnd::How::Empty);
  const PurgeEnd left = purge(Millis(0), 7, kPurgeWaitMax + Millis(1));
  EXPECT_EQ(left.how, PurgeEnd::How::Left);
  EXPECT_EQ(left.left, 7);
}

TEST_F(PurgeWait, EndsWhenItIsToldToOrNobodyAnswers) {
  stop_after_ = 3;
  EXPECT_EQ(purge(Millis(60'000), 7, Millis(0)).how, PurgeEnd::How::Stopped);
  EXPECT_EQ(pauses_, 3);
  lost_ = true;
  const PurgeEnd lost = purge(Millis(0), 7, Millis(0));
  EXPECT_EQ(lost.how, PurgeEnd::How::Failed);
  EXPECT_EQ(lost.error->message, "gone");
}

TEST(AuditCommands, TellHowMuchTheyHaveRead) {
  worker::testing_support::TemporaryFolder folder;
  PosixFileSystem disk;
  const SystemClock clock;
  SeededRandom random(2);
  audit::WriterOptions options;
  options.folder = folder.file("trail");
  auto writer = audit::Writer::open(options, disk, clock, random);
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->append({"received", "m-1", "", "q", "", {}}));
  ASSERT_TRUE((*writer)->close());
  const testing_support::HastyClock hasty;
  CommandContext context{hasty, random, [](const std::string&) { return std::nullopt; }};
  const auto said = [&](std::vector<std::string> arguments) {
    context.out = ::open(folder.file("out").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    context.err = ::open(folder.file("err").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT_EQ(audit_command(arguments, context), kExitDone);
    ::close(context.out);
    ::close(context.err);
    return folder.read("err");
  };
  EXPECT_THAT(said({"verify", options.folder}), HasSubstr("(100 %)"));
  EXPECT_THAT(folder.read("out"), ::testing::StartsWith("{\"Whole\":true"));
  EXPECT_THAT(said({"why", "m-1", options.folder}), HasSubstr("reading: "));
  EXPECT_EQ(said({"verify", options.folder, "--quiet"}), "");
}

TEST(CountedFiles, TellWhatWasRead) {
  std::string name = "/tmp/ferry-counting-XXXXXX";
  const int made = ::mkstemp(name.data());
  ASSERT_GE(made, 0);
  ::close(made);
  PosixFileSystem disk;
  std::vector<std::uint64_t> told;
  CountingFiles files(disk, [&](std::uint64_t bytes) { told.push_back(bytes); });
  auto file = files.open(name, {.access = OpenMode::Access::ReadWrite});
  ASSERT_TRUE(file);
  const std::string text = "hello";
  ASSERT_TRUE((*file)->write_at(0, std::as_bytes(std::span(text))));
  std::vector<std::byte> room(8);
  EXPECT_EQ((*file)->read_at(0, room).value(), 5u);
  EXPECT_EQ((*file)->read_at(3, room).value(), 2u);
  EXPECT_EQ(told, (std::vector<std::uint64_t>{5, 7}));
  EXPECT_FALSE(files.open(name + ".gone", {}));
  EXPECT_TRUE(files.remove(name));
}

}  // namespace
}  // namespace ferry::cli
