#pragma once
// All of SQS that needs a queue's state, in the plainest form that can be read against its description. Shares no code with the
// engine. `now` is engine time, `wall` the wall clock, both in milliseconds; `now` never falls but at restart().
//
// Where the description leaves the choice to the engine the engine's answer is passed in: the ids that it made up, and the order
// among noisy tenants with equally many messages in flight.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model_queue.h"
#include "sqs/api.h"

namespace ferry::simulation {

/// What is answered instead of a result. No code: nothing is wrong. No text: its words are nowhere described.
struct Failure {
  std::string code;
  std::string text;
  bool any() const { return !code.empty(); }
};

struct ModelDelivery {
  ModelMessage message;
  ModelHandle handle;
};

/// How often each of the rarer rules was met.
using Tally = std::map<std::string, int>;

std::string arn_of(const std::string& queue_name);
/// The queue of one of the arns above.
std::string name_in(const std::string& arn);

class ReferenceModel {
 public:
  using TextMap = sqs::TextMap;

  explicit ReferenceModel(std::shared_ptr<Tally> tally) : tally_(std::move(tally)) {}

  std::size_t in_flight_max = 0;

  // ---- directory (model_directory.cpp)
  Failure create(const std::string& name, const TextMap& attributes, const TextMap& tags, std::int64_t now, std::int64_t wall);
  Failure remove(const std::string& name, std::int64_t now);
  Failure purge(const std::string& name, std::int64_t now);
  Failure set_attributes(const std::string& name, const TextMap& attributes, std::int64_t now, std::int64_t wall);
  Failure add_permission(const std::string& name, const ModelPermission& permission, std::int64_t wall);
  Failure remove_permission(const std::string& name, const std::string& label, std::int64_t wall);
  void tag(const std::string& name, const TextMap& tags);
  void untag(const std::string& name, const std::vector<std::string>& keys);
  /// All attributes, in alphabetical order.
  TextMap describe(const std::string& name, std::int64_t now) const;
  std::vector<std::string> names() const;
  std::vector<std::string> dead_letter_sources(const std::string& name) const;
  const ModelQueue* find(const std::string& name) const;
  ModelCounts counts(const std::string& name, std::int64_t now) const { return find(name)->counts(now); }
  /// Lets time pass in all queues: both sides look at the same moments.
  void look(std::int64_t now);
  /// When something in a queue changes by itself.
  std::optional<std::int64_t> next_event() const;
  /// Messages that count, and quarantined ones, of all queues.
  std::size_t living(std::int64_t now) const;
  std::size_t quarantined() const;

  // ---- sending (model_send.cpp)
  struct Send {
    std::string body;
    std::optional<std::int64_t> delay;
    std::optional<std::string> group;
    std::optional<std::string> deduplication_id;
    std::optional<Uuid> id;  ///< that the engine made up
  };
  struct Sent {
    Failure failure;
    bool is_duplicate = false;
    std::optional<Uuid> id;
    std::uint64_t sequence = 0;
  };
  /// One element for each message. A failure of a FIFO queue is one for all of them.
  std::vector<Sent> send(const std::string& name, const std::vector<Send>& messages, bool is_batch, std::int64_t now,
                         std::int64_t wall);

  // ---- receiving (model_receive.cpp)
  struct Receive {
    std::size_t max = 1;
    std::optional<std::int64_t> timeout;
    std::optional<std::string> attempt;
    std::vector<std::uint64_t> given;  ///< the numbers that the engine gave out
  };
  struct Received {
    Failure failure;
    std::vector<ModelDelivery> deliveries;
    std::size_t moved = 0;  ///< dead letters
    bool was_replayed = false;
  };
  Received receive(const std::string& name, const Receive& request, std::int64_t now, std::int64_t wall);
  /// A message of a queue has been seen to have this id.
  void learn_id(const std::string& name, std::uint64_t sequence, const Uuid& id);
  /// How many receives of one message each, side by side, would get one.
  std::size_t servings(const std::string& name, std::int64_t now);

