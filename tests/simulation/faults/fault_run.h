#pragma once
// A random life of an engine on a journal, on a disk that fails, fills up and loses what was not synced, with clocks that jump,
// and with the store's own work done at random moments. Nothing waits for anything: answers gather until a commit covers them.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "simulation/machine/journal_machine.h"
#include "simulation/machine/reference_engine.h"

namespace ferry::test {

/// How often each thing was met.
using FaultTally = std::map<std::string, std::uint64_t>;

/// Reports with ADD_FAILURE(), and stops at the first failure.
class FaultRun {
 public:
  FaultRun(std::uint64_t seed, FaultTally& tally);
  /// Operations and faults, then an end without faults, when everything must come to rest.
  void run(int steps);
  int step() const { return step_; }

 private:
  // What the client knows of a message. Positions: what must be durable for it to be known.
  struct Told {
    std::string body;
    std::string queue;  // that it was sent to
    std::uint64_t sent = 0;
    std::optional<std::uint64_t> deleted;  // by its handle
    std::optional<std::uint64_t> swept;    // with its queue, or by a purge
  };
  struct Handle {
    std::string queue;
    std::string text;
    Uuid message;
    std::uint64_t seen = 0;  // must be durable for the client to have it
  };

  std::uint64_t below(std::uint64_t bound) { return chance_.below(bound); }
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
  void count(const std::string& what) { ++tally_[what]; }
  std::string some_queue();
  engine::QueueRef find(const std::string& name);

  // fault_run_operations.cpp
  void operate();
  void send();
  void note_sent(const std::string& queue, const std::vector<JournalMachine::Message>& messages,
                 const engine::Answer<std::vector<sqs::ApiResult<engine::Sent>>>& answer, std::uint64_t before);
  void receive();
  void erase();
  void change();
  void purge();
  void create_or_delete();
  void set_attributes();
  void move_task();
  void pass_time();
  template <class T>
  bool answered(const engine::Answer<T>& answer, const char* what);
  void learn(const std::string& queue, const engine::Delivery& delivery, store::Position seen);
  std::optional<Uuid> message_at(const store::Location& location);
  void sweep(const std::string& queue, std::uint64_t position);

  // fault_run.cpp: the store's work, faults, ends
  void create_queues();
  void work();
  void arm_fault();
  void fill_or_empty_the_disk();
  void check_invariants();
  void stop();
  CrashMode some_mode() { return static_cast<CrashMode>(below(3)); }
  /// What a crash leaves is started again and compared with what was told.
  void die(CrashMode mode);
  void check_live();
  void start_on(DiskModel disk);
  /// What is left of the present disk. A process that is killed alone leaves the system's cache to the next one.
  DiskModel crashed(CrashMode mode);
  void compare(const HistoryStore& history, std::uint64_t durable);
  void check_client(const Observation& observation, std::uint64_t durable);
  void end();
  void drain();
  void check_space();

  FaultTally& tally_;
  SeededRandom chance_;
  store::JournalOptions options_;
  bool direct_access_;
  std::unique_ptr<JournalMachine> machine_;
  ReferenceEngine reference_;
  std::map<Uuid, Told> messages_;
  std::set<Uuid> forgotten_;  // messages that are gone
  std::vector<Handle> handles_;
  int next_ = 0;
  int step_ = 0;
  bool clock_jumped_ = false;               // in this life
  std::optional<std::uint64_t> failed_at_;  // what was durable when the store failed
  bool disk_is_full_ = false;
  std::uint64_t last_when_writable_ = 0;
};

}  // namespace ferry::test
