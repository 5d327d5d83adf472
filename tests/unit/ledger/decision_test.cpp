// The whole table of the ledger's rules, without a database: every state of a record, met by every operation.

#include "ledger/decision.h"

#include <gmock/gmock.h>

#include "harness.h"
#include "ledger/guarded_clock.h"
#include "ledger/text.h"

namespace ferry::ledger {
namespace {

using testing::HasSubstr;

constexpr Timestamp kNow = from_epoch_millis(1'000'000);
constexpr Millis kRetention{1'000};

Row record(State state, const std::string& owner = "one") {
  const ClaimRequest request = claim_of("a", owner);
  Row row;
  row.key = request.key;
  row.state = state;
  row.fence = 7;
  row.owner = owner;
  row.payload = request.payload;
  row.message_id = request.message_id;
  row.attempts = 3;
  row.first_seen = kNow - Millis(500);
  row.claimed_at = kNow - Millis(100);
  if (state == State::Claimed) row.lease_until = kNow + Millis(1);
  return row;
}

Row lost_claim() {
  Row row = record(State::Claimed);
  row.lease_until = kNow;
  return row;
}

Row thought_lost() {
  Row row = record(State::Parked);
  row.outcome = "lost";
  return row;
}

struct ClaimCase {
  const char* name;
  std::optional<Row> row;
  ClaimRequest request;
  ClaimAnswer answer;
  std::optional<State> becomes;  // nothing: unchanged
};

std::vector<ClaimCase> claim_table() {
  const ClaimRequest other = claim_of("a", "two");
  ClaimRequest park = other;
  park.on_lost = OnLost::Park;
  ClaimRequest twin = claim_of("a", "one");
  twin.message_id = "twin";
  Row due = record(State::Retry);
  due.not_before = kNow;
  Row early = record(State::Retry);
  early.not_before = kNow + Millis(1);
  return {
      {"none", std::nullopt, other, ClaimAnswer::Run, State::Claimed},
      {"retry, due", due, other, ClaimAnswer::Run, State::Claimed},
      {"retry, not due", early, other, ClaimAnswer::NotYet, std::nullopt},
      {"live, other owner", record(State::Claimed), other, ClaimAnswer::Deferred, std::nullopt},
      {"live, other owner, park", record(State::Claimed), park, ClaimAnswer::Deferred, std::nullopt},
      {"live, mine", record(State::Claimed), claim_of("a", "one"), ClaimAnswer::Mine, std::nullopt},
      {"live, mine, another message", record(State::Claimed), twin, ClaimAnswer::Deferred, std::nullopt},
      {"lost, retry", lost_claim(), other, ClaimAnswer::Run, State::Claimed},
      {"lost, own, retry", lost_claim(), claim_of("a", "one"), ClaimAnswer::Run, State::Claimed},
      {"lost, park", lost_claim(), park, ClaimAnswer::Parked, State::Parked},
      {"done", record(State::Done), other, ClaimAnswer::AlreadyDone, std::nullopt},
      {"rejected", record(State::Rejected), other, ClaimAnswer::Rejected, std::nullopt},
      {"parked", record(State::Parked), other, ClaimAnswer::Parked, std::nullopt},
      {"parked as lost", thought_lost(), other, ClaimAnswer::Parked, std::nullopt},
  };
}

TEST(Decision, AClaimMeetsEveryRecord) {
  for (const ClaimCase& one : claim_table()) {
    const ClaimDecision decision = decide_claim(one.row, one.request, {kNow, 0});
    EXPECT_EQ(decision.answer.answer, one.answer) << one.name;
    ASSERT_EQ(decision.write.has_value(), one.becomes.has_value()) << one.name;
    if (one.becomes) {
      EXPECT_EQ(decision.write->state, *one.becomes) << one.name;
    }
    const bool waits = one.answer == ClaimAnswer::Deferred || one.answer == ClaimAnswer::NotYet;
    EXPECT_EQ(decision.answer.wait, Millis(waits ? 1 : 0)) << one.name;
    EXPECT_EQ(decision.answer.fence > 0, one.answer == ClaimAnswer::Run || one.answer == ClaimAnswer::Mine) << one.name;
  }
}

TEST(Decision, AnotherPayloadConflictsWithEveryRecord) {
  for (const ClaimCase& one : claim_table()) {
    if (!one.row) continue;
    ClaimRequest changed = one.request;
    changed.payload = payload_hash("Enable", "changed", {});
    const ClaimDecision decision = decide_claim(one.row, changed, {kNow, 0});
    EXPECT_EQ(decision.answer.answer, ClaimAnswer::Conflict) << one.name;
    EXPECT_FALSE(decision.write) << one.name;
  }
}

TEST(Decision, AGrantedClaimIsWholeAndFencesAllBeforeIt) {
  ClaimRequest request = claim_of("a", "two");
  request.receive_count = 5;
  request.sender = "ann";
  const Row row = *decide_claim(lost_claim(), request, {kNow, 99}).write;
  EXPECT_EQ(row.fence, 8);
  EXPECT_EQ(row.attempts, 4);
  EXPECT_EQ(row.owner, "two");
  EXPECT_EQ(row.lease_until, kNow + request.lease);
  EXPECT_EQ(row.claimed_at, kNow);
  EXPECT_EQ(row.first_seen, kNow - Millis(500));
  EXPECT_EQ(row.receive_count_max, 5);
  EXPECT_EQ(row.sender, "ann");
  EXPECT_EQ(decide_claim(std::nullopt, request, {kNow, 99}).write->fence, 100) << "above all that were removed";
}

TEST(Decision, RenewalsAndOutcomesNeedTheFenceAndTheOwner) {
  const ClaimRequest one = claim_of("a", "one");
  const ClaimRequest two = claim_of("a", "two");
  const auto renew = [&](const std::optional<Row>& row, const ClaimRequest& who, Fence fence) {
    return decide_renewal(row, renewal_of(who, fence), kNow).verdict;
  };
  const auto end = [&](const std::optional<Row>& row, const ClaimRequest& who, Fence fence) {
    return decide_settlement(row, settlement_of(who, fence, OutcomeKind::Retry), kNow, kRetention).verdict;
  };
  struct Case {
    std::optional<Row> row;
    Verdict renewed;
    Verdict ended;
  };
  const std::vector<Case> cases = {
      {record(State::Claimed), Verdict::Accepted, Verdict::Accepted},
      {lost_claim(), Verdict::Accepted, Verdict::Accepted},
      {thought_lost(), Verdict::Accepted, Verdict::Accepted},
      {record(State::Parked), Verdict::Fenced, Verdict::Fenced},
      {record(State::Done), Verdict::Fenced, Verdict::Fenced},
      {record(State::Rejected), Verdict::Fenced, Verdict::Fenced},
      {record(State::Retry), Verdict::Fenced, Verdict::Accepted},  // said again
      {std::nullopt, Verdict::Fenced, Verdict::Fenced},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(renew(cases[i].row, one, 7), cases[i].renewed) << i;
    EXPECT_EQ(end(cases[i].row, one, 7), cases[i].ended) << i;
    for (const Fence fence : {6, 8}) {
      EXPECT_EQ(renew(cases[i].row, one, fence), Verdict::Fenced) << i;
      EXPECT_EQ(end(cases[i].row, one, fence), Verdict::Fenced) << i;
    }
    EXPECT_EQ(renew(cases[i].row, two, 7), Verdict::Fenced) << i;
    EXPECT_EQ(end(cases[i].row, two, 7), Verdict::Fenced) << i;
  }
}

TEST(Decision, ARenewalNeverShortensALease) {
  Row row = record(State::Claimed);
  row.lease_until = kNow + Millis(100'000);
  EXPECT_EQ(decide_renewal(row, renewal_of(claim_of("a"), 7), kNow).write->lease_until, kNow + Millis(100'000));
  row.lease_until = kNow + Millis(1);
  EXPECT_EQ(decide_renewal(row, renewal_of(claim_of("a"), 7), kNow).write->lease_until, kNow + Millis(60'000));
}

TEST(Decision, EachOutcomeLeavesItsRecord) {
  struct Case {
    OutcomeKind kind;
    State state;
    std::int64_t attempts;
    std::int64_t interrupts;
    Timestamp expires_at;
    const char* outcome;
  };
  for (const Case& one : {Case{OutcomeKind::Done, State::Done, 3, 0, kNow + kRetention, "done"},
                          Case{OutcomeKind::Rejected, State::Rejected, 3, 0, kNow + kRetention, "rejected"},
                          Case{OutcomeKind::Parked, State::Parked, 3, 0, Timestamp{}, "parked"},
                          Case{OutcomeKind::Retry, State::Retry, 3, 0, kNow + Millis(50) + kRetention, "retry"},
                          Case{OutcomeKind::Interrupted, State::Retry, 2, 1, kNow + Millis(50) + kRetention, "interrupted"},
                          Case{OutcomeKind::Released, State::Retry, 2, 0, kNow + Millis(50) + kRetention, "released"}}) {
    Settlement settlement = settlement_of(claim_of("a"), 7, one.kind);
    settlement.outcome.retry_after = Millis(50);
    const Row row = *decide_settlement(record(State::Claimed), settlement, kNow, kRetention).write;
    EXPECT_EQ(row.state, one.state) << one.outcome;
    EXPECT_EQ(row.attempts, one.attempts) << one.outcome;
    EXPECT_EQ(row.interrupts, one.interrupts) << one.outcome;
    EXPECT_EQ(row.expires_at, one.expires_at) << one.outcome;
    EXPECT_EQ(row.outcome, one.outcome);
    EXPECT_EQ(row.not_before, one.state == State::Retry ? kNow + Millis(50) : Timestamp{}) << one.outcome;
    EXPECT_EQ(row.finished_at, kNow);
    EXPECT_EQ(row.fence, 7);
  }
}

TEST(Decision, PeopleMeetEveryRecord) {
  struct Case {
    Row row;
    std::optional<ErrorKind> retry;
    std::optional<ErrorKind> park;
    std::optional<ErrorKind> forget;
  };
  const auto kind = [](const auto& result) { return result ? std::nullopt : std::optional(result.error().kind); };
  const std::vector<Case> cases = {
      {record(State::Claimed), ErrorKind::Busy, std::nullopt, ErrorKind::Busy},
      {lost_claim(), std::nullopt, std::nullopt, std::nullopt},
      {record(State::Done), ErrorKind::InvalidArgument, ErrorKind::InvalidArgument, std::nullopt},
      {record(State::Retry), std::nullopt, std::nullopt, std::nullopt},
      {record(State::Rejected), std::nullopt, std::nullopt, std::nullopt},
      {record(State::Parked), std::nullopt, std::nullopt, std::nullopt},
  };
  for (const Case& one : cases) {
    const auto retried = decide_retry(one.row, kNow);
    const auto parked = decide_park(one.row, "why", kNow);
    EXPECT_EQ(kind(retried), one.retry) << state_name(one.row.state);
    EXPECT_EQ(kind(parked), one.park) << state_name(one.row.state);
    EXPECT_EQ(kind(decide_forget(one.row, kNow)), one.forget) << state_name(one.row.state);
    EXPECT_TRUE(!retried || retried->fence == 8);
    EXPECT_TRUE(!parked || parked->fence == 8);
  }
}

TEST(Keys, DifferentRequestsAreDifferent) {
  EXPECT_NE(make_key("a", "bc").hash, make_key("ab", "c").hash);
  EXPECT_EQ(make_key("a", "b").hash, make_key("a", "b").hash);
  EXPECT_EQ(hex_encode(make_key("a", "b").hash), hex_encode(sha256(std::string("a\0b", 3))));
  const auto payload = payload_hash("h", "body", {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(payload, payload_hash("h", "body", {{"y", "2"}, {"x", "1"}})) << "in any order";
  for (const auto& other :
       {payload_hash("h", "body", {{"x", "1"}}), payload_hash("h", "body", {{"x", "1y"}, {"", "2"}}),
        payload_hash("hb", "ody", {{"x", "1"}, {"y", "2"}}), payload_hash("g", "body", {{"x", "1"}, {"y", "2"}})}) {
    EXPECT_NE(payload, other);
  }
}

TEST(Keys, LongOnesAreClippedToReadAndHashedWhole) {
  const std::string fits(kKeyTextBytesMax, 'x');
  EXPECT_EQ(make_key("s", fits).text, fits);
  const Key clipped = make_key("s", fits + "y");
  EXPECT_EQ(clipped.text.size(), kKeyTextBytesMax);
  EXPECT_TRUE(clipped.text.ends_with("…"));
  EXPECT_NE(clipped.hash, make_key("s", fits + "z").hash);
}

TEST(Keys, TextsAreCutBetweenCharacters) {
  for (std::size_t bytes_max = 4; bytes_max < 20; ++bytes_max) {
    const std::string cut = readable("ää€€\x01\x02öö€", bytes_max);
    EXPECT_LE(cut.size(), bytes_max);
    EXPECT_TRUE(is_utf8(cut)) << cut;
  }
}

TEST(Keys, OwnersAreNeverTheSame) {
  SeededRandom random(1);
  EXPECT_NE(make_owner(random), make_owner(random));
}

TEST(StateNames, AreReadBack) {
  for (const State state : {State::Claimed, State::Done, State::Retry, State::Rejected, State::Parked}) {
    EXPECT_EQ(parse_state(state_name(state)), state);
  }
  EXPECT_EQ(parse_state("Done"), std::nullopt);
}

TEST(GuardedClock, NeverGoesBackAndNeverStandsStill) {
  ManualClock host(from_epoch_millis(5'000));
  GuardedClock clock(host);
  EXPECT_EQ(clock.now(from_epoch_millis(3'000)), from_epoch_millis(5'000));
  host.jump_wall(Millis(-4'000));  // somebody set it
  EXPECT_EQ(clock.now(from_epoch_millis(0)), from_epoch_millis(5'000));
  host.advance(Millis(10));
  EXPECT_EQ(clock.now(from_epoch_millis(0)), from_epoch_millis(5'010)) << "leases still end";
  host.jump_wall(Millis(5'000));
  EXPECT_EQ(clock.now(from_epoch_millis(0)), from_epoch_millis(6'010));
  host.advance(Millis(5));
  EXPECT_EQ(clock.now(from_epoch_millis(9'000)), from_epoch_millis(9'000)) << "another process was ahead";
  host.advance(Millis(5));
  EXPECT_EQ(clock.now(from_epoch_millis(0)), from_epoch_millis(9'005));
}

}  // namespace
}  // namespace ferry::ledger
