// What is particular to a ledger in a file.

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <future>

#include "harness.h"
#include "ledger/open_ledger.h"
#include "ledger/schema.h"

namespace ferry::ledger {
namespace {

using testing::HasSubstr;

class SqliteLedger : public testing::Test {
 protected:
  Result<std::unique_ptr<Ledger>> open(const OpenOptions& options = {}) { return open_ledger(path_, options, clock_); }
  Error refusal(const OpenOptions& options = {}) {
    auto opened = open(options);
    EXPECT_FALSE(opened);
    return opened ? Error{} : opened.error();
  }
  static mode_t mode(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }
  // As another program would see the file.
  void execute(const std::string& sql) {
    sqlite3* connection = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &connection), SQLITE_OK);
    char* why = nullptr;
    EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, &why), SQLITE_OK) << why;
    sqlite3_free(why);
    sqlite3_close(connection);
    ::chmod(path_.c_str(), 0600);
  }

  TemporaryFolder folder_;
  ManualClock clock_;
  std::string path_ = folder_.file("state/ferry/ledger.db");
};

TEST_F(SqliteLedger, IsForItsOwnerAlone) {
  const auto ledger = open();
  ASSERT_TRUE(ledger) << ledger.error().message;
  ASSERT_TRUE((*ledger)->claim(claim_of("a")));
  EXPECT_EQ(mode(path_), 0600u);
  EXPECT_EQ(mode(path_ + "-wal"), 0600u) << "it holds the same";
  EXPECT_EQ(mode(folder_.file("state/ferry")), 0700u);
}

TEST_F(SqliteLedger, RefusesAFileThatOthersMayRead) {
  ASSERT_TRUE(open());
  for (const mode_t wrong : {0640u, 0604u, 0602u}) {
    ::chmod(path_.c_str(), wrong);
    const Error error = refusal();
    EXPECT_EQ(error.kind, ErrorKind::PermissionDenied);
    EXPECT_THAT(error.message, HasSubstr("chmod 600 " + path_));
    EXPECT_EQ(mode(path_), wrong) << "nothing is changed";
  }
}

TEST_F(SqliteLedger, RefusesWhatIsNoPlainFile) {
  ASSERT_TRUE(open());
  const std::string target = path_;
  path_ = folder_.file("link.db");
  ASSERT_EQ(::symlink(target.c_str(), path_.c_str()), 0);
  EXPECT_THAT(refusal().message, HasSubstr("no plain file"));
  path_ = folder_.file("state");
  EXPECT_THAT(refusal().message, HasSubstr("no plain file"));
}

TEST_F(SqliteLedger, IsMadeOnlyWhenAskedFor) {
  OpenOptions options;
  options.create = false;
  EXPECT_EQ(refusal(options).kind, ErrorKind::NotFound);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("state")));
  ASSERT_TRUE(open());
  EXPECT_TRUE(open(options));
  path_.clear();
  EXPECT_EQ(refusal().kind, ErrorKind::InvalidArgument);
}

TEST_F(SqliteLedger, KnowsFileSystemsThatAreShared) {
  for (const long type :
       {0x6969L, 0x517BL, static_cast<long>(0xFF534D42), static_cast<long>(0xFE534D42), 0x01021997L, 0x65735546L}) {
    EXPECT_TRUE(is_shared_file_system(type)) << std::hex << type;
  }
  EXPECT_TRUE(is_shared_file_system(static_cast<int>(0xFF534D42))) << "where the field is signed";
  for (const long type : {0xEF53L, 0x58465342L, static_cast<long>(0x9123683E), 0x01021994L}) {  // ext4, XFS, Btrfs, tmpfs
    EXPECT_FALSE(is_shared_file_system(type)) << std::hex << type;
  }
}

TEST_F(SqliteLedger, RefusesFilesOfOthers) {
  ASSERT_TRUE(open());
  path_ = folder_.file("other.db");
  execute("CREATE TABLE theirs (x)");
  Error error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::InvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("no ledger"));
  path_ = folder_.file("text.db");
  std::ofstream(path_) << std::string(5'000, 'x');
  ::chmod(path_.c_str(), 0600);
  error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::Corrupt);
  EXPECT_THAT(error.message, HasSubstr(path_));
}

TEST_F(SqliteLedger, RefusesANewerVersionAndBringsUpAnOlderOne) {
  ASSERT_TRUE(open());
  execute("UPDATE ferry_ledger_meta SET version = version + 1");
  const Error error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::InvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("has version 3, and this program knows versions up to 2"));

  path_ = folder_.file("old.db");
  const auto steps = schema_steps(Dialect::Sqlite);
  for (const std::string& statement : steps.front()) execute(statement);
  execute("UPDATE ferry_ledger_meta SET version = 1, fence_floor = 41");
  const auto ledger = open();
  ASSERT_TRUE(ledger) << ledger.error().message;
  EXPECT_EQ((*ledger)->stat()->version, 2);
  EXPECT_EQ((*ledger)->claim(claim_of("a"))->fence, 42) << "what it held is still there";
}

