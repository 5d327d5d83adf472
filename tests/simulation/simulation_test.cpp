// The engine against the reference model: random operations, clocks that move and jump, checkpoints, compaction, a disk that is
// full now and then, and crashes that keep what was durable and perhaps a little more. After every operation both must have
// answered alike and count alike; after a crash the engine must be where the model was at the last position that was kept.
//
// FERRY_SIM_SEED runs one seed instead of the standard ones, FERRY_SIM_OPS sets the operations of each. A failure prints its
// seed.

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/manual_clock.h"
#include "base/random.h"
#include "engine/engine.h"
#include "engine/records.h"
#include "reference_model.h"
#include "store/simulated/simulated_store.h"

namespace ferry::simulation {
namespace {

using engine::Engine;

class Sleeper final : public engine::Waiter {
 public:
  void wake() override { woken = true; }
  bool woken = false;
};

std::string name_of(sqs::ErrorCode code) {
  std::string name(sqs::catalogue_row(code).json_type);
  name = name.substr(name.find('#') + 1);
  const std::string suffix = "Exception";
  if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  return name;
}
template <class T>
std::string outcome(const sqs::ApiResult<T>& result) {
  return result ? "" : name_of(result.error().code);
}

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : calm_(seed % 2 == 0), random_(seed), engine_random_(seed + 1) {
    options_.in_flight_max = 15;
    model_.in_flight_max = options_.in_flight_max;
    start();
  }

  void run(int operations) {
    for (step_ = 0; step_ < operations && !testing::Test::HasFailure(); ++step_) {
      operate();
      if (testing::Test::HasFailure()) break;
      check();
    }
    crash();  // whatever state it ends in must be recoverable
  }
  int step() const { return step_; }
  const std::map<std::string, int>& tally() const { return tally_; }

 private:
  struct Handle {
    std::string text;
    ModelHandle meaning;
    std::string name;
    store::Position seen;  // durable up to here, a client may have it
  };
  struct Poll {
    engine::QueueRef queue;
    std::string name;
    std::shared_ptr<Sleeper> waiter;
  };

