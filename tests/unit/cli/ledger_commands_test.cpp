// `ferry ledger …`, run in this process on a ledger of the test.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "base/encoding.h"
#include "base/manual_clock.h"
#include "cli/ledger_command.h"
#include "hasty_clock.h"
#include "ledger/open_ledger.h"

namespace ferry::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class LedgerCommands : public testing::Test {
 protected:
  LedgerCommands() {
    std::string pattern = (fs::temp_directory_path() / "ferry-cli-ledger-XXXXXX").string();
    FERRY_CHECK(mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
    variables_["XDG_STATE_HOME"] = root_ + "/state";
  }
  ~LedgerCommands() override { fs::remove_all(root_); }

  std::unique_ptr<ledger::Ledger> open() {
    auto opened = ledger::open_ledger(root_ + "/state/ferry/ledger.db", {}, clock_);
    FERRY_CHECK(opened.has_value());
    return std::move(*opened);
  }

  ledger::ClaimRequest request(const std::string& key, const std::string& scope = "work/Enable") {
    ledger::ClaimRequest claim;
    claim.key = ledger::make_key(scope, key);
    claim.message_id = "message-" + key;
    claim.owner = "host/1/x";
    claim.lease = Millis(60'000);
    return claim;
  }

  // A record that ended so; claimed still when without an outcome.
  void make(const std::string& key, std::optional<ledger::OutcomeKind> kind, const std::string& scope = "work/Enable") {
    const auto ledger = open();
    const ledger::ClaimRequest claim = request(key, scope);
    const auto granted = ledger->claim(claim);
    ASSERT_TRUE(granted);
    if (!kind) return;
    ledger::Settlement end;
    end.key = claim.key.hash;
    end.fence = granted->fence;
    end.owner = claim.owner;
    end.outcome.kind = *kind;
    end.outcome.detail = "exit 65";
    end.outcome.code = 65;
    end.outcome.result = R"({"a":1})";
    ASSERT_TRUE(ledger->commit(end));
  }

  int run(std::vector<std::string> arguments) {
    const std::string out = root_ + "/out";
    const std::string err = root_ + "/err";
    CommandContext context{*command_clock_, random_, [this](const std::string& name) -> std::optional<std::string> {
                             const auto found = variables_.find(name);
                             return found == variables_.end() ? std::nullopt : std::optional(found->second);
                           }};
    context.out = ::open(out.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    context.err = ::open(err.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const int exit_code = ledger_command(arguments, context);
    ::close(context.out);
    ::close(context.err);
    out_ = read(out);
    err_ = read(err);
    return exit_code;
  }

  static std::string read(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::string root_;
  ManualClock clock_;
  const Clock* command_clock_ = &clock_;
  SeededRandom random_{1};
  std::map<std::string, std::string> variables_;
  std::string out_;
  std::string err_;
};

TEST_F(LedgerCommands, ForgettingManyTellsHowFarItIs) {
  const std::vector<std::string> all = {"forget", "--yes", "order-1", "order-2", "order-3"};
  for (const std::string key : {"order-1", "order-2", "order-3"}) make(key, ledger::OutcomeKind::Done);
  const testing_support::HastyClock hasty;
  command_clock_ = &hasty;
  EXPECT_EQ(run(all), kExitDone) << err_;
  EXPECT_THAT(err_, HasSubstr("records: 1 of 6 (16 %)"));
  EXPECT_THAT(err_, HasSubstr("records: 6 of 6 (100 %)"));
  EXPECT_THAT(out_, Not(HasSubstr("records: ")));
  for (const std::string key : {"order-1", "order-2", "order-3"}) make(key, ledger::OutcomeKind::Done);
  std::vector<std::string> quiet = all;
  quiet.emplace_back("-q");
  EXPECT_EQ(run(quiet), kExitDone);
  EXPECT_EQ(err_, "");
}

TEST_F(LedgerCommands, ListsForPeopleAndPrograms) {
  make("done", ledger::OutcomeKind::Done);
  clock_.advance(Millis(1'000));
  make("parked", ledger::OutcomeKind::Parked);
  clock_.advance(Millis(3'600'000));
  ASSERT_EQ(run({"ls", "-o", "table"}), kExitDone) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("STATE"), HasSubstr("done    done    work/Enable  1         60m  done 65")));
  ASSERT_EQ(run({"ls", "--state", "parked", "-o", "jsonl"}), kExitDone);
  EXPECT_THAT(out_, AllOf(HasSubstr(R"("Key":"parked")"), HasSubstr(R"("State":"parked")"), Not(HasSubstr(R"("Key":"done")"))));
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 1);
  ASSERT_EQ(run({"ls", "--key", "none", "-o", "json"}), kExitDone);
  EXPECT_EQ(out_, "[]\n");
  ASSERT_EQ(run({"ls", "--idle", "2h", "-o", "jsonl"}), kExitDone);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(run({"ls", "--state", "finished"}), kExitUsage);
  EXPECT_EQ(run({"ls", "--limit", "1001"}), kExitUsage);
  EXPECT_EQ(run({"ls", "--limit", "1000"}), kExitDone);
}

TEST_F(LedgerCommands, ListsPageByPage) {
  for (const char* key : {"1", "2", "3"}) {
    make(key, ledger::OutcomeKind::Done);
    clock_.advance(Millis(1));
  }
  ASSERT_EQ(run({"ls", "--limit", "2", "-o", "jsonl"}), kExitDone);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 2);
  const std::size_t at = err_.find("--after ");
  ASSERT_NE(at, std::string::npos) << err_;
  const std::string after = err_.substr(at + 8, err_.find(',', at) - at - 8);
  ASSERT_EQ(run({"ls", "--limit", "2", "--after", after, "-o", "jsonl"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr(R"("Key":"3")"));
  EXPECT_EQ(err_, "");
  ASSERT_EQ(run({"ls", "--limit", "1", "--all", "-o", "jsonl"}), kExitDone);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 3);
  EXPECT_EQ(run({"ls", "--after", "nonsense"}), kExitUsage);
}

TEST_F(LedgerCommands, ShowsAllOfARecord) {
  make("a", ledger::OutcomeKind::Rejected);
  ASSERT_EQ(run({"show", "message-a", "-o", "json"}), kExitDone) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr(R"("Detail":"exit 65")"), HasSubstr(R"("Code":65)"), HasSubstr(R"("Result":"{\"a\":1}")"),
                          HasSubstr(R"("FirstSeen":"2023-11-14T22:13:20.000Z")")));
  ASSERT_EQ(run({"show", "a", "-o", "table"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("Detail           exit 65"));
  EXPECT_EQ(run({"show", "b"}), kExitNotFound);
  EXPECT_THAT(err_, HasSubstr("there is no record of \"b\""));
}

TEST_F(LedgerCommands, RetriesParksAndForgets) {
  make("a", ledger::OutcomeKind::Rejected);
  ASSERT_EQ(run({"retry", "a", "-o", "json"}), kExitDone) << err_;
  EXPECT_THAT(out_, HasSubstr(R"("State":"retry")"));
  ASSERT_EQ(run({"park", "a", "--reason", "ask Ann", "-o", "json"}), kExitDone);
  EXPECT_EQ(open()->claim(request("a"))->detail, "ask Ann");
  ASSERT_EQ(run({"park", "a"}), kExitDone);
  EXPECT_THAT(open()->claim(request("a"))->detail, HasSubstr("parked by "));
  EXPECT_EQ(run({"forget", "a"}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("--yes"));
  EXPECT_EQ(open()->claim(request("a"))->answer, ledger::ClaimAnswer::Parked);
  ASSERT_EQ(run({"forget", "a", "--yes"}), kExitDone);
  EXPECT_EQ(open()->claim(request("a"))->answer, ledger::ClaimAnswer::Run);
}

TEST_F(LedgerCommands, LeavesWhatIsDoneOrRunningAndSaysWhy) {
  make("done", ledger::OutcomeKind::Done);
  make("running", std::nullopt);
  make("parked", ledger::OutcomeKind::Parked);
  EXPECT_EQ(run({"retry", "done"}), kExitFailed);
  EXPECT_THAT(err_, HasSubstr("forget it"));
  EXPECT_EQ(run({"retry", "running"}), kExitFailed);
  EXPECT_THAT(err_, HasSubstr("host/1/x runs \"running\""));
  EXPECT_EQ(run({"retry", "parked", "unknown"}), kExitNotFound);
  EXPECT_EQ(open()->claim(request("parked"))->answer, ledger::ClaimAnswer::Parked) << "all names or none";
  EXPECT_EQ(run({"retry", "parked", "running"}), kExitPartly);
}

TEST_F(LedgerCommands, DoesNotGuessAmongSeveral) {
  make("a", ledger::OutcomeKind::Parked);
  make("a", ledger::OutcomeKind::Parked, "other/Disable");
  EXPECT_EQ(run({"retry", "a"}), kExitUsage);
  EXPECT_THAT(err_, AllOf(HasSubstr("means 2 records"), HasSubstr("other/Disable")));
  EXPECT_EQ(run({"retry", "a", "--scope", "other/Disable"}), kExitDone);
  EXPECT_EQ(run({"retry", hex_encode(ledger::make_key("work/Enable", "a").hash).substr(0, 8)}), kExitDone);
}

TEST_F(LedgerCommands, Counts) {
  make("a", ledger::OutcomeKind::Done);
  make("b", std::nullopt);
  ASSERT_EQ(run({"stat", "--check", "-o", "json"}), kExitDone) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr(R"({"Scope":"work/Enable","State":"done","Count":1})"), HasSubstr(R"("LostClaims":0)"),
                          HasSubstr(R"("OldestClaim":{"Key":"b")"), HasSubstr(R"("Version":2)")));
  ASSERT_EQ(run({"stat", "-o", "table"}), kExitDone);
  EXPECT_THAT(out_, AllOf(HasSubstr("work/Enable  claimed  1"), HasSubstr("b of work/Enable, 0s ago by host/1/x")));
}

TEST_F(LedgerCommands, SaysWhereItLooksAndMakesNothing) {
  EXPECT_EQ(run({"ls"}), kExitNotFound);
  EXPECT_THAT(err_, HasSubstr(root_ + "/state/ferry/ledger.db"));
  EXPECT_FALSE(fs::exists(root_ + "/state"));
  EXPECT_EQ(run({"ls", "--ledger", "postgresql://ann:secret@localhost/x"}), kExitUsage);
  EXPECT_THAT(err_, AllOf(HasSubstr("PGPASSFILE"), Not(HasSubstr("secret"))));
  EXPECT_EQ(run({"ls", "--ledger", "postgresql:///x?host=" + root_}), kExitNotReachable);
  variables_.clear();
  EXPECT_EQ(run({"ls"}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("--ledger"));
}

TEST_F(LedgerCommands, KnowsItsDefaults) {
  const auto location = [](std::map<std::string, std::string> variables, const std::string& named) {
    return ledger_location(named, [&](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    });
  };
  EXPECT_EQ(location({{"HOME", "/home/me"}}, ""), "/home/me/.local/state/ferry/ledger.db");
  EXPECT_EQ(location({{"HOME", "/home/me"}, {"XDG_STATE_HOME", "/s"}}, ""), "/s/ferry/ledger.db");
  EXPECT_EQ(location({{"XDG_STATE_HOME", "/s"}, {"FERRY_LEDGER", "x.db"}}, ""), "x.db");
  EXPECT_EQ(location({{"FERRY_LEDGER", "x.db"}}, "y.db"), "y.db");
  EXPECT_EQ(location({}, ""), "");
}

TEST_F(LedgerCommands, HelpsWithEachCommand) {
  EXPECT_EQ(run({"--help"}), kExitDone);
  for (const char* command : {"ls", "show", "retry", "park", "forget", "stat"}) {
    ASSERT_EQ(run({command, "--help"}), kExitDone);
    EXPECT_THAT(out_, AllOf(HasSubstr("Examples:"), HasSubstr("Exit codes:"), HasSubstr("--ledger")));
  }
  EXPECT_EQ(run({"lst"}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("did you mean"));
  EXPECT_EQ(run({}), kExitUsage);
}

}  // namespace
}  // namespace ferry::cli
