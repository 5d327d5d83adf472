// What people see of a ledger and do to it, and what goes away by itself; over every database.

#include <gmock/gmock.h>

#include <array>

#include "harness.h"

namespace ferry::ledger {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Millis kDay{24LL * 3600 * 1000};

class LedgerForPeople : public LedgerTest {};

TEST_P(LedgerForPeople, ListsByStateScopePrefixAndAge) {
  run(claim_of("alpha-1"));
  clock_.advance(Millis(1'000));
  run(claim_of("alpha-2"), OutcomeKind::Parked);
  clock_.advance(Millis(1'000));
  ClaimRequest elsewhere = claim_of("beta");
  elsewhere.key = make_key("other/Disable", "beta");
  claim(elsewhere);
  EXPECT_THAT(listed({}), ElementsAre("alpha-1", "alpha-2", "beta"));
  Filter filter;
  filter.states = {State::Parked, State::Claimed};
  EXPECT_THAT(listed(filter), ElementsAre("alpha-2", "beta"));
  filter = {};
  filter.scope = "other/Disable";
  EXPECT_THAT(listed(filter), ElementsAre("beta"));
  filter = {};
  filter.key_prefix = "alpha-";
  EXPECT_THAT(listed(filter), ElementsAre("alpha-1", "alpha-2"));
  filter.key_prefix = "ALPHA-";
  EXPECT_THAT(listed(filter), IsEmpty()) << "case matters";
  filter = {};
  filter.idle_min = Millis(1'000);
  EXPECT_THAT(listed(filter), ElementsAre("alpha-1", "alpha-2"));
  filter.idle_min = Millis(1'001);
  EXPECT_THAT(listed(filter), ElementsAre("alpha-1"));
}

TEST_P(LedgerForPeople, PagesAreWholeAndInOrder) {
  for (int i = 0; i < 7; ++i) {
    claim(claim_of(std::to_string(i)));
    if (i % 2 == 1) clock_.advance(Millis(1));  // some have the same time
  }
  Filter filter;
  filter.limit = 3;
  std::vector<std::string> all;
  int pages = 0;
  do {
    const auto page = ledger_->list(filter);
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_LE(page->rows.size(), 3u);
    for (const Row& row : page->rows) all.push_back(row.key.text);
    filter.after = page->next;
    ++pages;
  } while (!filter.after.empty());
  EXPECT_EQ(pages, 3);
  std::sort(all.begin(), all.end());
  EXPECT_THAT(all, ElementsAre("0", "1", "2", "3", "4", "5", "6"));
  filter.limit = 7;
  EXPECT_EQ(ledger_->list(filter)->next, "") << "exactly a page: nothing follows";
  for (const char* wrong : {"nonsense", "12", "12-zz", "-", "12-00"}) {
    filter.after = wrong;
    const auto page = ledger_->list(filter);
    ASSERT_FALSE(page) << wrong;
    EXPECT_EQ(page.error().kind, ErrorKind::InvalidArgument);
  }
  filter = {};
  filter.limit = 0;
  EXPECT_FALSE(ledger_->list(filter));
}

TEST_P(LedgerForPeople, FindsByKeyMessageAndHash) {
  ClaimRequest request = claim_of("a");
  request.sender = "AIDA";
  request.receive_count = 4;
  Settlement done = settlement_of(request, claim(request).fence, OutcomeKind::Done);
  done.outcome.result = "whole result";
  done.outcome.code = 0;
  commit(done);
  claim(claim_of("b"));
  const std::string hash = hex_encode(request.key.hash);
  for (const std::string& name : {std::string("a"), std::string("message-a"), hash, hash.substr(0, 8)}) {
    EXPECT_EQ(show(name).key.text, "a") << name;
  }
  EXPECT_EQ(show("a").result.bytes, "whole result");
  EXPECT_EQ(show("a").sender, "AIDA");
  EXPECT_EQ(show("a").receive_count_max, 4);
  EXPECT_EQ(show("a").code, 0);
  EXPECT_EQ(show("b").code, std::nullopt);
  EXPECT_THAT(ledger_->find({hash.substr(0, 7), ""}).value(), IsEmpty()) << "too few digits";
  EXPECT_THAT(ledger_->find({"a", "other/scope"}).value(), IsEmpty());
  EXPECT_THAT(ledger_->find({"c", ""}).value(), IsEmpty());
  EXPECT_FALSE(ledger_->find({"", ""}));
}

TEST_P(LedgerForPeople, RetryGivesAllAttemptsAgain) {
  const ClaimRequest request = claim_of("a");
  run(request, OutcomeKind::Retry);
  run(request, OutcomeKind::Parked);
  EXPECT_EQ(ledger_->retry(request.key.hash)->state, State::Retry);
  const Claim again = claim(request);
  EXPECT_EQ(again.answer, ClaimAnswer::Run);
  EXPECT_EQ(again.attempt, 1);
  EXPECT_EQ(again.fence, 4) << "a person's change takes the record away from whoever held it";
}

TEST_P(LedgerForPeople, RetryLeavesWhatIsDoneOrBeingDone) {
  const ClaimRequest done = claim_of("done");
  run(done);
  const auto refused = ledger_->retry(done.key.hash);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::InvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("forget it"));
  const ClaimRequest running = claim_of("running", "host/1");
  claim(running);
  const auto busy = ledger_->retry(running.key.hash);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().kind, ErrorKind::Busy);
  EXPECT_THAT(busy.error().message, HasSubstr("host/1 runs \"running\""));
  clock_.advance(Millis(60'000));
  EXPECT_TRUE(ledger_->retry(running.key.hash)) << "its lease is over";
  EXPECT_EQ(ledger_->retry(claim_of("unknown").key.hash).error().kind, ErrorKind::NotFound);
}

TEST_P(LedgerForPeople, ParkTakesItAwayFromWhoRunsIt) {
  const ClaimRequest request = claim_of("a");
  const Fence fence = claim(request).fence;
  ASSERT_TRUE(ledger_->park(request.key.hash, "ask Ann\nfirst"));
  EXPECT_EQ(ledger_->renew(std::array{renewal_of(request, fence)}).value(), std::vector{Verdict::Fenced});
  EXPECT_EQ(end(request, fence, OutcomeKind::Done), Verdict::Fenced);
  const Claim parked = claim(request);
  EXPECT_EQ(parked.answer, ClaimAnswer::Parked);
  EXPECT_EQ(parked.detail, "ask Ann\\nfirst");
  const ClaimRequest done = claim_of("done");
  run(done);
  EXPECT_EQ(ledger_->park(done.key.hash, "").error().kind, ErrorKind::InvalidArgument);
}

TEST_P(LedgerForPeople, WhatIsForgottenRunsAgainWithAGreaterFence) {
  const ClaimRequest request = claim_of("a");
  run(request, OutcomeKind::Retry);
  run(request);
  ASSERT_TRUE(ledger_->forget(request.key.hash));
  EXPECT_THAT(listed({}), IsEmpty());
  const Claim again = claim(request);
  EXPECT_EQ(again.answer, ClaimAnswer::Run);
  EXPECT_EQ(again.attempt, 1);
  EXPECT_EQ(again.fence, 3) << "whoever still has an old one stays fenced";
  EXPECT_EQ(ledger_->forget(request.key.hash).error().kind, ErrorKind::Busy);
  EXPECT_EQ(ledger_->forget(claim_of("unknown").key.hash).error().kind, ErrorKind::NotFound);
}

TEST_P(LedgerForPeople, StatCounts) {
  run(claim_of("1"));
  run(claim_of("2"));
  run(claim_of("3"), OutcomeKind::Parked);
  claim(claim_of("old"));
  clock_.advance(Millis(60'000));
  ClaimRequest elsewhere = claim_of("4");
  elsewhere.key = make_key("other/Disable", "4");
  claim(elsewhere);
  const auto stat = ledger_->stat();
  ASSERT_TRUE(stat) << stat.error().message;
  std::vector<std::string> counts;
  for (const auto& one : stat->counts) {
    counts.push_back(one.scope + " " + std::string(state_name(one.state)) + " " + std::to_string(one.count));
  }
  EXPECT_THAT(counts,
              ElementsAre("other/Disable claimed 1", "work/Enable claimed 1", "work/Enable done 2", "work/Enable parked 1"));
  ASSERT_TRUE(stat->oldest_claim);
  EXPECT_EQ(stat->oldest_claim->key.text, "old");
  EXPECT_EQ(stat->lost_claims, 1);
  EXPECT_GT(stat->database_bytes, 0);
  EXPECT_EQ(stat->now, clock_.wall());
  EXPECT_THAT(ledger_->check().value(), IsEmpty());
}

TEST_P(LedgerForPeople, RecordsGoAfterTheirRetentionAndNotBefore) {
  LedgerOptions options;
  options.retention = kDay;
  ledger_ = open(options);
  const ClaimRequest done = claim_of("done");
  run(done);
  run(claim_of("rejected"), OutcomeKind::Rejected);
  run(claim_of("parked"), OutcomeKind::Parked);
  claim(claim_of("claimed"));
  const ClaimRequest later = claim_of("later");
  Settlement retry = settlement_of(later, claim(later).fence, OutcomeKind::Retry);
  retry.outcome.retry_after = kDay;
  commit(retry);
  clock_.advance(kDay - Millis(1));
  claim(claim_of("x"));
  EXPECT_THAT(listed({}), testing::SizeIs(6));
  clock_.advance(Millis(1));
  ledger_ = open(options);  // a start looks at once, a running ledger once a minute
  claim(claim_of("x"));
  std::vector<std::string> left = listed({});
  std::sort(left.begin(), left.end());
  EXPECT_THAT(left, ElementsAre("claimed", "later", "parked", "x"));
  EXPECT_EQ(claim(done).fence, 2) << "also what expired keeps its fences";
  clock_.advance(kDay);
  claim(claim_of("y"));
  left = listed({});
  EXPECT_EQ(std::count(left.begin(), left.end(), "later"), 0);
  EXPECT_EQ(std::count(left.begin(), left.end(), "parked"), 1);
}

TEST_P(LedgerForPeople, ExpiryGoesInSmallSteps) {
  LedgerOptions options;
  options.retention = kDay;
  ledger_ = open(options);
  std::vector<Operation> claims;
  std::vector<Operation> ends;
  for (int i = 0; i <= kExpiryStep; ++i) {
    const ClaimRequest request = claim_of(std::to_string(i));
    claims.emplace_back(request);
    ends.emplace_back(settlement_of(request, 1, OutcomeKind::Done));
  }
  ASSERT_TRUE(ledger_->carry_out(claims));
  ASSERT_TRUE(ledger_->carry_out(ends));
  clock_.advance(kDay);
  claim(claim_of("x"));
  EXPECT_THAT(listed({}), testing::SizeIs(2)) << "one is left over for the next step";
  claim(claim_of("y"));
  EXPECT_EQ(listed({}).size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Databases, LedgerForPeople, testing::Values(Backend::Sqlite, Backend::Postgres), backend_name);

}  // namespace
}  // namespace ferry::ledger