  // ---- what handles do (model_handles.cpp)
  Failure remove_message(const std::string& name, const std::string& text, const ModelHandle& handle, std::int64_t now);
  Failure change_visibility(const std::string& name, const std::string& text, const ModelHandle& handle, std::int64_t timeout,
                            std::int64_t now);
  void quarantine(const std::string& name, std::uint64_t sequence, std::int64_t now);

  // ---- what goes on in the background (model_moves.cpp)
  struct StartTask {
    std::string source;
    std::optional<std::string> destination;
    std::optional<int> rate;
    Uuid id;  ///< that the engine made up
  };
  /// All that is wrong with it: which of it is answered is nowhere described.
  std::vector<Failure> task_failures(const StartTask& task) const;
  void start_task(const StartTask& task, std::int64_t now, std::int64_t wall);
  /// Of a running task.
  std::uint64_t cancel_task(const std::string& source, const Uuid& id);
  /// Whether a task of a queue of that kind is running.
  bool task_runs(bool fifo) const;
  /// Does what is due. How many steps that took: messages moved, and tasks ended.
  std::size_t settle(std::int64_t now, std::int64_t wall);

  void restart(std::int64_t now);

 private:
  struct Choice {
    std::vector<std::uint64_t> taken;
    std::vector<std::uint64_t> dead;
    std::vector<std::uint64_t> left;  ///< dead too, but more than one receive may move
  };

  ModelQueue& edit(const std::string& name);
  /// The same, at `now`.
  ModelQueue& edit(const std::string& name, std::int64_t now);
  Failure redrive_failure(const std::string& source, const std::string& policy_text, const ModelRedrive& policy) const;
  Failure apply(ModelQueue& queue, const std::string& attribute, const std::string& value) const;
  Failure send_failure(const ModelQueue& queue, const Send& message, bool is_batch) const;
  bool is_exhausted(const ModelQueue& queue, const ModelMessage& message) const;
  /// True: it is dead, and dealt with.
  bool bury(const ModelQueue& queue, const ModelMessage& message, Choice& choice) const;
  bool is_greedy(const ModelQueue& queue, const std::string& tenant, const Choice& choice) const;
  const ModelMessage* next_quiet(ModelQueue& queue, const std::vector<std::uint64_t>& met, const Choice& choice) const;
  const ModelMessage* next_noisy(ModelQueue& queue, const std::vector<std::uint64_t>& met, const Choice& choice,
                                 std::optional<std::uint64_t> given) const;
  Choice choose_standard(ModelQueue& queue, std::size_t max, const std::vector<std::uint64_t>& given) const;
  Choice choose_fifo(ModelQueue& queue, std::size_t max) const;
  static void give(ModelQueue& queue, const std::vector<std::uint64_t>& taken, std::int64_t until, std::int64_t wall,
                   Received& received);
  bool replay_attempt(ModelQueue& queue, const Receive& request, std::int64_t until, Received& received);
  void move_dead_letters(const std::string& source, const std::vector<std::uint64_t>& sequences, std::int64_t now,
                         std::int64_t wall);
  std::size_t sweep_dead_letters(const std::string& name, std::int64_t now, std::int64_t wall);
  /// The same.
  std::size_t run_task(const std::string& source, std::size_t index, std::int64_t now, std::int64_t wall);
  void redrive(const std::vector<ModelMessage>& messages, const std::string& destination, std::int64_t now, std::int64_t wall);
  void count(const std::string& what, int times = 1) const { (*tally_)[what] += times; }

  std::vector<std::shared_ptr<ModelQueue>> queues_;  ///< copies of the model share those that they did not change
  std::vector<std::pair<std::string, std::int64_t>> deleted_;
  std::uint64_t last_incarnation_ = 0;
  std::shared_ptr<Tally> tally_;
};

}  // namespace ferry::simulation
