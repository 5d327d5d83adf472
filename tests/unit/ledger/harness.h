#pragma once
// A ledger under test in a folder, or a schema, of the test's own.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/encoding.h"
#include "base/manual_clock.h"
#include "ledger/postgres_database.h"
#include "ledger/sqlite_database.h"
#include "ledger/stored_ledger.h"
#include "postgres_server.h"

namespace ferry::ledger {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ferry-ledger-XXXXXX").string();
    FERRY_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// A claim by `owner` of what `key` names, with the payload `body`.
inline ClaimRequest claim_of(const std::string& key, const std::string& owner = "one", const std::string& body = "body") {
  ClaimRequest request;
  request.key = make_key("work/Enable", key);
  request.payload = payload_hash("Enable", body, {});
  request.message_id = "message-" + key;
  request.owner = owner;
  request.lease = Millis(60'000);
  return request;
}

inline Settlement settlement_of(const ClaimRequest& request, Fence fence, OutcomeKind kind) {
  Settlement settlement;
  settlement.key = request.key.hash;
  settlement.fence = fence;
  settlement.owner = request.owner;
  settlement.outcome.kind = kind;
  return settlement;
}

inline Renewal renewal_of(const ClaimRequest& request, Fence fence) {
  return {request.key.hash, fence, request.owner, request.lease};
}

enum class Backend { Sqlite, Postgres };
inline std::string backend_name(const testing::TestParamInfo<Backend>& info) {
  return info.param == Backend::Sqlite ? "Sqlite" : "Postgres";
}

/// Tests of what every ledger promises.
class LedgerTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (GetParam() == Backend::Postgres) {
      PostgresServer* const server = PostgresServer::get();
      if (server == nullptr) {
        const char* ci = std::getenv("CI");
        if (ci != nullptr && std::string(ci) == "true") FAIL() << PostgresServer::why();
        GTEST_SKIP() << PostgresServer::why();
      }
      address_ = server->make_address();
    }
    ledger_ = open();
  }

  Result<std::unique_ptr<Database>> open_database() {
    if (GetParam() == Backend::Sqlite) {
      SqliteOptions options;
      options.path = folder_.file("ledger.db");
      return SqliteDatabase::open(options, clock_);
    }
    PostgresOptions options;
    options.address = address_;
    options.clock = &clock_;
    return PostgresDatabase::open(options);
  }

  /// Another connection to the same records.
  std::unique_ptr<StoredLedger> open(LedgerOptions options = {}) {
    auto database = open_database();
    EXPECT_TRUE(database) << (database ? "" : database.error().message);
    FERRY_CHECK(database.has_value());
    return std::make_unique<StoredLedger>(std::move(*database), options);
  }

  void reopen() {
    ledger_.reset();
    ledger_ = open();
  }

  Claim claim(const ClaimRequest& request) {
    auto answer = ledger_->claim(request);
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
    FERRY_CHECK(answer.has_value());
    return *answer;
  }

  /// Claims, which has to be granted, and ends it.
  Claim run(const ClaimRequest& request, OutcomeKind kind = OutcomeKind::Done) {
    const Claim granted = claim(request);
    EXPECT_EQ(granted.answer, ClaimAnswer::Run);
    EXPECT_EQ(end(request, granted.fence, kind), Verdict::Accepted);
    return granted;
  }

  Verdict end(const ClaimRequest& request, Fence fence, OutcomeKind kind) { return commit(settlement_of(request, fence, kind)); }

  Verdict commit(Settlement settlement) {
    auto verdict = ledger_->commit(std::move(settlement));
    EXPECT_TRUE(verdict) << (verdict ? "" : verdict.error().message);
    FERRY_CHECK(verdict.has_value());
    return *verdict;
  }

  Row show(const std::string& name) {
    auto rows = ledger_->find({name, ""});
    EXPECT_TRUE(rows) << (rows ? "" : rows.error().message);
    FERRY_CHECK(rows.has_value());
    EXPECT_EQ(rows->size(), 1u) << name;
    return rows->empty() ? Row{} : rows->front();
  }

  std::vector<std::string> listed(const Filter& filter) {
    auto page = ledger_->list(filter);
    EXPECT_TRUE(page) << (page ? "" : page.error().message);
    std::vector<std::string> keys;
    if (page) {
      for (const Row& row : page->rows) keys.push_back(row.key.text);
    }
    return keys;
  }

  TemporaryFolder folder_;
  std::string address_;
  ManualClock clock_;
  std::unique_ptr<StoredLedger> ledger_;
};

}  // namespace ferry::ledger
