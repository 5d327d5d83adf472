// The course of a simulation: its dice, time, the disk, crashes.

#include "simulation.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace ferry::simulation {
namespace {

std::vector<std::string> names_of(std::uint64_t seed) {
  switch (seed % 4) {
    case 0:
      return {"q0", "q1", "fair0", "f0.fifo", "f1.fifo", "f2.fifo"};
    case 1:
      return {"q0", "q1", "q2", "fair0"};
    case 2:
      return {"f0.fifo", "f1.fifo", "f2.fifo"};
    default:
      return {"fair0", "fair1", "q0"};
  }
}

}  // namespace

std::string code_of(const sqs::ApiError& error) {
  std::string name(sqs::catalogue_row(error.code).json_type);
  name = name.substr(name.find('#') + 1);
  const std::string suffix = "Exception";
  if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  return name;
}

Simulation::Simulation(std::uint64_t seed, std::shared_ptr<Tally> tally)
    : calm_(seed / 4 % 2 == 0),
      is_punctual_(seed % 4 != 2),
      names_(names_of(seed)),
      tally_(std::move(tally)),
      random_(seed),
      engine_random_(seed + 1),
      model_(tally_) {
  options_.in_flight_max = seed % 4 == 3 || seed / 8 % 2 == 1 ? 150 : 12;
  model_.in_flight_max = options_.in_flight_max;
  start();
  for (const std::string& name : names_) create(name);
  for (const std::string& name : names_) {
    if (!name.starts_with("fair")) set(name, {{"RedrivePolicy", some_redrive_policy(name)}});
  }
}

void Simulation::run(int operations) {
  for (step_ = 0; step_ < operations && !testing::Test::HasFailure(); ++step_) {
    model_looks_ = true;
    operate();
    if (testing::Test::HasFailure()) break;
    if (model_looks_) check();
  }
  if (!testing::Test::HasFailure()) crash();  // whatever state it ends in must be recoverable
}