TEST_F(SqliteLedger, TimeGoesOnFromWhatTheFileHasSeen) {
  const auto begin = [&] { return (*open())->claim(claim_of("a", "one")); };
  ASSERT_EQ(begin()->answer, ClaimAnswer::Run);
  clock_.jump_wall(Millis(-3'600'000));
  const auto ledger = open();
  const Claim later = *(*ledger)->claim(claim_of("a", "two"));
  EXPECT_EQ(later.answer, ClaimAnswer::Deferred);
  EXPECT_EQ(later.wait, Millis(60'000)) << "an hour back on the wall is no hour more of a lease";
  clock_.advance(Millis(60'000));
  EXPECT_EQ((*ledger)->claim(claim_of("a", "two"))->answer, ClaimAnswer::Run);
}

TEST_F(SqliteLedger, WaitsForOthersAndSaysWhenItTakesTooLong) {
  OpenOptions options;
  options.lock_timeout = Millis(1);
  const auto ledger = open(options);
  ASSERT_TRUE(ledger);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto busy = (*ledger)->claim(claim_of("a"));
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().kind, ErrorKind::Busy);
  EXPECT_TRUE((*ledger)->list({})) << "readers do not wait for writers";
  ASSERT_EQ(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ((*ledger)->claim(claim_of("a"))->answer, ClaimAnswer::Run) << "it passes";
  sqlite3_close(other);
}

TEST_F(SqliteLedger, OutlivesAKilledProcess) {
  ASSERT_TRUE(open());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // holds what it was told to be durable, and dies
    const auto ledger = open();
    const bool claimed = ledger && (*ledger)->claim(claim_of("a")) &&
                         (*ledger)->commit(settlement_of(claim_of("a"), 1, OutcomeKind::Done)) && (*ledger)->claim(claim_of("b"));
    if (claimed) ::kill(::getpid(), SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  const auto ledger = open();
  ASSERT_TRUE(ledger) << ledger.error().message;
  EXPECT_EQ((*ledger)->claim(claim_of("a", "two"))->answer, ClaimAnswer::AlreadyDone);
  EXPECT_EQ((*ledger)->claim(claim_of("b", "two"))->answer, ClaimAnswer::Deferred);
}

TEST_F(SqliteLedger, CheckFindsDamage) {
  {
    const auto ledger = open();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE((*ledger)->claim(claim_of(std::to_string(i))));
    EXPECT_TRUE((*ledger)->check()->empty());
  }
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(0, std::ios::end);
    const auto end = static_cast<std::streamoff>(file.tellp());
    ASSERT_GT(end, 5 * 4096);
    for (std::streamoff page = 4; page * 4096 < end; ++page) {
      file.seekp(page * 4096 + 8);
      file << std::string(64, '\x55');
    }
  }
  const auto ledger = open();
  const auto faults = ledger ? (*ledger)->check() : Result<std::vector<std::string>>(Unexpected<Error>(ledger.error()));
  if (faults) {
    EXPECT_FALSE(faults->empty());
  } else {
    EXPECT_EQ(faults.error().kind, ErrorKind::Corrupt);
  }
}

// A database whose commits, or begins, go wrong when told to.
class FaultyDatabase final : public Database {
 public:
  struct Faults {
    std::optional<ErrorKind> commit;
    int commits_that_collide = 0;
    std::function<void()> at_begin;
    int begins = 0;
    bool collided = false;
  };
  FaultyDatabase(std::unique_ptr<Database> real, Faults& faults) : real_(std::move(real)), faults_(faults) {}
  Result<Timestamp> begin(Access access) override {
    ++faults_.begins;
    faults_.collided = false;
    if (faults_.at_begin) faults_.at_begin();
    return real_->begin(access);
  }
  Result<Answered> query(std::string_view sql, std::span<const Value> values) override { return real_->query(sql, values); }
  Result<Loaded> load(std::span<const Wanted> wanted) override { return real_->load(wanted); }
  Result<void> save(std::span<const Row* const> rows) override { return real_->save(rows); }
  Result<void> commit() override {
    if (faults_.commits_that_collide > 0) {
      --faults_.commits_that_collide;
      faults_.collided = true;
      return fail(ErrorKind::Busy, "collided");
    }
    if (faults_.commit) return fail(*faults_.commit, "the disk is gone");
    return real_->commit();
  }
  void rollback() override { real_->rollback(); }
  bool collided() const override { return faults_.collided; }
  std::string_view skip_locked() const override { return real_->skip_locked(); }
  Result<std::vector<std::string>> check() override { return real_->check(); }
  Result<std::int64_t> size_bytes() override { return real_->size_bytes(); }
  std::string place() const override { return real_->place(); }

 private:
  std::unique_ptr<Database> real_;
  Faults& faults_;
};

class FaultyLedger : public testing::Test {
 protected:
  void SetUp() override {
    SqliteOptions options;
    options.path = folder_.file("ledger.db");
    auto real = SqliteDatabase::open(options, clock_);
    ASSERT_TRUE(real);
    ledger_ = std::make_unique<StoredLedger>(std::make_unique<FaultyDatabase>(std::move(*real), faults_), LedgerOptions{});
  }
  TemporaryFolder folder_;
  ManualClock clock_;
  FaultyDatabase::Faults faults_;
  std::unique_ptr<StoredLedger> ledger_;
};

TEST_F(FaultyLedger, NothingIsAnsweredThatWasNotCommitted) {
  faults_.commit = ErrorKind::NoSpace;
  EXPECT_EQ(ledger_->claim(claim_of("a")).error().kind, ErrorKind::NoSpace);
  faults_.commit.reset();
  EXPECT_EQ(ledger_->claim(claim_of("a"))->fence, 1) << "the first try left nothing, and a full disk passes";
}

TEST_F(FaultyLedger, AfterAFailedWriteNothingElseIsTried) {
  faults_.commit = ErrorKind::Io;
  EXPECT_EQ(ledger_->claim(claim_of("a")).error().kind, ErrorKind::Io);
  faults_.commit.reset();
  const int begins = faults_.begins;
  EXPECT_EQ(ledger_->claim(claim_of("b")).error().kind, ErrorKind::Io);
  EXPECT_EQ(ledger_->list({}).error().message, "the disk is gone");
  EXPECT_EQ(faults_.begins, begins);
}

TEST_F(FaultyLedger, ACollisionIsTriedAgainAFewTimes) {
  faults_.commits_that_collide = 3;
  EXPECT_EQ(ledger_->claim(claim_of("a"))->answer, ClaimAnswer::Run);
  faults_.commits_that_collide = 4;
  EXPECT_EQ(ledger_->claim(claim_of("b")).error().kind, ErrorKind::Busy);
  // A handler's function may not bear to be called twice.
  Settlement done = settlement_of(claim_of("a"), 1, OutcomeKind::Done);
  int calls = 0;
  done.with = [&](Transaction&) -> Result<void> {
    ++calls;
    return {};
  };
  faults_.commits_that_collide = 1;
  EXPECT_EQ(ledger_->commit(done).error().kind, ErrorKind::Busy);
  EXPECT_EQ(calls, 1);
}

TEST_F(FaultyLedger, TooMuchThatWaitsIsRefusedAtOnce) {
  std::promise<void> entered;
  std::promise<void> go_on;
  faults_.at_begin = [&, first = true]() mutable {
    if (!first) return;
    first = false;
    entered.set_value();
    go_on.get_future().wait();
  };
  ledger_->submit({claim_of("a")}, [](const Result<std::vector<Answer>>&) {});
  entered.get_future().wait();  // the thread is at work; what comes now waits
  const Renewal renewal = renewal_of(claim_of("b"), 1);
  std::optional<bool> most;
  std::optional<ErrorKind> one_more;
  ledger_->submit(std::vector<Operation>(kWaitingOperationsMax, renewal),
                  [&](const Result<std::vector<Answer>>& answers) { most = answers.has_value(); });
  ledger_->submit({renewal}, [&](const Result<std::vector<Answer>>& answers) {
    if (!answers) one_more = answers.error().kind;
  });
  EXPECT_EQ(one_more, ErrorKind::Busy);
  go_on.set_value();
  ledger_.reset();
  EXPECT_EQ(most, true);
}

TEST_F(FaultyLedger, WhatGathersGoesTogether) {
  std::promise<void> entered;
  std::promise<void> go_on;
  faults_.at_begin = [&, first = true]() mutable {
    if (!first) return;
    first = false;
    entered.set_value();
    go_on.get_future().wait();
  };
  ledger_->submit({claim_of("a")}, [](const Result<std::vector<Answer>>&) {});
  entered.get_future().wait();
  for (std::size_t i = 0; i < kGroupOperationsMax + 1; ++i) {
    ledger_->submit({claim_of(std::to_string(i))}, [](const Result<std::vector<Answer>>&) {});
  }
  go_on.set_value();
  ledger_.reset();
  EXPECT_EQ(faults_.begins, 3) << "one, 256 together, and the one that was left";
}

}  // namespace
}  // namespace ferry::ledger
