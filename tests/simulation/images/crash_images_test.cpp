// Every sequence of up to two operations, crashed at every operation on the disk in every way; some longer random ones.
//
//   FERRY_TORTURE=long      sequences of three operations, more tearings, more random sequences
//   FERRY_IMAGES=N          random sequences of 20 to 60 operations until N images were recovered
//   FERRY_CRASH_CASE=CASE   that one alone: names of operations with commas, or trace-SEED. A failure prints its case.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "simulation/images/explorer.h"

namespace ferry::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kOneInSo = 12;  // many times slower
#else
constexpr std::uint64_t kOneInSo = 1;
#endif

constexpr std::uint64_t kMachineSeed = 1'000;
constexpr Timestamp kStart{Millis(1'800'000'000'000)};
constexpr std::size_t kTraceOperations = 20;
constexpr int kTraces = 6;

bool is_long() {
  const char* const text = std::getenv("FERRY_TORTURE");
  return text != nullptr && std::string_view(text) == "long";
}

// Made once: the machine of the common beginning was killed.
struct CommonBeginning : Beginning {
  DiskImage image;
};
const CommonBeginning& common_beginning() {
  static const CommonBeginning beginning = [] {
    JournalMachine machine({DiskImage(), kStart, 1, crashing_journal(), true});
    EXPECT_TRUE(machine.start().has_value());
    machine.files.stop_protocol();
    Session session(machine, {});
    session.prepare();
    const DiskImage image = machine.files.image(CrashMode::Everything, machine.random);
    return CommonBeginning{{image, machine.clock.wall(), session.client, true}, image};
  }();
  return beginning;
}

class CrashImages : public testing::Test {
 protected:
  void TearDown() override {
    if (tally_.images == 0) return;
    const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf(
        "%llu sequences, %llu operations on the disk, %llu images (%llu torn, %llu of second crashes, %llu ended before the "
        "last record, %llu with an unfinished group, %llu of these over a former life's), %llu served until empty\n",
        number(tally_.sequences), number(tally_.boundaries), number(tally_.images), number(tally_.torn), number(tally_.again),
        number(tally_.behind), number(tally_.tails_cut), number(tally_.over_stale), number(tally_.served));
    RecordProperty("n_sequences", std::to_string(tally_.sequences));
    RecordProperty("n_boundaries", std::to_string(tally_.boundaries));
    RecordProperty("n_images", std::to_string(tally_.images));
    RecordProperty("n_served", std::to_string(tally_.served));
  }

  void crash(const std::vector<Operation>& operations) {
    const std::string name = text_of(operations);
    std::uint64_t seed = 14'695'981'039'346'656'037U;
    for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
    SCOPED_TRACE("FERRY_CRASH_CASE=" + name);
    Beginning beginning = common_beginning();
    beginning.direct_access = seed % 3 != 0;
    Explorer::Effort effort{.tearings = 5, .serve = true, .again = {1}, .seed = seed};
    if (is_long()) effort.tearings = 12, effort.again = {1, 2, 2};
    const auto cover = operations.size() < 2 ? Explorer::Cover::Everything : Explorer::Cover::LastOperation;
    Explorer(tally_, effort).explore(beginning, operations, cover, {kMachineSeed, seed});
  }