void Simulation::operate() {
  const std::uint64_t dice = below(1'000);
  if (dice < 270) return calm_ && chance(3) ? drain() : send();
  if (dice < 500) return receive();
  if (dice < 585) return delete_messages();
  if (dice < 670) return change_visibility();
  if (dice < 770) return pass_time();
  if (dice < 800) return create();
  if (dice < 806) return remove();
  if (dice < 812) return purge();
  if (dice < 832) return set_attributes();
  if (dice < 852) return set_redrive();
  if (dice < 860) return tags();
  if (dice < 868) return permissions();
  if (dice < 890) return start_task();
  if (dice < 902) return cancel_task();
  if (dice < 906) return quarantine();
  if (dice < 910) return flood();
  if (dice < 930) return sync();
  if (dice < 940) return checkpoint();
  if (dice < 950) return store_->compact();
  if (dice < 960) return give_up_polls();
  if (dice < 972) return crash();
  return settle();
}

// ---- dice

std::string Simulation::some_name_like(const std::string& name) {
  std::string other = some_name();
  while (is_fifo(other) != is_fifo(name)) other = some_name();
  return other;
}

// Mostly a recent one of that queue; now and then one that was never given out. Null: there is none.
const Simulation::Handle* Simulation::some_handle(const std::string& name) {
  if (handles_.empty()) return nullptr;
  if (chance(40)) {
    static Handle forged;
    forged = {handles_[below(handles_.size())].text, {}, {}, {}, {}};
    forged.text[below(forged.text.size())] ^= 1;
    return &forged;
  }
  const Handle* picked = nullptr;
  for (int tries = chance(10) ? 1 : 12; tries > 0 && (picked == nullptr || picked->name != name); --tries) {
    const std::size_t back = chance(4) ? below(handles_.size()) : below(std::min<std::size_t>(handles_.size(), 20));
    picked = &handles_[handles_.size() - 1 - back];
  }
  return picked;
}

engine::QueueRef Simulation::find(const std::string& name) {
  const auto found = engine_->find(key(name));
  const bool expected = model_.find(name) != nullptr;
  EXPECT_EQ(found.result.has_value(), expected) << name;
  return found.result && expected ? *found.result : nullptr;
}

void Simulation::saw(const std::string& name, store::Position seen) {
  EXPECT_GE(seen, seen_[name]) << name;
  EXPECT_LE(seen, store_->last()) << name;
}

void Simulation::trace(const std::string& what) {
  static const bool wanted = std::getenv("FERRY_SIM_TRACE") != nullptr;
  if (wanted) std::printf("%6d %lld %s\n", step_, static_cast<long long>(now() % 100'000'000), what.c_str());
}

// ---- time and disk

void Simulation::pass_time() {
  const std::int64_t before = now();
  if (chance(12)) {
    clock_.jump_wall(Seconds(static_cast<std::int64_t>(below(7'200)) - 3'600));
  } else {
    pass_time(static_cast<std::int64_t>(chance(8) ? below(150'000) : below(6'000)), chance(2));
  }
  EXPECT_GE(now(), before) << "engine time went back";
}

void Simulation::pass_time(std::int64_t milliseconds, bool settled) {
  const std::int64_t until = now() + milliseconds;
  if (is_punctual_) {
    for (auto next = model_.next_event(); next && *next < until && !testing::Test::HasFailure(); next = model_.next_event())
      advance_to(*next, true);
  }
  advance_to(until, settled || is_punctual_);
}

// Engine time is slewed towards the wall clock, so it may be a little off.
void Simulation::advance_to(std::int64_t time, bool settled) {
  while (now() < time) clock_.advance(Millis(std::max<std::int64_t>(1, (time - now()) * 999 / 1'000)));
  model_looks_ = settled;
  if (settled) settle();
}

void Simulation::sync() {
  if (chance(2)) {
    store_->sync_all();
    return;
  }
  for (std::uint64_t i = below(6); i > 0; --i) store_->step();
}

void Simulation::checkpoint() {
  ASSERT_TRUE(store_->checkpoint().has_value());
  count("checkpoint");
}

// Everything due is done; then the store holds exactly the bodies that live.
void Simulation::settle() {
  const std::int64_t at = now();
  const store::Position before = store_->last();
  int turns = 0;
  for (auto due = engine_->tick(); due && to_epoch_millis(*due) <= at; due = engine_->tick()) {
    ASSERT_LT(++turns, 10'000) << "tick() never comes to rest";
  }
  model_.look(at);
  const std::size_t steps = model_.settle(at, wall());
  trace("settle, steps " + std::to_string(steps));
  remember(before, steps > 0 ? 1 : store_->last().value - before.value);
  EXPECT_EQ(engine_->totals().messages, model_.living(at));
  EXPECT_EQ(engine_->totals().quarantined, model_.quarantined());
  EXPECT_EQ(store_->live_bodies(), model_.living(at) + model_.quarantined());
}

void Simulation::give_up_polls() {
  for (const Poll& poll : std::exchange(polls_, {})) engine_->abandon(poll.queue, poll.waiter);
}

void Simulation::start() {
  engine_ = std::make_unique<engine::Engine>(*store_, clock_, engine_random_, log_, options_);
  engine_->set_tick_bell([] {});
  ASSERT_TRUE(store_->recover(*engine_).has_value());
  model_.restart(now());
  history_.clear();
  history_.emplace_back(store_->last(), model_);
  seen_.clear();
}

void Simulation::crash() {
  const std::uint64_t durable = store_->durable().value;
  const store::Position kept = stop_at(store::Position{durable + below(store_->last().value - durable + 1)}, chance(3));
  if (testing::Test::HasFailure()) return;
  // Where groups stand that were freed by an expiry which is not noted yet is nowhere described: note it, and start from there.
  settle();
  if (store_->last() == kept) return;
  store_->sync_all();
  stop_at(store_->last(), false);
}

store::Position Simulation::stop_at(store::Position survivor, bool jumps) {
  polls_.clear();
  auto image = store_->crash(survivor);
  const store::Position kept = image->last();
  EXPECT_GE(kept, store_->durable());
  const ReferenceModel* before = nullptr;
  for (const auto& [position, model] : history_) {
    if (position <= kept) before = &model;
  }
  EXPECT_NE(before, nullptr);
  if (before == nullptr) return kept;
  model_ = ReferenceModel(*before);
  std::erase_if(handles_, [&](const Handle& handle) { return handle.seen > kept; });
  engine_.reset();
  store_ = std::move(image);
  if (jumps) clock_.jump_wall(Seconds(static_cast<std::int64_t>(below(600)) - 300));
  start();
  count("crash");
  trace("crash");
  for (const std::string& name : model_.names()) {
    if (model_.counts(name, now()).in_flight > 0) count("crash with messages in flight");
    if (model_.find(name)->line.size() > 1) count("crash with groups in line");
    if (!model_.find(name)->duplicates.empty()) count("crash with a deduplication window");
  }
  if (model_.task_runs(true) || model_.task_runs(false)) count("crash with a task");
  check_all();
  return kept;
}

}  // namespace ferry::simulation
