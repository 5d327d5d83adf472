// The engine must agree with the reference model, whatever happens. FERRY_SIM_SEED runs one seed instead of the standard ones,
// FERRY_SIM_OPS sets the operations of each. A failure prints its seed.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "simulation.h"

namespace ferry::simulation {
namespace {

int operations_from_environment(int otherwise) {
  const char* const text = std::getenv("FERRY_SIM_OPS");
  return text == nullptr ? otherwise : std::atoi(text);
}

void run(std::uint64_t seed, int operations, const std::shared_ptr<Tally>& tally) {
  Simulation simulation(seed, tally);
  simulation.run(operations);
  ASSERT_FALSE(testing::Test::HasFailure()) << "FERRY_SIM_SEED=" << seed << ", operation " << simulation.step();
}

// What a run that proves something has met.
const std::map<std::string, int> kMustBeMet = {
    // queues
    {"create", 20},
    {"create QueueNameExists", 20},
    {"create QueueDeletedRecently", 5},
    {"delete queue", 20},
    {"purge", 20},
    {"purge PurgeQueueInProgress", 3},
    {"set attributes", 100},
    {"tags changed", 20},
    {"add permission", 20},
    {"add permission InvalidParameterValue", 3},
    {"remove permission", 3},
    {"remove permission InvalidParameterValue", 5},
    // messages
    {"send", 1'000},
    {"send InvalidParameterValue", 20},
    {"send ServiceUnavailable", 20},
    {"receive", 1'000},
    {"receive OverLimit", 20},
    {"delivered", 1'000},
    {"delete", 100},
    {"delete ReceiptHandleIsInvalid", 20},
    {"delete with an older handle", 20},
    {"change", 100},
    {"change ReceiptHandleIsInvalid", 20},
    {"change InvalidParameterValue", 20},
    {"change beyond 12 hours", 5},
    {"change hides a visible message", 20},
    {"quarantined", 5},
    {"quarantine after compaction", 2},
    {"poll woken beside a sleeping one", 1},
    // tenants
    {"tenant becomes noisy", 20},
    {"tenant that sends no more", 1},
    {"noisy by messages in flight", 2},
    {"noisy tenant passed over", 20},
    {"noisy tenant served after the quiet", 20},
    // FIFO queues
    {"duplicate", 100},
    {"duplicate at once", 20},
    {"duplicate of a message that is gone", 20},
    {"several groups in one receive", 100},
    {"blocked by a message in flight", 10},
    {"visible behind a blocked head", 20},
    {"group unblocked by a delete", 20},
    {"group unblocked by a change", 10},
    {"delete with an expired handle", 20},
    {"change with an expired handle", 20},
    {"attempt replayed", 20},
    {"attempt that cannot be replayed", 20},
    {"in flight limit, FIFO", 10},
    // dead letters
    {"redrive policy: no such target", 5},
    {"redrive policy: another account", 5},
    {"redrive policy: another kind", 3},
    {"redrive policy: denied", 5},
    {"redrive policy: to itself", 5},
    {"dead letter, standard", 100},
    {"dead letter, FIFO", 100},
    {"dead letter to its own queue", 20},
    {"dead letter into a chain", 20},
    {"dead letter with older receives", 20},
    {"dead letters and deliveries in one receive", 20},
    {"dead letters moved in the background", 20},
    {"exhausted without a target", 5},
    // move tasks
    {"start task InvalidParameterValue", 5},
    {"start task ResourceNotFound", 1},
    {"task started", 20},
    {"task held back by its rate", 5},
    {"task COMPLETED", 5},
    {"task FAILED CouldNotDetermineMessageSource", 5},
    {"task FAILED AWS.SimpleQueueService.NonExistentQueue", 1},
    {"task cancelled", 1},
    {"cancel of no task", 5},
    {"cancel of an ended task", 5},
    {"task moved a message, standard", 20},
    {"task moved a message, FIFO", 20},
    {"id of a redriven message seen", 20},
    // crashes
    {"checkpoint", 20},
    {"crash", 100},
    {"crash with messages in flight", 20},
    {"crash with groups in line", 20},
    {"crash with a deduplication window", 20},
    {"crash with a task", 5},
};

TEST(Simulation, TheEngineAgreesWithTheReferenceModel) {
  const int operations = operations_from_environment(2'500);
  const auto tally = std::make_shared<Tally>();
  if (const char* const text = std::getenv("FERRY_SIM_SEED")) {
    run(std::strtoull(text, nullptr, 10), operations, tally);
    for (const auto& [what, times] : *tally) std::printf("%8d %s\n", times, what.c_str());
    return;
  }
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    run(seed, operations, tally);
    if (HasFatalFailure()) return;
  }
  if (operations < 2'500) return;
  for (const auto& [what, times] : kMustBeMet) EXPECT_GE((*tally)[what], times) << what;
}

}  // namespace
}  // namespace ferry::simulation