  void crash_trace(std::uint64_t seed) {
    SCOPED_TRACE("FERRY_CRASH_CASE=trace-" + std::to_string(seed));
    SeededRandom chance(seed);
    std::vector<Operation> operations(kTraceOperations * (seed < kTraces ? 1 : 1 + chance.below(3)));
    for (Operation& operation : operations) operation = static_cast<Operation>(chance.below(kOperations));
    SCOPED_TRACE(text_of(operations));
    Beginning beginning = common_beginning();
    beginning.direct_access = seed % 2 == 0;
    Explorer::Effort effort{.tearings = 2, .serve = true, .again = {2}, .seed = seed};
    Explorer(tally_, effort).explore(beginning, operations, Explorer::Cover::Everything, {seed + 5'000, seed});
  }

  ExplorerTally tally_;
};

// ---- the means

TEST_F(CrashImages, TheBeginningHasEverythingThatTheOperationsNeed) {
  const CommonBeginning& beginning = common_beginning();
  JournalMachine machine({beginning.image, beginning.now, 2, crashing_journal(), true});
  ASSERT_TRUE(machine.start().has_value());
  const auto counts = [&](const std::string& name) { return machine.engine->counts(machine.queue(name)); };
  EXPECT_EQ(counts("work").not_visible, 4U);
  EXPECT_GE(counts("work").visible, 3U);
  EXPECT_EQ(counts("dead").visible, 3U);
  EXPECT_EQ(counts("orders.fifo").not_visible, 2U);
  EXPECT_EQ(counts("brief").visible, 2U);
  EXPECT_GE(machine.journal->stats().segments, 8U);
  EXPECT_LT(machine.journal->stats().live_body_bytes, 64U * 1024);
  EXPECT_EQ(machine.journal->recovery().checkpoint > 0, true);
  std::uint64_t stale = 0;
  for (std::uint32_t number = 1; number < 100; ++number) stale += stale_groups(beginning.image, number);
  EXPECT_GT(stale, 2U) << "the log does not go on over groups of a former life";
  const auto is_spare = [](const auto& file) { return file.first.starts_with("/data/spare-"); };
  // The start takes it; what is freed from then on is the next to be used again.
  EXPECT_EQ(std::count_if(beginning.image.begin(), beginning.image.end(), is_spare), 1);
}

TEST_F(CrashImages, EachOperationDoesSomething) {
  for (std::size_t i = 0; i < kOperations; ++i) {
    const auto operation = static_cast<Operation>(i);
    SCOPED_TRACE(name_of(operation));
    const CommonBeginning& beginning = common_beginning();
    JournalMachine machine({beginning.image, beginning.now, kMachineSeed, crashing_journal(), true});
    ASSERT_TRUE(machine.start().has_value());
    Session session(machine, beginning.client);
    const store::StoreStats before = machine.journal->stats();
    const std::uint64_t last = machine.journal->last().value;
    const std::uint64_t run = machine.journal->recovery().run;
    session.run(operation);
    const store::StoreStats after = machine.journal->stats();
    if (operation == Operation::Checkpoint) {
      EXPECT_GT(after.checkpoints, before.checkpoints);
    } else if (operation == Operation::CleanStop) {
      EXPECT_EQ(machine.journal->recovery().run, run + 1);
    } else {
      EXPECT_GT(machine.journal->last().value, last);
    }
    if (operation == Operation::Compaction) {
      EXPECT_LT(after.segments, before.segments);
    }
    if (operation == Operation::DeadLetter) {
      EXPECT_EQ(machine.engine->counts(machine.queue("dead")).visible, 4U);
    }
    if (operation == Operation::MoveTask) {
      EXPECT_EQ(machine.engine->counts(machine.queue("dead")).visible, 0U);
    }
    EXPECT_EQ(parse_operations(std::string(name_of(operation))), std::vector{operation});
  }
}

// ---- crashes

TEST_F(CrashImages, WhileAStoreIsMade) {
  if (std::getenv("FERRY_CRASH_CASE") != nullptr) return;
  for (const bool direct_access : {true, false}) {
    Explorer explorer(tally_, {.tearings = 8, .serve = true, .again = {}, .seed = 0});
    explorer.explore({DiskModel(), kStart, {}, direct_access},
                     {Operation::CreateQueue, Operation::Checkpoint, Operation::CleanStop}, Explorer::Cover::Everything, {3, 4});
  }
}

TEST_F(CrashImages, WhileAStoreStarts) {
  if (std::getenv("FERRY_CRASH_CASE") == nullptr) crash({});
}

TEST_F(CrashImages, OneCase) {
  const char* const text = std::getenv("FERRY_CRASH_CASE");
  if (text == nullptr) return;
  const std::string name(text);
  if (name.starts_with("trace-")) return crash_trace(std::strtoull(text + 6, nullptr, 10));
  const auto operations = parse_operations(name);
  ASSERT_TRUE(operations.has_value()) << "FERRY_CRASH_CASE names no operations: " << name;
  crash(*operations);
}

TEST_F(CrashImages, AsManyAsWanted) {
  const char* const text = std::getenv("FERRY_IMAGES");
  if (text == nullptr) return;
  const std::uint64_t wanted = std::strtoull(text, nullptr, 10);
  for (std::uint64_t seed = kTraces; tally_.images < wanted && !HasFailure(); ++seed) crash_trace(seed);
}

class SequencesThatStartWith : public CrashImages, public testing::WithParamInterface<std::size_t> {};

TEST_P(SequencesThatStartWith, LoseNothingAcknowledged) {
  if (std::getenv("FERRY_CRASH_CASE") != nullptr) return;
  const auto operation = [](std::size_t i) { return static_cast<Operation>(i); };
  const Operation first = operation(GetParam());
  crash({first});
  for (std::size_t second = 0; second < kOperations && !HasFailure(); ++second) {
    if ((GetParam() * kOperations + second) % kOneInSo == 0) crash({first, operation(second)});
    for (std::size_t third = 0; is_long() && third < kOperations && !HasFailure(); ++third)
      crash({first, operation(second), operation(third)});
  }
}

INSTANTIATE_TEST_SUITE_P(Operations, SequencesThatStartWith, testing::Range(std::size_t{0}, kOperations),
                         [](const auto& operation) {
                           std::string name(name_of(static_cast<Operation>(operation.param)));
                           std::erase(name, '-');
                           return name;
                         });

class RandomSequences : public CrashImages, public testing::WithParamInterface<int> {};

TEST_P(RandomSequences, LoseNothingAcknowledged) {
  if (std::getenv("FERRY_CRASH_CASE") != nullptr) return;
  if (kOneInSo > 1 && GetParam() > 0) return;
  crash_trace(static_cast<std::uint64_t>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomSequences, testing::Range(0, kTraces));

}  // namespace
}  // namespace ferry::test
