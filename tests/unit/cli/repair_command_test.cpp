// `ferry store repair`: what it asks, what it says, and that it changes nothing without leave.

#include "cli/repair_command.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <map>

#include "../worker/capture.h"
#include "base/digest.h"
#include "base/posix_file.h"
#include "cli/store_command.h"
#include "engine/engine.h"
#include "engine/pieces.h"
#include "store/journal/journal.h"

namespace ferry::cli {
namespace {

using testing::HasSubstr;
using worker::testing_support::TemporaryFolder;

class RepairCommand : public testing::Test {
 protected:
  RepairCommand() {
    PosixFileSystem files;
    const Logger log(clock_, LogLevel::Off, LogFormat::Text);
    store::JournalOptions options;
    options.folder = data();
    options.threads = store::JournalOptions::Threads::None;
    store::Journal journal(files, clock_, random_, log, options);
    engine::Engine engine(journal, clock_, random_, log, {});
    EXPECT_TRUE(journal.recover(engine));
    EXPECT_TRUE(engine.create_queue({"000000000000", "us-east-1", "q"}, {}).result.has_value());
    const auto queue = engine.find({"000000000000", "us-east-1", "q"}).result.value();
    const sqs::MessageAttributes none;
    engine::SendCommand command;
    command.message_attributes = command.message_system_attributes = &none;
    command.md5_of_body = "0123456789abcdef";
    for (const char* body : {"first", "second", "third"}) {
      command.body = body;
      EXPECT_TRUE(engine.send(queue, {"me", "here"}, {command}).result.has_value());
      while (journal.commit_step()) {
      }
    }
    EXPECT_TRUE(journal.close());
  }

  std::string data() const { return folder_.file("data"); }
  std::string segment() const { return data() + "/" + store::segment_name(1); }
  void flip(const std::string& path, std::size_t at) {
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    char byte = 0;
    ASSERT_EQ(::pread(file, &byte, 1, static_cast<off_t>(at)), 1);
    byte = static_cast<char>(byte ^ 8);
    ASSERT_EQ(::pwrite(file, &byte, 1, static_cast<off_t>(at)), 1);
    ::close(file);
  }
  void damage_control() {
    flip(data() + "/control", 100);
    flip(data() + "/control", 4196);
  }
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(data())) {
      const std::string name = entry.path().filename();
      files[name] = folder_.read("data/" + name);
    }
    return files;
  }
  bool opens() {
    PosixFileSystem files;
    const Logger log(clock_, LogLevel::Off, LogFormat::Text);
    store::JournalOptions options;
    options.folder = data();
    options.threads = store::JournalOptions::Threads::None;
    store::Journal journal(files, clock_, random_, log, options);
    engine::Engine engine(journal, clock_, random_, log, {});
    return journal.recover(engine).has_value();
  }

