// Everything that can happen to two messages, two workers and the ledger's rules, with up to three faults; and that what
// looks for mistakes finds them: each rule or manner that is left out is found by a way that the test prints when it is not.

#include <gmock/gmock.h>

#include "model.h"

namespace ferry::ledger::model {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Model, NothingGoesWrongWhateverHappens) {
  for (const OnLost on_lost : {OnLost::Retry, OnLost::Park}) {
    for (const bool same_key : {false, true}) {
      const Explored explored = explore({on_lost, same_key, true, 3, same_key}, {});
      EXPECT_EQ(explored.violation, "");
      EXPECT_GT(explored.worlds, 10'000u) << "everything was tried";
      EXPECT_GT(explored.ends, 10u);
    }
  }
}

TEST(Model, WhoParksWhatIsLostActsOnceEvenWithoutLookingAtKeys) {
  for (const bool same_key : {false, true}) EXPECT_EQ(explore({OnLost::Park, same_key, false, 3}, {}).violation, "");
}

TEST(Model, WithoutFaultsEachActsOnce) {
  const Explored explored = explore({OnLost::Retry, false, true, 0}, {});
  EXPECT_EQ(explored.violation, "");
  EXPECT_GT(explored.ends, 0u);
}

std::string found_with(const Rules& rules) {
  return explore({}, rules).violation;
}

TEST(Model, FindsOutcomesThatAreTakenFromAnybody) {
  Rules rules;
  rules.settle = [](const std::optional<Row>& row, Settlement settlement, Timestamp now, Millis retention) {
    if (row) {
      settlement.fence = row->fence;
      settlement.owner = row->owner;
    }
    return decide_settlement(row, settlement, now, retention);
  };
  EXPECT_THAT(found_with(rules), StartsWith("two live claims"));
}

TEST(Model, FindsRenewalsThatAreTakenFromAnybody) {
  Rules rules;
  rules.renew = [](const std::optional<Row>& row, Renewal renewal, Timestamp now) {
    if (row) {
      renewal.fence = row->fence;
      renewal.owner = row->owner;
    }
    return decide_renewal(row, renewal, now);
  };
  EXPECT_THAT(found_with(rules), StartsWith("two live claims"));
}

TEST(Model, FindsClaimsOfWhatIsBeingDone) {
  Rules rules;
  rules.claim = [](std::optional<Row> row, const ClaimRequest& request, const Moment& moment) {
    if (row) row->lease_until = {};
    return decide_claim(row, request, moment);
  };
  EXPECT_THAT(found_with(rules), StartsWith("two live claims"));
}

TEST(Model, FindsClaimsOfWhatIsDone) {
  Rules rules;
  rules.claim = [](std::optional<Row> row, const ClaimRequest& request, const Moment& moment) {
    if (row && row->state == State::Done) row->state = State::Retry;
    return decide_claim(row, request, moment);
  };
  EXPECT_THAT(found_with(rules), StartsWith("what was done runs again"));
}

TEST(Model, FindsThatALostRequestIsRunAgainWhereItShouldBeParked) {
  Rules rules;
  rules.claim = [](const std::optional<Row>& row, ClaimRequest request, const Moment& moment) {
    request.on_lost = OnLost::Retry;
    return decide_claim(row, request, moment);
  };
  EXPECT_THAT(explore({OnLost::Park, false, false, 3}, rules).violation, StartsWith("a handler that just acts did so twice"));
}

TEST(Model, FindsClaimsThatAreNeverGivenUp) {
  Rules rules;
  rules.claim = [](std::optional<Row> row, const ClaimRequest& request, const Moment& moment) {
    if (row && row->state == State::Claimed) row->lease_until = moment.now + request.lease;
    return decide_claim(row, request, moment);
  };
  EXPECT_THAT(found_with(rules), StartsWith("it never comes to an end"));
}

TEST(Model, FindsWorkersThatDeleteTooEarly) {
  Rules rules;
  rules.deletes_before_committing = true;
  EXPECT_THAT(found_with(rules), StartsWith("a request was lost"));
  rules = {};
  rules.deletes_what_is_deferred = true;
  EXPECT_THAT(found_with(rules), AllOf(StartsWith("a request was lost"), HasSubstr("claims"))) << "the way there is told";
}

}  // namespace
}  // namespace ferry::ledger::model
