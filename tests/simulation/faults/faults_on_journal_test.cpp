// Thousands of short lives of an engine on a journal on a disk that fails.
//
//   FERRY_SIM_SEEDS=N   so many seeds
//   FERRY_SIM_SEED=S    that one alone. A failure prints its seed.
//   FERRY_SIM_STEPS=N   steps of each

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "simulation/faults/fault_run.h"

namespace ferry::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kSeeds = 300;
#else
constexpr std::uint64_t kSeeds = 3'000;
#endif
constexpr std::uint64_t kShards = 4;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void run(std::uint64_t seed, FaultTally& tally) {
  FaultRun life(seed, tally);
  life.run(static_cast<int>(number_from_environment("FERRY_SIM_STEPS", 200)));
  ASSERT_FALSE(testing::Test::HasFailure()) << "FERRY_SIM_SEED=" << seed << ", step " << life.step();
}

// What a quarter of the seeds must have met to prove something.
const FaultTally kMustBeMet = {
    {"send", 5'000},
    {"receive", 5'000},
    {"delete", 1'000},
    {"duplicate", 20},
    {"start task", 10},
    {"growth refused", 100},
    {"upkeep refused", 5},
    {"disk full", 100},
    {"disk emptied", 50},
    {"clock jump", 100},
    {"fault: read", 50},
    {"fault: create", 20},
    {"fault: write", 50},
    {"fault: short write", 20},
    {"fault: truncate", 20},
    {"fault: sync", 50},
    {"fault: rename", 20},
    {"fault: remove", 20},
    {"fault: sync directory", 20},
    {"fault: for ever", 50},
    {"store failed", 100},
    {"start failed", 20},
    {"closed", 50},
    {"close failed", 5},
    {"body could not be read", 5},
    {"crash: everything", 100},
    {"crash: only synced", 100},
    {"crash: torn", 100},
    {"compared while it ran", 100},
    {"drained", 500},
};

class FaultsOnJournal : public testing::TestWithParam<std::uint64_t> {};

TEST_P(FaultsOnJournal, NothingAcknowledgedIsLostAndAllComesToRest) {
  FaultTally tally;
  if (std::getenv("FERRY_SIM_SEED") != nullptr) {
    if (GetParam() != 0) return;
    run(number_from_environment("FERRY_SIM_SEED", 0), tally);
    for (const auto& [what, times] : tally) std::printf("%8llu %s\n", static_cast<unsigned long long>(times), what.c_str());
    return;
  }
  const std::uint64_t seeds = number_from_environment("FERRY_SIM_SEEDS", kSeeds);
  for (std::uint64_t seed = 1 + GetParam(); seed <= seeds; seed += kShards) {
    run(seed, tally);
    if (HasFailure()) return;
  }
  std::printf("%llu seeds, %llu crashes, %llu failed stores\n", static_cast<unsigned long long>(seeds / kShards),
              static_cast<unsigned long long>(tally["crash: everything"] + tally["crash: only synced"] + tally["crash: torn"]),
              static_cast<unsigned long long>(tally["store failed"]));
  std::uint64_t faults = 0;
  for (const auto& [what, times] : tally) faults += what.starts_with("fault: ") || what == "disk full" ? times : 0;
  RecordProperty("n_seeds", std::to_string(seeds / kShards));
  RecordProperty("n_faults", std::to_string(faults));
  if (seeds < 3'000) return;
  for (const auto& [what, times] : kMustBeMet) EXPECT_GE(tally[what], times) << what;
}

INSTANTIATE_TEST_SUITE_P(Shards, FaultsOnJournal, testing::Range(std::uint64_t{0}, kShards));

}  // namespace
}  // namespace ferry::test
