// What is compared beside the answers themselves.

#include <algorithm>

#include "simulation.h"

namespace ferry::simulation {

// The first state at a position: what a later one without a record of its own has more is lost in a crash.
void Simulation::remember() {
  if (history_.back().first < store_->last()) history_.emplace_back(store_->last(), model_);
}

// The model knows no state in between: when an operation wrote more than the one reservation of `records`, all of it survives.
void Simulation::remember(store::Position before, std::uint64_t records) {
  remember();
  if (store_->last().value - before.value > records) store_->sync_all();
}

void Simulation::check() {
  remember();
  while (history_.size() > 1 && history_[1].first <= store_->durable()) history_.pop_front();
  model_.look(now());
  for (const std::string& name : model_.names()) check_queue(name, chance(8));
  if (step_ % 16 == 0) check_all();
  check_polls();
}

void Simulation::check_queue(const std::string& name, bool thoroughly) {
  const auto queue = find(name);
  ASSERT_NE(queue, nullptr);
  const auto counts = engine_->counts(queue);
  const ModelCounts expected = model_.counts(name, now());
  EXPECT_EQ((std::vector{counts.visible, counts.not_visible, counts.delayed}),
            (std::vector{expected.visible, expected.in_flight, expected.delayed}))
      << name;
  if (!thoroughly) return;
  const auto attributes = engine_->get_attributes(queue, {"All"});
  ASSERT_TRUE(attributes.result.has_value());
  EXPECT_EQ(*attributes.result, model_.describe(name, now())) << name;
  saw(name, attributes.seen);
  const auto tags = engine_->queue_tags(queue);
  ASSERT_TRUE(tags.result.has_value());
  const auto& expected_tags = model_.find(name)->tags;
  EXPECT_EQ(*tags.result, sqs::TextMap(expected_tags.begin(), expected_tags.end())) << name;
  const auto sources = engine_->dead_letter_sources(queue, "", 100);
  ASSERT_TRUE(sources.result.has_value());
  const auto expected_sources = model_.dead_letter_sources(name);
  EXPECT_EQ(sources.result->names, expected_sources) << name;
  if (!expected_sources.empty()) {
    const auto rest = engine_->dead_letter_sources(queue, expected_sources.front(), 1);
    EXPECT_EQ(rest.result->names.size(), std::min<std::size_t>(1, expected_sources.size() - 1)) << name;
    EXPECT_EQ(rest.result->more, expected_sources.size() > 2) << name;
  }
  check_tasks(name);
}

void Simulation::check_tasks(const std::string& name) {
  const auto& expected = model_.find(name)->tasks;
  const int max = static_cast<int>(1 + below(10));
  const auto tasks = engine_->move_tasks(key(name), max);
  ASSERT_TRUE(tasks.result.has_value());
  ASSERT_EQ(tasks.result->size(), std::min(expected.size(), static_cast<std::size_t>(max))) << name;
  for (std::size_t i = 0; i < tasks.result->size(); ++i) {
    const engine::Engine::MoveTask& got = (*tasks.result)[i];
    const ModelTask& task = expected[expected.size() - 1 - i];
    EXPECT_EQ(got.id, task.id);
    EXPECT_EQ(sqs::name_of(got.status), task.status);
    EXPECT_EQ(got.source, key(name));
    EXPECT_EQ(got.destination ? got.destination->name : "", task.destination.value_or(""));
    EXPECT_EQ(got.messages_per_second, task.rate);
    EXPECT_EQ(got.messages_moved, task.moved);
    EXPECT_EQ(got.messages_to_move, task.to_move);
    EXPECT_EQ(to_epoch_millis(got.started), task.started_wall);
    EXPECT_EQ(got.failure_reason, task.failure_reason);
  }
}

void Simulation::check_messages(const std::string& name) {
  using State = engine::Engine::Glimpse::State;
  const auto glimpses = engine_->peek(find(name), 0, 1'000);
  ASSERT_TRUE(glimpses.result.has_value());
  const ModelQueue queue = *model_.find(name);
  std::size_t met = 0;
  for (const ModelMessage& message : queue.messages) {
    if (message.quarantined) continue;
    ASSERT_LT(met, glimpses.result->size()) << name << " has no message " << message.sequence;
    const engine::Engine::Glimpse& glimpse = (*glimpses.result)[met++];
    compare(name, glimpse.message, message);
    EXPECT_EQ(glimpse.message.receipt_handle, "");
    EXPECT_EQ(glimpse.state, queue.delayed(message, queue.at)     ? State::Delayed
                             : queue.in_flight(message, queue.at) ? State::InFlight
                                                                  : State::Visible)
        << name << " " << message.sequence;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_EQ(met, glimpses.result->size()) << name << " has more messages than it should";
}

// Page by page.
void Simulation::check_listing(const std::string& prefix) {
  std::vector<std::string> expected = model_.names();
  std::erase_if(expected, [&](const std::string& name) { return !name.starts_with(prefix); });
  const std::size_t max = 1 + below(4);
  std::vector<std::string> names;
  for (bool more = true; more;) {
    const auto page =
        engine_->list("000000000000", "us-east-1", prefix, names.empty() ? "" : names.back(), static_cast<int>(max));
    names.insert(names.end(), page.result->names.begin(), page.result->names.end());
    more = page.result->more;
    EXPECT_EQ(more, names.size() < expected.size());
    ASSERT_LE(names.size(), expected.size());
    ASSERT_TRUE(!more || page.result->names.size() == max);
  }
  EXPECT_EQ(names, expected);
}

void Simulation::check_all() {
  model_.look(now());
  for (const std::string prefix : {"", "f", "q1"}) check_listing(prefix);
  EXPECT_EQ(engine_->totals().queues, model_.names().size());
  for (const std::string& name : model_.names()) {
    check_queue(name, true);
    check_messages(name);
  }
}

// As long as a poll sleeps, everything that could be given out has somebody who was woken for it.
void Simulation::check_polls() {
  if (polls_.empty()) return;
  settle();
  for (const std::string& name : model_.names()) {
    std::size_t asleep = 0;
    std::size_t woken = 0;
    for (const Poll& poll : polls_) {
      if (poll.name == name) ++(poll.waiter->woken ? woken : asleep);
    }
    if (asleep == 0) continue;
    EXPECT_LE(model_.servings(name, now()), woken) << name << ", asleep: " << asleep;
    if (woken > 0) count("poll woken beside a sleeping one");
  }
}

}  // namespace ferry::simulation