  int run(std::vector<std::string> arguments, int in = -1) {
    arguments.insert(arguments.begin(), "repair");
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int out = ::open(folder_.file("out").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const int err = ::open(folder_.file("err").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    CommandContext context{clock_, random_, [](const std::string&) -> std::optional<std::string> { return std::nullopt; }};
    context.in = in == -1 ? nothing : in;
    context.out = out;
    context.err = err;
    context.stop = &stop_;
    const int exit_code = store_command(arguments, context);
    for (const int descriptor : {nothing, out, err}) ::close(descriptor);
    out_ = folder_.read("out");
    err_ = folder_.read("err");
    return exit_code;
  }
  int answer(const std::string& text, std::vector<std::string> arguments) {
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_EQ(::grantpt(terminal) | ::unlockpt(terminal), 0);
    const int other = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_EQ(::write(terminal, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    const int exit_code = run(std::move(arguments), other);
    ::close(other);
    ::close(terminal);
    return exit_code;
  }

  SystemClock clock_;
  SystemRandom random_;
  TemporaryFolder folder_;
  StopFlag stop_;
  std::string out_;
  std::string err_;
};

TEST_F(RepairCommand, HelpHasExamplesAndWrongUsageIsRefused) {
  EXPECT_EQ(run({"--help"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("ferry store repair --dry-run"));
  EXPECT_THAT(out_, HasSubstr("--keep-copy"));
  EXPECT_EQ(run({"--data", data(), "--yes", "--dry-run"}), kExitUsage);
  EXPECT_EQ(run({"--data", data(), "--yess"}), kExitUsage);
  EXPECT_EQ(run({"--data", data(), "--keep-copy", data() + "/copies"}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("inside the data folder"));
  EXPECT_EQ(run({"--data", folder_.file("nowhere")}), kExitNotFound);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("nowhere")));
  std::filesystem::create_directory(folder_.file("other"));
  folder_.write("other/thesis.txt", "mine");
  EXPECT_NE(run({"--data", folder_.file("other"), "--yes"}), kExitDone);
  EXPECT_EQ(folder_.read("other/thesis.txt"), "mine");
}

TEST_F(RepairCommand, AWholeFolderIsLeftAsItIs) {
  const auto before = contents();
  EXPECT_EQ(run({"--data", data(), "--yes", "-o", "table"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("Nothing has to be repaired"));
  EXPECT_EQ(contents(), before);
}

TEST_F(RepairCommand, NothingChangesWithoutLeave) {
  damage_control();
  const auto before = contents();
  EXPECT_EQ(run({"--data", data(), "--dry-run", "-o", "table"}), kExitFailed);
  EXPECT_THAT(out_, HasSubstr("control at offset 0 holds a damaged control slot"));
  EXPECT_THAT(out_, HasSubstr("Nothing is lost."));
  EXPECT_THAT(out_, HasSubstr("3 messages of queue 000000000000/us-east-1/q"));
  EXPECT_EQ(run({"--data", data()}), kExitFailed);
  EXPECT_THAT(err_, HasSubstr("say --yes"));
  EXPECT_EQ(answer("n\n", {"--data", data()}), kExitFailed);
  EXPECT_THAT(err_, HasSubstr("[y/N]"));
  EXPECT_EQ(answer("\n", {"--data", data()}), kExitFailed);
  EXPECT_EQ(contents(), before);
  EXPECT_FALSE(opens());
}

TEST_F(RepairCommand, AYesOnTheTerminalIsEnough) {
  damage_control();
  EXPECT_EQ(answer("y\n", {"--data", data() + "/", "--keep-copy", folder_.file("kept")}), kExitDone) << err_;
  EXPECT_TRUE(opens());
  EXPECT_TRUE(std::filesystem::exists(folder_.file("kept/control")));
}

TEST_F(RepairCommand, WhatIsDroppedIsNamedAndKept) {
  const std::string before = folder_.read("data/" + store::segment_name(1));
  flip(segment(), before.find("second"));
  EXPECT_FALSE(opens());
  EXPECT_EQ(run({"--data", data(), "--yes", "--keep-copy", folder_.file("kept"), "-o", "table"}), kExitDone) << err_;
  EXPECT_THAT(out_, HasSubstr("1 message of queue 000000000000/us-east-1/q"));
  EXPECT_THAT(out_, HasSubstr("number 2, "));
  EXPECT_THAT(out_, HasSubstr("read from damaged bytes"));
  EXPECT_TRUE(opens());
  std::string json;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.file("kept"))) {
    const std::string name = entry.path().filename();
    if (name.starts_with("repair-") && name.ends_with(".json")) json = folder_.read("kept/" + name);
  }
  EXPECT_THAT(json, HasSubstr(R"("State":"repaired")"));
  EXPECT_THAT(json, HasSubstr(R"("SequenceNumber":2)"));
  EXPECT_THAT(err_, HasSubstr("the folder opens"));
  // Somebody's copies are not written over.
  flip(data() + "/control", 100);
  flip(data() + "/control", 4196);
  EXPECT_EQ(run({"--data", data(), "--yes", "--keep-copy", folder_.file("kept")}), kExitFailed);
  EXPECT_THAT(err_, HasSubstr("is not empty"));
}

// docs/formats.md: the folder's version covers records and pieces. Whoever raises one of these raises kFormatVersion, too.
TEST(FolderFormat, CoversRecordsAndPieces) {
  EXPECT_EQ(store::kFormatVersion, 2u);
  EXPECT_EQ(engine::kRecordVersion, 2u);
  EXPECT_EQ(engine::kPieceVersion, 2u);
}

}  // namespace
}  // namespace ferry::cli
