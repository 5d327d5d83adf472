// What every ledger promises to a worker, whatever database is behind it.

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <set>
#include <thread>

#include "harness.h"

namespace ferry::ledger {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LedgerContract : public LedgerTest {};

TEST_P(LedgerContract, ANewRequestRunsAndIsDoneForEver) {
  const ClaimRequest request = claim_of("a");
  const Claim granted = claim(request);
  EXPECT_EQ(granted.answer, ClaimAnswer::Run);
  EXPECT_EQ(granted.fence, 1);
  EXPECT_EQ(granted.attempt, 1);
  EXPECT_FALSE(granted.after_loss);
  Settlement done = settlement_of(request, granted.fence, OutcomeKind::Done);
  done.outcome.result = "42";
  EXPECT_EQ(commit(done), Verdict::Accepted);
  reopen();
  const Claim again = claim(claim_of("a", "two"));
  EXPECT_EQ(again.answer, ClaimAnswer::AlreadyDone);
  EXPECT_EQ(again.result_hash, hex_encode(sha256("42")));
  EXPECT_EQ(again.message_id, "message-a");
}

TEST_P(LedgerContract, ALiveClaimDefersOthersForTheRestOfTheLease) {
  EXPECT_EQ(claim(claim_of("a", "one")).answer, ClaimAnswer::Run);
  clock_.advance(Millis(20'000));
  const Claim second = claim(claim_of("a", "two"));
  EXPECT_EQ(second.answer, ClaimAnswer::Deferred);
  EXPECT_EQ(second.wait, Millis(40'000));
  clock_.advance(Millis(39'999));
  EXPECT_EQ(claim(claim_of("a", "two")).wait, Millis(1));
  clock_.advance(Millis(1));
  EXPECT_EQ(claim(claim_of("a", "two")).answer, ClaimAnswer::Run);
}

TEST_P(LedgerContract, AfterALossTheFormerHolderIsFenced) {
  const ClaimRequest slow = claim_of("a", "slow");
  const ClaimRequest next = claim_of("a", "next");
  EXPECT_EQ(claim(slow).fence, 1);
  clock_.advance(Millis(60'000));
  const Claim taken = claim(next);
  EXPECT_EQ(taken.answer, ClaimAnswer::Run);
  EXPECT_TRUE(taken.after_loss);
  EXPECT_EQ(taken.fence, 2);
  EXPECT_EQ(taken.attempt, 2);
  EXPECT_EQ(end(slow, 1, OutcomeKind::Retry), Verdict::Fenced);
  EXPECT_EQ(end(slow, 2, OutcomeKind::Retry), Verdict::Fenced) << "the right fence in the wrong hands";
  EXPECT_EQ(ledger_->renew(std::array{renewal_of(slow, 1)}).value(), std::vector{Verdict::Fenced});
  EXPECT_EQ(end(next, 2, OutcomeKind::Done), Verdict::Accepted);
}

TEST_P(LedgerContract, ASecondDeliveryToTheHolderIsItsOwn) {
  EXPECT_EQ(claim(claim_of("a")).answer, ClaimAnswer::Run);
  const Claim mine = claim(claim_of("a"));
  EXPECT_EQ(mine.answer, ClaimAnswer::Mine);
  EXPECT_EQ(mine.fence, 1);
  EXPECT_EQ(mine.attempt, 1);
}

TEST_P(LedgerContract, AnotherMessageWithTheSameKeyWaitsAlsoForItsOwnWorker) {
  EXPECT_EQ(claim(claim_of("a")).answer, ClaimAnswer::Run);
  ClaimRequest twin = claim_of("a");
  twin.message_id = "sent again";
  EXPECT_EQ(claim(twin).answer, ClaimAnswer::Deferred);
  EXPECT_EQ(end(claim_of("a"), 1, OutcomeKind::Done), Verdict::Accepted);
  EXPECT_EQ(claim(twin).answer, ClaimAnswer::AlreadyDone);
}

TEST_P(LedgerContract, ARetryIsDueWhenItSays) {
  const ClaimRequest request = claim_of("a");
  Settlement retry = settlement_of(request, claim(request).fence, OutcomeKind::Retry);
  retry.outcome.retry_after = Millis(5'000);
  EXPECT_EQ(commit(retry), Verdict::Accepted);
  clock_.advance(Millis(4'999));
  const Claim early = claim(request);
  EXPECT_EQ(early.answer, ClaimAnswer::NotYet);
  EXPECT_EQ(early.wait, Millis(1));
  clock_.advance(Millis(1));
  const Claim due = claim(request);
  EXPECT_EQ(due.answer, ClaimAnswer::Run);
  EXPECT_EQ(due.attempt, 2);
  EXPECT_EQ(due.fence, 2);
  EXPECT_FALSE(due.after_loss);
}

TEST_P(LedgerContract, InterruptionsAndReleasesAreNoAttempts) {
  const ClaimRequest request = claim_of("a");
  run(request, OutcomeKind::Interrupted);
  const Claim second = run(request, OutcomeKind::Released);
  EXPECT_EQ(second.attempt, 1);
  EXPECT_EQ(second.interrupts, 1);
  const Claim third = claim(request);
  EXPECT_EQ(third.attempt, 1);
  EXPECT_EQ(third.interrupts, 1);
  EXPECT_EQ(third.fence, 3) << "each claim has a fence of its own";
}

TEST_P(LedgerContract, TheSameKeyWithAnotherPayloadIsAConflictInEveryState) {
  const ClaimRequest request = claim_of("a");
  const ClaimRequest other = claim_of("a", "one", "another body");
  const Claim granted = claim(request);
  EXPECT_EQ(claim(other).answer, ClaimAnswer::Conflict);
  EXPECT_EQ(end(request, granted.fence, OutcomeKind::Retry), Verdict::Accepted);
  EXPECT_EQ(claim(other).answer, ClaimAnswer::Conflict);
  run(request, OutcomeKind::Done);
  const Claim conflict = claim(other);
  EXPECT_EQ(conflict.answer, ClaimAnswer::Conflict);
  EXPECT_EQ(conflict.message_id, "message-a");
  EXPECT_EQ(claim(request).answer, ClaimAnswer::AlreadyDone) << "the record was left alone";
}

TEST_P(LedgerContract, RejectedAndParkedSayWhy) {
  const ClaimRequest rejected = claim_of("r");
  Settlement no = settlement_of(rejected, claim(rejected).fence, OutcomeKind::Rejected);
  no.outcome.detail = "no such account";
  no.outcome.code = 65;
  EXPECT_EQ(commit(no), Verdict::Accepted);
  EXPECT_EQ(claim(rejected).answer, ClaimAnswer::Rejected);
  EXPECT_EQ(claim(rejected).detail, "no such account");
  EXPECT_EQ(show("r").code, 65);
  const ClaimRequest parked = claim_of("p");
  run(parked, OutcomeKind::Parked);
  EXPECT_EQ(claim(parked).answer, ClaimAnswer::Parked);
}

TEST_P(LedgerContract, WhoParksLostRequestsNeverRunsThemTwiceAndHearsTheLateHolder) {
  ClaimRequest request = claim_of("a", "slow");
  request.on_lost = OnLost::Park;
  EXPECT_EQ(claim(request).fence, 1);
  clock_.advance(Millis(60'000));
  ClaimRequest next = claim_of("a", "next");
  next.on_lost = OnLost::Park;
  const Claim parked = claim(next);
  EXPECT_EQ(parked.answer, ClaimAnswer::Parked);
  EXPECT_TRUE(parked.after_loss);
  EXPECT_THAT(parked.detail, HasSubstr("slow let its lease run out"));
  EXPECT_FALSE(claim(next).after_loss) << "said once";
  // Nobody else has run it: the holder was slow, not dead.
  EXPECT_EQ(end(request, 1, OutcomeKind::Done), Verdict::Accepted);
  EXPECT_EQ(claim(next).answer, ClaimAnswer::AlreadyDone);
}

TEST_P(LedgerContract, ARenewalRevivesWhatWasThoughtLost) {
  ClaimRequest request = claim_of("a", "slow");
  request.on_lost = OnLost::Park;
  claim(request);
  clock_.advance(Millis(60'000));
  ClaimRequest next = claim_of("a", "next");
  next.on_lost = OnLost::Park;
  EXPECT_EQ(claim(next).answer, ClaimAnswer::Parked);
  EXPECT_EQ(ledger_->renew(std::array{renewal_of(request, 1)}).value(), std::vector{Verdict::Accepted});
  EXPECT_EQ(claim(next).answer, ClaimAnswer::Deferred);
  // Once a person has decided, the holder is late.
  clock_.advance(Millis(60'000));
  EXPECT_EQ(claim(next).answer, ClaimAnswer::Parked);
  ASSERT_TRUE(ledger_->retry(request.key.hash));
  EXPECT_EQ(end(request, 1, OutcomeKind::Done), Verdict::Fenced);
  EXPECT_EQ(claim(next).answer, ClaimAnswer::Run);
}

TEST_P(LedgerContract, RenewalsAreAnsweredEachForItself) {
  const ClaimRequest mine = claim_of("mine");
  const ClaimRequest lost = claim_of("lost");
  const ClaimRequest unknown = claim_of("unknown");
  const ClaimRequest late = claim_of("late");
  for (const ClaimRequest& request : {mine, lost, late}) claim(request);
  clock_.advance(Millis(60'000));
  EXPECT_EQ(claim(claim_of("lost", "two")).answer, ClaimAnswer::Run);
  const std::vector<Renewal> renewals = {renewal_of(lost, 1), renewal_of(mine, 1), renewal_of(unknown, 1), renewal_of(late, 1)};
  EXPECT_EQ(ledger_->renew(renewals).value(),
            (std::vector{Verdict::Fenced, Verdict::Accepted, Verdict::Fenced, Verdict::Accepted}));
  clock_.advance(Millis(59'999));
  EXPECT_EQ(claim(claim_of("mine", "two")).answer, ClaimAnswer::Deferred);
  clock_.advance(Millis(1));
  EXPECT_EQ(claim(claim_of("mine", "two")).answer, ClaimAnswer::Run);
  EXPECT_TRUE(ledger_->renew({}).value().empty());
}

TEST_P(LedgerContract, AnOutcomeThatIsSaidTwiceIsAcceptedTwiceAndKeptOnce) {
  const ClaimRequest request = claim_of("a");
  const Fence fence = claim(request).fence;
  EXPECT_EQ(end(request, fence, OutcomeKind::Done), Verdict::Accepted);
  const Timestamp first = show("a").finished_at;
  clock_.advance(Millis(10));
  EXPECT_EQ(end(request, fence, OutcomeKind::Done), Verdict::Accepted);
  EXPECT_EQ(show("a").finished_at, first);
  EXPECT_EQ(end(request, fence, OutcomeKind::Retry), Verdict::Fenced) << "done stays done";
  EXPECT_EQ(ledger_->renew(std::array{renewal_of(request, fence)}).value(), std::vector{Verdict::Fenced});
}

TEST_P(LedgerContract, AHandlersRowsAreCommittedWithTheOutcomeOrNotAtAll) {
  auto database = open_database();
  ASSERT_TRUE(database);
  ASSERT_TRUE((*database)->query("CREATE TABLE account (name TEXT PRIMARY KEY, balance BIGINT)", {}) ||
              (*database)->query("CREATE TABLE account (name TEXT PRIMARY KEY, balance INTEGER)", {}));
  const auto balances = [&] {
    return (*database)->query("SELECT count(*), coalesce(min(balance), 0) FROM account", {}).value().rows.front();
  };
  const ClaimRequest request = claim_of("a");
  const Fence fence = claim(request).fence;
  Settlement done = settlement_of(request, fence, OutcomeKind::Done);
  int calls = 0;
  std::int64_t changed = 0;
  done.with = [&](Transaction& transaction) -> Result<void> {
    ++calls;
    const std::array<Value, 2> values = {std::string("ann's \"account\""), std::int64_t{-7}};
    FERRY_TRY(changed, transaction.execute("INSERT INTO account (name, balance) VALUES ($1, $2)", values));
    return {};
  };
  // It fails: neither its row nor the outcome.
  Settlement failing = done;
  failing.with = [&](Transaction& transaction) -> Result<void> {
    FERRY_TRY_VOID(done.with(transaction));
    return fail(ErrorKind::InvalidArgument, "no such account");
  };
  const auto refused = ledger_->commit(failing);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "no such account");
  EXPECT_EQ(std::get<std::int64_t>(balances()[0]), 0);
  EXPECT_EQ(claim(request).answer, ClaimAnswer::Mine) << "the claim is as it was";
  // A statement that fails does not end the ledger's transaction for others.
  failing.with = [&](Transaction& transaction) -> Result<void> {
    FERRY_TRY_VOID(transaction.execute("INSERT INTO nowhere VALUES (1)", {}));
    return {};
  };
  EXPECT_FALSE(ledger_->commit(failing));
  EXPECT_EQ(commit(done), Verdict::Accepted);
  EXPECT_EQ(changed, 1);
  EXPECT_EQ(std::get<std::int64_t>(balances()[0]), 1);
  EXPECT_EQ(std::get<std::int64_t>(balances()[1]), -7);
  calls = 0;
  EXPECT_EQ(commit(done), Verdict::Accepted);
  EXPECT_EQ(calls, 0) << "said again: it has run already";
  done.fence = fence + 1;
  EXPECT_EQ(commit(done), Verdict::Fenced);
  EXPECT_EQ(calls, 0);
}

TEST_P(LedgerContract, AHandlerCannotEndTheTransaction) {
  const ClaimRequest request = claim_of("a");
  Settlement done = settlement_of(request, claim(request).fence, OutcomeKind::Done);
  for (const std::string sql : {"COMMIT", "  rollback", "begin", "END", "SAVEPOINT x", "release x", "PRAGMA user_version = 3",
                                "/* hidden */ COMMIT", "", "ATTACH 'x' AS y", "SELECT 1; COMMIT"}) {
    done.with = [&](Transaction& transaction) -> Result<void> {
      FERRY_TRY_VOID(transaction.execute(sql, {}));
      return {};
    };
    const auto verdict = ledger_->commit(done);
    ASSERT_FALSE(verdict) << sql;
    EXPECT_EQ(verdict.error().kind, ErrorKind::InvalidArgument) << sql;
  }
  EXPECT_EQ(claim(request).answer, ClaimAnswer::Mine);
}

TEST_P(LedgerContract, ASubmissionOfAnySizeIsAnsweredInItsOrder) {
  std::vector<Operation> operations;
  for (int i = 0; i < 300; ++i) operations.emplace_back(claim_of(std::to_string(i % 290)));
  const auto answers = ledger_->carry_out(operations);
  ASSERT_TRUE(answers) << answers.error().message;
  ASSERT_EQ(answers->size(), 300u);
  for (std::size_t i = 0; i < answers->size(); ++i) {
    const auto expected = i < 290 ? ClaimAnswer::Run : ClaimAnswer::Mine;  // the second sees what the first did
    EXPECT_EQ(std::get<Claim>((*answers)[i]).answer, expected) << i;
  }
}

TEST_P(LedgerContract, AmongManyThreadsAndConnectionsOneGetsEachRequest) {
  constexpr int kKeys = 40;
  constexpr int kThreads = 8;
  const auto other = open();
  std::array<std::atomic<int>, kKeys> runs{};
  std::vector<std::thread> threads;
  std::atomic<int> errors{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      StoredLedger& ledger = t % 2 == 0 ? *ledger_ : *other;
      for (int i = 0; i < kKeys; ++i) {
        const ClaimRequest request = claim_of(std::to_string((i * 7 + t * 3) % kKeys), "worker " + std::to_string(t));
        const auto granted = ledger.claim(request);
        if (!granted) {
          ++errors;
        } else if (granted->answer == ClaimAnswer::Run) {
          ++runs[static_cast<std::size_t>((i * 7 + t * 3) % kKeys)];
          if (!ledger.commit(settlement_of(request, granted->fence, OutcomeKind::Done))) ++errors;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(errors.load(), 0);
  for (const auto& count : runs) EXPECT_EQ(count.load(), 1);
}

TEST_P(LedgerContract, ResultsAreKeptUpToTheirLimitAndHashedWhole) {
  for (const std::size_t size : {kResultBytesMax, kResultBytesMax + 1}) {
    const ClaimRequest request = claim_of(std::to_string(size));
    Settlement done = settlement_of(request, claim(request).fence, OutcomeKind::Done);
    done.outcome.result = std::string(size - 1, 'x') + '\0';
    EXPECT_EQ(commit(done), Verdict::Accepted);
    const Row row = show(std::to_string(size));
    EXPECT_EQ(row.result.bytes, done.outcome.result->substr(0, kResultBytesMax));
    EXPECT_EQ(row.result_bytes, static_cast<std::int64_t>(size));
    EXPECT_EQ(hex_encode(row.result_hash.bytes), hex_encode(sha256(*done.outcome.result)));
  }
}

TEST_P(LedgerContract, TextsOfAnyBytesAreStoredReadably) {
  const std::string odd = std::string("q\"uo\\te{,}") + '\0' + "'NULL'\xFF\n\xE2\x82\xAC";
  ClaimRequest request = claim_of(odd, "owner " + odd);
  request.message_id = odd;
  request.sender = odd;
  request.config_hash = "NULL";
  const Claim granted = claim(request);
  EXPECT_EQ(granted.answer, ClaimAnswer::Run);
  EXPECT_EQ(claim(request).answer, ClaimAnswer::Mine) << "owner and message are found the same again";
  Settlement done = settlement_of(request, granted.fence, OutcomeKind::Done);
  done.outcome.detail = odd;
  done.outcome.outcome_class = odd;
  EXPECT_EQ(commit(done), Verdict::Accepted);
  const Row row = show(odd);
  EXPECT_EQ(row.detail, "q\"uo\\te{,}\\x00'NULL'\\xff\\n\xE2\x82\xAC");
  EXPECT_EQ(row.sender, row.detail);
  EXPECT_EQ(row.key.text, row.detail);
  EXPECT_EQ(row.config_hash, "NULL");
}

TEST_P(LedgerContract, WhatWaitsIsCarriedOutBeforeTheEnd) {
  std::atomic<int> answered{0};
  for (int i = 0; i < 100; ++i) {
    ledger_->submit({claim_of(std::to_string(i))}, [&](Result<std::vector<Answer>> answers) { answered += answers ? 1 : 0; });
  }
  ledger_.reset();
  EXPECT_EQ(answered.load(), 100);
}

INSTANTIATE_TEST_SUITE_P(Databases, LedgerContract, testing::Values(Backend::Sqlite, Backend::Postgres), backend_name);

}  // namespace
}  // namespace ferry::ledger