  // ---- dice
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  bool chance(std::uint64_t in) { return below(in) == 0; }
  std::string some_name() { return "q" + std::to_string(below(4)); }
  static engine::QueueKey key(const std::string& name) { return {"000000000000", "us-east-1", name}; }
  std::int64_t now() { return to_epoch_millis(engine_->now()); }
  std::int64_t wall() { return to_epoch_millis(clock_.wall()); }
  const Handle& some_handle(const std::string& name) {
    if (handles_.empty() || chance(40)) {
      static Handle forged;
      forged = {handles_.empty() ? "junk" : handles_[below(handles_.size())].text, {}, {}, {}};
      forged.text[below(forged.text.size())] ^= 1;
      return forged;
    }
    // Mostly recent ones of the same queue.
    const Handle* picked = nullptr;
    for (int tries = chance(10) ? 1 : 8; tries > 0 && (picked == nullptr || picked->name != name); --tries) {
      const std::size_t back = chance(4) ? below(handles_.size()) : below(std::min<std::size_t>(handles_.size(), 20));
      picked = &handles_[handles_.size() - 1 - back];
    }
    return *picked;
  }
  ReferenceModel::Attributes some_attributes() {
    ReferenceModel::Attributes attributes;
    if (chance(3)) attributes["DelaySeconds"] = static_cast<std::int64_t>(below(3) * 4);
    if (chance(3)) attributes["VisibilityTimeout"] = static_cast<std::int64_t>(below(4) * 10);
    if (chance(3)) attributes["MessageRetentionPeriod"] = static_cast<std::int64_t>(60 + below(3) * 120);
    if (chance(8)) attributes["MaximumMessageSize"] = static_cast<std::int64_t>(1'024 + below(2) * 976);
    return attributes;
  }
  static sqs::TextMap text(const ReferenceModel::Attributes& attributes) {
    sqs::TextMap map;
    for (const auto& [name, value] : attributes) map.emplace_back(name, std::to_string(value));
    return map;
  }

  // ---- operations
  void operate() {
    const std::uint64_t dice = below(1'000);
    if (dice < 300) return calm_ && chance(2) ? drain() : send();
    if (dice < 540) return receive();
    if (dice < 660) return delete_messages();
    if (dice < 780) return change_visibility();
    if (dice < 860) return pass_time();
    if (dice < 885) return create();
    if (dice < 893) return remove();
    if (dice < 903) return purge();
    if (dice < 923) return set_attributes();
    if (dice < 945) return sync();
    if (dice < 955) return checkpoint();
    if (dice < 965) return store_->compact();
    if (dice < 975) return give_up_polls();
    if (dice < 985) return crash();
    return settle();
  }

  engine::QueueRef find(const std::string& name) {
    const auto found = engine_->find(key(name));
    EXPECT_EQ(found.result.has_value(), model_.find(name) != nullptr) << name;
    return found.result ? *found.result : nullptr;
  }

  void count(const std::string& what, const std::string& result) { ++tally_[what + (result.empty() ? "" : " " + result)]; }

  void create() {
    const std::string name = some_name();
    const auto attributes = chance(2) ? some_attributes() : ReferenceModel::Attributes();
    const std::string expected = model_.create(name, attributes, now(), wall());
    EXPECT_EQ(outcome(engine_->create_queue(key(name), text(attributes)).result), expected) << name;
    count("create", expected);
  }

  // Consumers that keep up, and go on waiting.
  void drain() {
    const std::string name = some_name();
    if (model_.find(name) == nullptr) return;
    for (int i = 0; i < 30 && model_.counts(name, now()).visible > 0 && !testing::Test::HasFailure(); ++i) {
      receive(name, nullptr);
      remember();
      delete_newest(name, 10);
      remember();
      if (model_.counts(name, now()).in_flight >= options_.in_flight_max) break;
    }
    for (std::uint64_t i = below(3); i > 0; --i) {
      receive(name, std::make_shared<Sleeper>());
      remember();
    }
  }

  void delete_newest(const std::string& name, std::size_t count) {
    std::vector<std::string> texts;
    for (; count > 0 && !handles_.empty(); --count) {
      if (model_.remove_message(name, handles_.back().meaning) == "") texts.push_back(handles_.back().text);
      handles_.pop_back();
    }
    const auto answer = engine_->delete_messages(find(name), texts);
    ASSERT_TRUE(answer.result.has_value());
    for (const auto& result : *answer.result) EXPECT_EQ(outcome(result), "");
  }

  void remove() {
    const std::string name = some_name();
    const auto queue = find(name);
    if (queue == nullptr) return;
    EXPECT_EQ(outcome(engine_->delete_queue(queue).result), model_.remove(name, now()));
    EXPECT_EQ(outcome(engine_->receive(queue, caller_, {}, nullptr).result), "QueueDoesNotExist");
    std::erase_if(polls_, [&](const Poll& poll) {
      if (poll.name != name) return false;
      EXPECT_TRUE(poll.waiter->woken);
      return true;
    });
    count("delete queue", "");
  }

  void purge() {
    const std::string name = some_name();
    const auto queue = find(name);
    if (queue == nullptr) return;
    const std::string expected = model_.purge(name, now());
    EXPECT_EQ(outcome(engine_->purge(queue).result), expected);
    count("purge", expected);
  }

  void set_attributes() {
    const std::string name = some_name();
    const auto queue = find(name);
    const auto attributes = some_attributes();
    if (queue == nullptr || attributes.empty()) return;
    EXPECT_EQ(outcome(engine_->set_attributes(queue, text(attributes)).result),
              model_.set_attributes(name, attributes, now(), wall()));
    count("set attributes", "");
  }

  void send() {
    const std::string name = some_name();
    const auto queue = find(name);
    if (queue == nullptr) return;
    std::vector<ReferenceModel::Send> sends(chance(3) ? 1 + below(10) : 1);
    std::vector<engine::SendCommand> commands;
    static const sqs::MessageAttributes none;
    static const std::string md5(16, 'm');
    for (auto& one : sends) {
      one.body = "m" + std::to_string(++bodies_);
      if (chance(30)) one.body.resize(1'024 + below(2), '.');
      if (chance(3)) one.delay_seconds = static_cast<std::int64_t>(below(3) * 5);
      engine::SendCommand command;
      command.body = one.body;
      if (one.delay_seconds) command.delay = Seconds(*one.delay_seconds);
      command.message_attributes = command.message_system_attributes = &none;
      command.md5_of_body = md5;
      commands.push_back(command);
    }
    const bool full = chance(50);
    if (full) store_->set_reserve_error(store::Purpose::Growth, ErrorKind::NoSpace);
    const auto answer = engine_->send(queue, caller_, commands, engine::SendForm::BatchEntries);
    store_->set_reserve_error(store::Purpose::Growth, std::nullopt);
    if (!answer.result) {
      EXPECT_TRUE(full);
      EXPECT_EQ(outcome(answer.result), "ServiceUnavailable");
      return count("send", "ServiceUnavailable");
    }
    std::vector<std::string> results;
    for (const auto& result : *answer.result) results.push_back(outcome(result));
    if (full) {
      EXPECT_EQ(std::count(results.begin(), results.end(), ""), 0);
      return;
    }
    EXPECT_EQ(results, model_.send(name, sends, now()));
    for (const auto& result : results) count("send", result);
    if (std::count(results.begin(), results.end(), "") > 0) {
      EXPECT_EQ(answer.seen, store_->last());
    }
  }

  void receive() {
    const std::string name = some_name();
    // A poll that was woken comes back as the same waiter.
    std::shared_ptr<Sleeper> waiter;
    if (chance(3)) {
      waiter = std::make_shared<Sleeper>();
      for (std::size_t i = 0; i < polls_.size(); ++i) {
        if (polls_[i].name != name || !polls_[i].waiter->woken) continue;
        waiter = polls_[i].waiter;
        polls_.erase(polls_.begin() + static_cast<std::ptrdiff_t>(i));
        break;
      }
      waiter->woken = false;
    }
    receive(name, waiter);
  }

  void receive(const std::string& name, const std::shared_ptr<Sleeper>& waiter) {
    const auto queue = find(name);
    if (queue == nullptr) return;
    engine::ReceiveCommand command;
    command.max_messages = static_cast<int>(1 + below(10));
    std::optional<std::int64_t> timeout;
    if (chance(2)) timeout = static_cast<std::int64_t>(below(3) * 15);
    if (timeout) command.visibility_timeout = Seconds(*timeout);
    std::vector<ModelDelivery> expected;
    const std::string expected_error =
        model_.receive(name, static_cast<std::size_t>(command.max_messages), timeout, now(), wall(), expected);
    const auto answer = engine_->receive(queue, caller_, command, waiter);
    EXPECT_EQ(outcome(answer.result), expected_error);
    count("receive", expected_error);
    if (!answer.result) return;
    ASSERT_EQ(answer.result->size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const engine::Delivery& got = (*answer.result)[i];
      const auto payload = store_->read_now(got.location);
      ASSERT_TRUE(payload.has_value());
      const auto message = engine::decode_message(payload->bytes);
      ASSERT_TRUE(message.has_value());
      EXPECT_EQ(message->body, expected[i].body);
      EXPECT_EQ(message->sequence, got.sequence);
      EXPECT_EQ(got.receive_count, expected[i].receive_count);
      EXPECT_EQ(to_epoch_millis(got.first_received), expected[i].first_received_wall);
      handles_.push_back({got.receipt_handle, expected[i].handle, name, answer.seen});
    }
    if (handles_.size() > 100) handles_.erase(handles_.begin(), handles_.begin() + 50);
    tally_["delivered"] += static_cast<int>(expected.size());
    if (waiter != nullptr && expected.empty()) polls_.push_back({queue, name, waiter});
  }

  void delete_messages() {
    const std::string name = some_name();
    const auto queue = find(name);
    if (queue == nullptr) return;
    std::vector<std::string> texts;
    std::vector<std::string> expected;
    for (std::size_t i = chance(3) ? 1 + below(10) : 1; i > 0; --i) {
      const Handle& handle = some_handle(name);
      texts.push_back(handle.text);
      expected.push_back(model_.remove_message(name, handle.meaning));
      count("delete", expected.back());
    }
    const auto answer = engine_->delete_messages(queue, texts);
    ASSERT_TRUE(answer.result.has_value());
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(outcome((*answer.result)[i]), expected[i]);
  }

  void change_visibility() {
    const std::string name = some_name();
    const auto queue = find(name);
    if (queue == nullptr) return;
    std::vector<Engine::VisibilityChange> changes;
    std::vector<std::string> expected;
    for (std::size_t i = chance(3) ? 1 + below(10) : 1; i > 0; --i) {
      const Handle& handle = some_handle(name);
      const auto timeout = static_cast<std::int64_t>(chance(10) ? 43'200 - below(2) * 60 : below(4) * 12);
      changes.push_back({handle.text, Seconds(timeout)});
      expected.push_back(model_.change_visibility(name, handle.meaning, timeout, now()));
      count("change", expected.back());
    }
    const auto answer = engine_->change_visibility(queue, changes);
    ASSERT_TRUE(answer.result.has_value());
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(outcome((*answer.result)[i]), expected[i]);
  }

  // ---- time and disk
  void pass_time() {
    const std::int64_t before = now();
    if (chance(12))
      clock_.jump_wall(Seconds(static_cast<std::int64_t>(below(7'200)) - 3'600));
    else
      clock_.advance(Millis(static_cast<std::int64_t>(chance(8) ? below(150'000) : below(6'000))));
    EXPECT_GE(now(), before) << "engine time went back";
    if (chance(2)) engine_->tick();
  }

  void sync() {
    if (chance(2)) {
      store_->sync_all();
      return;
    }
    for (std::uint64_t i = below(6); i > 0; --i) store_->step();
  }

  void checkpoint() {
    ASSERT_TRUE(store_->checkpoint().has_value());
    ++tally_["checkpoint"];
  }

  // Everything due is done; then the store holds exactly the bodies that live.
  void settle() {
    const std::int64_t at = now();
    for (auto due = engine_->tick(); due && to_epoch_millis(*due) <= at; due = engine_->tick()) {
    }
    EXPECT_EQ(engine_->totals().messages, model_.living(at));
    EXPECT_EQ(store_->live_bodies(), model_.living(at));
  }

  void give_up_polls() {
    for (const Poll& poll : std::exchange(polls_, {})) engine_->abandon(poll.queue, poll.waiter);
  }

  void start() {
    engine_ = std::make_unique<Engine>(*store_, clock_, engine_random_, log_, options_);
    engine_->set_tick_bell([] {});
    ASSERT_TRUE(store_->recover(*engine_).has_value());
    history_.clear();
    history_.emplace_back(store_->last(), model_);
  }

  void crash() {
    polls_.clear();
    const std::uint64_t durable = store_->durable().value;
    const std::uint64_t survivor = durable + below(store_->last().value - durable + 1);
    auto image = store_->crash(store::Position{survivor});
    const store::Position kept = image->last();
    EXPECT_GE(kept, store_->durable());
    for (const auto& [position, model] : history_) {
      if (position <= kept) model_ = model;
    }
    std::erase_if(handles_, [&](const Handle& handle) { return handle.seen > kept; });
    engine_.reset();
    store_ = std::move(image);
    if (chance(3)) clock_.jump_wall(Seconds(static_cast<std::int64_t>(below(600)) - 300));
    start();
    ++tally_["crash"];
    check_all();
  }

  // ---- comparison
  void remember() { history_.emplace_back(store_->last(), model_); }

  void check() {
    remember();
    while (history_.size() > 1 && history_[1].first <= store_->durable()) history_.pop_front();
    const auto names = model_.names();
    if (!names.empty()) check_queue(names[below(names.size())]);
    if (step_ % 16 == 0) check_all();
    check_polls();
    if (step_ % 64 == 0) shorten();
  }

  void check_queue(const std::string& name) {
    const auto queue = find(name);
    ASSERT_NE(queue, nullptr);
    const ModelQueue& expected = *model_.find(name);
    const auto counts = engine_->counts(queue);
    EXPECT_EQ((ModelCounts{counts.visible, counts.not_visible, counts.delayed}), model_.counts(name, now())) << name;
    if (!chance(8)) return;
    auto attributes = text(expected.attributes);
    attributes.emplace_back("CreatedTimestamp", std::to_string(expected.created_wall / 1000));
    attributes.emplace_back("LastModifiedTimestamp", std::to_string(expected.modified_wall / 1000));
    const auto answer = engine_->get_attributes(queue, {"All"});
    for (const auto& attribute : attributes) {
      EXPECT_NE(std::find(answer.result->begin(), answer.result->end(), attribute), answer.result->end())
          << name << " " << attribute.first;
    }
  }

  void check_all() {
    EXPECT_EQ(engine_->list("000000000000", "us-east-1", "", "", 100).result->names, model_.names());
    for (const std::string& name : model_.names()) check_queue(name);
  }

  // As long as a poll sleeps, every visible message has somebody who was woken for it.
  void check_polls() {
    if (polls_.empty()) return;
    engine_->tick();
    for (const std::string& name : model_.names()) {
      std::size_t asleep = 0;
      std::size_t woken = 0;
      for (const Poll& poll : polls_) {
        if (poll.name == name) ++(poll.waiter->woken ? woken : asleep);
      }
      if (asleep > 0) {
        EXPECT_LE(model_.counts(name, now()).visible, woken) << name;
      }
    }
  }

  // A durable record of this moment: nothing that expired before it can come back, so the model may forget it.
  void shorten() {
    const auto names = model_.names();
    if (names.empty()) return;
    const std::int64_t at = now();
    EXPECT_EQ(outcome(engine_->set_attributes(find(names.front()), {{"ReceiveMessageWaitTimeSeconds", "0"}}).result),
              model_.set_attributes(names.front(), {}, at, wall()));
    store_->sync_all();
    model_.forget_expired(at);
    history_.clear();
    history_.emplace_back(store_->last(), model_);
  }

  const bool calm_;  // consumers keep up: queues are often empty and polls wait
  SeededRandom random_;
  SeededRandom engine_random_;
  ManualClock clock_;
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  engine::EngineOptions options_;
  engine::Caller caller_{"key", "127.0.0.1"};
  std::unique_ptr<store::SimulatedStore> store_ = std::make_unique<store::SimulatedStore>();
  std::unique_ptr<Engine> engine_;
  ReferenceModel model_;
  std::deque<std::pair<store::Position, ReferenceModel>> history_;  // the model at these positions
  std::vector<Handle> handles_;
  std::vector<Poll> polls_;
  std::uint64_t bodies_ = 0;
  int step_ = 0;
  std::map<std::string, int> tally_;
};

int operations_from_environment(int otherwise) {
  const char* const text = std::getenv("FERRY_SIM_OPS");
  return text == nullptr ? otherwise : std::atoi(text);
}

TEST(Simulation, TheEngineAgreesWithTheReferenceModel) {
  std::vector<std::uint64_t> seeds = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  if (const char* const text = std::getenv("FERRY_SIM_SEED")) seeds = {std::strtoull(text, nullptr, 10)};
  const int operations = operations_from_environment(5'000);
  std::map<std::string, int> tally;
  for (const std::uint64_t seed : seeds) {
    Simulation simulation(seed);
    simulation.run(operations);
    for (const auto& [what, times] : simulation.tally()) tally[what] += times;
    ASSERT_FALSE(HasFailure()) << "seed " << seed << ", operation " << simulation.step();
  }
  if (seeds.size() == 1) {
    for (const auto& [what, times] : tally) std::printf("%8d %s\n", times, what.c_str());
    return;
  }
  // What a run that proves something has met.
  for (const char* what : {"create",
                           "create QueueNameExists",
                           "create QueueDeletedRecently",
                           "delete queue",
                           "purge",
                           "purge PurgeQueueInProgress",
                           "set attributes",
                           "send",
                           "send InvalidParameterValue",
                           "send ServiceUnavailable",
                           "receive",
                           "receive OverLimit",
                           "delivered",
                           "delete",
                           "delete ReceiptHandleIsInvalid",
                           "change",
                           "change ReceiptHandleIsInvalid",
                           "change InvalidParameterValue",
                           "checkpoint",
                           "crash"}) {
    EXPECT_GE(tally[what], 20) << what;
  }
}

}  // namespace
}  // namespace ferry::simulation
