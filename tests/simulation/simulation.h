#pragma once
// The engine beside the reference model: random operations, clocks that move and jump, checkpoints, compaction, a disk that is
// full now and then, and crashes that keep what was durable and perhaps a little more. After every operation both must have
// answered alike and count alike; after a crash the engine must be where the model was at the last position that was kept.

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/manual_clock.h"
#include "base/random.h"
#include "engine/engine.h"
#include "reference_model.h"
#include "store/simulated/simulated_store.h"

namespace ferry::simulation {

/// The code of an error as the model calls it: "QueueDoesNotExist".
std::string code_of(const sqs::ApiError& error);

class Simulation {
 public:
  Simulation(std::uint64_t seed, std::shared_ptr<Tally> tally);

  /// Stops at the first difference.
  void run(int operations);
  int step() const { return step_; }

 private:
  class Sleeper final : public engine::Waiter {
   public:
    void wake() override { woken = true; }
    bool woken = false;
  };
  struct Handle {
    std::string text;
    ModelHandle meaning;
    std::string name;
    store::Location location;
    store::Position seen;  // durable up to here, a client may have it
  };
  struct Poll {
    engine::QueueRef queue;
    std::string name;
    std::shared_ptr<Sleeper> waiter;
  };

  // ---- dice (simulation.cpp)
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  bool chance(std::uint64_t in) { return below(in) == 0; }
  std::int64_t one_of(std::initializer_list<std::int64_t> values) { return values.begin()[below(values.size())]; }
  std::string some_name() { return names_[below(names_.size())]; }
  std::string some_name_like(const std::string& name);
  const Handle* some_handle(const std::string& name);

  // ---- what both are
  static engine::QueueKey key(const std::string& name) { return {"000000000000", "us-east-1", name}; }
  static bool is_fifo(const std::string& name) { return name.ends_with(".fifo"); }
  std::int64_t now() { return to_epoch_millis(engine_->now()); }
  std::int64_t wall() { return to_epoch_millis(clock_.wall()); }
  engine::QueueRef find(const std::string& name);
  /// With FERRY_SIM_TRACE every operation is printed.
  void trace(const std::string& what);
  void count(const std::string& what, const std::string& code = "") { ++(*tally_)[what + (code.empty() ? "" : " " + code)]; }
  template <class T>
  static void agree(const sqs::ApiResult<T>& result, const Failure& expected, const std::string& what) {
    EXPECT_EQ(result ? "" : code_of(result.error()), expected.code) << what << (result ? "" : ": " + result.error().message);
    if (!result && !expected.text.empty()) {
      EXPECT_EQ(result.error().message, expected.text) << what;
    }
  }
  /// An answer about a queue has seen everything that changed it.
  void saw(const std::string& name, store::Position seen);

  // ---- queues (simulation_queues.cpp)
  sqs::TextMap some_attributes(const std::string& name);
  std::string some_redrive_policy(const std::string& name);
  std::string some_allow_policy(const std::string& name);
  void create();
  void create(const std::string& name);
  void remove();
  void purge();
  void set_attributes();
  void set_redrive();
  void set(const std::string& name, const sqs::TextMap& attributes);
  void tags();
  void permissions();
  void start_task();
  void cancel_task();

  // ---- messages (simulation_messages.cpp)
  void send();
  void send(const std::string& name, std::size_t messages, bool is_batch);
  ReferenceModel::Send some_message(const std::string& name);
  void spoil(ReferenceModel::Send& message);
  void receive();
  void receive(const std::string& name, const std::shared_ptr<Sleeper>& waiter, std::optional<std::int64_t> timeout,
               std::size_t max);
  void compare(const std::string& name, const engine::Delivery& got, const ModelMessage& expected);
  void delete_messages();
  void delete_newest(const std::string& name, std::size_t count);
  void change_visibility();
  void quarantine();
  void drain();
  void flood();

  // ---- time and disk (simulation.cpp)
  void operate();
  void pass_time();
  void pass_time(std::int64_t milliseconds, bool settled);
  void advance_to(std::int64_t time, bool settled);
  void sync();
  void checkpoint();
  void settle();
  void give_up_polls();
  void start();
  void crash();
  /// Returns the position that was kept.
  store::Position stop_at(store::Position survivor, bool jumps);

  // ---- comparison (simulation_check.cpp)
  void remember();
  void remember(store::Position before, std::uint64_t records);
  void check();
  void check_queue(const std::string& name, bool thoroughly);
  void check_tasks(const std::string& name);
  void check_messages(const std::string& name);
  void check_listing(const std::string& prefix);
  void check_all();
  void check_polls();

  const bool calm_;         // consumers keep up: queues are often empty and polls wait
  const bool is_punctual_;  // tick() runs whenever something is due, as it must be for an exact account of processing times
  std::vector<std::string> names_;
  std::shared_ptr<Tally> tally_;
  SeededRandom random_;
  SeededRandom engine_random_;
  ManualClock clock_;
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  engine::EngineOptions options_;
  engine::Caller caller_{"key", "127.0.0.1"};
  std::unique_ptr<store::SimulatedStore> store_ = std::make_unique<store::SimulatedStore>();
  std::unique_ptr<engine::Engine> engine_;
  ReferenceModel model_;
  std::deque<std::pair<store::Position, ReferenceModel>> history_;  // the model at these positions
  std::map<std::string, store::Position> seen_;  // the latest change of each queue whose place in the log is known
  std::vector<Handle> handles_;
  std::vector<Poll> polls_;
  std::uint64_t bodies_ = 0;
  bool model_looks_ = true;  // both sides have looked at the clock since it moved
  int step_ = 0;
};

}  // namespace ferry::simulation
