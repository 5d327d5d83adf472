// What is particular to a ledger in PostgreSQL.

#include <gmock/gmock.h>

#include <array>
#include <thread>

#include "harness.h"
#include "ledger/open_ledger.h"
#include "ledger/postgres_values.h"
#include "ledger/schema.h"

namespace ferry::ledger {
namespace {

using testing::HasSubstr;
using testing::Not;

class PostgresLedger : public testing::Test {
 protected:
  void SetUp() override {
    server_ = PostgresServer::get();
    if (server_ == nullptr) {
      const char* ci = std::getenv("CI");
      if (ci != nullptr && std::string(ci) == "true") FAIL() << PostgresServer::why();
      GTEST_SKIP() << PostgresServer::why();
    }
    address_ = server_->make_address();
    schema_ = address_.substr(address_.rfind("%3D") + 3);
  }
  PostgresServer* server_ = nullptr;
  std::string address_;
  std::string schema_;
  SystemClock clock_;
};

TEST_F(PostgresLedger, UsesTheServersClock) {
  ManualClock wrong(from_epoch_millis(1));
  const auto ledger = open_ledger(address_, {}, wrong);
  ASSERT_TRUE(ledger) << ledger.error().message;
  const Timestamp now = (*ledger)->stat()->now;
  EXPECT_LT(std::chrono::abs(now - clock_.wall()), std::chrono::hours(1));
}

TEST_F(PostgresLedger, ConnectsAgain) {
  const auto ledger = open_ledger(address_, {}, clock_);
  ASSERT_TRUE(ledger);
  EXPECT_EQ((*ledger)->claim(claim_of("a"))->answer, ClaimAnswer::Run);
  server_->disconnect_all();
  EXPECT_EQ((*ledger)->claim(claim_of("a"))->answer, ClaimAnswer::Mine) << "between transactions nobody notices";
}

TEST_F(PostgresLedger, SaysWhenThereIsNoServer) {
  const auto ledger = open_ledger("postgresql:///x?host=" + server_->folder() + "/nowhere", {}, clock_);
  ASSERT_FALSE(ledger);
  EXPECT_EQ(ledger.error().kind, ErrorKind::Unavailable);
}

TEST_F(PostgresLedger, TakesNoPasswordFromTheCommandLine) {
  for (const char* address : {"postgresql://ann:secret@localhost/x", "postgresql://localhost/x?password=secret"}) {
    const auto ledger = open_ledger(address, {}, clock_);
    ASSERT_FALSE(ledger);
    EXPECT_EQ(ledger.error().kind, ErrorKind::InvalidArgument);
    EXPECT_THAT(ledger.error().message, HasSubstr("PGPASSFILE"));
    EXPECT_THAT(ledger.error().message, Not(HasSubstr("secret")));
  }
  EXPECT_EQ(open_ledger("postgresql://[", {}, clock_).error().kind, ErrorKind::InvalidArgument);
}

TEST_F(PostgresLedger, IsMadeOnlyWhenAskedFor) {
  OpenOptions options;
  options.create = false;
  const auto none = open_ledger(address_, options, clock_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::NotFound);
  EXPECT_THAT(none.error().message, HasSubstr("postgresql://"));
  ASSERT_TRUE(open_ledger(address_, {}, clock_));
  EXPECT_TRUE(open_ledger(address_, options, clock_));
}

TEST_F(PostgresLedger, RefusesANewerVersionAndBringsUpAnOlderOne) {
  const auto steps = schema_steps(Dialect::Postgres);
  for (const std::string& statement : steps.front()) {
    server_->run("SET search_path = " + schema_ + "; " + statement);
  }
  server_->run("UPDATE " + schema_ + ".ferry_ledger_meta SET version = 1, fence_floor = 41");
  {
    const auto ledger = open_ledger(address_, {}, clock_);
    ASSERT_TRUE(ledger) << ledger.error().message;
    EXPECT_EQ((*ledger)->stat()->version, 2);
    EXPECT_EQ((*ledger)->claim(claim_of("a"))->fence, 42);
  }
  server_->run("UPDATE " + schema_ + ".ferry_ledger_meta SET version = 3");
  EXPECT_THAT(open_ledger(address_, {}, clock_).error().message, HasSubstr("has version 3"));
}

TEST_F(PostgresLedger, ManyMayStartOnANewDatabase) {
  std::vector<std::thread> threads;
  std::array<std::string, 6> errors;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto ledger = open_ledger(address_, {}, clock_);
      if (!ledger) errors[i] = ledger.error().message;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

TEST_F(PostgresLedger, NeedsNoRightToMakeTablesOnceTheyAreThere) {
  ASSERT_TRUE(open_ledger(address_, {}, clock_));
  server_->run("DO $$ BEGIN CREATE ROLE worker LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
  server_->run("GRANT USAGE ON SCHEMA " + schema_ + " TO worker");
  server_->run("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + schema_ + " TO worker");
  std::string address = address_;
  address.replace(address.find("user=ferry"), 10, "user=worker");
  const auto ledger = open_ledger(address, {}, clock_);
  ASSERT_TRUE(ledger) << ledger.error().message;
  EXPECT_EQ((*ledger)->claim(claim_of("a"))->answer, ClaimAnswer::Run);
  EXPECT_TRUE((*ledger)->forget(claim_of("b").key.hash).error().kind == ErrorKind::NotFound);
}

TEST_F(PostgresLedger, GivesUpOnALockThatIsHeldForTooLong) {
  OpenOptions options;
  options.lock_timeout = Millis(50);
  const auto ledger = open_ledger(address_, options, clock_);
  ASSERT_TRUE(ledger);
  ASSERT_TRUE((*ledger)->claim(claim_of("a")));
  PostgresOptions other;
  other.address = address_;
  auto holder = PostgresDatabase::open(other);
  ASSERT_TRUE(holder);
  ASSERT_TRUE((*holder)->begin(Database::Access::Write));
  ASSERT_TRUE((*holder)->query("SELECT 1 FROM ferry_ledger FOR UPDATE", {}));
  const auto busy = (*ledger)->renew(std::array{renewal_of(claim_of("a"), 1)});
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().kind, ErrorKind::Busy);
  (*holder)->rollback();
  EXPECT_EQ((*ledger)->renew(std::array{renewal_of(claim_of("a"), 1)}).value(), std::vector{Verdict::Accepted});
}

TEST(PostgresValues, ArraysAreWrittenSoThatTheyCanBeRead) {
  EXPECT_EQ(array_literal({}), "{}");
  EXPECT_EQ(array_literal({std::int64_t{-1}, Value()}), "{-1,NULL}");
  EXPECT_EQ(array_literal({std::string("a\"b\\c,{}"), std::string("NULL"), std::string()}), R"({"a\"b\\c,{}","NULL",""})");
  EXPECT_EQ(array_literal({Blob{"\x01\xFF"}, Blob{}}), R"({"\\x01ff","\\x"})");
}

TEST(PostgresValues, AreReadByTheirType) {
  EXPECT_EQ(parse_value("-7", 20), Value(std::int64_t{-7}));
  EXPECT_EQ(parse_value("x", 20), std::nullopt);
  EXPECT_EQ(parse_value("\\x01ff", 17), Value(Blob{"\x01\xFF"}));
  EXPECT_EQ(parse_value("01ff", 17), std::nullopt);
  EXPECT_EQ(parse_value("any", 25), Value(std::string("any")));
}

TEST(PostgresValues, StatesOfErrorsAreSorted) {
  for (const auto& [state, kind] : std::vector<std::pair<const char*, ErrorKind>>{{"40001", ErrorKind::Busy},
                                                                                  {"40P01", ErrorKind::Busy},
                                                                                  {"55P03", ErrorKind::Busy},
                                                                                  {"57014", ErrorKind::Busy},
                                                                                  {"53100", ErrorKind::NoSpace},
                                                                                  {"53300", ErrorKind::Unavailable},
                                                                                  {"42501", ErrorKind::PermissionDenied},
                                                                                  {"28P01", ErrorKind::PermissionDenied},
                                                                                  {"XX001", ErrorKind::Corrupt},
                                                                                  {"23505", ErrorKind::InvalidArgument},
                                                                                  {"57P01", ErrorKind::Unavailable}}) {
    EXPECT_EQ(kind_of_sqlstate(state), kind) << state;
  }
  EXPECT_TRUE(is_collision("40P01"));
  EXPECT_FALSE(is_collision("55P03"));
}

}  // namespace
}  // namespace ferry::ledger
