#pragma once
// Ends the messages that are out of hand: deletes them or sets the visibility they go back with, in batches. Of a batch that
// failed in part only the failed entries are repeated.

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "config/handoff.h"
#include "worker/queue_port.h"
#include "worker/transcript.h"

namespace ferry::worker {

struct SettlerOptions {
  Millis gather{20};     ///< how long the first of a batch waits for others
  int attempts_max = 8;  ///< of one message
  config::BackoffSettings pause{Millis(200), Millis(10'000)};
};

class Settler {
 public:
  /// Everything outlives the settler; `random` may be used by any thread.
  Settler(SettlerOptions options, QueuePort& queue, const Clock& clock, Random& random, Reporter& reporter)
      : options_(options), queue_(queue), clock_(clock), random_(random), reporter_(reporter) {}

  /// `added` is called, on any thread, when there is a first one to flush or a batch is full; several flush() may follow at the
  /// same time. Set it before the first remove() or give_back().
  void on_added(std::function<void()> added) { added_ = std::move(added); }

  struct Ticket {
    std::string message_id;
    std::string receipt_handle;
  };
  void remove(Ticket ticket);
  /// Called once, on the thread that flushes, before the message stops counting as waiting: whether the queue has confirmed it.
  using Then = std::function<void(bool confirmed)>;
  /// The message is seen again after `timeout`.
  void give_back(Ticket ticket, Seconds timeout, Then then = {});

  /// Makes calls, one after the other, until no batch is full or old enough. Answers how long until something may be due (a
  /// second at most). Blocks for the calls. Several threads at a time have several calls under way.
  Millis flush();
  /// What is neither done nor given up.
  std::size_t waiting() const;
  /// Messages whose deletion or visibility change was given up after all attempts, or refused.
  std::size_t given_up() const;

 private:
  struct Settlement {
    Ticket ticket;
    Seconds timeout{0};
    int failures = 0;
    SteadyTime due;
    Then then{};
  };
  enum class Kind { Remove, GiveBack };
  void add(Kind kind, Settlement settlement);
  // In the order in which they came. Entries with a failure wait for another attempt.
  struct Queue {
    std::deque<Settlement> entries;
    std::size_t fresh = 0;  // those without a failure
  };
  std::vector<Settlement> take_batch(Queue& queue, SteadyTime now);
  void perform(Kind kind, std::vector<Settlement> batch);
  void fail(Kind kind, Settlement settlement, Fault fault, const std::string& why);
  Queue& queue_of(Kind kind) { return kind == Kind::Remove ? removals_ : returns_; }

  SettlerOptions options_;
  QueuePort& queue_;
  const Clock& clock_;
  Random& random_;
  Reporter& reporter_;
  std::function<void()> added_;
  mutable std::mutex mutex_;
  Queue removals_;  // guarded by mutex_, like the rest
  Queue returns_;
  std::size_t in_call_ = 0;
  std::size_t given_up_ = 0;
};

}  // namespace ferry::worker
