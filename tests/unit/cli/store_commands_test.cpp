// `ferry store …`, `ferry backup` and `ferry restore`, run in this process on folders of the test.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "base/digest.h"
#include "base/posix_file.h"
#include "cli/backup_command.h"
#include "cli/serve_options.h"
#include "cli/store_command.h"
#include "engine/engine.h"
#include "hasty_clock.h"
#include "store/journal/journal.h"

namespace ferry::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

using Command = int (*)(std::span<const std::string>, CommandContext&);

class StoreCommands : public testing::Test {
 protected:
  StoreCommands() {
    std::string pattern = (fs::temp_directory_path() / "ferry-cli-XXXXXX").string();
    FERRY_CHECK(mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
    data_ = root_ + "/data";
  }
  ~StoreCommands() override { fs::remove_all(root_); }

  // A queue with five messages in a store that was stopped.
  void make_store(std::uint32_t segment_bytes = 1u << 20) {
    PosixFileSystem files;
    const Logger log(clock_, LogLevel::Off, LogFormat::Text);
    store::JournalOptions options;
    options.folder = data_;
    options.segment_first_bytes = segment_bytes;
    options.reserve_bytes = 1u << 19;
    store::Journal journal(files, clock_, random_, log, options);
    engine::Engine engine(journal, clock_, random_, log, {});
    engine.set_commit_listener([](store::Position) {}, [](const Error&) {});
    ASSERT_TRUE(journal.recover(engine));
    const engine::QueueKey key{"000000000000", "us-east-1", "work"};
    ASSERT_TRUE(engine.create_queue(key, {}).result);
    const auto queue = *engine.find(key).result;
    const sqs::MessageAttributes none;
    const Md5Digest digest = md5("body");
    engine::SendCommand message;
    message.body = "body";
    message.message_attributes = &none;
    message.message_system_attributes = &none;
    message.md5_of_body = std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size());
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(engine.send(queue, {"anonymous", "127.0.0.1"}, {message}).result->front());
    ASSERT_TRUE(journal.close());
  }

