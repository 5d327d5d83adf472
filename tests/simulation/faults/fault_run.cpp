// The store's own work, its faults, its ends and what must hold behind them.

#include "simulation/faults/fault_run.h"

#include <algorithm>

namespace ferry::test {
namespace {

constexpr Timestamp kStart{Millis(1'800'000'000'000)};
constexpr std::uint64_t kSegmentBytes = 64 * 1024;
// Beyond every lease and delay.
constexpr Seconds kAllLeases{100};

}  // namespace

FaultRun::FaultRun(std::uint64_t seed, FaultTally& tally) : tally_(tally), chance_(seed), options_(small_journal()) {
  options_.reserve_bytes = 48 * 1024;
  options_.group_bytes_max = chance(2) ? 4'096 : 16 * 1024;
  options_.checkpoint_log_bytes = std::uint64_t{128 * 1024} << 4 * below(3);
  options_.spare_segments_max = static_cast<std::uint32_t>(below(3));
  options_.cache_bytes = chance(2) ? 4'096 : 64 * 1024;
  direct_access_ = chance(2);
}

void FaultRun::run(int steps) {
  start_on({});
  create_queues();
  for (step_ = 0; step_ < steps && !testing::Test::HasFailure(); ++step_) {
    const std::uint64_t dice = below(100);
    if (dice < 55) {
      operate();
    } else if (dice < 93) {
      work();
    } else if (dice < 95) {
      arm_fault();
    } else if (dice < 97) {
      fill_or_empty_the_disk();
    } else {
      stop();
    }
    check_invariants();
  }
  if (!testing::Test::HasFailure()) end();
}

void FaultRun::create_queues() {
  machine_->create("dead", {});
  machine_->create("dead.fifo", {{"FifoQueue", "true"}});
  machine_->create("plain", {});
  const auto redrive = [](const std::string& target) {
    return R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:)" + target + R"(","maxReceiveCount":2})";
  };
  machine_->create("work", {{"RedrivePolicy", redrive("dead")}});
  machine_->create("orders.fifo", {{"FifoQueue", "true"}, {"RedrivePolicy", redrive("dead.fifo")}});
}

// ---- the store's work

void FaultRun::work() {
  const std::uint64_t dice = below(100);
  if (dice < 50) {
    machine_->journal->commit_step();
  } else if (dice < 80) {
    machine_->journal->maintain_step();
  } else if (dice < 86) {
    for (std::uint64_t i = below(20); i > 0; --i) {
      machine_->journal->commit_step();
      machine_->journal->maintain_step();
    }
  } else if (dice < 90) {
    machine_->journal->request_checkpoint();
  } else {
    static_cast<void>(machine_->engine->tick());
  }
}

void FaultRun::arm_fault() {
  using Files = RecordingFileSystem;
  if (chance(4)) {
    machine_->files.fail_reads(1 + below(5), ErrorKind::Io);
    return count("fault: read");
  }
  const auto kind = static_cast<Files::Kind>(chance(2) ? (chance(2) ? 1 : 3) : below(7));
  const auto times = chance(3) ? Files::Times::FromThenOn : Files::Times::Once;
  const bool may_be_full = kind == Files::Kind::Write || kind == Files::Kind::Create;
  const ErrorKind error = may_be_full && chance(4) ? ErrorKind::NoSpace : ErrorKind::Io;
  const std::size_t written = kind == Files::Kind::Write && chance(2) ? below(9'000) : 0;
  machine_->files.fail(kind, 1 + below(8), error, times, written);
  static const char* const kKinds[] = {"create", "write", "truncate", "sync", "rename", "remove", "sync directory"};
  count(std::string("fault: ") + kKinds[static_cast<std::size_t>(kind)]);
  if (written != 0) count("fault: short write");
  if (times == Files::Times::FromThenOn) count("fault: for ever");
}

void FaultRun::fill_or_empty_the_disk() {
  if (disk_is_full_) {
    machine_->files.set_capacity(0);
    disk_is_full_ = false;
    machine_->clock.advance(Millis(1'100));
    return count("disk emptied");
  }
  machine_->files.set_capacity(machine_->files.total_bytes() + below(100'000));
  disk_is_full_ = true;
  count("disk full");
}

void FaultRun::check_invariants() {
  const store::Journal& journal = *machine_->journal;
  if (!machine_->failures.empty() && !failed_at_) {
    failed_at_ = machine_->durable_at_failure;
    EXPECT_TRUE(machine_->files.fault_was_met()) << machine_->failures.front().message;
    count("store failed");
  }
  if (failed_at_) {
    EXPECT_EQ(machine_->failures.size(), 1U);
    EXPECT_EQ(journal.durable().value, *failed_at_) << "something became durable after a failed write";
    EXPECT_FALSE(journal.writable());
    const std::uint64_t last = journal.last().value;
    if (chance(3)) {
      send();
      machine_->commit();
      EXPECT_FALSE(machine_->journal->maintain_step());
      EXPECT_EQ(journal.last().value, last) << "a store that has failed takes records";
    }
  } else if (journal.writable()) {
    last_when_writable_ = journal.last().value;
  }
}

// ---- ends

void FaultRun::stop() {
  if (failed_at_ || chance(3) == false) return die(some_mode());
  const auto closed = machine_->journal->close();
  if (closed) {
    EXPECT_EQ(machine_->journal->durable(), machine_->journal->last());
    count("closed");
  } else {
    EXPECT_TRUE(machine_->files.fault_was_met()) << closed.error().message;
    count("close failed");
  }
  die(some_mode());
}

// The memory of a running engine is what the records say, those that never became durable included.
void FaultRun::check_live() {
  if (clock_jumped_) return;
  const std::uint64_t last = machine_->journal->last().value;
  const Observation live = observe(*machine_->engine, reference_.heard());
  if (machine_->journal->last().value != last) return;  // the look at the clock has written something
  const Observation expected = reference_.at(last, *machine_->history, machine_->clock.wall(), machine_->engine->now());
  EXPECT_TRUE(live == expected) << "the running engine is not what its log says:" << difference(live, expected);
  count("compared while it ran");
}

void FaultRun::die(CrashMode mode) {
  if (chance(2)) check_live();
  check_invariants();
  if (testing::Test::HasFailure()) return;
  static const char* const kModes[] = {"crash: everything", "crash: only synced", "crash: torn"};
  count(kModes[static_cast<std::size_t>(mode)]);
  start_on(crashed(mode));
}

DiskModel FaultRun::crashed(CrashMode mode) {
  if (mode == CrashMode::Everything) return machine_->files.disk();
  return machine_->files.image(mode, chance_);
}

void FaultRun::start_on(DiskModel disk) {
  const std::unique_ptr<JournalMachine> before = std::move(machine_);
  const Timestamp wall = before == nullptr ? kStart : before->clock.wall() + Millis(below(5'000));
  for (bool faults = before != nullptr && chance(4);; faults = false) {
    machine_ =
        std::make_unique<JournalMachine>(JournalMachine::Setup{std::move(disk), wall, chance_.next(), options_, direct_access_});
    machine_->files.stop_protocol();
    if (faults) arm_fault();
    const auto started = machine_->start();
    if (started) break;
    ASSERT_TRUE(machine_->files.fault_was_met()) << "does not start: " << started.error().message;
    EXPECT_NE(started.error().kind, ErrorKind::Corrupt) << started.error().message;
    count("start failed");
    disk = crashed(some_mode());
  }
  machine_->files.clear_faults();
  const std::uint64_t durable = before == nullptr ? 0 : before->journal->durable().value;
  if (before != nullptr) compare(*before->history, durable);
  clock_jumped_ = false;
  failed_at_.reset();
  disk_is_full_ = false;
  last_when_writable_ = machine_->journal->last().value;
  reference_.begin(*machine_->engine, machine_->journal->last().value);
}

void FaultRun::compare(const HistoryStore& history, std::uint64_t durable) {
  const std::uint64_t kept = machine_->journal->last().value;
  ASSERT_GE(kept, durable) << "acknowledged and lost";
  ASSERT_TRUE(kept == reference_.base() || history.is_end(kept)) << "a part of a reservation, to " << kept;
  const Observation expected = reference_.at(kept, history, machine_->clock.wall(), machine_->engine->now());
  const Observation observation = observe(*machine_->engine, reference_.heard());
  ASSERT_TRUE(observation == expected) << "not what the log held up to " << kept << ":" << difference(observation, expected);
  check_client(observation, durable);
}

void FaultRun::check_client(const Observation& observation, std::uint64_t durable) {
  std::set<Uuid> present;
  for (const engine::Place& place : observation.bodies) {
    const auto message = message_at(place.location);
    if (!message) return;
    EXPECT_TRUE(present.insert(*message).second) << "a message is there twice";
  }
  for (auto at = messages_.begin(); at != messages_.end();) {
    Told& told = at->second;
    if (present.contains(at->first)) {
      EXPECT_FALSE(told.deleted && *told.deleted <= durable) << "deleted and back: " << told.body.substr(0, 20);
      EXPECT_FALSE(told.swept && *told.swept <= durable) << "purged and back: " << told.body.substr(0, 20);
      told.deleted.reset();
      told.swept.reset();
      ++at;
      continue;
    }
    EXPECT_FALSE(told.sent <= durable && !told.deleted && !told.swept) << "acknowledged and lost: " << told.body.substr(0, 20);
    forgotten_.insert(at->first);
    at = messages_.erase(at);
  }
  std::erase_if(handles_, [&](const Handle& handle) { return handle.seen > durable || !messages_.contains(handle.message); });
}

// ---- when all faults have ended

void FaultRun::end() {
  machine_->files.clear_faults();
  machine_->files.set_capacity(0);
  disk_is_full_ = false;
  check_invariants();
  if (failed_at_) die(CrashMode::OnlySynced);
  if (testing::Test::HasFailure()) return;
  machine_->clock.advance(kAllLeases);
  machine_->maintain();
  EXPECT_TRUE(machine_->journal->writable()) << "there is space again, and nothing is taken";
  drain();
  if (testing::Test::HasFailure()) return;
  check_space();
  die(CrashMode::OnlySynced);
  EXPECT_EQ(machine_->engine->totals().messages, 0U);
}

void FaultRun::drain() {
  std::set<Uuid> missing;
  for (const auto& [id, told] : messages_) {
    if (!told.deleted && !told.swept) missing.insert(id);
  }
  std::map<std::string, std::uint64_t> latest;  // by queue and group
  const std::vector<std::string> names = machine_->engine->list("000000000000", "us-east-1", "", "", 100).result->names;
  int rounds = 0;
  for (; machine_->engine->totals().messages > 0 && rounds < 300; ++rounds) {
    machine_->clock.advance(Seconds(1));
    machine_->tick();
    for (const std::string& name : names) {
      machine_->maintain();
      for (const engine::Delivery& delivery : machine_->receive(name, 10, Seconds(43'200))) {
        const auto message = message_at(delivery.location);
        ASSERT_TRUE(message.has_value());
        EXPECT_EQ(missing.erase(*message), 1U) << "given twice, or deleted: " << messages_.at(*message).body.substr(0, 20);
        ASSERT_TRUE(machine_->erase(name, delivery.receipt_handle));
        messages_.at(*message).deleted = machine_->journal->last().value;
        if (!delivery.sequence_number) continue;
        const auto payloads = machine_->read({delivery.location});
        std::uint64_t& before = latest[name + std::string(engine::decode_message(payloads.front()->bytes)->message_group_id)];
        EXPECT_GT(*delivery.sequence_number, before) << "the order of the group is broken";
        before = *delivery.sequence_number;
      }
    }
  }
  EXPECT_EQ(machine_->engine->totals().messages, 0U) << "cannot be had in " << rounds << " rounds";
  EXPECT_TRUE(missing.empty()) << missing.size() << " messages were acknowledged and cannot be had";
  count("drained");
}

// docs/durability.md: 2 × live bytes + 4 segments, beside checkpoints and ballast.
void FaultRun::check_space() {
  machine_->maintain();
  machine_->clock.advance(Seconds(2));
  machine_->maintain();
  const store::StoreStats stats = machine_->journal->stats();
  EXPECT_EQ(stats.live_body_bytes, 0U);
  std::uint64_t others = 0;
  const auto entries = machine_->files.list("/data");
  for (const auto& entry : *entries) {
    if (!entry.name.starts_with("segment-") && !entry.name.starts_with("spare-")) others += entry.bytes;
  }
  EXPECT_LE(machine_->files.total_bytes(), 2 * stats.live_body_bytes + 4 * kSegmentBytes + others);
  EXPECT_EQ(stats.disk_bytes, machine_->files.total_bytes());
}

}  // namespace ferry::test