  int run(Command command, std::vector<std::string> arguments) {
    const std::string out = root_ + "/out";
    const std::string err = root_ + "/err";
    CommandContext context{*command_clock_, random_, [this](const std::string& name) -> std::optional<std::string> {
                             const auto found = variables_.find(name);
                             return found == variables_.end() ? std::nullopt : std::optional(found->second);
                           }};
    context.out = ::open(out.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    context.err = ::open(err.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    context.stop = &stop_;
    const int exit_code = command(arguments, context);
    ::close(context.out);
    ::close(context.err);
    out_ = read(out);
    err_ = read(err);
    return exit_code;
  }
  static std::string read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  static void flip(const std::string& path, std::streamoff at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(byte);
    ASSERT_TRUE(file.good());
  }

  std::string root_, data_, out_, err_;
  std::map<std::string, std::string> variables_;
  SystemClock clock_;
  const Clock* command_clock_ = &clock_;
  SystemRandom random_;
  StopFlag stop_;
};

TEST_F(StoreCommands, SayHowTheyAreUsed) {
  EXPECT_EQ(run(store_command, {}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("check"));
  EXPECT_EQ(run(store_command, {"--help"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("stat"));
  EXPECT_EQ(run(store_command, {"stats"}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("did you mean stat?"));
  for (const std::string name : {"check", "stat"}) {
    EXPECT_EQ(run(store_command, {name, "--help"}), kExitDone);
    EXPECT_THAT(out_, HasSubstr("Examples:"));
    EXPECT_EQ(run(store_command, {name, "--dataa", "x"}), kExitUsage);
    EXPECT_THAT(err_, HasSubstr("--data"));
    EXPECT_EQ(run(store_command, {name, "--output", "xml"}), kExitUsage);
  }
  for (const Command command : {backup_command, restore_command}) {
    EXPECT_EQ(run(command, {"--help"}), kExitDone);
    EXPECT_THAT(out_, HasSubstr("Examples:"));
    EXPECT_EQ(run(command, {}), kExitUsage);
    EXPECT_EQ(run(command, {""}), kExitUsage);
    EXPECT_EQ(run(command, {"a", "b"}), kExitUsage);
  }
}

TEST_F(StoreCommands, TellHowFarTheyAreOnStderrAlone) {
  make_store(8u << 20);
  const testing_support::HastyClock hasty;
  command_clock_ = &hasty;
  struct Case {
    Command command;
    std::vector<std::string> arguments;
    std::string verb;
  };
  const std::vector<Case> cases = {
      {store_command, {"check", "--data", data_}, "checking: "},
      {store_command, {"stat", "--data", data_}, "reading: "},
      {store_command, {"repair", "--dry-run", "--data", data_}, "reading: "},
      {backup_command, {"--data", data_, root_ + "/copy"}, "backing up: "},
      {restore_command, {root_ + "/copy", "--data", root_ + "/restored"}, "restoring: "},
  };
  for (Case one : cases) {
    EXPECT_EQ(run(one.command, one.arguments), kExitDone) << err_;
    EXPECT_THAT(err_, HasSubstr(one.verb)) << one.verb;
    EXPECT_THAT(out_, testing::StartsWith("{\"")) << "nothing but JSON";
    if (one.command == backup_command) fs::remove_all(root_ + "/copy");
    fs::remove_all(root_ + "/restored");
    one.arguments.emplace_back("--quiet");
    EXPECT_EQ(run(one.command, one.arguments), kExitDone) << err_;
    EXPECT_THAT(err_, Not(HasSubstr(one.verb)));
  }
}

TEST_F(StoreCommands, TakeTheDataFolderOfServe) {
  EXPECT_EQ(run(store_command, {"check"}), kExitUsage) << "no HOME, no folder";
  variables_["HOME"] = root_ + "/home";
  EXPECT_EQ(run(store_command, {"check"}), kExitNotFound);
  EXPECT_THAT(err_, HasSubstr(root_ + "/home/.local/share/ferry"));
  make_store();
  variables_["FERRY_DATA"] = data_;
  EXPECT_EQ(run(store_command, {"check"}), kExitDone) << err_;
  EXPECT_EQ(run(store_command, {"check", "--data", root_ + "/other"}), kExitNotFound);
  EXPECT_EQ(data_folder(std::nullopt, [](const std::string&) { return std::nullopt; }), "");
}

TEST_F(StoreCommands, CheckFindsNothingWrongOrSaysWhere) {
  make_store();
  EXPECT_EQ(run(store_command, {"check", "--data", data_ + "/"}), kExitDone) << err_;
  EXPECT_THAT(out_, HasSubstr("\"Faults\":[]"));
  EXPECT_THAT(out_, HasSubstr("\"Queues\":1,\"Messages\":5"));
  EXPECT_THAT(out_, HasSubstr("\"Position\":6"));
  EXPECT_EQ(err_, "");
  EXPECT_EQ(run(store_command, {"check", "--data", data_, "--files-only", "-o", "table"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("none"));
  EXPECT_THAT(out_, Not(HasSubstr("messages")));
  flip(data_ + "/segment-00000001.log", 4096 + 70);
  EXPECT_EQ(run(store_command, {"check", "--data", data_}), kExitFailed);
  EXPECT_THAT(out_, HasSubstr("{\"File\":\"segment-00000001.log\",\"Offset\":4096,\"Effect\":\"a start is refused\""));
  EXPECT_EQ(run(store_command, {"check", "--data", data_, "-o", "table"}), kExitFailed);
  EXPECT_THAT(out_, testing::ContainsRegex("segment-00000001.log +4096 +a start is refused"));
}

// What no checksum shows: a file that is needed and gone, below the replay.
TEST_F(StoreCommands, CheckReplaysTheLog) {
  make_store();
  fs::rename(data_ + "/segment-00000001.log", root_ + "/aside");
  EXPECT_EQ(run(store_command, {"check", "--data", data_}), kExitFailed);
  EXPECT_THAT(out_, HasSubstr("segment-00000001.log"));
}

TEST_F(StoreCommands, StatTellsWhatThereIs) {
  make_store();
  const auto before = fs::last_write_time(data_ + "/control");
  EXPECT_EQ(run(store_command, {"stat", "--data", data_}), kExitDone) << err_;
  EXPECT_THAT(out_, HasSubstr("\"Messages\":5"));
  EXPECT_THAT(out_, HasSubstr("\"LiveBodies\":5"));
  EXPECT_THAT(out_, HasSubstr("\"Format\":" + std::to_string(store::kFormatVersion)));
  EXPECT_THAT(out_, HasSubstr("\"StoppedCleanly\":true"));
  EXPECT_EQ(run(store_command, {"stat", "--data", data_, "-o", "table", "--segments"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("has nothing to do"));
  EXPECT_THAT(out_, HasSubstr("segment-00000001.log"));
  EXPECT_EQ(fs::last_write_time(data_ + "/control"), before);
  flip(data_ + "/segment-00000001.log", 100);
  EXPECT_EQ(run(store_command, {"stat", "--data", data_}), kExitFailed);
  EXPECT_THAT(err_, HasSubstr("segment-00000001.log"));
}

TEST_F(StoreCommands, BackupAndRestore) {
  make_store();
  const std::string backup = root_ + "/backup";
  const std::string again = root_ + "/again";
  EXPECT_EQ(run(backup_command, {"--data", data_, backup}), kExitDone) << err_;
  EXPECT_THAT(out_, HasSubstr("\"Position\":6"));
  EXPECT_EQ(err_, "");
  EXPECT_EQ(run(backup_command, {"--data", data_, backup}), kExitFailed);
  EXPECT_THAT(err_, HasSubstr("not empty"));
  EXPECT_EQ(run(backup_command, {"--data", root_ + "/nothing", root_ + "/x"}), kExitNotFound);
  EXPECT_EQ(run(restore_command, {root_ + "/nothing", "--data", again}), kExitNotFound);
  EXPECT_EQ(run(restore_command, {backup, "--data", data_}), kExitFailed);
  EXPECT_EQ(run(restore_command, {backup, "--data", again, "-o", "table"}), kExitDone) << err_;
  EXPECT_THAT(out_, HasSubstr("everything up to record 6"));
  EXPECT_EQ(run(store_command, {"check", "--data", again}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("\"Messages\":5"));
}

TEST_F(StoreCommands, DamageThatCostsNoMoreThanMessagesIsTold) {
  make_store();
  flip(data_ + "/control", 100);
  EXPECT_EQ(run(store_command, {"check", "--data", data_}), kExitFailed);
  EXPECT_THAT(out_, HasSubstr("nothing is lost"));
  EXPECT_EQ(run(backup_command, {"--data", data_, root_ + "/backup"}), kExitDone) << "the copy's control is whole";
  flip(data_ + "/segment-00000001.log", 4096 + 70);
  EXPECT_EQ(run(backup_command, {"--data", data_, root_ + "/second"}), kExitFailed);
  EXPECT_THAT(err_, HasSubstr(data_ + "/segment-00000001.log"));
  EXPECT_FALSE(fs::exists(root_ + "/second"));
}

TEST_F(StoreCommands, StopWhenTold) {
  make_store();
  stop_.request(SIGTERM);
  EXPECT_EQ(run(store_command, {"check", "--data", data_}), 143);
  EXPECT_EQ(run(backup_command, {"--data", data_, root_ + "/backup"}), 143);
  EXPECT_FALSE(fs::exists(root_ + "/backup"));
  EXPECT_FALSE(fs::exists(root_ + "/backup.unfinished"));
}

}  // namespace
}  // namespace ferry::cli
